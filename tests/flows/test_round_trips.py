"""How often a sign-in asks its stores: each answer is waited for, so none may be added unnoticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import redis.connection

from broker.app import create_app
from broker.model.errors import StoreUnavailableError
from broker.model.login import LoginSession
from broker.model.stored import Entry
from broker.stores.engine import SqlEngine
from tests.kit.world import World

STEPS = ("authorize", "callback", "token")


@dataclass
class Trips:
    """Messages to a store, by the step of the sign-in that sends them."""

    by_step: Counter[str] = field(default_factory=Counter)
    step: str = ""

    def made(self) -> None:
        self.by_step[self.step] += 1

    def counted(self) -> dict[str, int]:
        return {step: self.by_step[step] for step in STEPS}


@pytest.fixture
def to_redis(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """What is sent to Redis at once is one trip, however many commands it holds."""
    trips = Trips()
    send = redis.connection.AbstractConnection.send_packed_command

    def sent(*arguments: Any, **options: Any) -> None:
        trips.made()
        send(*arguments, **options)  # type: ignore[no-untyped-call]  # theirs

    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", sent)
    return trips


@pytest.fixture
def to_sql(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """A statement or a transaction: what a commit, or a lock, is waited for once."""
    trips = Trips()
    lent = SqlEngine._lent

    def counted(self: SqlEngine) -> Any:
        trips.made()
        return lent(self)

    monkeypatch.setattr(SqlEngine, "_lent", counted)
    return trips


def sign_in(world: World, *counting: Trips) -> None:
    """A sign-in of somebody who was here before, at a browser that was not."""

    def step(name: str) -> None:
        for trips in counting:
            trips.step = name

    browser = world.browser()
    step("authorize")
    request = world.begin(browser)
    step("callback")
    answer = browser.post("/saml2/idpresponse", world.idp.post(request, name_id="alice"))
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    step("token")
    assert world.redeem(code).status_code == 200
    step("")


def test_a_sign_in_on_redis(
    new_world: Callable[..., World], redis_url: str, to_redis: Trips, to_sql: Trips
) -> None:
    world = new_world(environ={"BROKER_REDIS_URL": redis_url})
    sign_in(world)
    sign_in(world, to_redis, to_sql)
    # The transaction; it taken, the assertion marked, session and code; the code spent.
    assert to_redis.counted() == {"authorize": 1, "callback": 3, "token": 1}
    # The user; the user again, the refresh token.
    assert to_sql.counted() == {"authorize": 0, "callback": 1, "token": 2}


def test_a_sign_in_on_sql_alone(world: World, to_sql: Trips) -> None:
    sign_in(world)
    sign_in(world, to_sql)
    assert to_sql.counted() == {"authorize": 1, "callback": 4, "token": 3}


class Full:
    """A session store that keeps nothing any more."""

    def put(self, session: LoginSession, *entries: Entry) -> None:
        raise StoreUnavailableError("full")


def test_what_could_not_be_kept_is_not_handed_out(world: World) -> None:
    browser = world.browser()
    request = world.begin(browser)
    flow = world.broker.flow
    sessions = replace(flow.sessions, store=Full())  # type: ignore[arg-type]  # as good as one for this
    browser.app = create_app(replace(world.broker, flow=replace(flow, sessions=sessions)))
    answer = browser.post("/saml2/idpresponse", world.idp.post(request, name_id="alice"))
    assert answer.status_code == 503
    assert "Location" not in answer.headers
    assert "cognito" not in browser.cookies
