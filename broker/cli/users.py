"""``broker users``: what an administrator does to the users of a pool.

Works on the broker's stores, beside a running one, which sees each change at its next request. The rules are
those of the Cognito API and stand in ``login/accounts.py``, ``links.py`` and ``user_import.py``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from broker.cli.options import CONFIG, TEXT, explained, load
from broker.model.login import UserProfile
from broker.model.pool import IdentityProvider, UserPool

if TYPE_CHECKING:
    from broker.login.broker import Broker
    from broker.login.user_import import Outcome

_POOL = click.option(
    "--pool", "pool_id", type=TEXT, help="The pool's Id; needed when there are several."
)
_USERNAME = click.argument("username", type=TEXT)
_PAGE = 60
_PROGRESS_EVERY = 10_000
_PROGRESS_EVERY_AT_A_TERMINAL = 1_000


@click.group()
def users() -> None:
    """List, import, disable, delete and link the users of a pool."""


@users.command("list")
@CONFIG
@_POOL
@click.option("--starting-with", type=TEXT, default="", help="Only user names that begin so.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
def list_(config: Path, pool_id: str | None, starting_with: str, limit: int | None) -> None:
    """Print users, one JSON object a line, in the order of their names.

    The lines are what `broker users import` reads.
    """
    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        for number, user in enumerate(_users(broker, pool, pool.as_kept(starting_with))):
            if number == limit:
                break
            click.echo(_json(_described(user)))


@users.command()
@CONFIG
@_POOL
@_USERNAME
def show(config: Path, pool_id: str | None, username: str) -> None:
    """Print one user with its groups, its identities and the links that wait for a first sign-in."""
    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        user = broker.accounts.named(pool, username)
        expected = [
            {
                "ProviderName": link.provider_name,
                "ProviderAttributeName": link.attribute,
                "ProviderAttributeValue": link.value,
            }
            for link in broker.links.expected_of(pool, user)
        ]
        shown = {**_described(user), "Groups": list(user.groups), "ExpectedLinks": expected}
        click.echo(_json(shown, indent=2))


@users.command("import")
@CONFIG
@click.option(
    "--file",
    "source",
    required=True,
    type=click.File("rb"),
    help="One JSON object a line: UserPoolId, Username (<Provider>_<id>), UserAttributes (or "
    "Attributes) [{Name, Value}], and optionally Sub and Enabled. - reads standard input.",
)
def import_(config: Path, source: BinaryIO) -> None:
    """Create users, and bring those that exist up to date. May be repeated.

    Refused lines are reported by number, and make the exit status 1; the others are stored.
    """
    from broker.login.user_import import UserImport

    with _opened(config) as broker:
        importing = UserImport(
            pools=broker.pools,
            directory=broker.directory,
            accounts=broker.accounts,
            clock=broker.clock,
        )
        outcome = importing.run(
            source,
            refused=lambda number, reason: click.echo(f"line {number}: {reason}", err=True),
            progress=_Progress(),
        )
    click.echo(f"{outcome.stored} stored, {outcome.refused} refused.")
    sys.exit(1 if outcome.refused else 0)


@users.command()
@CONFIG
@_POOL
@_USERNAME
def disable(config: Path, pool_id: str | None, username: str) -> None:
    """Refuse a user everywhere, at once: no sign-in, and every session and token dies."""
    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        broker.accounts.disable(pool, broker.accounts.named(pool, username))
    click.echo(f"{username} is disabled.")


@users.command()
@CONFIG
@_POOL
@_USERNAME
def enable(config: Path, pool_id: str | None, username: str) -> None:
    """Let a disabled user sign in again. Sessions and tokens from before stay dead."""
    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        broker.accounts.enable(pool, broker.accounts.named(pool, username))
    click.echo(f"{username} is enabled.")


@users.command()
@CONFIG
@_POOL
@click.option("--yes", is_flag=True, help="Do not ask.")
@_USERNAME
def delete(config: Path, pool_id: str | None, username: str, *, yes: bool) -> None:
    """Forget a user. The next sign-in of the same person makes a new one, with a new sub."""
    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        user = broker.accounts.named(pool, username)
        if not yes:
            click.confirm(f"Delete {username} (sub {user.sub}) for good?", abort=True)
        broker.accounts.delete(pool, user)
    click.echo(f"{username} is deleted.")


_PROVIDER = click.option(
    "--provider", type=TEXT, required=True, help="ProviderName of the one to be linked."
)
_ATTRIBUTE = click.option(
    "--attribute",
    type=TEXT,
    default="Cognito_Subject",
    show_default=True,
    help="ProviderAttributeName: the provider's subject, or (SAML, OIDC) a mapped pool attribute.",
)
_VALUE = click.option("--value", type=TEXT, required=True, help="ProviderAttributeValue.")


@users.command()
@CONFIG
@_POOL
@_PROVIDER
@_ATTRIBUTE
@_VALUE
@_USERNAME
def link(
    *, config: Path, pool_id: str | None, provider: str, attribute: str, value: str, username: str
) -> None:
    """Let somebody from a provider sign in as a user who is there already.

    By an attribute the link waits for the first sign-in. The one to be linked must not be a user yet.
    """
    from broker.login.links import Source

    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        user = broker.accounts.named(pool, username)
        source = Source(provider=_provider(pool, provider), value=value, attribute=attribute)
        broker.links.link(pool, user, source)
    click.echo(f"{provider} {attribute}={value} is linked to {username}.")


@users.command()
@CONFIG
@_POOL
@_PROVIDER
@_ATTRIBUTE
@_VALUE
def unlink(config: Path, pool_id: str | None, provider: str, attribute: str, value: str) -> None:
    """Undo a link. The tokens of the user it led to die."""
    from broker.login.links import Source

    with _opened(config) as broker:
        pool = _pool(broker, pool_id)
        source = Source(provider=_provider(pool, provider), value=value, attribute=attribute)
        user = broker.links.unlink(pool, source)
    was = "" if user is None else f" from {user.username}"
    click.echo(f"{provider} {attribute}={value} is unlinked{was}.")


@contextmanager
def _opened(config: Path) -> Iterator[Broker]:
    """The broker of a configuration, and its refusals as messages a person can act on."""
    from broker import installation, wiring
    from broker.login.accounts import AccountError

    try:
        with explained(config):
            loaded = load(config)
            installation.prepare_database(loaded)
            with closing(wiring.build(loaded)) as broker:
                yield broker
    except AccountError as error:
        raise click.ClickException(f"{error.message} ({error.name})") from error


def _pool(broker: Broker, pool_id: str | None) -> UserPool:
    """The one named, or the only one there is."""
    if pool_id is None and len(broker.pools) == 1:
        return next(iter(broker.pools.values()))
    pool = broker.pools.get(pool_id or "")
    if pool is None:
        raise click.UsageError(f"--pool must be one of: {', '.join(broker.pools)}")
    return pool


def _provider(pool: UserPool, name: str) -> IdentityProvider:
    provider = pool.providers.get(name)
    if provider is None:
        raise click.UsageError(f"--provider must be one of: {', '.join(pool.providers)}")
    return provider


def _users(broker: Broker, pool: UserPool, prefix: str) -> Iterator[UserProfile]:
    """Everybody whose name begins with ``prefix``: names come sorted by code point."""
    last = prefix
    if prefix:
        exact = broker.directory.by_username(pool.id, prefix)
        yield from () if exact is None else (exact,)
    while page := broker.directory.list(pool.id, after_username=last, limit=_PAGE):
        for user in page:
            if not user.username.startswith(prefix):
                return
            yield user
        last = page[-1].username


def _described(user: UserProfile) -> dict[str, object]:
    """A user in the names of ``ListUsers``, as the import reads them."""
    from broker.oauth.claims import identities_attribute

    attributes = {**user.attributes, "identities": identities_attribute(user.identities)}
    return {
        "UserPoolId": user.pool_id,
        "Username": user.username,
        "Sub": user.sub,
        "Enabled": user.enabled,
        "UserStatus": user.status,
        "UserCreateDate": user.created_at,
        "UserLastModifiedDate": user.modified_at,
        "UserAttributes": [{"Name": name, "Value": value} for name, value in attributes.items()],
    }


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


class _Progress:
    """A line on standard error now and then; more often where somebody watches."""

    def __init__(self) -> None:
        self._every = _PROGRESS_EVERY_AT_A_TERMINAL if _is_watched() else _PROGRESS_EVERY
        self._next = self._every

    def __call__(self, outcome: Outcome) -> None:
        done = outcome.stored + outcome.refused
        if done >= self._next:
            self._next = done - done % self._every + self._every
            click.echo(f"{done} lines ...", err=True)


def _is_watched() -> bool:
    return sys.stderr.isatty()
