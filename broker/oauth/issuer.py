"""Signs and verifies a pool's tokens: the key ring and its JWKS.

All that does not change per token (key objects, encoded headers, the JWKS bytes) is made once per pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.identifiers import new_uuid
from broker.model.login import UserProfile
from broker.model.pool import UserPool
from broker.model.tokens import Authorization, Claims, PoolKeys, TokenSet
from broker.oauth import claims
from broker.oauth.scopes import OPENID
from broker.oauth.token_signer import TokenSigner
from broker.ports import Clock, KeyStore

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class PoolIssuer:
    """A pool's token keys at work. Build it once per pool: it holds everything precomputed."""

    pool: UserPool
    keys: PoolKeys = field(repr=False)
    clock: Clock

    @cached_property
    def _id_signers(self) -> tuple[TokenSigner, ...]:
        return tuple(TokenSigner(key) for key in self.keys.id_token)

    @cached_property
    def _access_signers(self) -> tuple[TokenSigner, ...]:
        return tuple(TokenSigner(key) for key in self.keys.access_token)

    @cached_property
    def jwks(self) -> bytes:
        """``jwks.json``: public keys only, those of ID tokens first."""
        signers = (*self._id_signers, *self._access_signers)
        return _encode({"keys": [signer.public_jwk() for signer in signers]})

    def issue(self, authorization: Authorization) -> TokenSet:
        """Sign what a grant has established. An ID token needs a user and ``openid``."""
        now, event_id = int(self.clock.now()), self._event_id(authorization)
        access_token = self._access_signers[0].sign(
            claims.access_claims(
                authorization, self.pool, now=now, jti=new_uuid(), event_id=event_id
            )
        )
        user = authorization.user
        return TokenSet(
            access_token=access_token,
            expires_in=authorization.client.lifetimes.access,
            id_token=None
            if user is None or OPENID not in authorization.scopes
            else self._id_token(authorization, user, access_token, now=now, event_id=event_id),
            refresh_token=authorization.refresh_token,
        )

    def _event_id(self, authorization: Authorization) -> str:
        """New per issue; but where tokens carry no ``origin_jti``, it names the family instead, so
        that the second use of a code can still find what the first one issued."""
        if authorization.origin_jti is not None and not authorization.client.revokes:
            return authorization.origin_jti
        return new_uuid()

    def _id_token(
        self,
        authorization: Authorization,
        user: UserProfile,
        access_token: str,
        *,
        now: int,
        event_id: str,
    ) -> str:
        payload = claims.id_claims(
            authorization,
            user,
            self.pool,
            access_token=access_token,
            now=now,
            jti=new_uuid(),
            event_id=event_id,
        )
        return self._id_signers[0].sign(payload)

    def verify_access_token(self, token: str) -> Claims:
        """The claims of a live access token of this pool. Raises ``OAuthError`` (``invalid_token``).

        An ID token or another pool's token is none: other keys, another ``token_use`` or ``iss``.
        Revocation is the caller's to ask.
        """
        payload = self._verify(token, self._access_signers, token_use="access")
        expiry = payload.get("exp")
        if not isinstance(expiry, int) or expiry <= self.clock.now():
            raise invalid_token(RequestReason.ACCESS_TOKEN_EXPIRED)
        return payload

    def verify_id_token(self, token: str) -> Claims:
        """The claims of an ID token of ours, expired or not. Raises like ``verify_access_token``."""
        return self._verify(token, self._id_signers, token_use="id")

    def _verify(self, token: str, signers: Sequence[TokenSigner], *, token_use: str) -> Claims:
        found = (signer.verified(token) for signer in signers)
        payload = next((claims for claims in found if claims is not None), None)
        if (
            payload is None
            or payload.get("iss") != self.pool.issuer
            or payload.get("token_use") != token_use
        ):
            raise invalid_token(RequestReason.TOKEN_NOT_OURS)
        return payload


def invalid_token(reason: RequestReason) -> OAuthError:
    """One text for every fault of a token, Cognito's; ``reason`` tells them apart in the log."""
    return OAuthError(
        ErrorCode.INVALID_TOKEN,
        "Access token is expired, disabled, or deleted, or the user has globally signed out.",
        reason=reason,
    )


@dataclass(frozen=True, kw_only=True)
class Issuers:
    """The issuer of each pool, built when first asked for and kept until the keys change."""

    keys: KeyStore
    clock: Clock
    _built: dict[str, PoolIssuer] = field(default_factory=dict, init=False, repr=False)

    def of(self, pool: UserPool) -> PoolIssuer:
        issuer, keys = self._built.get(pool.id), self.keys.pool_keys(pool)
        if issuer is None or issuer.keys is not keys:
            # Two threads may both build one: the key store makes keys once, so both are equal.
            issuer = PoolIssuer(pool=pool, keys=keys, clock=self.clock)
            self._built[pool.id] = issuer
        return issuer
