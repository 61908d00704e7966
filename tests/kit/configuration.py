"""Configurations for tests: a small good one to change, and what loading a changed one says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.model.errors import ConfigurationError
from broker.model.pool import AppClient, UserPool
from broker.settings import Settings, load
from broker.settings.members import Object, Objects, Table
from broker.settings.provider_tables import DETAILS
from broker.settings.tables import POOL

Tree = dict[str, Any]

GOOD: Tree = {
    "UserPools": [
        {
            "Id": "eu-west-1_Example01",
            "Domain": "https://auth.example.com",
            "UserPoolClients": [
                {
                    "ClientId": "web",
                    "ClientSecret": "a secret of the tests",
                    "CallbackURLs": ["https://app.example.com/callback"],
                    "AllowedOAuthFlowsUserPoolClient": True,
                    "AllowedOAuthFlows": ["code"],
                    "AllowedOAuthScopes": ["openid", "email", "api/read"],
                    "SupportedIdentityProviders": ["CorpSAML", "Google"],
                }
            ],
            "IdentityProviders": [
                {
                    "ProviderName": "CorpSAML",
                    "ProviderType": "SAML",
                    "ProviderDetails": {"MetadataURL": "https://idp.example.com/metadata"},
                    "AttributeMapping": {"email": "mail"},
                    "IdpIdentifiers": ["Example.com"],
                },
                {
                    "ProviderName": "Google",
                    "ProviderType": "Google",
                    "ProviderDetails": {"client_id": "g", "client_secret": "hidden"},
                    "AttributeMapping": {"email": "email", "username": "sub"},
                },
            ],
            "ResourceServers": [{"Identifier": "api", "Scopes": [{"ScopeName": "read"}]}],
        }
    ]
}
"""Loads without a fault and without a warning."""


def changed_pool(change: Callable[[Tree], object]) -> Tree:
    """The pool of the good configuration after ``change``, as a tree."""
    pool: Tree = copy.deepcopy(GOOD["UserPools"][0])
    change(pool)
    return pool


def changed(change: Callable[[Tree], object]) -> str:
    """The good configuration after ``change`` to its pool, as text (JSON is YAML)."""
    return json.dumps({"UserPools": [changed_pool(change)]})


def as_it_is(_: Tree) -> None:
    """No change."""


def client(pool: Tree) -> Tree:
    found: Tree = pool["UserPoolClients"][0]
    return found


def provider(pool: Tree, index: int = 0) -> Tree:
    found: Tree = pool["IdentityProviders"][index]
    return found


def details(pool: Tree, index: int = 0) -> Tree:
    found: Tree = provider(pool, index)["ProviderDetails"]
    return found


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    """``text`` written to a file of ``folder`` and loaded."""
    path = folder / "broker.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ)


def faults(folder: Path, text: str, **environ: str) -> tuple[str, ...]:
    """The faults that loading ``text`` raises."""
    with pytest.raises(ConfigurationError) as raised:
        loaded(folder, text, **environ)
    return raised.value.faults


def pool_of(folder: Path, change: Callable[[Tree], object], **environ: str) -> UserPool:
    """The pool of the good configuration after ``change``."""
    (pool,) = loaded(folder, changed(change), **environ).pools.values()
    return pool


def client_of(folder: Path, change: Callable[[Tree], object], **environ: str) -> AppClient:
    """Its only client."""
    (found,) = pool_of(folder, change, **environ).clients.values()
    return found


def every_table() -> list[Table]:
    """All member tables, also those inside others."""
    tables = [POOL, *DETAILS.values()]
    for table in tables:  # grows while it is walked
        kinds = [member.kind for member in table.members.values()]
        tables += [kind.table for kind in kinds if isinstance(kind, Object | Objects)]
    return list({table.name: table for table in tables}.values())
