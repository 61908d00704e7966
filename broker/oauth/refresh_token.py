"""Refresh tokens: given out with a code, used again and again or rotated (RFC 6749 6, RFC 9700 4.14).

A refresh token is a random value; what it stands for is a ``TokenFamily`` in the store. Revoking the
family kills every token of that sign-in at the broker's own endpoints.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import UserProfile
from broker.model.pool import AppClient, Flow, RefreshRotation, UserPool
from broker.model.stored import Rotation
from broker.model.tokens import Authorization, AuthorizationCode, TokenFamily, TokenRequest
from broker.oauth.claims import require_readable
from broker.oauth.scopes import still_granted
from broker.oauth.standing import IssuedThrough, in_good_standing
from broker.ports import Clock, RefreshTokenStore

_log = logging.getLogger(__name__)


_DOTS_OF_A_JWT = 2


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

        If the code was used a second time while this first use was under way, the family is dead
        from its start: the same end as if the second use had come a moment later, so that of several
        racers exactly one is answered, and none keeps anything.
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
            provider=code.provider,
        )
        self.store.start(family, token)
        return token

    def revoke(self, pool: UserPool, origin_jti: str) -> None:
        """End a family; the mark outlives every access token it can have issued."""
        longest = max((client.lifetimes.access for client in pool.clients.values()), default=0)
        until = int(self.clock.now()) + longest
        self.store.revoke(pool.id, origin_jti, remember_until=until)

    def revoke_token(self, pool: UserPool, client: AppClient, token: str) -> None:
        """RFC 7009 2.1: end the family of a refresh token of ``client``, as often as asked.

        A token of another client is left alone, and nobody learns that it exists. Raises
        ``OAuthError``: ``invalid_request`` where the client has revocation switched off,
        ``unsupported_token_type`` for a JWT, which none of our refresh tokens is.
        """
        if not client.revocation:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "Token revocation is off for this client; see EnableTokenRevocation.",
                reason=RequestReason.REVOCATION_OFF,
            )
        if token.count(".") == _DOTS_OF_A_JWT:
            raise OAuthError(
                ErrorCode.UNSUPPORTED_TOKEN_TYPE,
                "Only a refresh token can be revoked; its access and ID tokens end with it.",
                reason=RequestReason.UNSUPPORTED_TOKEN_TYPE,
            )
        held = self.store.lookup(pool.id, token)
        if held is not None and held.family.client_id == client.id:
            self.revoke(pool, held.family.origin_jti)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenGrant:
    """``grant_type=refresh_token``, with or without ``RefreshTokenRotation``."""

    refresh_tokens: RefreshTokens
    store: RefreshTokenStore
    clock: Clock

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        """Raises ``OAuthError``: ``invalid_grant`` for a token that is not live or not this client's."""
        if request.refresh_token is None:
            raise OAuthError(
                ErrorCode.INVALID_REQUEST,
                "The parameter refresh_token is missing.",
                reason=RequestReason.PARAMETER_MISSING,
            )
        if not client.allows(Flow.CODE):
            raise OAuthError(
                ErrorCode.UNAUTHORIZED_CLIENT,
                "The client does not allow the code flow any more; see AllowedOAuthFlows.",
                reason=RequestReason.UNAUTHORIZED_CLIENT,
            )
        family, user = self.read(pool, client, request.refresh_token)
        scopes = _narrowed(request.scopes, still_granted(family.scopes, client, pool))
        require_readable(client, scopes)
        return Authorization(
            client=client,
            user=user,
            scopes=scopes,
            auth_time=family.auth_time,
            origin_jti=family.origin_jti,
            resource=family.resource,
            refresh_token=self._next(pool, client, family, request.refresh_token),
        )

    def read(
        self, pool: UserPool, client: AppClient, token: str
    ) -> tuple[TokenFamily, UserProfile]:
        """What ``token`` stands for, and its user; uses nothing up. Raises ``OAuthError``."""
        held = self.store.find(pool.id, token)
        if held is None or held.family.client_id != client.id:
            raise self._refusal(pool, client, token)
        user = in_good_standing(
            held.user,
            pool,
            _invalid_grant,
            shown=IssuedThrough(
                at=held.family.issued_at,
                reason=RequestReason.REFRESH_TOKEN_REVOKED,
                provider=held.family.provider,
            ),
        )
        return held.family, user

    def _refusal(self, pool: UserPool, client: AppClient, token: str) -> OAuthError:
        """Why a token is not live: the same on the wire, told apart in the log, and acted upon.
        Whatever else the request asks for, a token that was replaced is a stolen copy."""
        held = self.store.lookup(pool.id, token)
        if held is None or held.family.client_id != client.id:
            return _invalid_grant(RequestReason.REFRESH_TOKEN_UNKNOWN)
        if held.family.expires_at <= self.clock.now():
            return _invalid_grant(RequestReason.REFRESH_TOKEN_EXPIRED)
        if client.rotation is not None:
            self._rotated(pool, client, client.rotation, held.family, token)
        return _invalid_grant(RequestReason.REFRESH_TOKEN_REVOKED)

    def _next(self, pool: UserPool, client: AppClient, family: TokenFamily, old: str) -> str | None:
        """The next refresh token; None without rotation, where the old one goes on."""
        if client.rotation is None:
            return None
        new = self._rotated(pool, client, client.rotation, family, old)
        if new is None:
            raise _invalid_grant(RequestReason.REFRESH_TOKEN_REVOKED)
        return new

    def _rotated(
        self,
        pool: UserPool,
        client: AppClient,
        rotation: RefreshRotation,
        family: TokenFamily,
        old: str,
    ) -> str | None:
        """What replaces ``old``; None when it is not live. Reuse outside the grace period means a
        stolen copy: it ends the family and raises (RFC 9700 4.14.2)."""
        new = new_token()
        outcome = self.store.rotate(pool.id, old, new, grace=rotation.grace_seconds)
        if outcome is Rotation.REUSED:
            self.refresh_tokens.revoke(pool, family.origin_jti)
            _log.warning("refresh_token_reused", extra={"pool": pool.id, "client": client.id})
            raise _invalid_grant(RequestReason.REFRESH_TOKEN_REUSED)
        return None if outcome is Rotation.UNKNOWN else new


def _narrowed(requested: tuple[str, ...] | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 6: a refresh may ask for fewer scopes, never for more."""
    if requested is None:
        return granted
    if not set(requested) <= set(granted):
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "A scope was not granted at the sign-in; refresh cannot widen.",
            reason=RequestReason.INVALID_SCOPE,
        )
    return requested


def _invalid_grant(reason: RequestReason) -> OAuthError:
    return OAuthError(
        ErrorCode.INVALID_GRANT,
        "The refresh token is unknown, expired, revoked or of another client.",
        reason=reason,
    )
