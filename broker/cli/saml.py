"""``broker saml``: look at SAML messages as the broker would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from broker.cli.options import CONFIG, explained, load
from broker.model.errors import StoreUnavailableError, UpstreamError
from broker.model.pool import UserPool

if TYPE_CHECKING:
    from broker.ports import Upstream
    from broker.saml.explain import Finding
    from broker.settings import Settings
    from broker.upstream.saml_party import SamlParty

_MARKS = {True: "pass", False: "FAIL", None: "  --"}


@click.group()
def saml() -> None:
    """Look into SAML messages."""


@saml.command()
@click.argument("source", type=click.File("rb"))
@CONFIG
@click.option("--provider", required=True, help="The ProviderName that sent the message.")
@click.option("--pool", "pool_id", help="The pool's Id; needed when there are several.")
@click.option("--request-id", help="The ID of the AuthnRequest; else the one the message answers.")
@click.option("--now", is_flag=True, help="Judge times by this moment, not by when it was issued.")
def explain(
    *,
    source: BinaryIO,
    config: Path,
    provider: str,
    pool_id: str | None,
    request_id: str | None,
    now: bool,
) -> None:
    """Say step by step what the broker checks of a captured SAMLResponse.

    SOURCE is a file (- for standard input) with the form field, the whole form body, or the XML. Exit
    status 1 when a step fails. Not known here: whether the assertion was used before, and what is stored
    of the person.
    """
    from broker.login.explain import explain_person
    from broker.upstream import saml_explain

    with _opened(config, pool_id, provider) as party:
        captured = saml_explain.Captured(
            encoded=saml_explain.captured_response(source.read()),
            base_url=party.pool.domain,
            request_id=request_id,
            at=party.clock.now() if now else None,
        )
        sequel = partial(explain_person, party.pool, party.provider)
        findings = list(saml_explain.explained(party, captured, sequel))
    for finding in findings:
        _print(finding)
    failed = [finding for finding in findings if finding.passed is False]
    click.echo(
        f"\n{len(failed)} of {len(findings)} steps failed."
        if failed
        else "\nThe broker would accept this message, once, in the sign-in it belongs to."
    )
    sys.exit(1 if failed else 0)


@contextmanager
def _opened(config: Path, pool_id: str | None, provider: str) -> Iterator[SamlParty]:
    """The provider's connector, and why it cannot be used as a message a person can act on."""
    from broker import wiring

    with explained(config):
        loaded = load(config)
    pool = _pool(loaded, pool_id)
    if provider not in pool.providers:
        raise click.UsageError(f"--provider must be one of: {', '.join(pool.providers)}.")
    try:
        with wiring.connectors(loaded, anew=False) as upstreams:
            yield _saml(upstreams.of(pool, provider), provider)
    except UpstreamError as error:
        raise click.ClickException(
            f"{provider} cannot be used: {error.reason}: expected {error.expected}, "
            f"received {error.received}."
        ) from error
    except StoreUnavailableError as error:
        raise click.ClickException(f"the message is encrypted. To decrypt it: {error}.") from error


def _pool(loaded: Settings, pool_id: str | None) -> UserPool:
    """The one that is named, or the only one there is."""
    pools = [pool for pool in loaded.pools.values() if pool_id in (None, pool.id)]
    if len(pools) != 1:
        raise click.UsageError(f"--pool must be one of: {', '.join(loaded.pools)}.")
    return pools[0]


def _saml(upstream: Upstream, provider: str) -> SamlParty:
    from broker.upstream.saml_party import SamlParty

    if not isinstance(upstream, SamlParty):
        raise click.UsageError(f"{provider} is not a SAML provider.")
    return upstream


def _print(finding: Finding) -> None:
    from broker.saml.advice import ADVICE

    click.echo(f"{_MARKS[finding.passed]}  {finding.step}{finding.note and ': ' + finding.note}")
    if finding.passed is False and finding.reason is not None:
        click.echo(f"      reason    {finding.reason}")
        click.echo(f"      expected  {finding.expected}")
        click.echo(f"      received  {finding.received}")
        click.echo(f"      to do     {ADVICE.get(finding.reason, 'See docs/troubleshooting.md.')}")
