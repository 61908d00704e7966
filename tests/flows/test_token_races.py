"""Several processes are asked for the same thing at the same moment: exactly one of them does it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.kit.live import CALLBACK, SPA, Live, Person, live, params
from tests.kit.world import CHALLENGE, VERIFIER

RACERS = 4
ROUNDS = 12
WORKERS = 3

ROTATING = {**SPA, "ClientId": "rotating", "RefreshTokenRotation": {"Feature": "ENABLED"}}
FORGIVING = {
    **SPA,
    "ClientId": "forgiving",
    "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 60},
}


@pytest.fixture(scope="module", params=["sqlite", "redis and postgresql"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Path
) -> Iterator[Live]:
    environ = {}
    if request.param != "sqlite":
        environ = {
            "BROKER_DATABASE_URL": request.getfixturevalue("postgresql_server").new_database(),
            "BROKER_REDIS_URL": request.getfixturevalue("redis_server").url,
        }
    folder = tmp_path_factory.mktemp("races")
    clients = [SPA, ROTATING, FORGIVING]
    with live(folder, certs, clients=clients, workers=WORKERS, environ=environ) as running:
        yield running


@pytest.fixture(scope="module")
def person(broker: Live) -> Iterator[Person]:
    with broker.person() as somebody:
        yield somebody


def code(broker: Live, person: Person, client_id: str) -> str:
    """A code; after the first one the session answers at once."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return params(person.follows(f"{broker.origin}/oauth2/authorize?{urlencode(asked)}"))["code"]


def redemption(client_id: str, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }


def refresh(client_id: str, token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}


def post(broker: Live, form: dict[str, str], ready: Callable[[], object]) -> dict[str, Any]:
    """The token response; the connection stands before ``ready`` lets the request go."""
    connection = http.client.HTTPConnection(broker.origin.removeprefix("http://"), timeout=30)
    try:
        connection.connect()
        ready()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth2/token", urlencode(form), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def race(broker: Live, form: dict[str, str]) -> list[dict[str, Any]]:
    """What each of the racers was answered."""
    barrier = Barrier(RACERS, timeout=30)
    with ThreadPoolExecutor(RACERS) as threads:
        running = [threads.submit(post, broker, form, barrier.wait) for _ in range(RACERS)]
        return [each.result() for each in running]


def winners(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    losers = [answer for answer in answers if "access_token" not in answer]
    assert all(answer["error"] == "invalid_grant" for answer in losers), losers
    return [answer for answer in answers if "access_token" in answer]


def now(broker: Live, form: dict[str, str]) -> dict[str, Any]:
    return post(broker, form, lambda: None)


def test_one_code_is_redeemed_once_and_the_race_kills_its_tokens(
    broker: Live, person: Person
) -> None:
    for _ in range(ROUNDS):
        won = winners(race(broker, redemption("spa", code(broker, person, "spa"))))
        assert len(won) == 1
        dead = now(broker, refresh("spa", won[0]["refresh_token"]))
        assert dead["error"] == "invalid_grant"


def test_one_refresh_token_is_rotated_once_and_the_race_ends_the_family(
    broker: Live, person: Person
) -> None:
    for _ in range(ROUNDS):
        first = now(broker, redemption("rotating", code(broker, person, "rotating")))
        won = winners(race(broker, refresh("rotating", first["refresh_token"])))
        assert len(won) == 1
        dead = now(broker, refresh("rotating", won[0]["refresh_token"]))
        assert dead["error"] == "invalid_grant"


def test_within_the_grace_period_all_are_answered(broker: Live, person: Person) -> None:
    for _ in range(ROUNDS // 4):
        first = now(broker, redemption("forgiving", code(broker, person, "forgiving")))
        won = winners(race(broker, refresh("forgiving", first["refresh_token"])))
        assert len(won) == RACERS
        assert len({each["refresh_token"] for each in won}) == RACERS
        for each in won:
            assert "access_token" in now(broker, refresh("forgiving", each["refresh_token"]))
