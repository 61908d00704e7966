"""``broker``: the command line. Each command says what it does, and what to do when it cannot."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from broker import __version__, log
from broker.cli.check import check
from broker.cli.keys import keys
from broker.cli.options import CONFIG, explained
from broker.cli.saml import saml
from broker.cli.users import users


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="broker")
def main() -> None:
    """A self-hosted federation broker with the wire of Cognito's user-pool federation endpoints."""
    log.silence()


@main.command()
@CONFIG
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 256))
@click.option(
    "--cpu-affinity/--no-cpu-affinity",
    default=True,
    show_default=True,
    help="A processor of its own for each worker, where there are as many.",
)
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, help="Where /metrics listens."
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Off unless a port is given.")
def serve(
    *,
    config: Path,
    host: str,
    port: int,
    workers: int,
    cpu_affinity: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    metrics_host: str,
    metrics_port: int | None,
) -> None:
    """Serve the configured pools until SIGTERM. SIGHUP reads the configuration again."""
    # Until the server listens to it, it would end the process; what it asks for is being done.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from broker import server, settings
    from broker.listening import CannotListenError, Listener, TlsFiles
    from broker.metrics import MetricsListener

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    listener = Listener(
        host=host,
        port=port,
        workers=workers,
        cpu_affinity=cpu_affinity,
        tls=None if tls_cert is None or tls_key is None else TlsFiles(chain=tls_cert, key=tls_key),
        metrics=None
        if metrics_port is None
        else MetricsListener(host=metrics_host, port=metrics_port),
    )
    try:
        with explained(config):
            server.serve(lambda: settings.load(config, os.environ, port=port), listener)
    except CannotListenError as error:
        raise click.ClickException(str(error)) from error


@main.command()
def demo() -> None:
    """Start a broker, identity providers and a sample app on loopback, and sign in once."""
    from broker.demo import run

    sys.exit(run())


main.add_command(check)
main.add_command(keys)
main.add_command(users)
main.add_command(saml)
