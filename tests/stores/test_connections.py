"""Who gets which connection, and that no place for one is ever lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event

import pytest

from broker.stores import connections as module
from broker.stores.connections import Connections, NoneFreeError
from tests.kit.servers import PATIENCE


class Opened:
    def __init__(self, number: int) -> None:
        self.number = number
        self.is_good = True
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class CannotConnectError(Exception):
    pass


class Database:
    """Numbers its connections; refuses while it is away."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = count(1)
        self.is_away = False

    def connect(self) -> Opened:
        if self.is_away:
            raise CannotConnectError
        return Opened(next(self._numbers))


@pytest.fixture
def database() -> Database:
    return Database()


def two_of(database: Database) -> Connections[Opened]:
    return Connections(
        database.connect, at_most=2, patience=0.0, is_good=lambda opened: opened.is_good
    )


def test_each_borrower_has_one_of_its_own(database: Database) -> None:
    connections = two_of(database)
    assert {connections.take().number, connections.take().number} == {1, 2}


def test_one_that_came_back_is_used_before_another_is_opened(database: Database) -> None:
    connections = two_of(database)
    first = connections.take()
    connections.give_back(first)
    assert connections.take() is first


def test_no_more_than_there_are_places(database: Database) -> None:
    connections = two_of(database)
    connections.take(), connections.take()
    with pytest.raises(NoneFreeError, match=r"0\.0 s"):
        connections.take()


def test_whoever_comes_back_makes_room(database: Database) -> None:
    connections = two_of(database)
    first, _ = connections.take(), connections.take()
    connections.give_back(first)
    assert connections.take() is first


def test_one_that_comes_back_goes_to_whoever_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to who comes by before the waiting thread has been woken up."""
    is_waiting = Event()

    class Turn(SimpleQueue[Opened | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> Opened | None:
            is_waiting.set()
            return super().get(block, PATIENCE)

    monkeypatch.setattr(module, "SimpleQueue", Turn)
    connections = Connections(database.connect, at_most=1, patience=0.001)
    first = connections.take()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(connections.take)
        assert is_waiting.wait(PATIENCE)
        connections.give_back(first)
        monkeypatch.undo()
        with pytest.raises(NoneFreeError):
            connections.take()
        assert waiting.result() is first


def test_what_comes_back_in_the_last_moment_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Turn(SimpleQueue[Opened | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> Opened | None:
            connections.give_back(first)
            raise Empty

    monkeypatch.setattr(module, "SimpleQueue", Turn)
    connections = Connections(database.connect, at_most=1, patience=0.0)
    first = connections.take()
    assert connections.take() is first


def test_whoever_gave_up_is_not_given_one(database: Database) -> None:
    connections = Connections(database.connect, at_most=1, patience=0.0)
    first = connections.take()
    with pytest.raises(NoneFreeError):
        connections.take()
    connections.give_back(first)
    assert connections.take() is first


def test_a_discarded_one_is_closed_and_its_place_taken_anew(database: Database) -> None:
    connections = two_of(database)
    first, _ = connections.take(), connections.take()
    connections.discard(first)
    assert first.is_closed
    assert connections.take().number == 3


def test_one_that_has_gone_bad_is_replaced(database: Database) -> None:
    connections = two_of(database)
    first = connections.take()
    first.is_good = False
    connections.give_back(first)
    assert connections.take().number == 2
    assert first.is_closed


def test_a_failure_to_connect_costs_no_place(database: Database) -> None:
    connections = two_of(database)
    database.is_away = True
    for _ in range(3):
        with pytest.raises(CannotConnectError):
            connections.take()
    database.is_away = False
    assert {connections.take().number, connections.take().number} == {1, 2}


def test_a_failure_to_replace_costs_no_place(database: Database) -> None:
    connections = two_of(database)
    first = connections.take()
    first.is_good = False
    connections.give_back(first)
    database.is_away = True
    with pytest.raises(CannotConnectError):
        connections.take()
    database.is_away = False
    assert {connections.take().number, connections.take().number} == {2, 3}


def test_closing_leaves_those_that_are_lent_and_all_places(database: Database) -> None:
    connections = two_of(database)
    lent, idle = connections.take(), connections.take()
    connections.give_back(idle)
    connections.close()
    assert (idle.is_closed, lent.is_closed) == (True, False)
    assert connections.take().number == 3
    connections.give_back(lent)
    assert connections.take() is lent


def test_a_failure_to_look_at_one_costs_no_place(database: Database) -> None:
    def look(_: Opened) -> bool:
        raise CannotConnectError

    connections = Connections(database.connect, at_most=1, patience=0.0, is_good=look)
    connections.give_back(connections.take())
    with pytest.raises(CannotConnectError):
        connections.take()
    assert connections.take().number == 2
