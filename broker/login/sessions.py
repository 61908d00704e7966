"""The browser's sign-in session: made by a sign-in, good for one hour, not sliding.

Owns the rules of reuse (single sign-on). The cookie that carries the session id is the web layer's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from broker.model.login import (
    SESSION_SECONDS,
    AuthorizationRequest,
    ExternalIdentity,
    LoginSession,
    UserProfile,
    upstream_session,
)
from broker.model.pool import AppClient, UserPool
from broker.model.stored import Entry, Kind
from broker.oauth.standing import fault_of
from broker.ports import Clock, SessionStore, UserDirectory

LONGEST_NAMED = 30 * 86400
"""One name is kept for each sign-in, so there must be an end; this is Cognito's own default for
refresh tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Begin, reuse and end browser sessions."""

    store: SessionStore
    directory: UserDirectory
    clock: Clock

    def new(self, pool: UserPool, user: UserProfile, identity: ExternalIdentity) -> LoginSession:
        """A session to be kept, which never outlives what the IdP allows (SessionNotOnOrAfter)."""
        now = int(self.clock.now())
        expires_at = now + SESSION_SECONDS
        if identity.session_expires_at is not None:
            expires_at = min(expires_at, identity.session_expires_at)
        return LoginSession(
            id=secrets.token_urlsafe(32),
            pool_id=pool.id,
            sub=user.sub,
            username=user.username,
            provider=identity.provider,
            subject=identity.subject,
            auth_time=now,
            expires_at=expires_at,
            logout=identity.logout,
        )

    def keep(
        self,
        pool: UserPool,
        session: LoginSession,
        identity: ExternalIdentity,
        answer: Entry | None,
    ) -> None:
        """The browser is signed in from here on, and ``answer`` stands for it to the app."""
        entries = (_named(pool, identity), answer)
        self.store.put(session, *(entry for entry in entries if entry is not None))

    def reusable(
        self, pool: UserPool, client: AppClient, request: AuthorizationRequest, cookie: str | None
    ) -> LoginSession | None:
        """The session that answers ``request`` without the IdP, or None.

        It must be of a provider that the client lists and that still exists, not another one than
        asked for, young enough for ``max_age``, and its user in good standing. ``prompt=login`` wants
        none. A sign-out everywhere kills tokens, not sessions, as at Cognito.
        """
        if cookie is None or "login" in request.prompt:
            return None
        session = self.store.get(pool.id, cookie)
        if session is None or not self._fits(pool, client, request, session):
            return None
        user = self.directory.by_sub(pool.id, session.sub)
        return session if user is not None and fault_of(user, pool) is None else None

    def _fits(
        self,
        pool: UserPool,
        client: AppClient,
        request: AuthorizationRequest,
        session: LoginSession,
    ) -> bool:
        if session.provider not in pool.providers or not client.supports(session.provider):
            return False
        if request.provider not in (None, session.provider):
            return False
        if request.max_age is None:
            return True
        # OIDC Core 3.1.2.1: max_age=0 means prompt=login, however young the session is.
        age = self.clock.now() - session.auth_time
        return request.max_age > 0 and age <= request.max_age

    def current(self, pool: UserPool, cookie: str | None) -> LoginSession | None:
        return None if cookie is None else self.store.get(pool.id, cookie)

    def end(self, pool: UserPool, cookie: str) -> None:
        self.store.end(pool.id, cookie)


def _named(pool: UserPool, identity: ExternalIdentity) -> Entry | None:
    """Whom the provider's session is of, by the provider's name for it, if it has one.

    The provider may end by that name what its session began for as long as there may be refresh
    tokens, of which the last is issued when our session ends.
    """
    if identity.session_id is None:
        return None
    return Entry(
        kind=Kind.UPSTREAM_SESSION,
        key=upstream_session(identity.provider, identity.session_id),
        value=identity.subject.encode(),
        lifetime=SESSION_SECONDS + min(pool.longest_refresh, LONGEST_NAMED),
    )
