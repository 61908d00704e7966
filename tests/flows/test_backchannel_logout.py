"""An OpenID provider ends the sessions of its people (Back-Channel Logout 1.0), and nobody else does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from broker.model.errors import Reason, StoreUnavailableError
from broker.model.login import CLOCK_SKEW_SECONDS, SESSION_SECONDS
from broker.stores.directory import SqlDirectory
from broker.upstream.cache import HURRIED_PER_MINUTE
from broker.upstream.logout_token import EVENT
from tests.kit.browser import Browser
from tests.kit.http_double import html
from tests.kit.jose import JoseKey, rsa_key, signed
from tests.kit.oidc_op import ABSENT, CLIENT_ID, OidcOp
from tests.kit.refusals import reason_logged, refusals_logged
from tests.kit.saml_idp import SamlIdp
from tests.kit.visits import Visits, oidc_provider
from tests.kit.world import WEB, World, callback, saml_provider

PATH = "/oauth2/backchannel-logout"
_numbers = itertools.count()


def logout_token(
    op: OidcOp, *, key: JoseKey | None = None, header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """Section 2.4; ABSENT leaves a claim out."""
    now = int(op.clock.now())
    claims = {
        "iss": op.issuer,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": f"jti-{next(_numbers)}",
        "sub": op.subject,
        "events": {EVENT: {}},
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not ABSENT}
    return signed(claims, key or op.keys[0], **{"typ": "logout+jwt", **(header or {})})


def tell(world: World, token: str) -> TestResponse:
    """From server to server: no cookie, no browser."""
    return world.browser().post(PATH, {"logout_token": token})


def refresh(world: World, tokens: dict[str, Any]) -> TestResponse:
    fields = {
        "grant_type": "refresh_token",
        "client_id": "web",
        "client_secret": WEB["ClientSecret"],
        "refresh_token": tokens["refresh_token"],
    }
    return world.token(fields)


def is_untouched(visits: Visits, browser: Browser, tokens: dict[str, Any]) -> bool:
    refreshed = refresh(visits.world, tokens).status_code == 200
    return refreshed and visits.is_answered_at_once(browser)


def test_every_session_and_refresh_token_of_the_person_ends(contoso: Visits, op: OidcOp) -> None:
    world = contoso.world
    phone, laptop, bystander = world.browser(), world.browser(), world.browser()
    tokens = [contoso.tokens(browser) for browser in (phone, laptop)]
    op.subject = "somebody-else"
    others = contoso.tokens(bystander)
    op.subject = OidcOp.subject
    response = tell(world, logout_token(op))

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    for browser, body in zip((phone, laptop), tokens, strict=True):
        assert not contoso.is_answered_at_once(browser)
        dead = refresh(world, body)
        assert (dead.status_code, json.loads(dead.data)["error"]) == (400, "invalid_grant")
        assert world.userinfo(body["access_token"]).status_code == 401
    assert is_untouched(contoso, bystander, others)


def test_the_person_can_sign_in_again_at_once(contoso: Visits, op: OidcOp) -> None:
    browser = contoso.world.browser()
    contoso.tokens(browser)
    tell(contoso.world, logout_token(op))
    tokens = contoso.tokens(browser)
    assert is_untouched(contoso, browser, tokens)


def test_it_works_in_a_broker_that_was_just_started(
    new_world: Callable[..., World], contoso: Visits, op: OidcOp
) -> None:
    """Nothing of the provider is known yet: its keys are fetched for this."""
    client = {**WEB, "SupportedIdentityProviders": ["Contoso"]}
    world = new_world(clock=op.clock, clients=[client], providers=[oidc_provider(op)])
    assert tell(world, logout_token(op)).status_code == 200
    assert tell(world, logout_token(op, key=rsa_key("stranger"))).status_code == 400


FORGED: dict[str, dict[str, Any]] = {
    "signed by a stranger": {"key": rsa_key("stranger"), "header": {"kid": "rsa-1"}},
    "signed by an unpublished key": {"key": rsa_key("stranger")},
    "unsigned": {"header": {"alg": "none"}},
    "of another issuer": {"iss": "https://evil.example"},
    "of no issuer": {"iss": ABSENT},
    "for another client": {"aud": "somebody-else"},
    "expired": {"exp": 1_799_990_000},
    "from the future": {"iat": 1_800_009_999},
    "without the event": {"events": {}},
    "an ID token": {"nonce": "n", "header": {"typ": "JWT"}},
    "an access token": {"header": {"typ": "at+jwt"}},
    "without jti": {"jti": ABSENT},
    "about nobody": {"sub": ABSENT},
}


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
def test_a_forged_token_changes_nothing(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, forgery: dict[str, Any]
) -> None:
    browser = contoso.world.browser()
    tokens = contoso.tokens(browser)
    response = tell(contoso.world, logout_token(op, **forgery))
    assert response.status_code == 400
    assert json.loads(response.data)["error"] == "invalid_request"
    assert reason_logged(caplog).startswith("oidc_")
    assert is_untouched(contoso, browser, tokens)
    assert tell(contoso.world, logout_token(op)).status_code == 200


@pytest.mark.parametrize("issuer", ["https://evil.example", ABSENT, 7, ["x"]])
def test_a_token_of_an_unknown_issuer_asks_nobody(
    contoso: Visits, op: OidcOp, issuer: object
) -> None:
    """Anybody can send one: it must not make the broker call its providers."""
    assert tell(contoso.world, logout_token(op, iss=issuer)).status_code == 400
    assert not op.http.asked


def test_forged_tokens_leave_the_sign_ins_their_key_fetches(contoso: Visits, op: OidcOp) -> None:
    contoso.tokens()
    for number in range(9):
        forged = logout_token(op, key=rsa_key("stranger"), header={"kid": f"made-up-{number}"})
        assert tell(contoso.world, forged).status_code == 400
    assert op.http.count("/jwks") == 1 + HURRIED_PER_MINUTE
    op.keys = [rsa_key("new")]
    assert contoso.tokens()


def test_about_somebody_else_it_ends_nothing_here(contoso: Visits, op: OidcOp) -> None:
    browser = contoso.world.browser()
    tokens = contoso.tokens(browser)
    assert tell(contoso.world, logout_token(op, sub="a-stranger")).status_code == 200
    assert tell(contoso.world, logout_token(op, sub=op.subject + " ")).status_code == 200
    assert is_untouched(contoso, browser, tokens)


def test_a_token_may_name_the_session_alone(contoso: Visits, op: OidcOp) -> None:
    """Two sign-ins in one session of the provider's: its name stays, and is the person's."""
    op.claims["sid"] = "session-7"
    browser = contoso.world.browser()
    contoso.tokens(contoso.world.browser())
    tokens = contoso.tokens(browser)

    unknown = logout_token(op, sub=ABSENT, sid="session-8")
    assert tell(contoso.world, unknown).status_code == 200
    assert is_untouched(contoso, browser, tokens)

    assert tell(contoso.world, logout_token(op, sub=ABSENT, sid="session-7")).status_code == 200
    assert not is_untouched(contoso, browser, tokens)


@pytest.mark.parametrize(("days", "lasting"), [(1, 1), (30, 30), (365, 30)])
def test_a_session_has_its_name_while_its_refresh_tokens_live(
    new_world: Callable[..., World], op: OidcOp, days: int, lasting: int
) -> None:
    """The last of them is issued when our own session ends. 30 days are the end of all names."""
    client = {**WEB, "SupportedIdentityProviders": ["Contoso"], "RefreshTokenValidity": days}
    world = new_world(clock=op.clock, clients=[client], providers=[oidc_provider(op)])
    visits = Visits(world=world, person=op.sign_in)
    op.claims["sid"] = "session-7"
    browser = world.browser()
    visits.tokens(browser)
    world.clock.advance(SESSION_SECONDS - 1)
    late = world.redeem(callback(browser.get(world.authorize_url()))["code"]).json
    world.clock.advance(lasting * 86400 - 1)
    assert refresh(world, late).status_code == 200
    assert tell(world, logout_token(op, sub=ABSENT, sid="session-7")).status_code == 200
    assert refresh(world, late).status_code == 400


def test_a_token_counts_once(contoso: Visits, op: OidcOp) -> None:
    token = logout_token(op)
    assert tell(contoso.world, token).status_code == 200
    browser = contoso.world.browser()
    tokens = contoso.tokens(browser)
    assert tell(contoso.world, token).status_code == 400
    assert is_untouched(contoso, browser, tokens)


@pytest.mark.parametrize("lifetime", [120, 86400])
def test_a_token_counts_once_as_long_as_it_lives(
    contoso: Visits, op: OidcOp, lifetime: int
) -> None:
    token = logout_token(op, exp=int(op.clock.now()) + lifetime)
    assert tell(contoso.world, token).status_code == 200
    contoso.world.clock.advance(lifetime + CLOCK_SKEW_SECONDS - 1)
    browser = contoso.world.browser()
    tokens = contoso.tokens(browser)
    assert tell(contoso.world, token).status_code == 400
    assert is_untouched(contoso, browser, tokens)


@pytest.mark.parametrize(
    "named", [{}, {"sub": ABSENT, "sid": "session-7"}], ids=["by sub", "by sid"]
)
@pytest.mark.parametrize("hours", [0, 12])
def test_a_logout_that_met_a_fault_may_come_again(
    contoso: Visits,
    op: OidcOp,
    monkeypatch: pytest.MonkeyPatch,
    named: dict[str, Any],
    hours: int,
) -> None:
    """At once, or in a new token when the outage is over."""

    def down(*_: object) -> None:
        raise StoreUnavailableError("no answer")

    op.claims["sid"] = "session-7"
    tokens = contoso.tokens()
    token = logout_token(op, **named)
    with monkeypatch.context() as outage:
        outage.setattr(SqlDirectory, "find", down)
        assert tell(contoso.world, token).status_code == 503
    contoso.world.clock.advance(hours * 3600)
    again = logout_token(op, **named) if hours else token
    assert tell(contoso.world, again).status_code == 200
    assert refresh(contoso.world, tokens).status_code == 400
    assert tell(contoso.world, again).status_code == 400


def test_another_provider_cannot_end_its_sessions(
    new_world: Callable[..., World], op: OidcOp
) -> None:
    """The same client id and the same sub at two providers, and a SAML one with that NameID."""
    with OidcOp(clock=op.clock, keys=[rsa_key("fabrikam")]) as other:
        names = ["Contoso", "Fabrikam", "Corp"]
        world = new_world(
            clock=op.clock,
            clients=[{**WEB, "SupportedIdentityProviders": names}],
            providers=[
                oidc_provider(op),
                oidc_provider(other, "Fabrikam"),
                saml_provider(SamlIdp(clock=op.clock)),
            ],
        )
        visits = Visits(world=world, person=op.sign_in)
        at_saml, browser = world.browser(), world.browser()
        asked = world.begin(at_saml, identity_provider="Corp")
        callback(at_saml.post("/saml2/idpresponse", world.idp.post(asked, name_id=op.subject)))
        tokens = visits.tokens(browser, identity_provider="Contoso")

        assert tell(world, logout_token(other)).status_code == 200
        assert tell(world, logout_token(other, iss=op.issuer)).status_code == 400
        assert refresh(world, tokens).status_code == 200
        assert visits.is_answered_at_once(browser, identity_provider="Contoso")
        assert tell(world, logout_token(op)).status_code == 200
        assert not visits.is_answered_at_once(browser, identity_provider="Contoso")
        assert visits.is_answered_at_once(at_saml, identity_provider="Corp")


def test_one_provider_under_two_names_ends_its_sessions_by_both(
    new_world: Callable[..., World], op: OidcOp
) -> None:
    names = ["Contoso", "Again"]
    world = new_world(
        clock=op.clock,
        clients=[{**WEB, "SupportedIdentityProviders": names}],
        providers=[oidc_provider(op, name) for name in names],
    )
    visits = Visits(world=world, person=op.sign_in)
    browsers = {name: world.browser() for name in names}
    for name, browser in browsers.items():
        visits.tokens(browser, identity_provider=name)
    assert tell(world, logout_token(op)).status_code == 200
    for name, browser in browsers.items():
        assert not visits.is_answered_at_once(browser, identity_provider=name), name


def test_while_the_keys_cannot_be_had_nothing_ends_and_the_provider_may_ask_again(
    contoso: Visits, op: OidcOp
) -> None:
    browser = contoso.world.browser()
    tokens = contoso.tokens(browser)
    token = logout_token(op, key=rsa_key("new"), exp=int(op.clock.now()) + 3600)
    op.replies["/jwks"] = html(503)
    assert tell(contoso.world, token).status_code == 400
    assert is_untouched(contoso, browser, tokens)
    op.replies.clear()
    op.keys.append(rsa_key("new"))
    assert tell(contoso.world, token).status_code == 200
    assert not contoso.is_answered_at_once(browser)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", Reason.PARAMETER_MISSING),
        ("logout_token=", Reason.PARAMETER_MISSING),
        ("token=x", Reason.PARAMETER_MISSING),
        ("logout_token=x&logout_token=x", Reason.PARAMETER_REPEATED),
        ("logout_token=x", Reason.OIDC_LOGOUT_TOKEN),
        ("logout_token=a.b.c", Reason.OIDC_LOGOUT_TOKEN),
    ],
)
def test_garbage_is_a_400_in_json_and_one_refused_sign_out_in_the_log(
    contoso: Visits, caplog: pytest.LogCaptureFixture, body: str, reason: Reason
) -> None:
    response = contoso.world.browser().post(PATH, body)
    assert response.status_code == 400
    assert json.loads(response.data)["error"] == "invalid_request"
    assert refusals_logged(caplog) == [("sign_out", reason)]


def test_a_repeated_token_is_refused(contoso: Visits, op: OidcOp) -> None:
    token = logout_token(op)
    twice = urlencode([("logout_token", token), ("logout_token", token)])
    assert contoso.world.browser().post(PATH, twice).status_code == 400
    assert tell(contoso.world, token).status_code == 200


def test_only_a_posted_form_is_taken(contoso: Visits, op: OidcOp) -> None:
    query = urlencode({"logout_token": logout_token(op)})
    browser = contoso.world.browser()
    assert browser.get(f"{PATH}?{query}").status_code == 405
    assert browser.post(f"{PATH}?{query}", "").status_code == 400
    as_json = browser.post(PATH, "{}", headers={"Content-Type": "application/json"})
    assert as_json.status_code == 415
    assert as_json.json["error"] == "invalid_request"
