"""What an AuthnRequest asks for: nothing but the sign-in, unless it is configured or asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from broker.model.errors import Reason
from tests.kit.refusals import reason_logged
from tests.kit.world import World, callback, saml_provider

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.fixture
def asked(new_world: Callable[..., World], world: World) -> Callable[..., etree._Element]:
    """The AuthnRequest of a provider with ``details`` for a request with ``params``."""

    def ask(params: dict[str, str], **details: str) -> etree._Element:
        made = new_world(providers=[saml_provider(world.idp, details=details)])
        request = made.begin(made.browser(), **params)
        assert request.document is not None
        return request.document

    return ask


def test_the_plain_request_has_nothing_but_the_issuer(asked: Callable[..., Any]) -> None:
    request = asked({"login_hint": "alice@example.test"})
    assert [child.tag for child in request] == [f"{ASSERTION}Issuer"]
    assert request.get("ForceAuthn") is None
    assert request.get("ProtocolBinding").endswith("HTTP-POST")


@pytest.mark.parametrize(
    ("params", "details"),
    [
        ({"prompt": "login"}, {}),
        ({"max_age": "0"}, {}),
        ({"max_age": "300"}, {}),
        ({}, {"ForceAuthn": "true"}),
    ],
)
def test_a_fresh_sign_in_is_asked_for(
    asked: Callable[..., Any], params: dict[str, str], details: dict[str, str]
) -> None:
    assert asked(params, **details).get("ForceAuthn") == "true"


@pytest.mark.parametrize(
    ("params", "age", "good"),
    [
        ({"prompt": "login"}, 60, True),
        ({"prompt": "login"}, 600, False),
        ({"max_age": "300"}, 400, True),
        ({"max_age": "300"}, 430, False),
        ({}, 36000, True),
    ],
)
def test_an_old_sign_in_is_not_passed_off_as_a_new_one(
    world: World, caplog: pytest.LogCaptureFixture, params: dict[str, str], age: int, good: bool
) -> None:
    """Two minutes more than asked for, since clocks differ."""
    browser = world.browser()
    request = world.begin(browser, **params)
    form = world.idp.post(request, name_id="alice", authn_instant=world.clock.now() - age)
    answer = callback(browser.post("/saml2/idpresponse", form))
    assert ("code" in answer) is good
    if not good:
        assert reason_logged(caplog) == Reason.SAML_AUTHN_TOO_OLD


@pytest.mark.parametrize("params", [{}, {"prompt": "login"}, {"max_age": "300"}])
def test_a_provider_that_does_not_say_when_is_not_believed(
    world: World, caplog: pytest.LogCaptureFixture, params: dict[str, str]
) -> None:
    browser = world.browser()
    request = world.begin(browser, **params)
    form = world.idp.post(request, name_id="alice", edit=_without_authn_statement)
    answer = callback(browser.post("/saml2/idpresponse", form))
    assert answer["error"] == "server_error"
    assert reason_logged(caplog) == Reason.SAML_AUTHN_STATEMENT


def _without_authn_statement(response: etree._Element) -> None:
    (statement,) = response.iter(f"{ASSERTION}AuthnStatement")
    statement.getparent().remove(statement)


def test_a_hint_names_the_subject_where_that_is_configured(asked: Callable[..., Any]) -> None:
    request = asked({"login_hint": "a & <b>"}, SendLoginHint="true")
    assert [child.tag for child in request] == [f"{ASSERTION}Issuer", f"{ASSERTION}Subject"]
    assert request.findtext(f"{ASSERTION}Subject/{ASSERTION}NameID") == "a & <b>"


def test_formats_and_contexts_are_asked_for_where_configured(asked: Callable[..., Any]) -> None:
    request = asked({}, NameIDFormat=PERSISTENT, RequestedAuthnContext=CONTEXT)
    assert request.find(f"{PROTOCOL}NameIDPolicy").get("Format") == PERSISTENT
    path = f"{PROTOCOL}RequestedAuthnContext/{ASSERTION}AuthnContextClassRef"
    assert request.findtext(path) == CONTEXT
