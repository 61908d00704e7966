"""The browser that was sent to an OpenID provider brings its answer back, once, in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from broker.model.errors import Reason
from tests.kit.browser import Browser
from tests.kit.oidc_op import OidcOp
from tests.kit.refusals import is_refused_by_a_page, reason_logged
from tests.kit.visits import ANSWER_PATH, Visits, query_of
from tests.kit.world import callback


def arrived(contoso: Visits, browser: Browser, **changes: str | None) -> dict[str, str]:
    """The person has signed in at the provider; the browser holds the answer."""
    return contoso.person(contoso.begin(browser, **changes))


@pytest.mark.parametrize("by_post", [False, True], ids=["by GET", "by form_post"])
def test_another_browsers_delivery_is_refused_and_costs_the_owner_nothing(
    contoso: Visits, op: OidcOp, by_post: bool
) -> None:
    visits = replace(contoso, by_post=by_post)
    owner, stranger = contoso.world.browser(), contoso.world.browser()
    params = arrived(contoso, owner)
    contoso.begin(stranger)

    assert is_refused_by_a_page(visits.deliver(stranger, params))
    assert is_refused_by_a_page(visits.deliver(contoso.world.browser(), params))
    assert op.http.count("/token") == 0
    assert "code" in callback(visits.deliver(owner, params))


def test_nobody_is_signed_in_with_a_strangers_code(contoso: Visits) -> None:
    """Login CSRF: the victim's own sign-in, but the attacker's code. PKCE and nonce refuse it."""
    attacker, victim = contoso.world.browser(), contoso.world.browser()
    stolen = arrived(contoso, attacker)["code"]
    state = query_of(contoso.begin(victim))["state"]
    answer = callback(contoso.deliver(victim, {"code": stolen, "state": state}))
    assert answer["error"] == "invalid_request"
    assert "cognito" not in victim.cookies


def test_a_delivery_counts_once(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture
) -> None:
    browser = contoso.world.browser()
    params = arrived(contoso, browser)
    assert "code" in callback(contoso.deliver(browser, params))
    assert is_refused_by_a_page(contoso.deliver(browser, params))
    assert reason_logged(caplog) == Reason.TRANSACTION_UNKNOWN
    assert op.http.count("/token") == 1


def test_a_refused_delivery_is_used_up_too(contoso: Visits) -> None:
    browser = contoso.world.browser()
    params = arrived(contoso, browser)
    assert "error" in callback(contoso.deliver(browser, {**params, "code": "guessed"}))
    assert is_refused_by_a_page(contoso.deliver(browser, params))


def test_of_many_deliveries_at_once_one_counts(contoso: Visits, op: OidcOp) -> None:
    browser = contoso.world.browser()
    params = arrived(contoso, browser)
    tabs = [replace(browser, cookies=dict(browser.cookies)) for _ in range(6)]
    with ThreadPoolExecutor(len(tabs)) as threads:
        responses = list(threads.map(lambda tab: contoso.deliver(tab, params), tabs))
    assert sorted(response.status_code for response in responses) == [302, *[400] * 5]
    assert op.http.count("/token") == 1


def test_two_tabs_do_not_disturb_each_other(contoso: Visits) -> None:
    browser = contoso.world.browser()
    first = arrived(contoso, browser, state="one")
    second = arrived(contoso, browser, state="two")
    for params, state in ((second, "two"), (first, "one")):
        answer = callback(contoso.deliver(browser, params))
        assert answer["state"] == state
        assert "code" in answer


def test_a_sign_in_takes_five_minutes_at_most_and_can_be_begun_again(contoso: Visits) -> None:
    browser = contoso.world.browser()
    in_time, late = (arrived(contoso, browser) for _ in range(2))
    browser.cookies["csrf-state"].expires_at = None
    contoso.world.clock.advance(299)
    assert "code" in callback(contoso.deliver(browser, in_time))
    contoso.world.clock.advance(2)
    assert is_refused_by_a_page(contoso.deliver(browser, late))
    browser.cookies.pop("cognito")
    assert "code" in contoso.answer(browser)


@pytest.mark.parametrize("state", [None, "", "x", "A" * 43, "é" * 500, "\udcff"])
def test_an_answer_without_a_state_of_ours_is_a_page(contoso: Visits, state: str | None) -> None:
    browser = contoso.world.browser()
    params = arrived(contoso, browser)
    told = {name: value for name, value in params.items() if name != "state"}
    if state is not None:
        told["state"] = state
    query = urlencode(told, errors="surrogateescape")
    assert is_refused_by_a_page(browser.get(f"{ANSWER_PATH}?{query}"))
    assert "code" in callback(contoso.deliver(browser, params))


@pytest.mark.parametrize("by_post", [False, True], ids=["by GET", "by form_post"])
@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_a_repeated_parameter_is_a_page_and_uses_nothing_up(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, name: str, by_post: bool
) -> None:
    browser = contoso.world.browser()
    params = {**arrived(contoso, browser), "iss": op.issuer}
    twice = urlencode([*params.items(), (name, "another")])
    sent = browser.post(ANSWER_PATH, twice) if by_post else browser.get(f"{ANSWER_PATH}?{twice}")
    assert is_refused_by_a_page(sent)
    assert reason_logged(caplog) == Reason.PARAMETER_REPEATED
    assert "code" in callback(contoso.deliver(browser, params))


def test_a_form_post_is_read_from_its_body_alone(contoso: Visits) -> None:
    browser = contoso.world.browser()
    params = arrived(contoso, browser)
    assert is_refused_by_a_page(browser.post(f"{ANSWER_PATH}?{urlencode(params)}", {}))
    json_body = browser.post(ANSWER_PATH, "{}", headers={"Content-Type": "application/json"})
    assert json_body.status_code == 415
    assert "code" in callback(contoso.deliver(browser, params))


# -- the other protocol's endpoint ----------------------------------------------------------------


@pytest.mark.parametrize("by_post", [False, True], ids=["by GET", "by form_post"])
def test_a_saml_sign_in_is_not_finished_at_the_oauth_endpoint(
    both: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, by_post: bool
) -> None:
    """With the parameters of both protocols, all of them good in their place."""
    world, browser = both.world, both.world.browser()
    asked = world.begin(browser, identity_provider="Corp")
    code = arrived(both, browser, identity_provider="Contoso")["code"]
    form = world.idp.post(asked, name_id="alice")
    params = {"code": code, "state": asked.relay_state or "", **form}
    answer = callback(replace(both, by_post=by_post).deliver(browser, params))
    assert answer["error"] == "invalid_request"
    assert reason_logged(caplog) == Reason.ANSWER_MISPLACED
    assert "cognito" not in browser.cookies
    assert op.http.count("/token") == 0
    fresh = world.idp.post(world.begin(browser, identity_provider="Corp"), name_id="alice")
    assert "code" in callback(browser.post("/saml2/idpresponse", fresh))


def test_an_oidc_sign_in_is_not_finished_at_the_saml_endpoint(
    both: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture
) -> None:
    world, browser = both.world, both.world.browser()
    params = arrived(both, browser, identity_provider="Contoso")
    asked = world.begin(browser, identity_provider="Corp")
    form = {**params, **world.idp.post(asked, name_id="alice"), "RelayState": params["state"]}
    answer = callback(browser.post("/saml2/idpresponse", form))
    assert answer["error"] == "invalid_request"
    assert reason_logged(caplog) == Reason.ANSWER_MISPLACED
    assert "cognito" not in browser.cookies
    assert op.http.count("/token") == 0
    assert "code" in both.answer(browser, identity_provider="Contoso")
