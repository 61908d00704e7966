"""Facebook Login: OAuth 2.0 with a versioned Graph API, a token request by GET, and profile fields
that must be named."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, cast

from broker.model.pool import IdentityProvider, OAuthSettings, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.code_flow import Dialect, with_query
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.http import HttpClient
from broker.upstream.profile import ProfileRequest, ProfileTraits, ProfileUpstream

VERSION = "v17.0"

DIALECT = Dialect(
    scopes="public_profile,email",
    login_hint=None,
    prompt="auth_type",  # "Re-authentication" and "re-asking for declined permissions"
    prompts={"login": "reauthenticate", "consent": "rerequest"},
    token_by_get=True,
)


def endpoints(version: str) -> ProviderMetadata:
    return ProviderMetadata(
        authorize_url=f"https://www.facebook.com/{version}/dialog/oauth",
        token_url=f"https://graph.facebook.com/{version}/oauth/access_token",
        attributes_url=f"https://graph.facebook.com/{version}/me?fields=",
    )


def profile(request: ProfileRequest) -> Mapping[str, Any]:
    """``/me`` with the mapped fields, and the proof that the call comes from the app's server."""
    fields = ",".join(dict.fromkeys(("id", *request.wanted)))
    url = request.url if request.url.endswith("=") else with_query(request.url, {"fields": ""})
    credentials = {
        "access_token": request.access_token,
        "appsecret_proof": proof(request.access_token, request.settings.client_secret or ""),
    }
    return request.fetch_object(with_query(url + fields, credentials), {})


def proof(access_token: str, secret: str) -> str:
    """``appsecret_proof`` (Graph API, "Secure Graph API calls")."""
    return hmac.new(secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    del clock  # nothing here depends on time
    settings = cast("OAuthSettings", provider.settings)
    traits = ProfileTraits(
        dialect=DIALECT,
        built_in=endpoints(settings.extra.get("api_version", VERSION)),
        subject="id",
        profile=profile,
    )
    return ProfileUpstream(pool=pool, provider=provider, http=http, traits=traits)
