"""Sign in with Apple: OpenID Connect with three customs of its own.

The client secret is a JWT signed with the developer's key; the answer comes as a form post; and the
name comes in a ``user`` parameter of the callback, once in a lifetime, at the first consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from broker.model.pool import IdentityProvider, OAuthSettings, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.client_auth import ASSERTION_SECONDS, Authenticate, Credentials, SigningKey
from broker.upstream.code_flow import Dialect
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.http import HttpClient
from broker.upstream.oidc import OidcUpstream, Traits

ISSUER = "https://appleid.apple.com"
MAX_USER = 4096


@dataclass(frozen=True, kw_only=True)
class AppleSecret:
    """The ``client_secret``: a JWT from ``team_id`` about our Services ID, for Apple."""

    settings: OAuthSettings
    key: SigningKey
    clock: Clock

    def __call__(self, _metadata: ProviderMetadata) -> Credentials:
        now = int(self.clock.now())
        secret = self.key.assertion(
            {
                "iss": self.settings.extra.get("team_id", ""),
                "iat": now,
                "exp": now + ASSERTION_SECONDS,
                "aud": ISSUER,
                "sub": self.settings.client_id,
            }
        )
        return Credentials(form={"client_id": self.settings.client_id, "client_secret": secret})


def authenticate(settings: OAuthSettings, clock: Clock) -> Authenticate:
    key = SigningKey(pem=settings.extra.get("private_key", ""), key_id=settings.extra.get("key_id"))
    return AppleSecret(settings=settings, key=key, clock=clock)


def names(params: Mapping[str, str]) -> Mapping[str, Any]:
    """``user={"name":{"firstName","lastName"},"email"}``. It is unsigned and comes through the
    browser, so only the name is taken: a person may call herself what she likes."""
    try:
        user = msgspec.json.decode(params.get("user", "")[:MAX_USER])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    name = user.get("name") if isinstance(user, dict) else None
    if not isinstance(name, dict):
        return {}
    parts = {key: name.get(key) for key in ("firstName", "lastName")}
    said = {key: part for key, part in parts.items() if isinstance(part, str) and part}
    return {**said, "name": " ".join(said.values())}


TRAITS = Traits(
    dialect=Dialect(
        scopes="email name",
        fixed={"response_mode": "form_post"},  # Apple demands it with any scope
        login_hint=None,
        prompt=None,
        nonce=True,
    ),
    built_in=ProviderMetadata(
        issuer=ISSUER,
        authorize_url=f"{ISSUER}/auth/authorize",
        token_url=f"{ISSUER}/auth/token",
        jwks_uri=f"{ISSUER}/auth/keys",
    ),
    algorithms=("RS256",),
    callback_claims=names,
    authenticate=authenticate,
)


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    return OidcUpstream(pool=pool, provider=provider, http=http, clock=clock, traits=TRAITS)
