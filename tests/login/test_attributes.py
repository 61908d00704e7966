"""Attribute mapping: form, schema, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.login.attributes import flattened, mapped_attributes, username_of
from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.pool import (
    AppClient,
    IdentityProvider,
    OAuthSettings,
    ProviderType,
    SamlSettings,
    SchemaAttribute,
    UserPool,
)

CLIENT = AppClient(id="web")
SCHEMA = {
    a.name: a
    for a in (
        SchemaAttribute(name="email"),
        SchemaAttribute(name="phone_number"),
        SchemaAttribute(name="birthdate"),
        SchemaAttribute(name="updated_at", data_type="Number", min_value=0),
        SchemaAttribute(name="email_verified", data_type="Boolean"),
        SchemaAttribute(name="custom:short", min_length=2, max_length=4),
        SchemaAttribute(name="custom:fixed", mutable=False),
        SchemaAttribute(name="custom:size", data_type="Number", max_value=10),
    )
}
POOL = UserPool(
    id="eu_A1", domains=("https://a.test",), issuer="https://a.test/eu_A1", schema=SCHEMA
)


def saml(**mapping: str) -> IdentityProvider:
    names = {name.replace("__", ":"): claim for name, claim in mapping.items()}
    return IdentityProvider(
        name="Corp", type=ProviderType.SAML, settings=SamlSettings(), attribute_mapping=names
    )


def oidc(**mapping: str) -> IdentityProvider:
    return IdentityProvider(
        name="Op",
        type=ProviderType.OIDC,
        settings=OAuthSettings(client_id="c"),
        attribute_mapping=mapping,
    )


def mapped(provider: IdentityProvider, *, client: AppClient = CLIENT, pool: UserPool = POOL,
           stored: dict[str, str] | None = None, **claims: Any) -> dict[str, str]:  # fmt: skip
    values = {n: (v,) if isinstance(v, str) else v for n, v in claims.items()}
    return mapped_attributes(values, provider, client, pool, stored or {})


def refusal(provider: IdentityProvider, **claims: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        mapped(provider, **claims)
    return caught.value


def test_a_claim_becomes_the_attribute_it_is_mapped_to() -> None:
    assert mapped(saml(email="mail"), mail="a@b.test", other="dropped") == {"email": "a@b.test"}


@pytest.mark.parametrize("values", [(), ("",), ("  ", "")])
def test_absent_and_blank_claims_set_nothing(values: tuple[str, ...]) -> None:
    assert mapped(saml(email="mail"), mail=values) == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("one",), "one"),
        (("a b & c",), "a b & c"),
        (("a", "b"), "[a, b]"),
        (("b", "a", "b"), "[b, a, b]"),
        (("a b", "c,d", "é", "x~y", "-._*"), "[a+b, c%2Cd, %C3%A9, x%7Ey, -._*]"),
        (("a", ""), "a"),
    ],
)
def test_several_values_become_one_string(values: tuple[str, ...], expected: str) -> None:
    assert flattened(values) == expected


@given(st.lists(st.text(min_size=1), min_size=2))
def test_a_flattened_list_can_be_taken_apart_again(values: list[str]) -> None:
    from urllib.parse import unquote_plus

    present = [v for v in values if v.strip()]
    try:
        "".join(present).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair never comes out of a parser
    if len(present) > 1:
        inner = flattened(tuple(values))[1:-1]
        assert [unquote_plus(part) for part in inner.split(", ")] == present


def test_an_attribute_outside_write_attributes_is_skipped() -> None:
    client = replace(CLIENT, write_attributes=frozenset({"email"}))
    claims = {"mail": "a@b.test", "tel": "+3312345"}
    assert mapped(saml(email="mail", phone_number="tel"), client=client, **claims) == {
        "email": "a@b.test"
    }


REFUSED: dict[str, tuple[dict[str, str], dict[str, str], Reason, str]] = {
    "custom attribute missing from the schema": (
        {"custom__nope": "c"},
        {"c": "zq7"},
        Reason.ATTRIBUTE_UNKNOWN,
        "Type for attribute {custom:nope} could not be determined",
    ),
    "username on SAML": (
        {"username": "c"},
        {"c": "zq7"},
        Reason.ATTRIBUTE_UNKNOWN,
        "username: Attribute does not exist in the schema. ",
    ),
    "control characters": (
        {"email": "c"},
        {"c": "a@b.test\r\nBcc: c"},
        Reason.ATTRIBUTE_INVALID,
        "email: ",
    ),
    "too long": ({"email": "c"}, {"c": "x" * 2049}, Reason.ATTRIBUTE_INVALID, "email: "),
    "longer than its schema": (
        {"custom__short": "c"},
        {"c": "12345"},
        Reason.ATTRIBUTE_INVALID,
        "custom:short: ",
    ),
    "shorter than its schema": (
        {"custom__short": "c"},
        {"c": "1"},
        Reason.ATTRIBUTE_INVALID,
        "custom:short: ",
    ),
    "no number": ({"custom__size": "c"}, {"c": "ten"}, Reason.ATTRIBUTE_INVALID, "custom:size: "),
    "number out of range": (
        {"custom__size": "c"},
        {"c": "11"},
        Reason.ATTRIBUTE_INVALID,
        "custom:size: ",
    ),
    "no boolean": ({"email_verified": "c"}, {"c": "yes"}, Reason.ATTRIBUTE_INVALID, "email_verif"),
    "no phone number": ({"phone_number": "c"}, {"c": "0123"}, Reason.ATTRIBUTE_INVALID, "phone_"),
    "no birthdate": ({"birthdate": "c"}, {"c": "1.2.1990"}, Reason.ATTRIBUTE_INVALID, "birthdate"),
    "four-byte character": (
        {"email": "c"},
        {"c": "a\U0001f600@b.test"},
        Reason.ATTRIBUTE_INVALID,
        "email: ",
    ),
}


@pytest.mark.parametrize(("mapping", "claims", "reason", "text"), REFUSED.values(), ids=REFUSED)
def test_the_schema_refuses(
    mapping: dict[str, str], claims: dict[str, str], reason: Reason, text: str
) -> None:
    error = refusal(saml(**mapping), **claims)
    assert error.reason is reason
    assert error.code is ErrorCode.SERVER_ERROR
    assert error.public.startswith(
        f"Error in SAML response processing: Invalid user attributes: {text}"
    )
    assert claims["c"] not in error.public


def test_the_largest_value_is_taken() -> None:
    assert mapped(saml(email="c"), c="x" * 2048)["email"] == "x" * 2048


def test_four_byte_characters_are_fine_from_oidc() -> None:
    assert mapped(oidc(email="c"), c="\U0001f600@b.test")


@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b"])
def test_characters_that_no_store_takes_are_refused(value: str) -> None:
    assert refusal(oidc(email="c"), c=value).reason is Reason.ATTRIBUTE_INVALID


@pytest.mark.parametrize("value", ["\U0001f600", "a\x00b", "a\ud800b"])
def test_a_character_is_refused_in_one_of_several_values_too(value: str) -> None:
    """Percent-encoded, as one attribute, they would be ASCII."""
    error = refusal(saml(email="c"), c=("a@b.test", value))
    assert error.reason is Reason.ATTRIBUTE_INVALID


@pytest.mark.parametrize("values", [("\U0001f600",), ("a", "\U0001f600")])
def test_a_pool_may_take_four_byte_characters(values: tuple[str, ...]) -> None:
    pool = replace(POOL, supplementary_characters=True)
    assert mapped(saml(email="c"), pool=pool, c=values) == {"email": flattened(values)}


def test_username_in_an_oidc_mapping_is_the_subject_and_no_attribute() -> None:
    assert mapped(oidc(username="sub", email="c"), c="a@b.test", sub="x") == {"email": "a@b.test"}


def test_an_immutable_attribute_keeps_its_value() -> None:
    provider = saml(custom__fixed="c")
    assert mapped(provider, c="one") == {"custom:fixed": "one"}
    assert mapped(provider, c="one", stored={"custom:fixed": "one"}) == {"custom:fixed": "one"}
    assert refusal(provider, c="two", stored={"custom:fixed": "one"}).reason is (
        Reason.ATTRIBUTE_INVALID
    )


def test_a_required_attribute_must_be_sent_or_stored() -> None:
    required = {**SCHEMA, "email": SchemaAttribute(name="email", required=True)}
    pool = replace(POOL, schema=required)
    error = refusal(saml(email="mail"), pool=pool)
    assert error.reason is Reason.ATTRIBUTE_REQUIRED
    assert error.public == (
        "Error in SAML response processing: Invalid user attributes: "
        "email: The attribute is required"
    )
    assert mapped(saml(email="mail"), pool=pool, stored={"email": "old@b.test"}) == {}


def test_a_username_is_provider_and_subject() -> None:
    assert username_of("A|b c é", saml(), POOL) == "Corp_A|b c é"
    ignoring_case = replace(POOL, case_sensitive=False)
    assert username_of("Alice", saml(), ignoring_case) == "corp_alice"


@pytest.mark.parametrize(("length", "good"), [(123, True), (124, False)])
def test_a_username_has_128_characters_at_most(length: int, good: bool) -> None:
    if good:
        assert len(username_of("x" * length, saml(), POOL)) == 128
        return
    with pytest.raises(UpstreamError) as caught:
        username_of("x" * length, saml(), POOL)
    assert "'userName' failed to satisfy constraint" in caught.value.public


@pytest.mark.parametrize("subject", ["", "a\nb", "a\x00", "\x7f", "\x85"])
def test_a_subject_without_characters_or_with_control_characters_is_refused(subject: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        username_of(subject, saml(), POOL)
    assert caught.value.reason is Reason.USERNAME_INVALID
