"""Access tokens that come back to the broker: at userInfo and at the token API.

Elsewhere an access token is good until it expires; here its revocation and its user count as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import RequestReason
from broker.model.login import UserProfile
from broker.model.pool import AppClient, UserPool
from broker.model.tokens import Claims
from broker.oauth.issuer import Issuers, invalid_token
from broker.oauth.standing import Issued, in_good_standing
from broker.ports import RefreshTokenStore


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveToken:
    """An access token that is good now, and whose it is."""

    user: UserProfile
    client: AppClient
    scopes: tuple[str, ...]
    family: str
    """``origin_jti`` of its family; tokens without one name it in ``event_id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokens:
    """Reads access tokens of users; those of client_credentials have no user and are refused."""

    issuers: Issuers
    families: RefreshTokenStore

    def live(self, pool: UserPool, token: str) -> LiveToken:
        """Raises ``OAuthError`` (``invalid_token``) for a token that is not ours or not good any more."""
        claims = self.issuers.of(pool).verify_access_token(token)
        client = pool.clients.get(str(claims.get("client_id")))
        if client is None or not client.oauth_enabled:
            raise invalid_token(RequestReason.CLIENT_DISABLED)
        family = str(claims.get("origin_jti") or claims.get("event_id"))
        return LiveToken(
            user=self._user(pool, claims, family),
            client=client,
            scopes=tuple(str(claims.get("scope", "")).split()),
            family=family,
        )

    def _user(self, pool: UserPool, claims: Claims, family: str) -> UserProfile:
        holder = self.families.holder(pool.id, str(claims.get("sub")), family)
        user = in_good_standing(
            None if holder is None else holder.user,
            pool,
            invalid_token,
            shown=Issued(at=_issued_at(claims), reason=RequestReason.ACCESS_TOKEN_REVOKED),
        )
        if holder is None or holder.revoked:
            raise invalid_token(RequestReason.ACCESS_TOKEN_REVOKED)
        return user


def _issued_at(claims: Claims) -> int:
    """``iat``; a token without one is older than anything."""
    issued_at = claims.get("iat")
    return issued_at if isinstance(issued_at, int) else -1
