"""``/logout``: both of Cognito's forms, and OpenID Connect RP-Initiated Logout 1.0."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from tests.kit.apps import App, fields
from tests.kit.browser import Browser
from tests.kit.world import PUBLIC, SECRET, WEB, World

HOME = "https://app.example.test/"
STATE = "\"<%>'&#=?/~|`^[]{}"
"""What the conformance suite may send as state: printable, and not at all plain."""


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def url(**params: str | None) -> str:
    return "/logout?" + urlencode(fields(**params))


def leave(app: App, **params: str | None) -> TestResponse:
    return app.person.get(url(**params))


def is_signed_in(app: App, browser: Browser | None = None) -> bool:
    """Whether the browser is answered without the provider."""
    app = App(world=app.world, client=app.client, person=browser or app.person)
    location = app.authorize(prompt="none").headers["Location"]
    assert "code=" in location or "error=login_required" in location
    return "code=" in location


def goes_to(response: TestResponse, location: str) -> bool:
    return (response.status_code, response.headers.get("Location")) == (302, location)


def is_page(response: TestResponse, status: int = 200) -> bool:
    assert "Location" not in response.headers
    assert response.content_type.startswith("text/html")
    return response.status_code == status


def asks(response: TestResponse) -> dict[str, str]:
    """The hidden fields of the page that asks; empty when it does not ask."""
    html = response.data.decode()
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html)
    return {unescape(name): unescape(value) for name, value in found}


# -- client_id + logout_uri ------------------------------------------------------------------


def test_signs_out_and_goes_to_the_registered_uri(app: App) -> None:
    app.tokens()
    response = leave(app, client_id="web", logout_uri=HOME, state="ignored", scope="x")
    assert goes_to(response, HOME)
    assert response.headers["Cache-Control"] == "no-store"
    assert not is_signed_in(app)


def test_the_cookie_alone_is_worth_nothing_afterwards(app: App) -> None:
    app.tokens()
    kept = app.person.cookies["cognito"]
    leave(app, client_id="web", logout_uri=HOME)
    app.person.cookies["cognito"] = kept
    assert not is_signed_in(app)


def test_works_for_somebody_who_is_not_signed_in(app: App) -> None:
    assert goes_to(leave(app, client_id="web", logout_uri=HOME), HOME)


def test_extra_oidc_parameters_change_nothing(app: App) -> None:
    # mod_auth_openidc appends them to a hand-made URL.
    tokens = app.tokens()
    response = leave(
        app,
        client_id="web",
        logout_uri=HOME,
        id_token_hint=tokens["id_token"],
        post_logout_redirect_uri="https://elsewhere.example/",
    )
    assert goes_to(response, HOME)


def test_tokens_live_on(app: App) -> None:
    tokens = app.tokens()
    leave(app, client_id="web", logout_uri=HOME)
    assert app.world.userinfo(tokens["access_token"]).status_code == 200
    assert app.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"client_id": "web", "logout_uri": "https://evil.example/"},
        {"client_id": "web", "logout_uri": HOME + "x"},
        {"client_id": "web", "logout_uri": HOME.rstrip("/")},
        {"client_id": "nobody", "logout_uri": HOME},
        {"logout_uri": HOME},
        {"client_id": "web"},
    ],
)
def test_an_unregistered_uri_leads_to_the_page_cognito_shows(
    app: App, params: dict[str, str]
) -> None:
    app.tokens()
    response = leave(app, **params)
    location = urlsplit(response.headers["Location"])
    assert (location.netloc, location.path) == ("", "/error")
    assert dict(parse_qsl(location.query))["error"] == (
        "Required String parameter 'redirect_uri' is not present"
    )
    assert app.person.get(response.headers["Location"]).status_code == 400
    assert is_signed_in(app)


@pytest.mark.parametrize("name", ["client_id", "logout_uri"])
def test_a_repeated_parameter_redirects_to_no_app(app: App, name: str) -> None:
    repeated = url(client_id="web", logout_uri=HOME) + "&" + urlencode({name: HOME})
    assert app.person.get(repeated).headers["Location"].startswith("/error?")


# -- client_id + redirect_uri + response_type -------------------------------------------------


def test_signs_out_and_back_in(app: App) -> None:
    app.tokens()
    response = leave(
        app,
        client_id="web",
        redirect_uri=WEB["CallbackURLs"][0],
        response_type="code",
        state="s",
        identity_provider="Corp",
    )
    location = urlsplit(response.headers["Location"])
    query = dict(parse_qsl(location.query))
    assert location.path == "/login"
    assert query == {
        "client_id": "web",
        "redirect_uri": WEB["CallbackURLs"][0],
        "response_type": "code",
        "state": "s",
        "scope": " ".join(WEB["AllowedOAuthScopes"]),
    }
    assert not is_signed_in(app)
    assert app.person.get(response.headers["Location"]).status_code == 200


def test_the_scope_asked_for_is_kept(app: App) -> None:
    response = leave(
        app,
        client_id="web",
        redirect_uri=WEB["CallbackURLs"][0],
        response_type="code",
        scope="openid",
    )
    assert "scope=openid" in response.headers["Location"]


def test_an_unregistered_logout_uri_falls_back_to_the_second_form(app: App) -> None:
    response = leave(
        app,
        client_id="web",
        logout_uri="https://evil.example/",
        redirect_uri=WEB["CallbackURLs"][0],
        response_type="code",
    )
    assert response.headers["Location"].startswith("/login?")
    assert "evil" not in response.headers["Location"]


def test_an_unregistered_redirect_uri_goes_to_the_error_page(app: App) -> None:
    app.tokens()
    response = leave(
        app, client_id="web", redirect_uri="https://evil.example/", response_type="code"
    )
    assert response.headers["Location"].startswith("/error?error=redirect_mismatch")
    assert is_signed_in(app)


# -- RP-initiated logout ---------------------------------------------------------------------


def test_hint_and_registered_uri_lead_back_with_state_alone(app: App) -> None:
    tokens = app.tokens()
    response = leave(
        app, id_token_hint=tokens["id_token"], post_logout_redirect_uri=HOME, state=STATE
    )
    before, _, query = response.headers["Location"].partition("?")
    assert (response.status_code, before) == (302, HOME)
    assert parse_qsl(query, strict_parsing=True) == [("state", STATE)]
    assert not is_signed_in(app)


def test_no_state_no_state(app: App) -> None:
    tokens = app.tokens()
    response = leave(app, id_token_hint=tokens["id_token"], post_logout_redirect_uri=HOME)
    assert goes_to(response, HOME)


def test_state_goes_after_the_query_of_the_uri(new_world: Callable[..., World]) -> None:
    odd = f"{HOME}?a=b"
    client = {**WEB, "LogoutURLs": [odd]}
    app = App.of(new_world(clients=[client]), client)
    hint = app.tokens()["id_token"]
    response = leave(app, id_token_hint=hint, post_logout_redirect_uri=odd, state="s")
    assert goes_to(response, f"{HOME}?a=b&state=s")


def test_an_expired_hint_is_fine(app: App) -> None:
    hint = app.tokens()["id_token"]
    app.world.clock.advance(3590)
    app.world.clock.advance(20 * 86400)
    assert goes_to(leave(app, id_token_hint=hint, post_logout_redirect_uri=HOME), HOME)


def test_a_client_id_that_agrees_is_fine(app: App) -> None:
    hint = app.tokens()["id_token"]
    response = leave(app, id_token_hint=hint, client_id="web", post_logout_redirect_uri=HOME)
    assert goes_to(response, HOME)


def test_client_id_without_a_hint_is_enough_for_a_registered_uri(app: App) -> None:
    app.tokens()
    response = leave(app, client_id="web", post_logout_redirect_uri=HOME, state="s")
    assert goes_to(response, f"{HOME}?state=s")
    assert not is_signed_in(app)


@pytest.mark.parametrize("params", [{}, {"state": "s"}])
def test_a_bare_logout_signs_out_and_says_so(app: App, params: dict[str, str]) -> None:
    app.tokens()
    response = leave(app, **params)
    assert is_page(response)
    assert not asks(response)
    assert not is_signed_in(app)


def test_a_hint_without_a_target_signs_out_and_says_so(app: App) -> None:
    hint = app.tokens()["id_token"]
    assert is_page(leave(app, id_token_hint=hint, state="s"))
    assert not is_signed_in(app)


@pytest.mark.parametrize("uri", ["https://evil.example/", f"{HOME}?foo=bar", HOME.rstrip("/")])
def test_an_unregistered_target_is_never_gone_to(app: App, uri: str) -> None:
    hint = app.tokens()["id_token"]
    response = leave(app, id_token_hint=hint, post_logout_redirect_uri=uri, state="s")
    assert is_page(response, 400)
    assert b"evil" not in response.data
    assert not is_signed_in(app)


def reheaded(token: str, **header: str) -> str:
    new = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join([new, *token.split(".")[1:]])


def hints_of_nobody(app: App, token: str) -> dict[str, str]:
    """Hints that look like ours and are not."""
    claims = app.world.verified(token)
    swapped = {**claims, "iss": claims["aud"], "aud": claims["iss"]}
    by_client = jwt.encode(
        {"alg": "HS256"}, swapped, OctKey.import_key(SECRET), algorithms=["HS256"]
    )
    return {
        "unsigned": reheaded(token, alg="none").rpartition(".")[0] + ".",
        "re-headed": reheaded(token, alg="none"),
        "signed by the client": by_client,
        "an access token": app.tokens()["access_token"],
        "garbage": "garbage",
    }


@pytest.mark.parametrize(
    "kind", ["unsigned", "re-headed", "signed by the client", "an access token", "garbage"]
)
@pytest.mark.parametrize("client_id", [None, "web"])
def test_a_hint_that_is_not_ours_leads_nowhere_and_asks(
    app: App, kind: str, client_id: str | None
) -> None:
    hint = hints_of_nobody(app, app.tokens()["id_token"])[kind]
    response = leave(app, id_token_hint=hint, client_id=client_id, post_logout_redirect_uri=HOME)
    assert is_page(response, 400)
    assert asks(response)
    assert is_signed_in(app)


def test_a_target_nobody_vouches_for_leads_nowhere_and_asks(app: App) -> None:
    app.tokens()
    response = leave(app, post_logout_redirect_uri=HOME, state="s")
    assert is_page(response, 400)
    assert asks(response)
    assert is_signed_in(app)


def test_a_client_id_that_disagrees_with_the_hint_leads_nowhere(app: App) -> None:
    hint = app.tokens()["id_token"]
    response = leave(app, id_token_hint=hint, client_id="spa", post_logout_redirect_uri=HOME)
    assert is_page(response, 400)


def test_logout_urls_are_those_of_the_hints_client(new_world: Callable[..., World]) -> None:
    spa = {**PUBLIC, "LogoutURLs": ["https://spa.example.test/"]}
    app = App.of(new_world(clients=[WEB, spa]), WEB)
    hint = app.tokens()["id_token"]
    uri = "https://spa.example.test/"
    assert is_page(leave(app, id_token_hint=hint, post_logout_redirect_uri=uri), 400)


def test_a_hint_about_somebody_else_asks_and_then_does_it(app: App) -> None:
    bob = App.of(app.world)
    hint = bob.tokens(name_id="bob")["id_token"]
    app.tokens()

    question = leave(app, id_token_hint=hint, post_logout_redirect_uri=HOME, state="s")
    assert is_page(question)
    assert is_signed_in(app)
    response = app.person.post("/logout", asks(question), cross_site=False)
    assert goes_to(response, f"{HOME}?state=s")
    assert not is_signed_in(app)
    assert is_signed_in(bob)


def test_the_answer_cannot_be_given_by_another_site(app: App) -> None:
    app.tokens()
    question = leave(app, post_logout_redirect_uri=HOME)
    forged = app.person.post("/logout", asks(question), cross_site=True)
    assert forged.status_code == 303
    assert asks(app.person.get(forged.headers["Location"]))
    assert asks(app.person.get("/logout?" + urlencode(asks(question))))
    assert is_signed_in(app)


def test_a_posted_request_works_from_another_site(app: App) -> None:
    # Its own POST comes without the session cookie; the GET it leads to has it.
    hint = app.tokens()["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": STATE}
    response = app.person.post("/logout", form)
    assert response.status_code == 303
    response = app.person.get(response.headers["Location"])
    assert response.headers["Location"].startswith(f"{HOME}?state=")
    assert not is_signed_in(app)


def test_a_posted_request_carries_on_what_is_known_of_it_alone(app: App) -> None:
    form = {"client_id": "web", "logout_uri": HOME, "junk": "x" * 100_000}
    location = app.person.post("/logout", form).headers["Location"]
    assert dict(parse_qsl(urlsplit(location).query)) == {
        "client_id": "web",
        "logout_uri": HOME,
    }
    too_much = app.person.post("/logout", {**form, "state": "x" * 40_000})
    assert too_much.headers["Location"].startswith("/error?error=The+parameters+have+more+than")


def test_one_browsers_sign_out_is_not_anothers(app: App) -> None:
    app.tokens()
    other = App.of(app.world)
    other.tokens()
    leave(app, client_id="web", logout_uri=HOME)
    assert is_signed_in(other)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods_are_405(world: World, method: str) -> None:
    assert world.app.test_client().open("/logout", method=method).status_code == 405
