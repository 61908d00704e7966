"""The example of the repository loads, its own members are known, and large files load too."""

from __future__ import annotations

import json
from pathlib import Path

from broker.model.pool import ProviderType
from broker.settings import load
from tests.kit import configuration
from tests.kit.configuration import GOOD, Tree

EXAMPLE = Path(__file__).parents[2] / "config" / "broker.yaml"
SECRETS = {
    f"{name}_CLIENT_SECRET": "for this test" for name in ("WEB", "BATCH", "GOOGLE", "PARTNER")
}


def test_the_example_loads_without_a_warning() -> None:
    settings = load(EXAMPLE, SECRETS)
    assert settings.warnings == ()
    (pool,) = settings.pools.values()
    assert len(pool.clients) == 3
    assert {p.type for p in pool.providers.values()} == {
        ProviderType.SAML,
        ProviderType.OIDC,
        ProviderType.GOOGLE,
    }


def large(pools: int, providers: int) -> Tree:
    saml = GOOD["UserPools"][0]["IdentityProviders"][0]
    return {
        "UserPools": [
            {
                "Id": f"eu-west-1_Pool{pool}",
                "Domain": f"pool{pool}",
                "IdentityProviders": [
                    {**saml, "ProviderName": f"Corp{i}", "IdpIdentifiers": [f"{i}.example.com"]}
                    for i in range(providers)
                ],
            }
            for pool in range(pools)
        ]
    }


def test_many_pools_keep_their_order_and_share_what_is_equal(tmp_path: Path) -> None:
    settings = configuration.loaded(tmp_path, json.dumps(large(34, 60)))
    assert list(settings.pools) == [f"eu-west-1_Pool{i}" for i in range(34)]
    providers = [p for pool in settings.pools.values() for p in pool.providers.values()]
    assert len(providers) == 34 * 60
    assert len({id(p.attribute_mapping) for p in providers}) == 1
    assert len({id(pool.schema) for pool in settings.pools.values()}) == 1
