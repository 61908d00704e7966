"""Login with Amazon: OAuth 2.0 with one profile call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.model.pool import IdentityProvider, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.code_flow import Dialect, bearer
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.http import HttpClient
from broker.upstream.profile import ProfileRequest, ProfileTraits, ProfileUpstream


def profile(request: ProfileRequest) -> Mapping[str, Any]:
    return request.fetch_object(request.url, bearer(request.access_token))


TRAITS = ProfileTraits(
    dialect=Dialect(scopes="profile", login_hint=None, prompt=None),
    built_in=ProviderMetadata(
        authorize_url="https://www.amazon.com/ap/oa",
        token_url="https://api.amazon.com/auth/o2/token",
        attributes_url="https://api.amazon.com/user/profile",
    ),
    subject="user_id",
    profile=profile,
)


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    del clock  # nothing here depends on time
    return ProfileUpstream(pool=pool, provider=provider, http=http, traits=TRAITS)
