"""Signing out: the browser's session here, and the one at the identity provider where it can.

Tokens live on, as at Cognito: an app that wants them dead revokes them. Only when it is the provider that
signs its person out do those end that came by it. Where the browser goes next is
decided by the endpoint and kept over the detour to the provider.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

import msgspec

from broker.login import events
from broker.login.accounts import Accounts
from broker.login.events import Step
from broker.login.sessions import Sessions
from broker.model.errors import Reason, UpstreamError
from broker.model.login import (
    SIGN_IN_SECONDS,
    Callback,
    LoginSession,
    PendingSignOut,
    ProviderLogout,
    UpstreamRequest,
)
from broker.model.pool import UserPool
from broker.model.stored import Kind
from broker.ports import (
    LogoutCapable,
    ProviderLogouts,
    SessionStore,
    SingleUseStore,
    Upstreams,
    UserDirectory,
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PendingSignOut).decode


class SignOutRefusedError(Exception):
    """A message about a sign-out was refused, and changed nothing."""

    def __init__(self, error: UpstreamError, reference: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.reference = reference


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSignOut:
    """``then``: where the browser goes, None for our own page. ``is_complete`` is False when the
    provider could not end every session of its own."""

    then: str | None
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """Ends sessions; sends the browser round by the identity provider (``IDPSignout``)."""

    sessions: Sessions
    pending: SingleUseStore
    upstreams: Upstreams

    def begin(
        self, pool: UserPool, cookie: str | None, *, then: str | None, base_url: str
    ) -> UpstreamRequest | None:
        """End the session. Where to send the browser first, or None when all is done.

        ``then`` is where it goes at the very end: a location that was checked, or None for a page.
        """
        session = self.sessions.current(pool, cookie)
        if session is None:
            return None
        self.sessions.end(pool, session.id)
        try:
            return self._upstream(pool, session, then, base_url)
        except UpstreamError as error:
            # A provider that cannot be reached must not keep anybody signed in here.
            events.refused(pool, Step.SIGN_OUT, error, provider=session.provider)
            return None

    def _upstream(
        self, pool: UserPool, session: LoginSession, then: str | None, base_url: str
    ) -> UpstreamRequest | None:
        upstream = self.upstreams.of(pool, session.provider)
        if not isinstance(upstream, LogoutCapable):
            return None
        pending = PendingSignOut(
            id=secrets.token_urlsafe(32),
            pool_id=pool.id,
            provider=session.provider,
            base_url=base_url,
            then=then,
        )
        outgoing = upstream.begin_logout(pending.id, session, base_url)
        if outgoing is not None:
            kept = replace(pending, remembered=outgoing.remember)
            self.pending.put(
                pool.id, Kind.LOGOUT, pending.id, _encode(kept), lifetime=SIGN_IN_SECONDS
            )
        return outgoing

    def finish(
        self, pool: UserPool, sign_out_id: str | None, callback: Callback
    ) -> FinishedSignOut:
        """The provider has answered: where the browser goes now.

        Raises ``SignOutRefusedError`` for an answer that belongs to no sign-out of ours, or is not the
        provider's; the real one can still come.
        """
        stored = None
        if sign_out_id is not None:
            stored = self.pending.take(pool.id, Kind.LOGOUT, sign_out_id)
        if stored is None:
            raise refused_sign_out(pool, _unknown(), None)
        pending = _decode(stored)
        try:
            upstream = self.upstreams.of(pool, pending.provider)
            is_complete = not isinstance(upstream, LogoutCapable) or upstream.complete_logout(
                callback, pending
            )
        except UpstreamError as error:
            self.pending.put(pool.id, Kind.LOGOUT, pending.id, stored, lifetime=SIGN_IN_SECONDS)
            raise refused_sign_out(pool, error, pending.provider) from error
        return FinishedSignOut(then=pending.then, is_complete=is_complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSignOut:
    """An identity provider ends what it began: sessions and refresh tokens of one of its people."""

    sessions: SessionStore
    directory: UserDirectory
    accounts: Accounts

    def accept(
        self, pool: UserPool, logouts: ProviderLogouts, callback: Callback
    ) -> UpstreamRequest | None:
        """Do what the message asks; the answer to send back, if the provider wants one.

        Raises ``SignOutRefusedError`` for a message that is not a provider's; it changes nothing.
        """
        try:
            wishes = logouts.receive(pool, callback)
            for wish in wishes:
                self._grant(pool, wish)
            return logouts.conclude(pool, callback, wishes)
        except UpstreamError as error:
            raise refused_sign_out(pool, error, None) from error

    def _grant(self, pool: UserPool, wish: ProviderLogout) -> None:
        """May be done twice: a message is used up when it is done, so that a failure costs nothing."""
        self.sessions.end_for(pool.id, wish.provider, wish.subject)
        user = self.directory.find(pool.id, wish.provider, wish.subject)
        if user is not None:
            self.accounts.sign_out_from(pool, user, wish.provider)
        events.signed_out_by_provider(pool, wish.provider)


def refused_sign_out(
    pool: UserPool, error: UpstreamError, provider: str | None
) -> SignOutRefusedError:
    """Log the refusal; the exception carries its reference."""
    reference = events.refused(pool, Step.SIGN_OUT, error, provider=provider)
    return SignOutRefusedError(error, reference)


def _unknown() -> UpstreamError:
    return UpstreamError(
        Reason.SIGN_OUT_UNKNOWN,
        expected="RelayState or state of a sign-out begun in the last five minutes",
        received="none, or an unknown, expired or used one",
    )
