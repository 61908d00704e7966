"""Refresh tokens: given out with a code, used again and again or rotated (RFC 6749 6, RFC 9700 4.14).

A refresh token is a random value; what it stands for is a ``TokenFamily`` in the store. Revoking the
family kills every token of that sign-in at the broker's own endpoints.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from broker.model.errors import ErrorCode, OAuthError
from broker.model.login import UserProfile
from broker.model.pool import AppClient, UserPool
from broker.model.tokens import Authorization, AuthorizationCode, TokenFamily, TokenRequest
from broker.oauth.claims import require_readable
from broker.ports import Clock, RefreshTokenStore, Rotation, UserDirectory

_log = logging.getLogger(__name__)
_MAX_ACCESS_TOKEN_SECONDS = 86400


def new_token() -> str:
    """384 random bits in the characters the Cognito API accepts."""
    return secrets.token_urlsafe(48)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokens:
    """The families: begun by a code, ended by revocation."""

    store: RefreshTokenStore
    clock: Clock

    def start(self, pool: UserPool, client: AppClient, code: AuthorizationCode) -> str:
        """The first refresh token of what ``code`` yields.

        Raises ``OAuthError`` when the code was used a second time meanwhile.
        """
        now, token = int(self.clock.now()), new_token()
        family = TokenFamily(
            pool_id=pool.id,
            origin_jti=code.origin_jti,
            client_id=client.id,
            sub=code.sub,
            scopes=code.scopes,
            auth_time=code.auth_time,
            issued_at=now,
            expires_at=now + client.lifetimes.refresh,
            resource=code.resource,
        )
        if not self.store.start(family, token):
            raise OAuthError(
                ErrorCode.INVALID_GRANT, "The code was used twice.", reason="code_reused"
            )
        return token

    def revoke(self, pool: UserPool, origin_jti: str) -> None:
        """End a family; the mark outlives every access token it can have issued."""
        until = int(self.clock.now()) + _MAX_ACCESS_TOKEN_SECONDS
        self.store.revoke(pool.id, origin_jti, remember_until=until)

    def is_live(self, pool: UserPool, origin_jti: str) -> bool:
        return not self.store.is_revoked(pool.id, origin_jti)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenGrant:
    """``grant_type=refresh_token``, with or without ``RefreshTokenRotation``."""

    refresh_tokens: RefreshTokens
    directory: UserDirectory

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        """Raises ``OAuthError``: ``invalid_grant`` for a token that is not live or not this client's."""
        if request.refresh_token is None:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "The parameter refresh_token is missing.",
                reason="parameter_missing",
            )
        family = self._family(pool, client, request.refresh_token)
        scopes = _narrowed(request.scopes, family.scopes)
        require_readable(client, scopes)
        user = self._user(pool, family)
        return Authorization(
            client=client,
            user=user,
            scopes=scopes,
            auth_time=family.auth_time,
            origin_jti=family.origin_jti,
            resource=family.resource,
            refresh_token=self._rotate(pool, client, family, request.refresh_token),
        )

    def _family(self, pool: UserPool, client: AppClient, token: str) -> TokenFamily:
        store = self.refresh_tokens.store
        find = store.lookup if client.rotation else store.find
        family = find(pool.id, token)
        if family is None or family.client_id != client.id:
            raise _invalid_grant("refresh_token_unknown")
        return family

    def _user(self, pool: UserPool, family: TokenFamily) -> UserProfile:
        user = self.directory.by_sub(pool.id, family.sub)
        if user is None or not user.enabled or family.auth_time < user.tokens_valid_after:
            raise _invalid_grant("user_disabled")
        return user

    def _rotate(
        self, pool: UserPool, client: AppClient, family: TokenFamily, old: str
    ) -> str | None:
        """The next refresh token; None without rotation. Reuse outside the grace period means a
        stolen copy: it ends the family (RFC 9700 4.14.2)."""
        if client.rotation is None:
            return None
        new = new_token()
        outcome = self.refresh_tokens.store.rotate(
            pool.id, old, new, grace=client.rotation.grace_seconds
        )
        if outcome is Rotation.REUSED:
            self.refresh_tokens.revoke(pool, family.origin_jti)
            _log.warning("refresh_token_reused", extra={"pool": pool.id, "client": client.id})
            raise _invalid_grant("refresh_token_reused")
        if outcome is Rotation.UNKNOWN:
            raise _invalid_grant("refresh_token_unknown")
        return new


def _narrowed(requested: tuple[str, ...] | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 6: a refresh may ask for fewer scopes, never for more."""
    if requested is None:
        return granted
    if not set(requested) <= set(granted):
        raise OAuthError(
            ErrorCode.INVALID_SCOPE, "A scope was not granted at the sign-in; refresh cannot widen."
        )
    return requested


def _invalid_grant(reason: str) -> OAuthError:
    return OAuthError(
        ErrorCode.INVALID_GRANT,
        "The refresh token is unknown, expired, revoked or of another client.",
        reason=reason,
    )
