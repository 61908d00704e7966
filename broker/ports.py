"""Every seam of the broker on one page.

A port speaks of intent and says what ``None`` means and what is raised. The pool id is in every
signature: one pool never sees another's data. Stores raise ``StoreUnavailableError`` when they
cannot answer in time, and nothing else of their own. Keys handed to a store are secrets (codes,
tokens, session ids): stores keep only a hash of them, so a dump of a store yields nothing usable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ExpectedLink,
    ExternalIdentity,
    LinkedIdentity,
    LoginSession,
    PendingSignOut,
    ProviderLogout,
    Transaction,
    UpstreamRequest,
    UserProfile,
)
from broker.model.pool import UserPool
from broker.model.stored import Entry, Kind, Rotation, SharedDocument, Spent
from broker.model.tokens import CertifiedKey, HeldFamily, PoolKeys, TokenFamily, TokenHolder


class Clock(Protocol):
    """The one source of time, given as an argument so that tests move it instead of waiting."""

    def now(self) -> float:
        """Seconds since the epoch."""


class SingleUseStore(Protocol):
    """Values that are used once, exactly, also when several processes race for one."""

    def put(self, pool_id: str, kind: Kind, key: str, value: bytes, *, lifetime: int) -> None:
        """Keep ``value`` under ``key`` for ``lifetime`` seconds, in place of one that is there."""

    def take(self, pool_id: str, kind: Kind, key: str) -> bytes | None:
        """Read and forget in one atomic step. None: unknown, expired or already taken."""

    def spend(self, pool_id: str, kind: Kind, key: str, *, remember: int) -> Spent | None:
        """Like ``take``, but the value is remembered for ``remember`` seconds from its first use.

        None: unknown, or expired before its first use. A race has exactly one ``first=True``;
        every other caller gets ``first=False`` with the same value, and can revoke what it made.
        """


class ReplayGuard(Protocol):
    """Marks that were seen."""

    def seen(self, pool_id: str, scope: str, key: str) -> bool:
        """Whether ``first_time`` has marked it. For work that may be done twice, and is to be done
        again when it failed: look, work, mark. Whatever must happen once is marked first."""

    def first_time(self, pool_id: str, scope: str, key: str, *, until: float) -> bool:
        """True for exactly one caller per (pool, scope, key) until ``until`` (epoch seconds).

        A race lost here would let one assertion sign in twice.
        """


class SharedDocuments(Protocol):
    """What one machine of an installation has fetched, for the others. Of no pool: what stands behind an
    address is the same for all who name it. The last one stays until another one takes its place."""

    def find(self, key: str, *, after: float) -> SharedDocument | None:
        """The one of ``key``, if it is of a later time than ``after``."""

    def put(self, key: str, shared: SharedDocument, *, at: float) -> None:
        """In place of one that is of an earlier time; beside a later one it is nothing."""


class SessionStore(Protocol):
    """Browsers that are signed in. Lives where the ``SingleUseStore`` does."""

    def put(self, session: LoginSession, *entries: Entry) -> None:
        """Keep the session, and in the same step what else its sign-in leaves: all or nothing.

        When this raises, none of it may be handed out. If only the answer was lost it is there all
        the same, under names that nobody knows, until it expires."""

    def get(self, pool_id: str, session_id: str) -> LoginSession | None:
        """None: unknown, ended or past ``expires_at``."""

    def end(self, pool_id: str, session_id: str) -> None:
        """Forget one session; unknown ones are fine."""

    def end_for(self, pool_id: str, provider: str, subject: str) -> tuple[LoginSession, ...]:
        """End every live session of that person through that provider and return them. Their ids
        are empty: no store keeps them."""


class RefreshTokenStore(Protocol):
    """Token families, their refresh tokens and their revocation. Durable.

    Every use of a token asks whose it is as well, so each question answers both in one statement."""

    def start(self, family: TokenFamily, token: str) -> None:
        """Keep a new family with its first token. One that was revoked already (its code was used
        twice while it was being issued) stays so."""

    def find(self, pool_id: str, token: str) -> HeldFamily | None:
        """The live family of a live token. None: unknown, expired, revoked, or rotated away
        (grace period over)."""

    def lookup(self, pool_id: str, token: str) -> HeldFamily | None:
        """The family that ``token`` ever belonged to, live or not: for revocation and reuse."""

    def holder(self, pool_id: str, sub: str, origin_jti: str) -> TokenHolder | None:
        """Whose the access tokens of that family are, by the ``sub`` they name. A family never
        seen is not revoked. None: no such user."""

    def rotate(self, pool_id: str, old: str, new: str, *, grace: int) -> Rotation:
        """Replace ``old`` by ``new`` in its family; exactly one of several racers is ``ROTATED``.

        With ``IN_GRACE`` ``new`` was added as well. ``REUSED`` and ``UNKNOWN`` add nothing.
        """

    def revoke(self, pool_id: str, origin_jti: str, *, remember_until: int) -> None:
        """Revoke a family, also one that does not exist yet; idempotent. The mark is kept until the
        family's own expiry or ``remember_until`` (epoch seconds), whichever is later."""

    def revoke_user(self, pool_id: str, sub: str, provider: str | None = None) -> None:
        """Revoke all families of a user, or those that came by ``provider``; a family that nobody
        knows that of counts as any provider's."""


