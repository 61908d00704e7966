"""Single logout with a SAML provider, begun here or there, and every way to forge it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from broker.app import create_app
from broker.login.links import Source
from broker.model.errors import Reason, StoreUnavailableError
from broker.model.login import LoginSession
from broker.ports import SessionStore
from tests.kit import saml_logout
from tests.kit.browser import Browser
from tests.kit.refusals import is_refused_by_a_page, refusals_logged
from tests.kit.saml_idp import SamlIdp
from tests.kit.saml_keys import key_pair
from tests.kit.world import ORIGIN, POOL_ID, WEB, World, callback, saml_provider

SLO = f"{ORIGIN}/saml2/logout"
HOME = WEB["LogoutURLs"][0]
LOGOUT = "/logout?" + urlencode({"client_id": "web", "logout_uri": HOME})


@pytest.fixture
def slo(new_world: Callable[..., World], world: World) -> World:
    """A world whose provider takes part in single logout."""
    return new_world(providers=[saml_provider(world.idp, details={"IDPSignout": "true"})])


def leave(world: World, browser: Browser, url: str = LOGOUT) -> saml_logout.LogoutRequest:
    """Sign out at the broker; the LogoutRequest the provider gets, its signature verified."""
    location = browser.get(url).headers["Location"]
    return saml_logout.read_logout_request(world.idp, location, world.certificate())


def answer(
    world: World, browser: Browser, asked: saml_logout.LogoutRequest, **how: Any
) -> TestResponse:
    response = saml_logout.logout_response(
        world.idp, **{"in_response_to": asked.id, "destination": SLO, **how}
    )
    return browser.post(
        "/saml2/logout", {"SAMLResponse": response, "RelayState": asked.relay_state or ""}
    )


def is_signed_in(world: World, browser: Browser) -> bool:
    return "code=" in browser.get(world.authorize_url()).headers["Location"]


# -- begun here -----------------------------------------------------------------------------------


def test_the_browser_goes_round_by_the_provider_to_the_app(slo: World) -> None:
    browser = slo.browser()
    slo.sign_in(browser, name_id="alice@corp", session_index="session-7")
    asked = leave(slo, browser)

    assert (asked.name_id, asked.session_index) == ("alice@corp", "session-7")
    assert len(asked.relay_state or "") <= 80
    assert not is_signed_in(slo, browser)
    back = answer(slo, browser, asked)
    assert (back.status_code, back.headers["Location"]) == (302, HOME)


def test_a_name_id_goes_back_as_it_was_received(slo: World) -> None:
    browser = slo.browser()
    persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    slo.sign_in(browser, name_id="a & <b>", name_id_format=persistent)
    asked = leave(slo, browser)
    assert (asked.name_id, asked.name_id_format) == ("a & <b>", persistent)


def test_a_provider_that_could_not_end_everything_stops_nobody(
    slo: World, caplog: pytest.LogCaptureFixture
) -> None:
    browser = slo.browser()
    slo.sign_in(browser)
    failed = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    back = answer(slo, browser, leave(slo, browser), status=failed)
    assert back.headers["Location"] == HOME
    (event,) = (r for r in caplog.records if r.getMessage() == "provider_sign_out_partial")
    assert (event.pool, event.provider, event.status) == (POOL_ID, "Corp", [failed])


def test_without_a_target_the_page_says_what_happened(slo: World) -> None:
    browser = slo.browser()
    for status, is_partial in (("Success", False), ("Responder", True)):
        slo.sign_in(browser)
        asked = leave(slo, browser, "/logout")
        page = answer(slo, browser, asked, status=f"urn:oasis:names:tc:SAML:2.0:status:{status}")
        assert page.status_code == 200
        assert (b"did not confirm" in page.data) is is_partial, page.data


def test_an_answer_counts_once(slo: World) -> None:
    browser = slo.browser()
    slo.sign_in(browser)
    asked = leave(slo, browser)
    assert answer(slo, browser, asked).status_code == 302
    assert answer(slo, browser, asked).status_code == 400


def test_nobody_is_sent_anywhere_without_a_session(slo: World) -> None:
    assert slo.browser().get(LOGOUT).headers["Location"] == HOME


def test_a_provider_without_idpsignout_is_not_asked(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    assert browser.get(LOGOUT).headers["Location"] == HOME


FORGED_ANSWERS: dict[str, tuple[dict[str, Any], Reason]] = {
    "unsigned": ({"signed": False}, Reason.SAML_LOGOUT_SIGNATURE),
    "signed by another": ({"pair": key_pair("attacker")}, Reason.SAML_LOGOUT_SIGNATURE),
    "of another issuer": ({"issuer": "https://evil.example"}, Reason.SAML_LOGOUT_UNEXPECTED),
    "for another endpoint": (
        {"destination": f"{ORIGIN}/saml2/idpresponse"},
        Reason.SAML_LOGOUT_UNEXPECTED,
    ),
    "to another request": ({"in_response_to": "_other"}, Reason.SAML_LOGOUT_UNEXPECTED),
}


@pytest.mark.parametrize(("how", "reason"), FORGED_ANSWERS.values(), ids=FORGED_ANSWERS)
def test_a_forged_answer_changes_nothing_and_the_real_one_still_counts(
    slo: World, caplog: pytest.LogCaptureFixture, how: dict[str, Any], reason: Reason
) -> None:
    browser = slo.browser()
    slo.sign_in(browser)
    asked = leave(slo, browser)
    assert answer(slo, browser, asked, **how).status_code == 400
    assert [r.reason for r in caplog.records if hasattr(r, "reason")] == [reason]  # type: ignore[attr-defined]  # set by logging's extra
    assert answer(slo, browser, asked).headers["Location"] == HOME


# -- begun there ----------------------------------------------------------------------------------


def ask(
    world: World, idp: SamlIdp | None = None, browser: Browser | None = None, **how: Any
) -> TestResponse:
    """The provider's own LogoutRequest, through a browser that may be signed in or not."""
    request = saml_logout.logout_request(
        idp or world.idp, **{"name_id": "alice", "destination": SLO, **how}
    )
    form = {"SAMLRequest": request, "RelayState": "theirs"}
    return (browser or world.browser()).post("/saml2/logout", form)


