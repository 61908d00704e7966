"""The browser that began a sign-in finishes it, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.refusals import is_refused_by_a_page
from tests.kit.world import World, callback


def test_another_browsers_delivery_is_refused_and_costs_the_owner_nothing(world: World) -> None:
    owner, stranger = world.browser(), world.browser()
    form = world.idp.post(world.begin(owner), name_id="alice")
    world.begin(stranger)

    assert is_refused_by_a_page(stranger.post("/saml2/idpresponse", form))
    assert is_refused_by_a_page(world.browser().post("/saml2/idpresponse", form))
    assert "code" in callback(owner.post("/saml2/idpresponse", form))


def test_a_delivery_counts_once(world: World) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser), name_id="alice")
    assert "code" in callback(browser.post("/saml2/idpresponse", form))
    assert is_refused_by_a_page(browser.post("/saml2/idpresponse", form))


def test_two_tabs_do_not_disturb_each_other(world: World) -> None:
    browser = world.browser()
    first, second = world.begin(browser, state="one"), world.begin(browser, state="two")
    for request, state in ((second, "two"), (first, "one")):
        form = world.idp.post(request, name_id="alice")
        assert callback(browser.post("/saml2/idpresponse", form))["state"] == state


def test_the_binding_cookie_outlives_a_later_authorization(world: World) -> None:
    browser = world.browser()
    world.begin(browser)
    kept = browser.cookies["csrf-state"].value
    world.clock.advance(290)
    late = world.begin(browser)
    assert browser.cookies["csrf-state"].value == kept
    world.clock.advance(290)
    assert "code" in callback(
        browser.post("/saml2/idpresponse", world.idp.post(late, name_id="alice"))
    )


def test_a_sign_in_takes_five_minutes_at_most_and_can_be_begun_again(world: World) -> None:
    browser = world.browser()
    request = world.begin(browser)
    browser.cookies["csrf-state"].expires_at = None
    world.clock.advance(301)
    late = world.idp.post(request, name_id="alice")
    assert is_refused_by_a_page(browser.post("/saml2/idpresponse", late))
    assert "code" in world.sign_in(browser)


def test_no_grace_period_is_needed(world: World) -> None:
    """Chromium sends a cookie without SameSite for two minutes only: nothing may rest on that."""
    browser = world.browser()
    form = world.idp.post(world.begin(browser), name_id="alice")
    assert browser.cookies["csrf-state"].same_site == "none"
    world.clock.advance(200)
    assert "code" in callback(browser.post("/saml2/idpresponse", form))


def test_on_plain_http_a_librarys_cookie_jar_works_too(new_world: Callable[..., World]) -> None:
    world = new_world(domain="http://localhost:8080")
    for understands_secure in (True, False):
        browser = world.browser(understands_secure=understands_secure)
        assert "code" in world.sign_in(browser)
        assert "code=" in browser.get(world.authorize_url()).headers["Location"]


def test_on_https_the_legacy_cookie_does_not_exist(world: World) -> None:
    browser = world.browser()
    request = world.begin(browser)
    assert "csrf-state-legacy" not in browser.cookies
    browser.cookies["csrf-state-legacy"] = browser.cookies.pop("csrf-state")
    form = world.idp.post(request, name_id="alice")
    assert is_refused_by_a_page(browser.post("/saml2/idpresponse", form))


@pytest.mark.parametrize("relay_state", [None, "", "x", "A" * 43, "é" * 500])
def test_an_unknown_relay_state_is_a_page(world: World, relay_state: str | None) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser), name_id="alice")
    form.pop("RelayState")
    if relay_state is not None:
        form["RelayState"] = relay_state
    assert is_refused_by_a_page(browser.post("/saml2/idpresponse", form))
