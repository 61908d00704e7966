"""Users from a file: one JSON object a line, in the names of the Cognito API (``ListUsers``).

Reads, checks and stores in batches, so that a million of them take minutes and little memory. A line that
is refused says why under its number and stops nothing; running the same file again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import msgspec

from broker.login.accounts import Accounts
from broker.login.attributes import subject_fault, username_of, value_fault
from broker.login.links import MAX_LINKS
from broker.model.errors import UpstreamError
from broker.model.identifiers import new_uuid
from broker.model.login import LinkedIdentity, UserProfile
from broker.model.pool import IdentityProvider, UserPool
from broker.ports import Clock, UserDirectory
from broker.settings.reading import line as told
from broker.settings.reading import nearest

BATCH = 500

_LATEST = 1 << 53
"""Milliseconds, far in the future: what JSON readers keep exact (RFC 8259 6)."""
_SUB = re.compile(r"[\x21-\x7e]{1,255}")


class LineRefusedError(Exception):
    """Why a line is no user of a configured pool. Repeats no attribute value."""


class _Attribute(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name")
    value: str = msgspec.field(name="Value")


class _Identity(msgspec.Struct, frozen=True):
    """A member of the attribute ``identities``."""

    user_id: str = msgspec.field(name="userId")
    provider_name: str = msgspec.field(name="providerName")
    issuer: str | None = None
    created_at: int | str = msgspec.field(name="dateCreated", default=0)


class _Line(msgspec.Struct, frozen=True):
    """What our own list prints, and a pool's id beside what ``ListUsers`` or ``AdminGetUser`` does.
    Other members are let through: exports carry more."""

    pool_id: str = msgspec.field(name="UserPoolId")
    username: str = msgspec.field(name="Username")
    attributes: tuple[_Attribute, ...] | None = msgspec.field(name="UserAttributes", default=None)
    listed: tuple[_Attribute, ...] | None = msgspec.field(name="Attributes", default=None)
    """``ListUsers`` calls them so."""
    sub: str | None = msgspec.field(name="Sub", default=None)
    enabled: bool = msgspec.field(name="Enabled", default=True)

    # Let through: nothing of it could be kept.
    status: object = msgspec.field(name="UserStatus", default=None)
    created: object = msgspec.field(name="UserCreateDate", default=None)
    modified: object = msgspec.field(name="UserLastModifiedDate", default=None)
    mfa: object = msgspec.field(name="MFAOptions", default=None)
    preferred_mfa: object = msgspec.field(name="PreferredMfaSetting", default=None)
    mfa_settings: object = msgspec.field(name="UserMFASettingList", default=None)
    response: object = msgspec.field(name="ResponseMetadata", default=None)


class _KnownLine(_Line, frozen=True, forbid_unknown_fields=True):
    """The same without other members, which nearly every line is: those are looked at once more."""


_KNOWN = _Line.__struct_encode_fields__
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for a line that is no JSON, or not that of a user."""

_decode_known = msgspec.json.Decoder(_KnownLine).decode
_decode = msgspec.json.Decoder(_Line).decode
_decode_identities = msgspec.json.Decoder(tuple[_Identity, ...]).decode


@dataclass(slots=True)
class Outcome:
    """``stored`` are the users that are there now, ``refused`` the lines that are not."""

    stored: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImport:
    """Import into the configured pools."""

    pools: Mapping[str, UserPool]
    directory: UserDirectory
    accounts: Accounts
    clock: Clock

    def run(
        self,
        lines: Iterable[bytes],
        *,
        refused: Callable[[int, str], None],
        progress: Callable[[Outcome], None],
    ) -> Outcome:
        """Store every line that is a user. ``refused`` hears line number and reason, in the order of
        the lines and fit for a terminal; ``progress`` is called after each batch."""
        outcome = Outcome()
        for batch in _batches(enumerate(_without_mark(lines), start=1)):
            users: dict[int, UserProfile] = {}
            reasons: dict[int, str] = {}
            for number, line in batch:
                try:
                    users |= {number: self._read(line)} if line.strip() else {}
                except LineRefusedError as error:
                    reasons[number] = str(error)
            left_out = self._store(users)
            reasons |= left_out
            for number in sorted(reasons):
                refused(number, told("", reasons[number]))
            outcome.stored += len(users) - len(left_out)
            outcome.refused += len(reasons)
            progress(outcome)
        return outcome

    def _store(self, users: Mapping[int, UserProfile]) -> dict[int, str]:
        """The lines that were left out, and why, which is rare and looked up only then."""
        numbers = list(users)
        positions = self.directory.import_many(users.values())
        left_out = {numbers[at]: self._conflict(users[numbers[at]]) for at in positions}
        for number, user in users.items():
            if not user.enabled and number not in left_out:
                self._disable(user)
        return left_out

    def _conflict(self, user: UserProfile) -> str:
        """What of ``user`` is another user's already, so that the directory did not take it."""
        by_sub = self.directory.by_sub(user.pool_id, user.sub)
        if by_sub is not None and by_sub.username != user.username:
            return "Sub: it is another user's."
        return "Username: this person is linked to another user; unlink first."

    def _disable(self, user: UserProfile) -> None:
        """A new user is stored disabled; one that was there before becomes so."""
        pool = self.pools[user.pool_id]
        existing = self.accounts.named(pool, user.username)
        if existing.enabled:
            self.accounts.disable(pool, existing)

    def _read(self, line: bytes) -> UserProfile:
        parsed = _parsed(line)
        pool = self.pools.get(parsed.pool_id)
        if pool is None:
            raise LineRefusedError("UserPoolId: there is no such pool in the configuration.")
        return self._profile(pool, parsed)

    def _profile(self, pool: UserPool, line: _Line) -> UserProfile:
        provider, subject = _split(pool, line.username)
        attributes = _attributes(line)
        sub = line.sub or attributes.get("sub") or new_uuid()
        if not _SUB.fullmatch(sub):
            raise LineRefusedError("Sub: at most 255 printable ASCII characters.")
        now = self.clock.now()
        own = LinkedIdentity.at(provider, subject, primary=True, created_at=int(now * 1000))
        return UserProfile(
            pool_id=pool.id,
            sub=sub,
            username=_username(pool, provider, subject),
            enabled=line.enabled,
            attributes=_checked(pool, attributes),
            identities=_identities(pool, own, attributes.get("identities")),
            groups=(pool.group_of(provider),),
            created_at=int(now),
            modified_at=int(now),
            # Whoever had this ``sub`` before may have left tokens behind.
            tokens_valid_after=int(now),
        )


