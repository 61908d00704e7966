"""GitHub: OAuth 2.0 whose people have several e-mail addresses; only the primary one counts, and only
when GitHub has verified it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.model.pool import IdentityProvider, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.code_flow import Dialect, bearer
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.http import HttpClient
from broker.upstream.profile import ProfileRequest, ProfileTraits, ProfileUpstream

API = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_EMAIL = ("email", "email_verified")


def profile(request: ProfileRequest) -> Mapping[str, Any]:
    """``/user``. Its own ``email`` is whatever the person shows the public, so it is replaced."""
    headers = {**bearer(request.access_token), **API}
    user = request.fetch_object(request.url, headers)
    user = {name: value for name, value in user.items() if name not in _EMAIL}
    if not any(name in _EMAIL for name in request.wanted):
        return user
    address = verified_primary(request.fetch(f"{request.url}/emails", headers))
    return user if address is None else {**user, "email": address, "email_verified": True}


def verified_primary(listed: object) -> str | None:
    """``/user/emails``, as far as it is worth anything."""
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("primary") is entry.get("verified") is True:
            address = entry.get("email")
            return address if isinstance(address, str) else None
    return None


TRAITS = ProfileTraits(
    dialect=Dialect(
        scopes="read:user user:email",
        login_hint="login",
        prompts={"login": "select_account", "select_account": "select_account"},
        pkce=True,
    ),
    built_in=ProviderMetadata(
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",
        attributes_url="https://api.github.com/user",
    ),
    subject="id",
    profile=profile,
)


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    del clock  # nothing here depends on time
    return ProfileUpstream(pool=pool, provider=provider, http=http, traits=TRAITS)