def test_the_provider_ends_every_session_and_refresh_token_of_its_person(slo: World) -> None:
    first, second, bystander = slo.browser(), slo.browser(), slo.browser()
    tokens = [slo.tokens(browser, name_id="alice") for browser in (first, second)]
    others = slo.tokens(bystander, name_id="bob")
    response = ask(slo)

    assert response.headers["Location"].startswith(f"{slo.idp.url}/slo?SAMLResponse=")
    assert "RelayState=theirs" in response.headers["Location"]
    assert not is_signed_in(slo, first)
    assert not is_signed_in(slo, second)
    assert is_signed_in(slo, bystander)
    for body in tokens:
        assert refresh(slo, body).json["error"] == "invalid_grant"
        assert slo.userinfo(body["access_token"]).status_code == 401
    assert refresh(slo, others).status_code == 200


def test_whoever_carries_a_wish_about_somebody_else_stays_signed_in(slo: World) -> None:
    """Anybody can have a LogoutRequest about themselves posted by another person's browser."""
    carrier, named = slo.browser(), slo.browser()
    slo.sign_in(carrier, name_id="bob")
    slo.sign_in(named, name_id="alice")
    assert ask(slo, browser=carrier).status_code == 302
    assert is_signed_in(slo, carrier)
    assert not is_signed_in(slo, named)


def test_a_wish_about_one_session_ends_them_all(slo: World) -> None:
    """Tokens are not kept by the provider's sessions, so nothing is left that it takes for ended."""
    here, there = slo.browser(), slo.browser()
    tokens = slo.tokens(here, name_id="alice", session_index="here")
    slo.sign_in(there, name_id="alice", session_index="there")
    assert ask(slo, session_index="there").status_code == 302
    assert not is_signed_in(slo, here)
    assert not is_signed_in(slo, there)
    assert refresh(slo, tokens).status_code == 400