def _parsed(line: bytes) -> _Line:
    try:
        return _decode_known(line)
    except _UNREADABLE as error:
        misspelt = _misspelt_member(line)
        if misspelt is not None:
            raise LineRefusedError(misspelt) from error
    try:
        return _decode(line)
    except _UNREADABLE as error:
        raise LineRefusedError(f"not a user in JSON: {error}") from error


def _misspelt_member(line: bytes) -> str | None:
    """The first that is nearly a known one: it must not lose what it names. None: there is none, or
    the line is no JSON further on."""
    try:
        members = msgspec.json.decode(line)
    except _UNREADABLE:
        return None
    unknown = [name for name in members if name not in _KNOWN] if isinstance(members, dict) else []
    hints = ((name, nearest(name, _KNOWN)) for name in unknown)
    return next((f"{name}: unknown member{hint}" for name, hint in hints if hint), None)


def _attributes(line: _Line) -> Mapping[str, str]:
    if line.attributes is not None and line.listed is not None:
        raise LineRefusedError("Attributes: means the same as UserAttributes (keep one).")
    return {each.name: each.value for each in line.attributes or line.listed or ()}


def _split(pool: UserPool, username: str) -> tuple[IdentityProvider, str]:
    """``<Provider>_<id>``, at the first underscore; the provider's name may differ in case where the
    pool ignores it."""
    name, _, subject = username.partition("_")
    same = (p for p in pool.providers.values() if pool.as_kept(p.name) == pool.as_kept(name))
    provider = pool.providers.get(name) or next(same, None)
    if provider is None:
        raise LineRefusedError("Username: it must begin with the name of a provider and _.")
    return provider, subject


def _username(pool: UserPool, provider: IdentityProvider, subject: str) -> str:
    fault = subject_fault(subject)
    if fault is not None:
        raise LineRefusedError(f"Username: what comes after the provider and _: {fault}.")
    try:
        return username_of(subject, provider, pool)
    except UpstreamError as error:
        raise LineRefusedError(f"Username: {error.expected or error.public}") from error


def _checked(pool: UserPool, attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of the schema; ``sub`` and ``identities`` have places of their own."""
    checked = {}
    for name, value in attributes.items():
        if name in ("sub", "identities"):
            continue
        attribute = pool.schema.get(name)
        if attribute is None:
            raise LineRefusedError(f"attribute {name}: it does not exist in the schema.")
        fault = value_fault(attribute, value)
        if fault is not None:
            raise LineRefusedError(f"attribute {name}: {fault}")
        checked[name] = value
    return checked


def _identities(
    pool: UserPool, own: LinkedIdentity, encoded: str | None
) -> tuple[LinkedIdentity, ...]:
    """The user's own identity, and the links that ``identities`` lists, as far as their providers
    are configured."""
    if encoded is None:
        return (own,)
    try:
        listed = _decode_identities(encoded)
        links = [link for each in listed if (link := _link(pool, each, own)) is not None]
    except (*_UNREADABLE, ValueError) as error:
        raise LineRefusedError("attribute identities: it is not what Cognito writes.") from error
    if len(links) > MAX_LINKS:
        raise LineRefusedError(f"attribute identities: at most {MAX_LINKS} links.")
    return (own, *links)


def _link(pool: UserPool, listed: _Identity, own: LinkedIdentity) -> LinkedIdentity | None:
    provider = pool.providers.get(listed.provider_name)
    if provider is None or (provider.name, listed.user_id) == (own.provider_name, own.user_id):
        return None
    _username(pool, provider, listed.user_id)  # the same rules for what a provider calls a person
    return LinkedIdentity.at(
        provider,
        listed.user_id,
        issuer=listed.issuer,
        created_at=_milliseconds(listed.created_at) or own.created_at,
    )


def _milliseconds(date: int | str) -> int:
    """Raises ``ValueError`` for what is no date, or none that a database has a number for."""
    number = int(date)
    if not 0 <= number < _LATEST:
        raise ValueError("out of range")
    return number


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Without the byte order mark that some editors begin a file with (RFC 8259 8.1)."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(_BYTE_ORDER_MARK)


def _batches(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while batch := list(islice(lines, BATCH)):
        yield batch
