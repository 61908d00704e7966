"""Signing out: the browser's session here, and the one at the identity provider where it can.

Tokens live on, as at Cognito: an app that wants them dead revokes them. Where the browser goes next is
decided by the endpoint and kept over the detour to the provider.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

import msgspec

from broker.login import events
from broker.login.events import Step
from broker.login.sessions import Sessions
from broker.model.errors import UpstreamError
from broker.model.login import SIGN_IN_SECONDS, LoginSession, PendingSignOut, UpstreamRequest
from broker.model.pool import UserPool
from broker.ports import Kind, LogoutCapable, SingleUseStore, Upstreams

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PendingSignOut).decode


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

    def resume(self, pool: UserPool, sign_out_id: str) -> PendingSignOut | None:
        """The sign-out that a provider's answer belongs to, once. None: unknown, expired or used."""
        stored = self.pending.take(pool.id, Kind.LOGOUT, sign_out_id)
        return None if stored is None else _decode(stored)
