"""A browser that signed in once is not sent to the identity provider again for an hour."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.world import PUBLIC, WEB, World, callback, saml_provider


def is_answered_at_once(world: World, browser: Any, **changes: str | None) -> bool:
    """Whether authorize answers the app without the identity provider."""
    location = browser.get(world.authorize_url(**changes)).headers["Location"]
    return "code=" in location


def test_a_second_authorize_needs_no_identity_provider(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    world.clock.advance(3599)
    answer = callback(browser.get(world.authorize_url(state="again")))

    assert answer["state"] == "again"
    tokens = json.loads(world.redeem(answer["code"]).data)
    claims = world.verified(tokens["id_token"])
    assert claims["auth_time"] == claims["iat"] - 3599


def test_the_session_lasts_an_hour_and_does_not_slide(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    world.clock.advance(1800)
    assert is_answered_at_once(world, browser)
    world.clock.advance(1800)
    assert not is_answered_at_once(world, browser)


def test_the_store_ends_the_session_even_if_the_browser_keeps_the_cookie(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    browser.cookies["cognito"].expires_at = None
    world.clock.advance(3600)
    assert not is_answered_at_once(world, browser)


def test_the_identity_provider_may_end_it_sooner(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser, session_not_on_or_after=world.clock.now() + 600)
    world.clock.advance(599)
    assert is_answered_at_once(world, browser)
    world.clock.advance(1)
    assert not is_answered_at_once(world, browser)


@pytest.mark.parametrize("supported", [["Corp"], ["Other"]])
def test_only_clients_that_list_the_provider_share_it(
    new_world: Callable[..., World], supported: list[str]
) -> None:
    other = {**WEB, "ClientId": "other", "SupportedIdentityProviders": supported}
    idp = new_world().idp
    world = new_world(
        clients=[WEB, PUBLIC, other],
        providers=[saml_provider(idp), saml_provider(idp, "Other")],
    )
    browser = world.browser()
    world.sign_in(browser)
    assert is_answered_at_once(world, browser, client_id="other") is (supported == ["Corp"])


def test_another_provider_asked_for_is_not_answered_by_this_session(
    new_world: Callable[..., World],
) -> None:
    both = {**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}
    idp = new_world().idp
    world = new_world(clients=[both], providers=[saml_provider(idp), saml_provider(idp, "Other")])
    browser = world.browser()
    form = world.idp.post(world.begin(browser, identity_provider="Corp"), name_id="alice")
    browser.post("/saml2/idpresponse", form)

    assert is_answered_at_once(world, browser, identity_provider="Corp")
    assert not is_answered_at_once(world, browser, identity_provider="Other")


def test_prompt_login_signs_in_anew(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    assert not is_answered_at_once(world, browser, prompt="login")


def test_prompt_none_answers_from_the_session_or_says_login_required(world: World) -> None:
    browser = world.browser()
    refused = callback(browser.get(world.authorize_url(prompt="none")))
    assert refused["error"] == "login_required"
    assert refused["state"] == "state-1"
    world.sign_in(browser)
    assert is_answered_at_once(world, browser, prompt="none")


def test_max_age_asks_for_a_fresh_sign_in(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    world.clock.advance(10)
    assert is_answered_at_once(world, browser, max_age="10")
    assert not is_answered_at_once(world, browser, max_age="9")


def test_a_new_sign_in_ends_the_session_it_replaces(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    old = browser.cookies["cognito"].value
    form = world.idp.post(world.begin(browser, prompt="login"), name_id="alice")
    browser.post("/saml2/idpresponse", form, cross_site=False)
    browser.cookies["cognito"].value = old
    assert not is_answered_at_once(world, browser)


def test_a_made_up_cookie_is_nobody(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    browser.cookies["cognito"].value = "A" * 43
    assert not is_answered_at_once(world, browser)


def test_a_disabled_user_is_not_answered(world: World) -> None:
    browser = world.browser()
    world.sign_in(browser)
    user = world.broker.directory.by_username(next(iter(world.broker.pools)), "Corp_alice")
    assert user is not None
    world.broker.directory.set_enabled(
        user.pool_id, user.sub, enabled=False, now=int(world.clock.now())
    )
    assert not is_answered_at_once(world, browser)
