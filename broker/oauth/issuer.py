"""Signs and verifies a pool's tokens: the key ring and its JWKS.

All that does not change per token (key objects, encoded headers, the JWKS bytes) is made once per
pool. Tokens are written here in compact form, which is three lines; they are read by joserfc.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import UserProfile
from broker.model.pool import SigningAlgorithm, UserPool
from broker.model.tokens import Authorization, Claims, PoolKeys, SigningKey, TokenSet
from broker.oauth import claims
from broker.oauth.scopes import OPENID
from broker.ports import Clock, KeyStore

_encode = msgspec.json.Encoder().encode
_P256_BYTES = 32


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@dataclass(frozen=True)
class TokenSigner:
    """One private key, ready to sign: header ``{"kid","alg"}`` encoded, key object loaded."""

    key: SigningKey

    @cached_property
    def _header(self) -> bytes:
        return _base64url(_encode({"kid": self.key.kid, "alg": self.key.algorithm.value}))

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        # The key store has read this key, and checked it; once more would take 14 ms.
        loaded = load_pem_private_key(
            self.key.private_pem, password=None, unsafe_skip_rsa_key_validation=True
        )
        return cast("rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", loaded)

    def sign(self, payload: Claims) -> str:
        """JWS compact serialization (RFC 7515 7.1)."""
        signed = self._header + b"." + _base64url(_encode(payload))
        return (signed + b"." + _base64url(self._signature(signed))).decode()

    def _signature(self, data: bytes) -> bytes:
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)

    def public_jwk(self) -> dict[str, object]:
        """The public half as JWKS member (RFC 7517 4)."""
        pem = self._private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        kind = RSAKey if self.key.algorithm is SigningAlgorithm.RS256 else ECKey
        public = kind.import_key(pem).as_dict(private=False)
        return {
            "alg": self.key.algorithm.value,
            "kid": self.key.kid,
            "use": "sig",
            **{
                name: value
                for name, value in public.items()
                if name in ("kty", "n", "e", "crv", "x", "y")
            },
        }


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

    @cached_property
    def _access_keys(self) -> KeySet:
        return _verification_keys(self._access_signers)

    @cached_property
    def _id_keys(self) -> KeySet:
        return _verification_keys(self._id_signers)

    def issue(self, authorization: Authorization) -> TokenSet:
        """Sign what a grant has established. An ID token needs a user and ``openid``."""
        now, event_id = int(self.clock.now()), self._event_id(authorization)
        access_token = self._access_signers[0].sign(
            claims.access_claims(
                authorization, self.pool, now=now, jti=str(uuid.uuid4()), event_id=event_id
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
        return str(uuid.uuid4())

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
            jti=str(uuid.uuid4()),
            event_id=event_id,
        )
        return self._id_signers[0].sign(payload)

    def verify_access_token(self, token: str) -> Claims:
        """The claims of a live access token of this pool. Raises ``OAuthError`` (``invalid_token``).

        An ID token or another pool's token is none: other keys, another ``token_use`` or ``iss``.
        Revocation is the caller's to ask.
        """
        payload = self._verify(token, self._access_keys, token_use="access")
        expiry = payload.get("exp")
        if not isinstance(expiry, int) or expiry <= self.clock.now():
            raise invalid_token(RequestReason.ACCESS_TOKEN_EXPIRED)
        return payload

    def verify_id_token(self, token: str) -> Claims:
        """The claims of an ID token of ours, expired or not. Raises like ``verify_access_token``."""
        return self._verify(token, self._id_keys, token_use="id")

    def _verify(self, token: str, keys: KeySet, *, token_use: str) -> Claims:
        try:
            payload = jwt.decode(token, keys, registry=self._registry).claims
        except (JoseError, ValueError, TypeError) as error:
            raise invalid_token(RequestReason.TOKEN_NOT_OURS) from error
        if payload.get("iss") != self.pool.issuer or payload.get("token_use") != token_use:
            raise invalid_token(RequestReason.TOKEN_NOT_OURS)
        return payload

    @cached_property
    def _registry(self) -> JWSRegistry:
        """Exactly the algorithms this pool signs with: no ``none``, no HMAC."""
        keys = (*self.keys.id_token, *self.keys.access_token)
        return JWSRegistry(algorithms=sorted({key.algorithm.value for key in keys}))


def _verification_keys(signers: Sequence[TokenSigner]) -> KeySet:
    return KeySet.import_key_set({"keys": [dict(signer.public_jwk()) for signer in signers]})  # type: ignore[arg-type]  # joserfc types the members of a JWK one by one


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
