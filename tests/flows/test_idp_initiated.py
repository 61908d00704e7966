"""A sign-in that begins at the identity provider: the RelayState carries what the app would ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from broker.model.errors import Reason
from tests.kit.refusals import is_refused_by_a_page, reason_logged
from tests.kit.saml_idp import AuthnRequest
from tests.kit.world import (
    API,
    CALLBACK,
    CHALLENGE,
    ORIGIN,
    POOL_ID,
    WEB,
    World,
    callback,
    saml_provider,
)

ACS = "/saml2/idpresponse"
NOBODY_ASKED = AuthnRequest(acs=f"{ORIGIN}{ACS}", issuer=f"urn:amazon:cognito:sp:{POOL_ID}")
PARAMS = {
    "identity_provider": "Corp",
    "client_id": "web",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid email profile",
}


@pytest.fixture
def portal(new_world: Callable[..., World], world: World) -> World:
    """A world whose provider may sign people in unasked."""
    providers = [
        saml_provider(world.idp, details={"IDPInit": "true"}, IdpIdentifiers=["corp.example"]),
        saml_provider(world.idp, "Strict"),
    ]
    web = {**WEB, "SupportedIdentityProviders": ["Corp", "Strict"]}
    spa = {n: v for n, v in web.items() if n != "ClientSecret"} | {"ClientId": "spa"}
    other = {**WEB, "ClientId": "other", "SupportedIdentityProviders": ["Strict"]}
    return new_world(
        clients=[web, spa, other], providers=providers, pool={"ResourceServers": [API]}
    )


def plain(**changes: str | None) -> str:
    """A RelayState with values encoded once."""
    values = {**PARAMS, **changes}
    return "&".join(f"{n}={quote(v, safe='')}" for n, v in values.items() if v is not None)


def deliver(world: World, relay_state: str, **answer: Any) -> TestResponse:
    form = {
        "SAMLResponse": world.idp.respond(NOBODY_ASKED, **{"name_id": "alice", **answer}),
        "RelayState": relay_state,
    }
    return world.browser().post(ACS, form)


RELAY_STATES = {
    "values encoded once": plain(),
    "values encoded twice": "&".join(
        f"{n}={quote(quote(v.replace(' ', '+'), safe=''), safe='')}" for n, v in PARAMS.items()
    ),
    "encoded as a whole": quote(plain(), safe=""),
    "encoded as a whole twice": quote(quote(plain(), safe=""), safe=""),
    "encoded as a whole and its values twice": quote(
        "&".join(f"{n}={quote(quote(v, safe=''), safe='')}" for n, v in PARAMS.items()), safe=""
    ),
    "scopes with plus": plain().replace("%20", "+"),
    "scopes with %2B": plain().replace("%20", "%2B"),
    "an identifier instead of the name": plain(
        identity_provider=None, idp_identifier="corp.example"
    ),
}


@pytest.mark.parametrize("relay_state", RELAY_STATES.values(), ids=RELAY_STATES)
def test_the_app_gets_a_code(portal: World, relay_state: str) -> None:
    answer = callback(deliver(portal, relay_state))
    assert set(answer) == {"code", "iss"}
    response = portal.redeem(answer["code"], code_verifier=None)
    assert response.status_code == 200
    claims = portal.verified(response.json["access_token"])
    assert claims["scope"] == "openid email profile"
    assert claims["username"] == "Corp_alice"


def test_state_comes_back_and_the_browser_is_signed_in(portal: World) -> None:
    browser = portal.browser()
    form = {"SAMLResponse": portal.idp.respond(NOBODY_ASKED), "RelayState": plain(state="s1")}
    assert callback(browser.post(ACS, form))["state"] == "s1"
    assert (
        "code=" in browser.get(portal.authorize_url(identity_provider="Corp")).headers["Location"]
    )


@pytest.mark.parametrize(
    "relay_state",
    [f"{plain()}&state=%FF%25", quote(f"{plain()}&state=", safe="") + "%FF%2525"],
    ids=["values encoded once", "encoded as a whole"],
)
def test_a_state_comes_back_byte_for_byte(portal: World, relay_state: str) -> None:
    assert "state=%FF%25&" in deliver(portal, relay_state).headers["Location"]


def test_encoded_three_times_it_is_nobodys(portal: World, caplog: pytest.LogCaptureFixture) -> None:
    relay_state = plain()
    for _ in range(3):
        relay_state = quote(relay_state, safe="")
    assert is_refused_by_a_page(deliver(portal, relay_state))
    assert reason_logged(caplog) == Reason.TRANSACTION_UNKNOWN


def test_such_a_provider_still_answers_requests(portal: World) -> None:
    browser = portal.browser()
    form = portal.idp.post(portal.begin(browser, identity_provider="Corp"), name_id="alice")
    assert "code" in callback(browser.post(ACS, form))


CHALLENGED = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
AT_THE_APP = {
    "a provider without IDPInit": plain(identity_provider="Strict"),
    "no provider": plain(identity_provider=None),
    "an unknown provider": plain(identity_provider="Nobody"),
    "a client without the provider": plain(client_id="other"),
    "a client that requires PKCE": plain(client_id="spa"),
    "one that requires PKCE, with a challenge": plain(client_id="spa", **CHALLENGED),
    "a scope the client lacks": plain(scope="openid admin/all"),
    "no response_type": plain(response_type=None),
    "a flow the client lacks": plain(response_type="token"),
}


@pytest.mark.parametrize("relay_state", AT_THE_APP.values(), ids=AT_THE_APP)
def test_what_authorize_would_refuse_is_refused(portal: World, relay_state: str) -> None:
    response = deliver(portal, relay_state)
    assert "error" in callback(response)
    assert "code" not in callback(response)
    assert "Set-Cookie" not in response.headers


def test_a_challenge_where_none_is_required_counts(portal: World) -> None:
    """As at authorize: a client with a secret may use PKCE, and is held to it then."""
    code = callback(deliver(portal, plain(**CHALLENGED)))["code"]
    assert portal.redeem(code, code_verifier=None).status_code == 400
    code = callback(deliver(portal, plain(**CHALLENGED)))["code"]
    assert portal.redeem(code).status_code == 200


AT_THE_PAGE = {
    "an unregistered redirect_uri": plain(redirect_uri="https://evil.example/"),
    "an unknown client": plain(client_id="nobody"),
    "no client": plain(client_id=None),
    "a repeated client": f"{plain()}&client_id=web",
    "a repeated redirect_uri": f"{plain()}&redirect_uri=https%3A%2F%2Fevil.example%2F",
    "too many parameters": "&".join(f"a{n}=b" for n in range(500)),
    "a URL": "https://evil.example/",
}


@pytest.mark.parametrize("relay_state", AT_THE_PAGE.values(), ids=AT_THE_PAGE)
def test_without_a_proven_way_back_it_ends_here(portal: World, relay_state: str) -> None:
    response = deliver(portal, relay_state)
    assert response.headers.get("Location", "/error").startswith("/error")
    assert "Set-Cookie" not in response.headers


REFUSED: dict[str, tuple[dict[str, Any], Reason]] = {
    "answers a request": (
        {"in_response_to": "_1", "confirmation_in_response_to": "_1"},
        Reason.SAML_IN_RESPONSE_TO,
    ),
    "confirmation answers a request": (
        {"confirmation_in_response_to": "_1"},
        Reason.SAML_IN_RESPONSE_TO,
    ),
    "unsigned": ({"sign": "none"}, Reason.SAML_UNSIGNED),
}


@pytest.mark.parametrize(("answer", "reason"), REFUSED.values(), ids=REFUSED)
def test_the_response_must_be_good(
    portal: World, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], reason: Reason
) -> None:
    assert callback(deliver(portal, plain(), **answer))["error"] == "server_error"
    assert [r.reason for r in caplog.records if hasattr(r, "reason")] == [reason]  # type: ignore[attr-defined]  # set by logging's extra


FRESHNESS: dict[str, tuple[dict[str, str], int, bool]] = {
    "max_age, young enough": ({"max_age": "600"}, 700, True),
    "max_age, too old": ({"max_age": "600"}, 730, False),
    "prompt=login, just now": ({"prompt": "login"}, 100, True),
    "prompt=login, before": ({"prompt": "login"}, 130, False),
    "prompt=login counts for more than max_age": (
        {"prompt": "login", "max_age": "600"},
        130,
        False,
    ),
    "neither": ({}, 80_000, True),
}


@pytest.mark.parametrize(("asked", "age", "good"), FRESHNESS.values(), ids=FRESHNESS)
def test_a_sign_in_is_as_recent_as_the_relay_state_says(
    portal: World, asked: dict[str, str], age: int, good: bool
) -> None:
    """Two minutes of skew are added."""
    instant = portal.clock.now() - age
    answer = callback(deliver(portal, plain(**asked), authn_instant=instant))
    assert ("code" in answer) is good


@pytest.mark.parametrize(("age", "good"), [(350, True), (490, False), (1000, False)])
def test_it_was_issued_at_most_six_minutes_ago(portal: World, age: int, good: bool) -> None:
    """Six minutes, and the two by which clocks may differ."""
    response = portal.idp.respond(
        NOBODY_ASKED,
        not_on_or_after=portal.clock.now() + 3600,
        confirmation_not_on_or_after=portal.clock.now() + 3600,
    )
    portal.clock.advance(age)
    form = {"SAMLResponse": response, "RelayState": plain()}
    assert ("code" in callback(portal.browser().post(ACS, form))) is good


def test_a_captured_response_is_good_once(portal: World) -> None:
    form = {"SAMLResponse": portal.idp.respond(NOBODY_ASKED), "RelayState": plain()}
    assert "code" in callback(portal.browser().post(ACS, form))
    assert "error" in callback(portal.browser().post(ACS, form))
