"""``broker check``: everything that is wrong with a configuration, or soon will be, at once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker.cli.options import CONFIG, explained, load

if TYPE_CHECKING:
    from broker.settings import Settings
    from broker.upstream.saml_lint import Remark
    from broker.upstream.saml_party import SamlParty


@click.command()
@CONFIG
@click.option("--offline", is_flag=True, help="Do not look at the providers' metadata.")
def check(*, config: Path, offline: bool) -> None:
    """Report every fault of a configuration at once; exit 1 if there is any.

    Looks at the metadata of each SAML provider too: keys that expire, endpoints that are missing,
    addresses that do not answer. It changes nothing, and needs neither the database nor keys; those
    that there are must be good.
    """
    with explained(config):
        loaded = load(config)
        remarks = [*_of_redis(loaded), *_of_keys(loaded), *([] if offline else _remarks(loaded))]
    for warning in loaded.warnings:
        click.echo(f"warning  {warning}")
    for place, remark in remarks:
        click.echo(f"{remark.weight:<7}  {place}: {remark.text}")
    weights = Counter(str(remark.weight) for _, remark in remarks)
    faults = weights["fault"]
    click.echo(
        f"{config}: {faults or 'no'} fault{'' if faults == 1 else 's'}. {_counts(loaded)}, "
        f"{len(loaded.warnings) + weights['warning']} warning(s)."
    )
    sys.exit(1 if faults else 0)


def _of_redis(loaded: Settings) -> Iterator[tuple[str, Remark]]:
    """Of its URL, not of what answers there: who checks may sit elsewhere."""
    from broker import installation
    from broker.upstream.saml_lint import Remark, Weight

    for fault in installation.redis_faults(loaded):
        place, _, text = fault.partition(": ")
        yield place, Remark(text=text, weight=Weight.FAULT)


def _of_keys(loaded: Settings) -> Iterator[tuple[str, Remark]]:
    """Of the key files that there are. Who checks may not be the user that the broker runs as."""
    from broker import installation
    from broker.upstream.saml_lint import Remark, Weight

    for fault in installation.key_faults(loaded):
        weight = Weight.FAULT if fault.is_content else Weight.WARNING
        yield fault.place, Remark(text=fault.text, weight=weight)


def _remarks(loaded: Settings) -> Iterator[tuple[str, Remark]]:
    """Provider by provider, then together, with the place in words an administrator searches for."""
    from broker import wiring
    from broker.upstream.saml_lint import lint, lint_together
    from broker.upstream.saml_party import SamlParty

    everybody = [(pool, name) for pool in loaded.pools.values() for name in pool.providers]
    with (
        wiring.connectors(loaded, anew=True) as upstreams,
        click.progressbar(everybody, label="Looking at the providers", file=sys.stderr) as shown,
    ):
        parties: list[SamlParty] = []
        for pool, name in shown:
            upstream = upstreams.of(pool, name)
            if isinstance(upstream, SamlParty):
                parties.append(upstream)
                for remark in lint(upstream):
                    yield _place(upstream), remark
        for party, remark in lint_together(parties):
            yield _place(party), remark


def _place(party: SamlParty) -> str:
    return f"{party.pool.id} {party.provider.name}"


def _counts(loaded: Settings) -> str:
    providers = sum(len(pool.providers) for pool in loaded.pools.values())
    clients = sum(len(pool.clients) for pool in loaded.pools.values())
    return f"{len(loaded.pools)} pool(s), {clients} client(s), {providers} provider(s)"
