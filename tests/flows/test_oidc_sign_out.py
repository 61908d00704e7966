"""Signing out at the app signs out at the OpenID provider too, and nothing of the app's wish is lost."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest

from broker.model.errors import Reason
from broker.upstream.registry import ConnectorRegistry
from tests.kit.browser import Browser
from tests.kit.http_double import html
from tests.kit.jose import decoded
from tests.kit.oidc_op import ABSENT, CLIENT_ID, OidcOp
from tests.kit.refusals import is_refused_by_a_page, reason_logged
from tests.kit.visits import Visits, oidc_provider, query_of
from tests.kit.world import ORIGIN, WEB, World

HOME = WEB["LogoutURLs"][0]
LOGOUT = "/logout?" + urlencode({"client_id": "web", "logout_uri": HOME})
BACK = "/oauth2/logoutresponse"


@pytest.fixture
def leaving(new_world: Callable[..., World], op: OidcOp) -> Visits:
    """A pool that signs people out at its provider."""
    client = {**WEB, "SupportedIdentityProviders": ["Contoso"]}
    provider = oidc_provider(op, details={"IDPSignout": "true"})
    world = new_world(clock=op.clock, clients=[client], providers=[provider])
    return Visits(world=world, person=op.sign_in)


def leave(visits: Visits, browser: Browser, url: str = LOGOUT) -> dict[str, str]:
    """Sign out at the broker; what the provider's ``end_session_endpoint`` is asked."""
    location = browser.get(url).headers["Location"]
    assert urlsplit(location).path == "/end_session", location
    return query_of(location)


def test_the_browser_goes_round_by_the_provider_to_the_app(leaving: Visits, op: OidcOp) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    asked = leave(leaving, browser)

    state = asked.pop("state")
    assert len(state) >= 16
    assert decoded(asked.pop("id_token_hint"))[1]["sub"] == op.subject
    assert asked == {
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": ORIGIN + BACK,
    }
    assert not leaving.is_answered_at_once(browser)
    back = browser.get(f"{BACK}?{urlencode({'state': state})}")
    assert (back.status_code, back.headers["Location"]) == (302, HOME)


def test_the_apps_own_state_survives_the_detour(leaving: Visits) -> None:
    """OpenID Connect RP-Initiated Logout 1.0 section 3, towards the app and towards the provider."""
    browser = leaving.world.browser()
    tokens = leaving.tokens(browser)
    wish = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": HOME,
        "state": "é %&=#+/",
    }
    asked = leave(leaving, browser, f"/logout?{urlencode(wish)}")
    back = browser.get(f"{BACK}?{urlencode({'state': asked['state']})}")
    assert back.headers["Location"] == f"{HOME}?state=%C3%A9%20%25%26%3D%23%2B%2F"


def test_a_sign_out_that_leads_to_a_new_sign_in_keeps_its_parameters(leaving: Visits) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    again = leaving.world.authorize_url(state="again").partition("?")[2]
    asked = leave(leaving, browser, f"/logout?{again}")
    back = browser.get(f"{BACK}?{urlencode({'state': asked['state']})}")
    assert back.headers["Location"].startswith("/login?")
    assert query_of(back.headers["Location"]) == query_of(f"?{again}")


def test_without_a_target_there_is_a_page(leaving: Visits) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    asked = leave(leaving, browser, "/logout")
    assert browser.get(f"{BACK}?{urlencode({'state': asked['state']})}").status_code == 200


def test_a_return_counts_once(leaving: Visits, caplog: pytest.LogCaptureFixture) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    url = f"{BACK}?{urlencode({'state': leave(leaving, browser)['state']})}"
    assert browser.get(url).headers["Location"] == HOME
    assert is_refused_by_a_page(browser.get(url))
    assert reason_logged(caplog) == Reason.SIGN_OUT_UNKNOWN


@pytest.mark.parametrize("query", ["", "state=", "state=x", "state=" + "A" * 43])
def test_a_return_of_no_sign_out_is_a_page(leaving: Visits, query: str) -> None:
    page = leaving.world.browser().get(f"{BACK}?{query}")
    assert is_refused_by_a_page(page)
    assert b"This sign-out could not be completed" in page.data


def test_a_repeated_state_is_a_page_and_uses_nothing_up(leaving: Visits) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    query = urlencode({"state": leave(leaving, browser)["state"]})
    assert is_refused_by_a_page(browser.get(f"{BACK}?{query}&{query}"))
    assert browser.get(f"{BACK}?{query}").headers["Location"] == HOME


def test_the_return_is_by_get_only(leaving: Visits) -> None:
    assert leaving.world.browser().post(BACK, {"state": "x"}).status_code == 405


# -- no detour ------------------------------------------------------------------------------------


def ends_at_once(visits: Visits, browser: Browser) -> bool:
    """Straight to the app, and signed out."""
    at_home = browser.get(LOGOUT).headers["Location"] == HOME
    return at_home and not visits.is_answered_at_once(browser)


def test_a_provider_without_idpsignout_is_not_asked(contoso: Visits) -> None:
    browser = contoso.world.browser()
    contoso.answer(browser)
    assert ends_at_once(contoso, browser)


def test_a_provider_without_the_endpoint_is_not_asked(leaving: Visits, op: OidcOp) -> None:
    op.metadata["end_session_endpoint"] = ABSENT
    browser = leaving.world.browser()
    leaving.answer(browser)
    assert ends_at_once(leaving, browser)


def test_a_provider_that_cannot_be_discovered_keeps_nobody_signed_in(
    leaving: Visits, op: OidcOp
) -> None:
    browser = leaving.world.browser()
    leaving.answer(browser)
    as_after_a_restart(leaving.world)
    op.replies["/.well-known/openid-configuration"] = html(503)
    assert browser.get(LOGOUT).headers["Location"] == HOME
    op.replies.clear()
    assert not leaving.is_answered_at_once(browser)


def as_after_a_restart(world: World) -> None:
    """Nothing is known of any provider; sessions are kept elsewhere."""
    upstreams = world.broker.flow.upstreams
    assert isinstance(upstreams, ConnectorRegistry)
    upstreams._built.clear()


def test_nobody_is_sent_anywhere_without_a_session(leaving: Visits) -> None:
    assert leaving.world.browser().get(LOGOUT).headers["Location"] == HOME
