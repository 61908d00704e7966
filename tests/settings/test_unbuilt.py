"""What is not built yet: one warning line, nothing refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker.settings import pools, yaml_file
from broker.settings.members import Table
from broker.settings.reading import Reading
from broker.settings.unbuilt import UNBUILT, Unbuilt
from tests.kit import configuration
from tests.kit.configuration import Tree, as_it_is, changed, changed_pool, details, every_table

TRIGGER = "arn:aws:lambda:eu-west-1:123456789012:function:f"


def warnings_of(gap: Unbuilt, pool: Tree) -> list[str]:
    reading = Reading(folder=Path(), environ={}, unbuilt=(gap,))
    tree = yaml_file.parse(json.dumps({"UserPools": [pool]}), reading)
    pools.build(tree, "localhost:8080", reading)
    assert reading.faults == []
    return reading.warnings


def tables_by_name() -> dict[str, Table]:
    return {table.name: table for table in every_table()}


@pytest.mark.parametrize("gap", UNBUILT, ids=lambda gap: f"{gap.table}.{gap.member}")
def test_the_list_names_members_that_exist(gap: Unbuilt) -> None:
    assert gap.member in tables_by_name()[gap.table].members


def test_triggers_are_accepted_with_one_line(tmp_path: Path) -> None:
    def set_triggers(pool: Tree) -> None:
        pool["LambdaConfig"] = {"PreSignUp": TRIGGER, "PostConfirmation": TRIGGER}

    (warning,) = configuration.loaded(tmp_path, changed(set_triggers)).warnings
    assert warning.startswith("UserPools[0].LambdaConfig: triggers are not built yet")


@pytest.mark.parametrize("config", [{}, {"CustomMessage": TRIGGER}, {"KMSKeyID": "k"}])
def test_triggers_that_federation_never_calls(tmp_path: Path, config: Tree) -> None:
    text = changed(lambda pool: pool.update(LambdaConfig=config))
    assert configuration.loaded(tmp_path, text).warnings == ()


@pytest.mark.parametrize(
    ("table", "member", "value", "place"),
    [
        ("IdentityProvider", "ProviderType", "Google", "IdentityProviders[1].ProviderType"),
        ("UserPoolClient", "AllowedOAuthFlows", "code", "UserPoolClients[0].AllowedOAuthFlows"),
        ("SAML", "IDPInit", True, "IdentityProviders[0].ProviderDetails.IDPInit"),
    ],
)
def test_single_values_may_be_unbuilt(table: str, member: str, value: Any, place: str) -> None:
    pool = changed_pool(lambda pool: details(pool).update(IDPInit="true"))
    gap = Unbuilt(table=table, member=member, values=frozenset({value}), says="not built yet")
    assert warnings_of(gap, pool) == [f"UserPools[0].{place}: not built yet"]


def test_other_values_are_not_concerned() -> None:
    gap = Unbuilt(
        table="IdentityProvider", member="ProviderType", values=frozenset({"OIDC"}), says=""
    )
    assert warnings_of(gap, changed_pool(as_it_is)) == []