def test_a_code_on_its_way_is_ended_too(slo: World) -> None:
    code = slo.sign_in(slo.browser(), name_id="alice")["code"]
    slo.clock.advance(1)
    ask(slo)
    assert slo.redeem(code).json["error"] == "invalid_grant"


def test_relay_state_that_is_no_text_costs_nobody_the_sign_out(slo: World) -> None:
    browser = slo.browser()
    slo.sign_in(browser, name_id="alice")
    request = saml_logout.logout_request(slo.idp, name_id="alice", destination=SLO)
    body = urlencode({"SAMLRequest": request}) + "&RelayState=%FF"
    answer = slo.browser().post("/saml2/logout", body)
    assert "SAMLResponse=" in answer.headers["Location"]
    assert "RelayState" not in answer.headers["Location"]
    assert not is_signed_in(slo, browser)


def test_a_long_relay_state_does_not_come_back(slo: World) -> None:
    request = saml_logout.logout_request(slo.idp, name_id="alice", destination=SLO)
    form = {"SAMLRequest": request, "RelayState": "x" * 100_000}
    response = slo.browser().post("/saml2/logout", form)
    assert response.status_code == 302
    assert len(response.headers["Location"]) < 4_000


@dataclass
class Failing:
    """A session store that does not answer the first time it is to end somebody's sessions."""

    store: SessionStore
    failures: int = 1

    def end_for(self, pool_id: str, provider: str, subject: str) -> tuple[LoginSession, ...]:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("no answer")
        return self.store.end_for(pool_id, provider, subject)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.store, verb)


def test_a_wish_that_could_not_be_granted_may_come_again(slo: World) -> None:
    browser = slo.browser()
    slo.sign_in(browser, name_id="alice")
    sign_out = slo.broker.provider_sign_out
    slo.broker = replace(
        slo.broker, provider_sign_out=replace(sign_out, sessions=Failing(sign_out.sessions))
    )
    slo.app = create_app(slo.broker)
    form = {
        "SAMLRequest": saml_logout.logout_request(slo.idp, name_id="alice", destination=SLO),
        "RelayState": "theirs",
    }
    assert slo.browser().post("/saml2/logout", form).status_code == 503
    assert is_signed_in(slo, browser)
    assert slo.browser().post("/saml2/logout", form).status_code == 302
    assert not is_signed_in(slo, browser)
    assert slo.browser().post("/saml2/logout", form).status_code == 400


def test_one_provider_under_two_names_ends_its_sessions_by_both(
    new_world: Callable[..., World], world: World
) -> None:
    names = ["Corp", "Again"]
    slo = new_world(
        clients=[{**WEB, "SupportedIdentityProviders": names}],
        providers=[saml_provider(world.idp, n, details={"IDPSignout": "true"}) for n in names],
    )
    browsers = {name: slo.browser() for name in names}
    tokens = {name: sign_in_by(slo, browser, name) for name, browser in browsers.items()}
    response = ask(slo)
    assert response.headers["Location"].startswith(f"{slo.idp.url}/slo?SAMLResponse=")
    for name, browser in browsers.items():
        again = browser.get(slo.authorize_url(identity_provider=name))
        assert "code=" not in again.headers["Location"], name
        assert refresh(slo, tokens[name]).json["error"] == "invalid_grant"


@dataclass(frozen=True)
class Linked:
    """Alice of Corp, whom the provider Other knows as Al."""

    world: World
    other: SamlIdp

    def code(self, browser: Browser, provider: str) -> str:
        if provider == "Corp":
            return code_by(self.world, browser, provider)
        return code_by(self.world, browser, provider, self.other, name_id="al")

    def tokens(self, browser: Browser, provider: str) -> dict[str, Any]:
        return dict(self.world.redeem(self.code(browser, provider)).json)

    def is_signed_in(self, browser: Browser, provider: str) -> bool:
        url = self.world.authorize_url(identity_provider=provider)
        return "code=" in browser.get(url).headers["Location"]


