"""Pools, clients and users as plain data, for tests of single rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from broker.model.login import LinkedIdentity, UserProfile
from broker.model.pool import (
    AppClient,
    Flow,
    IdentityProvider,
    ProviderType,
    ResourceServer,
    SamlSettings,
    UserPool,
)

POOL_ID = "eu-west-1_Example01"
DOMAIN = "https://auth.example.com"
ISSUER = f"{DOMAIN}/{POOL_ID}"
CALLBACK = "https://app.example.com/callback"
SECRET = "a secret of the tests"

CLIENT = AppClient(
    id="web",
    secret=SECRET,
    oauth_enabled=True,
    flows=frozenset({Flow.CODE}),
    scopes=("openid", "email", "phone", "profile", "api/read"),
    callback_urls=(CALLBACK,),
    providers=("Corp",),
)
USER = UserProfile(
    pool_id=POOL_ID,
    sub="11111111-2222-4333-8444-555555555555",
    username="Corp_alice",
    attributes={"email": "alice@example.com", "email_verified": "true", "name": "Alice"},
    identities=(
        LinkedIdentity(
            user_id="alice",
            provider_name="Corp",
            provider_type="SAML",
            issuer="https://idp.example.com",
            primary=True,
            created_at=1_800_000_000_123,
        ),
    ),
    groups=(f"{POOL_ID}_Corp",),
)


def client(**changes: Any) -> AppClient:
    return replace(CLIENT, **changes)


def user(**changes: Any) -> UserProfile:
    return replace(USER, **changes)


def pool(*clients: AppClient, **members: Any) -> UserPool:
    """A pool of ``clients`` with one SAML provider and one resource server."""
    corp = IdentityProvider(
        name="Corp",
        type=ProviderType.SAML,
        settings=SamlSettings(metadata_url="https://idp.example.com/metadata"),
        identifiers=("example.com",),
    )
    return UserPool(
        **{
            "id": POOL_ID,
            "domains": (DOMAIN,),
            "issuer": ISSUER,
            "clients": {each.id: each for each in clients or (CLIENT,)},
            "providers": {"Corp": corp, "Other": replace(corp, name="Other", identifiers=())},
            "resource_servers": {"api": ResourceServer(identifier="api", scopes=("read", "write"))},
            **members,
        }
    )
