"""How the broker proves to a token endpoint that it is the registered client (OIDC Core 9).

``client_secret_post`` unless the provider's document offers only something else that the
configuration allows for. Assertions are signed anew for each request and live for minutes.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote_plus

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from broker.model.errors import Reason
from broker.model.pool import OAuthSettings
from broker.ports import Clock
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.failures import refused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
_CURVES = {256: "ES256", 384: "ES384", 521: "ES512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a token request carries besides the grant."""

    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


Authenticate = Callable[[ProviderMetadata], Credentials]


@dataclass(frozen=True, kw_only=True)
class ClientSecret:
    """``client_secret_post``, or ``client_secret_basic`` where that is all the provider offers."""

    settings: OAuthSettings

    def __call__(self, metadata: ProviderMetadata) -> Credentials:
        offered = metadata.auth_methods
        if "client_secret_basic" in offered and "client_secret_post" not in offered:
            return self._basic()
        return Credentials(
            form={
                "client_id": self.settings.client_id,
                "client_secret": self.settings.client_secret or "",
            }
        )

    def _basic(self) -> Credentials:
        """RFC 6749 2.3.1: both are form-encoded before they are joined."""
        pair = ":".join(
            quote_plus(part)
            for part in (self.settings.client_id, self.settings.client_secret or "")
        )
        encoded = base64.b64encode(pair.encode()).decode()
        return Credentials(headers={"Authorization": f"Basic {encoded}"})


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key of the configuration: PEM, or the bare base64 of PKCS #8 as Apple's users
    paste it. Loaded once, when first used."""

    pem: str = field(repr=False)
    key_id: str | None = None
    algorithm: str | None = None

    @cached_property
    def _loaded(self) -> tuple[Key, str]:
        """The key and its algorithm. Raises ``UpstreamError`` for a key that cannot be used."""
        try:
            private = load_pem_private_key(armoured(self.pem).encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise refused(
                Reason.OIDC_NOT_CONFIGURED, expected="private_key: an unencrypted PEM key"
            ) from error
        if isinstance(private, RSAPrivateKey):
            return RSAKey.import_key(private), self.algorithm or "RS256"
        if isinstance(private, EllipticCurvePrivateKey):
            return ECKey.import_key(private), _CURVES.get(private.curve.key_size, "ES256")
        return OKPKey.import_key(armoured(self.pem)), "Ed25519"

    def assertion(self, claims: Mapping[str, str | int]) -> str:
        """RFC 7523 2.2: a JWT over ``claims``."""
        key, algorithm = self._loaded
        header = {"alg": algorithm} | ({"kid": self.key_id} if self.key_id else {})
        return jwt.encode(header, dict(claims), key, algorithms=[algorithm])


@dataclass(frozen=True, kw_only=True)
class PrivateKeyJwt:
    """``private_key_jwt`` (OIDC Core 9): for providers that want no shared secret."""

    settings: OAuthSettings
    key: SigningKey
    clock: Clock

    def __call__(self, metadata: ProviderMetadata) -> Credentials:
        now = int(self.clock.now())
        client_id = self.settings.client_id
        assertion = self.key.assertion(
            {
                "iss": client_id,
                "sub": client_id,
                "aud": metadata.token_url,
                "jti": secrets.token_urlsafe(16),
                "iat": now,
                "exp": now + ASSERTION_SECONDS,
            }
        )
        return Credentials(
            form={
                "client_id": client_id,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion,
            }
        )


def configured(settings: OAuthSettings, clock: Clock) -> Authenticate:
    """By ``private_key`` when the configuration has one, else by ``client_secret``."""
    pem = settings.extra.get("private_key")
    if pem is None:
        return ClientSecret(settings=settings)
    key = SigningKey(
        pem=pem,
        key_id=settings.extra.get("key_id"),
        algorithm=settings.extra.get("token_endpoint_auth_signing_alg"),
    )
    return PrivateKeyJwt(settings=settings, key=key, clock=clock)


def armoured(pem: str) -> str:
    """``pem`` with its PEM lines: pasted keys come bare, and with ``\\n`` for line breaks."""
    text = pem.replace("\\n", "\n").strip()
    if text.startswith("-----"):
        return text + "\n"
    return f"-----BEGIN PRIVATE KEY-----\n{''.join(text.split())}\n-----END PRIVATE KEY-----\n"