class UserDirectory(Protocol):
    """Users, their identities at providers, and their groups. Durable."""

    def find(self, pool_id: str, provider: str, subject: str) -> UserProfile | None:
        """The user this external identity belongs to, own or linked; one statement."""

    def by_sub(self, pool_id: str, sub: str) -> UserProfile | None: ...

    def by_username(self, pool_id: str, username: str) -> UserProfile | None: ...

    def create(self, profile: UserProfile) -> UserProfile | None:
        """Insert the user with its identities and groups, or read the one another process inserted
        for the same (provider, subject) meanwhile: the stored user either way. None: the username
        belongs to somebody else (a case-insensitive twin, or a user without this identity)."""

    def write_attributes(
        self, pool_id: str, sub: str, attributes: Mapping[str, str], *, now: int
    ) -> None:
        """Set these attributes and leave the others; call it only when something changed."""

    def set_enabled(self, pool_id: str, sub: str, *, enabled: bool, now: int) -> bool:
        """Disabling also kills the tokens of every sign-in before ``now``. False: no such user."""

    def sign_out_everywhere(self, pool_id: str, sub: str, *, now: int) -> bool:
        """Kill the tokens of every sign-in before ``now``. False: no such user."""

    def sign_out_from(self, pool_id: str, sub: str, provider: str, *, now: int) -> None:
        """Kill the codes and refresh tokens of every sign-in by that provider before ``now``."""

    def delete(self, pool_id: str, sub: str) -> bool:
        """Forget the user, its identities and its memberships. False: no such user."""

    def list(
        self, pool_id: str, *, after_username: str = "", limit: int = 60
    ) -> Sequence[UserProfile]:
        """Users in the order of their usernames (by code point), the next ``limit`` of them."""

    def link(self, pool_id: str, sub: str, identity: LinkedIdentity) -> bool:
        """Give the user one more identity. False: it is somebody's already (also this user's), or
        there is no such user. How many a user may have is the caller's rule."""

    def unlink(self, pool_id: str, provider: str, user_id: str) -> bool:
        """Take an identity away from whoever has it. False: nobody has it."""

    def import_many(self, profiles: Iterable[UserProfile]) -> Sequence[int]:
        """Create users, and merge into those whose usernames exist: attributes, identities and
        groups are added, ``sub`` stays; where that changes nothing, nothing is written. May be
        repeated. Left out is whoever has a ``sub`` or a first identity that is another user's:
        their positions."""


class ExpectedLinks(Protocol):
    """Links that wait for a first sign-in. Durable; a deleted user's go with the user."""

    def add(self, pool_id: str, link: ExpectedLink) -> bool:
        """False: somebody with this value is expected already, or there is no such user."""

    def remove(self, pool_id: str, provider: str, attribute: str, value: str) -> bool:
        """False: there is no such link."""

    def of_user(self, pool_id: str, sub: str) -> Sequence[ExpectedLink]:
        """Oldest first."""

    def attributes_of(self, pool_id: str, provider: str) -> frozenset[str]:
        """Names of the attributes by which somebody is expected from this provider."""

    def redeem(self, pool_id: str, attribute: str, value: str, identity: LinkedIdentity) -> bool:
        """Turn the link into ``identity``, which the user then has; one winner of several racers.

        False: nobody is expected with this value, or the identity is somebody's already."""


class KeyStore(Protocol):
    """Key material of this installation."""

    def pool_keys(self, pool: UserPool) -> PoolKeys:
        """The pool's keys, made on first use under a lock, never made twice. The same object until
        they change, which may be at any time: what is made of them is to be kept with it."""

    def provider_encryption(self, pool: UserPool, provider: str) -> Sequence[CertifiedKey]:
        """Pairs that one SAML provider has besides the pool's: usually none."""

    def make_provider_encryption(self, pool: UserPool, provider: str) -> Sequence[CertifiedKey]:
        """The same, after a first one was made if there was none."""


class Upstream(Protocol):
    """An identity provider, whatever it speaks."""

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        """Where to send the browser. ``transaction_id`` must come back as RelayState or state.

        Raises ``UpstreamError`` when the provider cannot be used (no metadata, no keys), and
        ``StoreUnavailableError`` when a key of ours is needed and cannot be had."""

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        """Check everything about the answer.

        Raises ``UpstreamError`` for whatever the provider or the sender did, and
        ``StoreUnavailableError`` when nobody can say whether the answer was used before."""


@runtime_checkable
class LogoutCapable(Protocol):
    """An upstream that can end the person's session at the identity provider too.

    A protocol of its own, beside ``Upstream``: most providers have no such thing.
    """

    def begin_logout(
        self, sign_out_id: str, session: LoginSession, base_url: str
    ) -> UpstreamRequest | None:
        """Where to send the browser to sign out there; ``sign_out_id`` must come back with it.

        None: not asked for (``IDPSignout``), or nothing to end. Raises ``UpstreamError``."""

    def complete_logout(self, callback: Callback, pending: PendingSignOut) -> bool:
        """Check the provider's answer; whether it ended every session of its own.

        Raises ``UpstreamError`` for an answer that is not the provider's; the sign-out here stands
        anyway."""


class ProviderLogouts(Protocol):
    """Messages in which identity providers of one kind ask for sessions to be ended."""

    def receive(self, pool: UserPool, callback: Callback) -> Sequence[ProviderLogout]:
        """What the message wants, at least one wish: a pool may know its sender as several providers.

        It is not used up: should the sessions not end, it may come again. Raises ``UpstreamError``.
        """

    def conclude(
        self, pool: UserPool, callback: Callback, wishes: Sequence[ProviderLogout]
    ) -> UpstreamRequest | None:
        """The sessions have ended: use the message up. The answer to send back; None: the provider
        has no place for one. Raises ``UpstreamError`` when another delivery came first."""


class Upstreams(Protocol):
    """The connectors of all providers, built when first asked for."""

    def of(self, pool: UserPool, provider: str) -> Upstream:
        """Raises ``UpstreamError`` for a provider that is not configured or not built."""
