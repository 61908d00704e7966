"""What an AuthnRequest asks for: nothing but the sign-in, unless it is configured or asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from lxml import etree

from broker.model.errors import Reason
from tests.kit.refusals import reason_logged
from tests.kit.saml_document import PASSWORD
from tests.kit.saml_idp import AuthnRequest
from tests.kit.world import CALLBACK, ORIGIN, POOL_ID, World, callback, saml_provider

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.fixture
def asking(new_world: Callable[..., World], world: World) -> Callable[..., World]:
    """A world whose provider has these ``ProviderDetails`` besides."""

    def make(**details: str) -> World:
        return new_world(providers=[saml_provider(world.idp, details=details)])

    return make


@pytest.fixture
def asked(asking: Callable[..., World]) -> Callable[..., etree._Element]:
    """The AuthnRequest of a provider with ``details`` for a request with ``params``."""

    def ask(params: dict[str, str], **details: str) -> etree._Element:
        made = asking(**details)
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
    ("params", "details", "age"),
    [
        ({}, {}, 36000),
        ({"prompt": "login"}, {}, 60),
        ({"max_age": "300"}, {}, 400),
        ({}, {"ForceAuthn": "true"}, 60),
    ],
)
def test_a_sign_in_that_is_new_enough_is_good(
    asking: Callable[..., World], params: dict[str, str], details: dict[str, str], age: int
) -> None:
    """Two minutes more than asked for, since clocks differ."""
    world = asking(**details)
    assert "code" in answered(world, params, authn_instant=world.clock.now() - age)


@pytest.mark.parametrize(
    ("params", "details"),
    [
        ({"prompt": "login"}, {}),
        ({"max_age": "300"}, {}),
        ({"prompt": "login", "max_age": "36000"}, {}),
        ({}, {"ForceAuthn": "true"}),
        ({"max_age": "36000"}, {"ForceAuthn": "true"}),
    ],
)
def test_an_old_sign_in_is_not_passed_off_as_a_new_one(
    asking: Callable[..., World],
    caplog: pytest.LogCaptureFixture,
    params: dict[str, str],
    details: dict[str, str],
) -> None:
    world = asking(**details)
    assert "error" in answered(world, params, authn_instant=world.clock.now() - 430)
    assert reason_logged(caplog) == Reason.SAML_AUTHN_TOO_OLD


@pytest.mark.parametrize("params", [{}, {"prompt": "login"}, {"max_age": "300"}])
def test_a_provider_that_does_not_say_when_is_not_believed(
    world: World, caplog: pytest.LogCaptureFixture, params: dict[str, str]
) -> None:
    assert "error" in answered(world, params, edit=_without_authn_statement)
    assert reason_logged(caplog) == Reason.SAML_AUTHN_STATEMENT


def _without_authn_statement(response: etree._Element) -> None:
    (statement,) = response.iter(f"{ASSERTION}AuthnStatement")
    statement.getparent().remove(statement)


@pytest.mark.parametrize("context", [CONTEXT, PASSWORD])
def test_a_sign_in_of_a_kind_that_was_asked_for_is_good(
    asking: Callable[..., World], context: str
) -> None:
    world = asking(RequestedAuthnContext=f"{CONTEXT} {PASSWORD}")
    assert "code" in answered(world, {}, authn_context=context)


@pytest.mark.parametrize("context", [PASSWORD, f"{CONTEXT}2", None])
@pytest.mark.parametrize("params", [{}, None])
def test_a_sign_in_of_another_kind_is_refused(
    asking: Callable[..., World],
    caplog: pytest.LogCaptureFixture,
    params: dict[str, str] | None,
    context: str | None,
) -> None:
    """However the provider came to it: the request that asks may have been changed on its way, and
    a sign-in that begins at the provider has none."""
    world = asking(RequestedAuthnContext=CONTEXT, IDPInit="true")
    assert "error" in answered(world, params, authn_context=context)
    assert reason_logged(caplog) == Reason.SAML_AUTHN_CONTEXT


def answered(world: World, params: dict[str, str] | None, **said: Any) -> dict[str, str]:
    """What the app is told when the provider has ``said`` so; ``params`` None: it was not asked."""
    browser = world.browser()
    request = _unasked() if params is None else world.begin(browser, **params)
    form = world.idp.post(request, name_id="alice", **said)
    return callback(browser.post("/saml2/idpresponse", form))


def _unasked() -> AuthnRequest:
    relay_state = {
        "identity_provider": "Corp",
        "client_id": "web",
        "redirect_uri": CALLBACK,
        "response_type": "code",
    }
    return AuthnRequest(
        id=None,
        acs=f"{ORIGIN}/saml2/idpresponse",
        issuer=f"urn:amazon:cognito:sp:{POOL_ID}",
        relay_state=urlencode(relay_state),
    )


def test_a_hint_names_the_subject_where_that_is_configured(asked: Callable[..., Any]) -> None:
    request = asked({"login_hint": "a & <b>"}, SendLoginHint="true")
    assert [child.tag for child in request] == [f"{ASSERTION}Issuer", f"{ASSERTION}Subject"]
    assert request.findtext(f"{ASSERTION}Subject/{ASSERTION}NameID") == "a & <b>"


@pytest.mark.parametrize("binding", ["Redirect", "POST"])
@pytest.mark.parametrize("hint", ["a\x00", "\x0b", "\ufffe"])
def test_a_hint_that_no_xml_can_hold_is_refused(
    asking: Callable[..., World], world: World, binding: str, hint: str
) -> None:
    metadata = world.idp.metadata(bindings=[binding])
    strict = asking(
        MetadataFile=metadata, SendLoginHint="true", RequestSigningAlgorithm="rsa-sha256"
    )
    answer = callback(strict.browser().get(strict.authorize_url(login_hint=hint)))
    assert answer["error"] == "invalid_request"


def test_formats_and_contexts_are_asked_for_where_configured(asked: Callable[..., Any]) -> None:
    request = asked({}, NameIDFormat=PERSISTENT, RequestedAuthnContext=CONTEXT)
    assert request.find(f"{PROTOCOL}NameIDPolicy").get("Format") == PERSISTENT
    path = f"{PROTOCOL}RequestedAuthnContext/{ASSERTION}AuthnContextClassRef"
    assert request.findtext(path) == CONTEXT
