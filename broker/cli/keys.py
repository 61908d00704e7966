"""``broker keys``: what keys there are, and how they are exchanged for others.

Works on the key files alone, beside a running broker, which notices at the next request. The order that
refuses nobody stands in ``stores/key_rotation.py``, and in docs/operations.md for people.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker.cli.options import CONFIG, explained, load
from broker.model.errors import StoreUnavailableError
from broker.model.pool import UserPool

if TYPE_CHECKING:
    from broker.stores.key_rotation import KeyEntry, KeyRotation

_POOL = click.option("--pool", "pool_id", help="One pool's Id; otherwise all pools.")

_AFTER_ROTATE = """
New token keys sign from now on; the old ones stay in jwks.json until they are retired.
New SAML certificates are published in /saml2/metadata and not used yet. Give them to the identity
providers that check our requests or encrypt for us, and when all have them: broker keys retire.
On several machines, copy the files to each and send SIGHUP."""
_BEFORE_RETIRE = """
Tokens signed with a retired key are refused from now on. A retired SAML certificate signs nothing and
decrypts nothing any more, and the next one takes its place. The files are removed for good."""


@click.group()
def keys() -> None:
    """List, rotate and retire the keys of the pools."""


@keys.command("list")
@CONFIG
@_POOL
def list_(config: Path, pool_id: str | None) -> None:
    """Show every key: its role, state, id, age and expiry."""
    with _opened(config, pool_id) as (rotation, pools):
        for pool in pools:
            _print(pool, rotation.entries(pool), nothing="no keys yet; they are made at first use")


@keys.command()
@CONFIG
@_POOL
def rotate(config: Path, pool_id: str | None) -> None:
    """Add a key to each role. Nothing is taken away, so nobody is refused."""
    with _opened(config, pool_id) as (rotation, pools):
        for pool in pools:
            _print(pool, rotation.rotate(pool), nothing="nothing to add")
    click.echo(_AFTER_ROTATE)


@keys.command()
@CONFIG
@_POOL
@click.option("--yes", is_flag=True, help="Do not ask.")
def retire(config: Path, pool_id: str | None, *, yes: bool) -> None:
    """Remove the oldest key of each role that has several.

    At a terminal it asks before it does so.
    """
    with _opened(config, pool_id) as (rotation, pools):
        found = [(pool, rotation.retirable(pool)) for pool in pools]
        for pool, entries in found:
            _print(pool, entries, nothing="nothing to retire: one key for each role")
        leaving = [entry for _, entries in found for entry in entries]
        if not leaving:
            return
        click.echo(_BEFORE_RETIRE)
        if _is_terminal() and not yes:
            click.confirm(f"Retire these {len(leaving)} keys?", abort=True)
        rotation.retire(leaving)
    click.echo(f"{len(leaving)} keys were retired.")


def _is_terminal() -> bool:
    """A script that says retire means it."""
    return sys.stdin.isatty()


@contextmanager
def _opened(config: Path, pool_id: str | None) -> Iterator[tuple[KeyRotation, Sequence[UserPool]]]:
    """The keys of this installation, and the pools that are meant."""
    from broker.stores.key_rotation import KeyRotation
    from broker.wiring import SystemClock

    with explained(config):
        loaded = load(config)
    pools = [pool for pool in loaded.pools.values() if pool_id in (None, pool.id)]
    if not pools:
        raise click.UsageError(f"--pool must be one of: {', '.join(loaded.pools)}.")
    try:
        yield KeyRotation(directory=loaded.certs_dir, clock=SystemClock()), pools
    except StoreUnavailableError as error:
        raise click.ClickException(f"{error}.") from error


def _print(pool: UserPool, entries: Iterable[KeyEntry], *, nothing: str) -> None:
    click.echo(pool.id)
    lines = [_line(entry) for entry in entries]
    click.echo("\n".join(lines) if lines else f"  {nothing}")


def _line(entry: KeyEntry) -> str:
    role = entry.role if entry.provider is None else f"{entry.role} for {entry.provider}"
    expires = "" if entry.expires is None else f"  expires {entry.expires:%Y-%m-%d}"
    return f"  {role:<16} {entry.state:<8} made {entry.created:%Y-%m-%d}{expires}  {entry.id}"
