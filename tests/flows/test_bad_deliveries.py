"""What arrives at the assertion consumer service and is not a good answer: refused, nothing lost."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest

from broker.model.errors import Reason
from tests.kit.refusals import reason_logged
from tests.kit.saml_idp import SamlIdp, Signing
from tests.kit.saml_keys import key_pair
from tests.kit.world import WEB, World, callback, saml_provider

ACS = "/saml2/idpresponse"


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


NOT_A_RESPONSE = {
    "not base64": ("%%%not base64%%%", Reason.SAML_RESPONSE_NOT_BASE64),
    "not XML": (encoded("hello"), Reason.SAML_RESPONSE_NOT_XML),
    "XML cut short": (encoded("<a><b>"), Reason.SAML_RESPONSE_NOT_XML),
    "a DTD": (encoded('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'), Reason.SAML_RESPONSE_NOT_XML),
    "another document": (encoded("<a/>"), Reason.SAML_RESPONSE_UNEXPECTED),
    "too large": ("A" * 100_001, Reason.SAML_RESPONSE_TOO_LARGE),
}


@pytest.mark.parametrize(("value", "reason"), NOT_A_RESPONSE.values(), ids=NOT_A_RESPONSE)
def test_garbage_ends_at_the_app_and_the_person_can_start_again(
    world: World, caplog: pytest.LogCaptureFixture, value: str, reason: Reason
) -> None:
    browser = world.browser()
    request = world.begin(browser)
    form = {"SAMLResponse": value, "RelayState": request.relay_state or ""}
    response = browser.post(ACS, form)
    answer = callback(response)

    assert answer["error"] == "server_error"
    assert answer["error_description"].startswith("Invalid ")
    assert answer["state"] == "state-1"
    assert "cognito" not in browser.cookies
    assert reason_logged(caplog) == reason
    assert "code" in world.sign_in(browser)


REFUSED: dict[str, tuple[dict[str, Any], Reason]] = {
    "unsigned": ({"sign": "none"}, Reason.SAML_UNSIGNED),
    "expired": ({"not_on_or_after": 1_799_999_000.0}, Reason.SAML_EXPIRED),
    "for somebody else": ({"audiences": ("urn:other",)}, Reason.SAML_AUDIENCE),
    "from somebody else": ({"assertion_issuer": "https://evil.example"}, Reason.SAML_ISSUER),
    "another request's": (
        {"in_response_to": "_other", "confirmation_in_response_to": "_other"},
        Reason.SAML_IN_RESPONSE_TO,
    ),
    "for another ACS": (
        {"recipient": "https://other.example/saml2/idpresponse"},
        Reason.SAML_SUBJECT_CONFIRMATION,
    ),
    "empty NameID": ({"name_id": ""}, Reason.SAML_NAME_ID),
    "unknown key": (
        {"signing": Signing(pair=key_pair("attacker"))},
        Reason.SAML_ASSERTION_SIGNATURE,
    ),
}


@pytest.mark.parametrize(("answer", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_bad_answer_ends_at_the_app_with_its_reason_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], reason: Reason
) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser), **{"name_id": "alice", **answer})
    told = callback(browser.post(ACS, form))
    assert told["error"] == "server_error"
    assert "code" not in told
    assert "cognito" not in browser.cookies
    assert reason_logged(caplog) == reason
    assert "code" in world.sign_in(browser)


def test_equal_failures_tell_the_app_equal_things(world: World) -> None:
    def failure() -> dict[str, str]:
        browser = world.browser()
        form = world.idp.post(world.begin(browser), name_id="alice", sign="none")
        return callback(browser.post(ACS, form))

    assert failure() == failure()


def test_an_assertion_is_good_once_even_in_a_new_envelope(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for outcome in ("code", "error"):
        browser = world.browser()
        form = world.idp.post(
            world.begin(browser), name_id="alice", assertion_id="_always-the-same"
        )
        assert outcome in callback(browser.post(ACS, form))
    assert reason_logged(caplog) == Reason.SAML_REPLAY


def test_the_answer_of_one_provider_is_no_answer_of_another(
    new_world: Callable[..., World], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    other = SamlIdp(
        clock=world.clock,
        entity_id="https://other.example/metadata",
        keys=(key_pair("other"),),
    )
    both = new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}],
        providers=[saml_provider(world.idp), saml_provider(other, "Other")],
    )
    browser = both.browser()
    request = both.begin(browser, identity_provider="Corp")
    form = SamlIdp(clock=both.clock, entity_id=other.entity_id, keys=other.keys).post(
        request, name_id="alice"
    )
    assert "error" in callback(browser.post(ACS, form))
    assert reason_logged(caplog) in {Reason.SAML_ASSERTION_SIGNATURE, Reason.SAML_ISSUER}


def test_the_same_name_id_at_two_providers_is_two_people(
    new_world: Callable[..., World], world: World
) -> None:
    both = new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}],
        providers=[saml_provider(world.idp), saml_provider(world.idp, "Other")],
    )
    subs = set()
    for name in ("Corp", "Other"):
        browser = both.browser()
        form = both.idp.post(both.begin(browser, identity_provider=name), name_id="alice")
        code = callback(browser.post(ACS, form))["code"]
        subs.add(both.verified(both.redeem(code).json["id_token"])["sub"])
    assert len(subs) == 2


@pytest.mark.parametrize("name", ["SAMLResponse", "RelayState"])
def test_a_repeated_parameter_is_a_page_and_uses_nothing_up(world: World, name: str) -> None:
    from urllib.parse import urlencode

    browser = world.browser()
    form = world.idp.post(world.begin(browser), name_id="alice")
    response = browser.post(ACS, urlencode([*form.items(), (name, form[name])]))
    assert response.status_code == 400
    assert "code" in callback(browser.post(ACS, form))


def test_a_missing_response_is_a_page_and_uses_nothing_up(world: World) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser), name_id="alice")
    assert browser.post(ACS, {"RelayState": form["RelayState"]}).status_code == 400
    assert "code" in callback(browser.post(ACS, form))


def test_a_body_of_ten_megabytes_is_413(world: World) -> None:
    browser = world.browser()
    world.begin(browser)
    assert browser.post(ACS, "SAMLResponse=" + "A" * 10_000_000).status_code == 413
    assert "code" in world.sign_in(browser)


def test_only_a_posted_form_is_taken(world: World) -> None:
    browser = world.browser()
    assert browser.get(f"{ACS}?SAMLResponse=x&RelayState=y").status_code == 405
    answer = browser.post(ACS, "{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 415


def test_the_log_of_an_attempt_holds_no_secret(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = world.browser()
    request = world.begin(browser)
    form = world.idp.post(request, name_id="alice")
    code = callback(browser.post(ACS, form))["code"]
    tokens = world.redeem(code).json
    browser.post(ACS, form)
    written = "\n".join(str(record.__dict__) for record in caplog.records)
    secrets = [
        code,
        form["SAMLResponse"],
        form["RelayState"],
        browser.cookies["cognito"].value,
        browser.cookies["csrf-state"].value,
        WEB["ClientSecret"],
        *(tokens[f"{name}_token"] for name in ("id", "access", "refresh")),
    ]
    assert not [secret for secret in secrets if secret in written]
