"""What the assertion says becomes a user of the pool, and stays one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.world import POOL_ID, WEB, World, callback, saml_provider

SCHEMA = [
    {"Name": "email", "AttributeDataType": "String", "Required": True, "Mutable": True},
    {"Name": "custom:dept", "AttributeDataType": "String", "Mutable": True},
]
MAPPING = {"email": "mail", "custom:dept": "department", "name": "displayName"}
READING = {
    **WEB,
    "ReadAttributes": ["email", "email_verified", "name", "custom:dept"],
}


@pytest.fixture
def mapped(new_world: Callable[..., World], world: World) -> World:
    return new_world(
        clients=[READING],
        providers=[saml_provider(world.idp, AttributeMapping=MAPPING)],
        pool={"SchemaAttributes": SCHEMA},
    )


def outcome(world: World, **attributes: Any) -> dict[str, str]:
    return world.sign_in(world.browser(), attributes=attributes)


def id_claims(world: World, **attributes: Any) -> dict[str, Any]:
    return world.verified(world.redeem(outcome(world, **attributes)["code"]).json["id_token"])


def test_custom_and_multi_valued_attributes_arrive(mapped: World) -> None:
    claims = id_claims(mapped, mail=["a@b.test"], department=["Sales & More", "R,D"])
    assert claims["email"] == "a@b.test"
    assert claims["custom:dept"] == "[Sales+%26+More, R%2CD]"


def test_a_required_attribute_is_required(mapped: World) -> None:
    answer = outcome(mapped, department=["x"])
    assert answer["error"] == "server_error"
    assert answer["error_description"] == (
        "Error in SAML response processing: Invalid user attributes: "
        "email: The attribute is required"
    )
    assert "code" in outcome(mapped, mail=["a@b.test"])


def test_unmapped_claims_are_dropped(mapped: World) -> None:
    claims = id_claims(mapped, mail=["a@b.test"], salary=["secret"])
    assert "secret" not in str(claims)


def test_a_user_is_an_external_one_with_the_automatic_group(mapped: World) -> None:
    outcome(mapped, mail=["a@b.test"])
    user = mapped.broker.directory.by_username(POOL_ID, "Corp_alice")
    assert user is not None
    assert user.status == "EXTERNAL_PROVIDER"
    assert user.enabled
    assert user.groups == (f"{POOL_ID}_Corp",)
    assert user.identities[0].issuer == mapped.idp.entity_id


def test_nothing_is_written_when_nothing_changed(mapped: World) -> None:
    outcome(mapped, mail=["a@b.test"])
    mapped.clock.advance(100)
    outcome(mapped, mail=["a@b.test"])
    user = mapped.broker.directory.by_username(POOL_ID, "Corp_alice")
    assert user is not None
    before = user.modified_at
    mapped.clock.advance(100)
    outcome(mapped, mail=["new@b.test"])
    user = mapped.broker.directory.by_username(POOL_ID, "Corp_alice")
    assert user is not None
    assert before == int(mapped.clock.now()) - 200
    assert user.modified_at == int(mapped.clock.now())


@pytest.mark.parametrize(
    "name_id",
    [
        "a b",
        "CN=Alice,O=Ex|mple",
        "ålice@exämple",
        "a<b>&c",
        "\U0001f600",
        "x" * 123,
        "Alice",
        "alice",
    ],
)
def test_any_name_id_is_a_user_of_its_own(mapped: World, name_id: str) -> None:
    code = mapped.sign_in(mapped.browser(), name_id=name_id, attributes={"mail": ["a@b.test"]})[
        "code"
    ]
    claims = mapped.verified(mapped.redeem(code).json["id_token"])
    assert claims["cognito:username"] == f"Corp_{name_id}"
    assert claims["identities"][0]["userId"] == name_id


@pytest.mark.parametrize("names", [["Al \U0001f600"], ["Al", "\U0001f600"]], ids=["one", "several"])
@pytest.mark.parametrize("allowed", [False, True])
def test_emoji_in_an_assertion_are_the_pools_choice(
    new_world: Callable[..., World], names: list[str], allowed: bool
) -> None:
    world = new_world(pool={"AllowSupplementaryCharacters": allowed})
    answer = world.sign_in(world.browser(), attributes={"displayName": names})
    assert ("code" in answer) is allowed
    if not allowed:
        assert "name: 4-byte UTF-8" in answer["error_description"]


def test_a_name_id_too_long_for_a_user_name_says_so(mapped: World) -> None:
    answer = mapped.sign_in(mapped.browser(), name_id="x" * 124, attributes={"mail": ["a@b.test"]})
    assert "Member must have length less than or equal to 128" in answer["error_description"]


def test_a_pool_that_ignores_case_has_no_twins(
    new_world: Callable[..., World], world: World
) -> None:
    folding = new_world(pool={"UsernameConfiguration": {"CaseSensitive": False}})
    first = folding.sign_in(folding.browser(), name_id="Carlos")
    assert (
        folding.verified(folding.redeem(first["code"]).json["id_token"])["cognito:username"]
        == "corp_carlos"
    )
    assert "error" in folding.sign_in(folding.browser(), name_id="carlos")
    assert "code" in folding.sign_in(folding.browser(), name_id="Carlos")


def test_a_disabled_user_is_refused(mapped: World) -> None:
    outcome(mapped, mail=["a@b.test"])
    user = mapped.broker.directory.by_username(POOL_ID, "Corp_alice")
    assert user is not None
    mapped.broker.directory.set_enabled(
        POOL_ID, user.sub, enabled=False, now=int(mapped.clock.now())
    )
    answer = outcome(mapped, mail=["a@b.test"])
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == "User is disabled."


def test_a_deleted_user_comes_back_as_somebody_new(mapped: World) -> None:
    before = id_claims(mapped, mail=["a@b.test"])["sub"]
    mapped.broker.directory.delete(POOL_ID, before)
    assert id_claims(mapped, mail=["a@b.test"])["sub"] != before


def test_a_code_of_a_user_disabled_meanwhile_is_worth_nothing(mapped: World) -> None:
    answer = callback(
        (browser := mapped.browser()).post(
            "/saml2/idpresponse",
            mapped.idp.post(mapped.begin(browser), attributes={"mail": ["a@b.test"]}),
        )
    )
    user = next(iter(mapped.broker.directory.list(POOL_ID, after_username="", limit=1)))
    mapped.broker.directory.set_enabled(
        POOL_ID, user.sub, enabled=False, now=int(mapped.clock.now())
    )
    assert mapped.redeem(answer["code"]).json["error"] == "invalid_grant"