@pytest.fixture
def linked(new_world: Callable[..., World], world: World) -> Linked:
    other = SamlIdp(
        clock=world.clock,
        entity_id="https://other.example/idp",
        url="https://other.example",
        keys=(key_pair("other"),),
    )
    both = new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}],
        providers=[
            saml_provider(world.idp, details={"IDPSignout": "true"}),
            saml_provider(other, "Other", details={"IDPSignout": "true"}),
        ],
    )
    other = replace(other, clock=both.clock)
    code_by(both, both.browser(), "Corp")
    pool = both.broker.pools[POOL_ID]
    alice = both.broker.directory.find(POOL_ID, "Corp", "alice")
    assert alice is not None
    both.broker.links.link(pool, alice, Source(provider=pool.providers["Other"], value="al"))
    return Linked(both, other)


def test_a_linked_provider_ends_what_came_by_it_and_nothing_else(linked: Linked) -> None:
    world = linked.world
    at_corp, at_other = world.browser(), world.browser()
    by_corp, by_other = linked.tokens(at_corp, "Corp"), linked.tokens(at_other, "Other")
    on_their_way = {p: linked.code(world.browser(), p) for p in ("Corp", "Other")}
    world.clock.advance(1)
    assert ask(world, linked.other, name_id="al").status_code == 302

    assert not linked.is_signed_in(at_other, "Other")
    assert refresh(world, by_other).json["error"] == "invalid_grant"
    assert world.userinfo(by_other["access_token"]).status_code == 401
    assert world.redeem(on_their_way["Other"]).json["error"] == "invalid_grant"

    assert linked.is_signed_in(at_corp, "Corp")
    assert refresh(world, by_corp).status_code == 200
    assert world.userinfo(by_corp["access_token"]).status_code == 200
    assert world.redeem(on_their_way["Corp"]).status_code == 200
    assert refresh(world, linked.tokens(world.browser(), "Other")).status_code == 200


def test_tokens_that_nobody_knows_the_provider_of_end_at_any_providers_wish(
    linked: Linked,
) -> None:
    """They were given out by a version that did not keep it."""
    world, store = linked.world, linked.world.broker.refresh_tokens.store
    held = store.find(POOL_ID, linked.tokens(world.browser(), "Corp")["refresh_token"])
    assert held is not None
    assert held.family.provider == "Corp"
    store.start(replace(held.family, origin_jti="old", provider=None), "old")
    assert refresh(world, {"refresh_token": "old"}).status_code == 200
    assert ask(world, linked.other, name_id="al").status_code == 302
    assert refresh(world, {"refresh_token": "old"}).json["error"] == "invalid_grant"


def sign_in_by(world: World, browser: Browser, provider: str) -> dict[str, Any]:
    """A whole sign-in by one of several providers, down to the tokens."""
    return dict(world.redeem(code_by(world, browser, provider)).json)


def code_by(
    world: World,
    browser: Browser,
    provider: str,
    idp: SamlIdp | None = None,
    *,
    name_id: str = "alice",
) -> str:
    idp = idp or world.idp
    location = browser.get(world.authorize_url(identity_provider=provider)).headers["Location"]
    form = idp.post(idp.read_request(location), name_id=name_id)
    return callback(browser.post("/saml2/idpresponse", form))["code"]


def refresh(world: World, tokens: dict[str, Any]) -> TestResponse:
    fields = {
        "grant_type": "refresh_token",
        "client_id": "web",
        "client_secret": WEB["ClientSecret"],
        "refresh_token": tokens["refresh_token"],
    }
    return world.token(fields)


