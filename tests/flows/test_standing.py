"""Users, providers and stores that are gone when a token is asked for or comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.app import create_app
from broker.model.errors import StoreUnavailableError
from broker.model.login import UserProfile
from broker.model.pool import AppClient, UserPool
from broker.model.tokens import Authorization, TokenFamily, TokenRequest
from tests.kit.apps import App, body
from tests.kit.world import POOL_ID, PUBLIC, SECRET, World

ADMIN = "aws.cognito.signin.user.admin"


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def alice(app: App) -> tuple[UserPool, UserProfile]:
    pool = app.world.broker.pools[POOL_ID]
    user = app.world.broker.directory.by_username(POOL_ID, "Corp_alice")
    assert user is not None
    return pool, user


# -- the user's provider ---------------------------------------------------------------------


def test_people_of_a_provider_that_is_gone_are_out_at_every_door(app: App) -> None:
    tokens = app.tokens()
    code = app.answer()["code"]
    pool, _ = alice(app)
    assert isinstance(pool.providers, dict)
    del pool.providers["Corp"]
    assert "error=login_required" in app.authorize(prompt="none").headers["Location"]
    assert body(app.redeem(code))["error"] == "invalid_grant"
    assert body(app.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"
    assert app.world.userinfo(tokens["access_token"]).status_code == 401
    refused = app.api(
        "GetTokensFromRefreshToken",
        ClientId="web",
        ClientSecret=SECRET,
        RefreshToken=tokens["refresh_token"],
    )
    assert body(refused)["__type"] == "NotAuthorizedException"


def test_one_identity_that_is_left_is_enough(app: App) -> None:
    tokens = app.tokens()
    pool, user = alice(app)
    assert isinstance(pool.providers, dict)
    linked = replace(user.identities[0], provider_name="Second", user_id="al", primary=False)
    app.world.broker.directory.link(POOL_ID, user.sub, linked)
    pool.providers["Second"] = replace(pool.providers.pop("Corp"), name="Second")
    assert app.refresh(tokens["refresh_token"]).status_code == 200


def test_a_session_of_somebody_whose_providers_are_gone_answers_nothing(app: App) -> None:
    """The session's own provider is still there; the user comes by it no more."""
    app.tokens()
    _, user = alice(app)
    directory = app.world.broker.directory
    directory.link(POOL_ID, user.sub, replace(user.identities[0], provider_name="Gone"))
    directory.unlink(POOL_ID, "Corp", "alice")
    assert "error=login_required" in app.authorize(prompt="none").headers["Location"]


# -- browser sessions ------------------------------------------------------------------------


def silently(app: App) -> str:
    """Where a visit that asks nobody anything leads."""
    return app.authorize(prompt="none").headers["Location"]


def test_a_session_outlives_a_sign_out_everywhere(app: App) -> None:
    """At Cognito the browser stays signed in, and so do the tokens it yields from then on."""
    app.tokens()
    app.world.clock.advance(1)
    app.world.broker.accounts.sign_out_everywhere(*alice(app))
    assert "code=" in silently(app)
    assert app.tokens()["access_token"]


def test_disabling_ends_every_session_of_the_user_and_no_other(app: App) -> None:
    at_home, bobs = App.of(app.world), App.of(app.world)
    for browser in (app, at_home):
        browser.tokens()
    bobs.tokens(name_id="bob")
    app.world.broker.accounts.disable(*alice(app))
    app.world.broker.accounts.enable(*alice(app))
    for browser in (app, at_home):
        assert "error=login_required" in silently(browser)
    assert "code=" in silently(bobs)


def test_disabling_ends_sessions_by_linked_identities_too(app: App) -> None:
    app.tokens()
    _, user = alice(app)
    linked = replace(user.identities[0], user_id="al", primary=False)
    app.world.broker.directory.link(POOL_ID, user.sub, linked)
    other = App.of(app.world)
    other.tokens(name_id="al")
    assert "code=" in silently(other)
    app.world.broker.accounts.disable(*alice(app))
    app.world.broker.accounts.enable(*alice(app))
    assert "error=login_required" in silently(other)


