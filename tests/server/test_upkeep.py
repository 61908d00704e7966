"""What goes on behind the requests: every part of it, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker.login import upkeep
from broker.model.errors import StoreUnavailableError
from broker.stores.engine import make_engine
from broker.stores.schema import refresh_tokens, seen, sessions, single_use
from tests.kit.apps import App
from tests.kit.world import World

YEARS = 10 * 365 * 86400


def test_a_quiet_broker_forgets_what_has_expired(world: World, tmp_path: Path) -> None:
    App.of(world).tokens()
    sql = make_engine(f"sqlite:///{tmp_path}/world-0/var/broker.db")
    tables = (single_use, seen, sessions, refresh_tokens)
    assert all(sql.read(table.select()) for table in tables)
    world.clock.advance(YEARS)
    upkeep.keep_up(world.broker)
    assert not any(sql.read(table.select()) for table in tables)
    sql.dispose()


def away() -> None:
    raise StoreUnavailableError("down")


def broken() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("failing", [away, broken])
def test_one_part_that_fails_stops_no_other_and_is_said_once(
    world: World, caplog: pytest.LogCaptureFixture, failing: Callable[[], None]
) -> None:
    done: list[str] = []
    parts = {
        "first": lambda: done.append("first"),
        "bad": failing,
        "last": lambda: done.append("last"),
    }
    upkeep.keep_up(replace(world.broker, upkeep=parts))
    assert done == ["first", "last"]
    assert [(each.message, vars(each)["part"]) for each in caplog.records] == [
        ("upkeep_failed", "bad")
    ]


def test_keys_that_cannot_be_made_stop_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(type(world.broker.issuers), "of", lambda *_: away())
    upkeep.warm_up(replace(world.broker, upkeep={"state": lambda: done.append("state")}))
    assert done == ["state"]
    assert [vars(each)["part"] for each in caplog.records] == ["keys"]