FORGED_WISHES: dict[str, dict[str, Any]] = {
    "unsigned": {"signed": False},
    "signed by another": {"pair": key_pair("attacker")},
    "of another issuer": {"issuer": "https://evil.example"},
    "for another endpoint": {"destination": f"{ORIGIN}/saml2/idpresponse"},
    "about somebody else": {"name_id": "bob"},
    "in other case": {"name_id": "Alice"},
    "over": {"not_on_or_after": 1_799_990_000.0},
    "long ago": {"issue_instant": 1_799_990_000.0},
}


@pytest.mark.parametrize("how", FORGED_WISHES.values(), ids=FORGED_WISHES)
def test_a_wish_that_is_not_the_providers_or_about_another_ends_nothing(
    slo: World, how: dict[str, Any]
) -> None:
    browser = slo.browser()
    tokens = slo.tokens(browser, name_id="alice")
    response = ask(slo, **how)
    assert response.status_code in {302, 400}
    assert is_signed_in(slo, browser)
    assert refresh(slo, tokens).status_code == 200


def test_another_provider_cannot_end_its_sessions(
    new_world: Callable[..., World], world: World
) -> None:
    other = SamlIdp(
        clock=world.clock, entity_id="https://other.example/idp", keys=(key_pair("other"),)
    )
    both = new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Corp"]}],
        providers=[
            saml_provider(world.idp, details={"IDPSignout": "true"}),
            saml_provider(other, "Other", details={"IDPSignout": "true"}),
        ],
    )
    browser = both.browser()
    both.sign_in(browser, name_id="alice")
    insider = SamlIdp(clock=both.clock, entity_id=other.entity_id, keys=other.keys, url=other.url)
    assert ask(both, insider).status_code in {302, 400}
    assert ask(both, insider, issuer=both.idp.entity_id).status_code == 400
    assert is_signed_in(both, browser)


def test_a_wish_counts_once(slo: World) -> None:
    request = saml_logout.logout_request(slo.idp, name_id="alice", destination=SLO)
    form = {"SAMLRequest": request}
    assert slo.browser().post("/saml2/logout", form).status_code == 302
    browser = slo.browser()
    slo.sign_in(browser, name_id="alice")
    assert slo.browser().post("/saml2/logout", form).status_code == 400
    assert is_signed_in(slo, browser)


_GARBAGE = "PGEvPg=="
NO_MESSAGE: dict[str, tuple[str, Reason]] = {
    "nothing": ("", Reason.PARAMETER_MISSING),
    "no message": ("RelayState=x", Reason.PARAMETER_MISSING),
    "both": (f"SAMLRequest={_GARBAGE}&SAMLResponse={_GARBAGE}", Reason.PARAMETER_REPEATED),
    "one twice": (f"SAMLRequest={_GARBAGE}&SAMLRequest={_GARBAGE}", Reason.PARAMETER_REPEATED),
    "RelayState twice": (
        f"SAMLResponse={_GARBAGE}&RelayState=x&RelayState=x",
        Reason.PARAMETER_REPEATED,
    ),
    "not base64": ("SAMLRequest=%%%", Reason.SAML_LOGOUT_UNEXPECTED),
    "a request of nobody": (f"SAMLRequest={_GARBAGE}", Reason.SAML_LOGOUT_UNEXPECTED),
    "a response to nothing": (f"SAMLResponse={_GARBAGE}", Reason.SIGN_OUT_UNKNOWN),
}


@pytest.mark.parametrize(("body", "reason"), NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_garbage_is_a_page_about_the_sign_out_that_leads_to_its_reason(
    slo: World, caplog: pytest.LogCaptureFixture, body: str, reason: Reason
) -> None:
    page = slo.browser().post("/saml2/logout", body)
    assert is_refused_by_a_page(page)
    assert b"This sign-out could not be completed" in page.data
    assert refusals_logged(caplog) == [("sign_out", reason)]
    (refused,) = (r for r in caplog.records if hasattr(r, "reference"))
    assert refused.reference.encode() in page.data


def test_get_is_not_allowed(slo: World) -> None:
    assert slo.browser().get("/saml2/logout?SAMLResponse=x").status_code == 405