def test_a_session_that_began_while_its_user_was_being_disabled_ends_at_last(app: App) -> None:
    app.tokens()
    _, user = alice(app)
    now = int(app.world.clock.now())
    app.world.broker.directory.set_enabled(POOL_ID, user.sub, enabled=False, now=now)
    assert "error=login_required" in silently(app)
    app.world.broker.accounts.enable(*alice(app))
    assert "error=login_required" in silently(app)


def test_enabling_somebody_who_is_not_disabled_ends_nothing(app: App) -> None:
    app.tokens()
    app.world.broker.accounts.enable(*alice(app))
    assert "code=" in silently(app)


# -- codes and sign-out everywhere -----------------------------------------------------------


def test_a_code_from_before_a_sign_out_everywhere_is_worth_nothing(app: App) -> None:
    app.tokens()
    code = app.answer()["code"]
    app.world.clock.advance(1)
    app.world.broker.accounts.sign_out_everywhere(*alice(app))
    assert body(app.redeem(code))["error"] == "invalid_grant"
    assert app.tokens()["access_token"]


@pytest.mark.parametrize("moment", ["before the family begins", "after the family has begun"])
@pytest.mark.parametrize("fate", ["sign_out_everywhere", "disable and enable", "delete"])
def test_a_redemption_under_way_yields_nothing_that_lives(
    app: App, monkeypatch: pytest.MonkeyPatch, fate: str, moment: str
) -> None:
    """Whichever comes first: the refresh tokens, or the one who signs their user out."""
    app.tokens()
    code = app.answer()["code"]
    pool, user = alice(app)
    app.world.clock.advance(5)
    accounts = app.world.broker.accounts
    store = app.world.broker.refresh_tokens.store
    start = store.start

    def interrupted(family: TokenFamily, token: str) -> None:
        if moment.startswith("after"):
            start(family, token)
        for verb in fate.split(" and "):
            getattr(accounts, verb)(pool, user)
        if moment.startswith("before"):
            start(family, token)

    monkeypatch.setattr(store, "start", interrupted)
    answer = body(app.redeem(code))
    monkeypatch.undo()
    app.world.clock.advance(60)
    if "error" in answer:
        assert answer["error"] == "invalid_grant"
    else:
        assert app.world.userinfo(answer["access_token"]).status_code == 401
        assert app.refresh(answer["refresh_token"]).status_code == 400


def test_a_code_from_before_disabling_stays_worthless_when_enabled_again(app: App) -> None:
    app.tokens()
    code = app.answer()["code"]
    app.world.clock.advance(1)
    app.world.broker.accounts.disable(*alice(app))
    app.world.broker.accounts.enable(*alice(app))
    assert body(app.redeem(code))["error"] == "invalid_grant"


def test_the_users_own_mark_is_enough_to_kill_a_refresh_token(app: App) -> None:
    token = app.tokens()["refresh_token"]
    app.world.clock.advance(1)
    _, user = alice(app)
    now = int(app.world.clock.now())
    app.world.broker.directory.sign_out_everywhere(POOL_ID, user.sub, now=now)
    assert body(app.refresh(token))["error"] == "invalid_grant"


# -- stores that do not answer ---------------------------------------------------------------


class Away:
    """A grant whose store does not answer."""

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        raise StoreUnavailableError("down")


def test_a_store_that_is_away_is_503_in_the_callers_own_shape(app: App) -> None:
    world = app.world
    away = replace(world.broker, grants={"refresh_token": Away()}, refresh_grant=Away())  # type: ignore[arg-type]  # as good as the grant for this
    world.app = create_app(away)
    token = app.refresh("x")
    assert (token.status_code, body(token)["error"]) == (503, "temporarily_unavailable")
    assert token.headers["Retry-After"]
    assert token.headers["Access-Control-Allow-Origin"] == "*"
    spa = App.of(world, PUBLIC)
    api = spa.api("GetTokensFromRefreshToken", ClientId="spa", RefreshToken="x")
    assert (api.status_code, body(api)["__type"]) == (503, "InternalErrorException")
    assert api.headers["Retry-After"]
