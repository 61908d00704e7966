"""When a published value is asked for again, and that nobody waits for more than one fetch."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.upstream.cache import HURRIED_PER_MINUTE, MAX_WAITING, RETRY_SECONDS, Cached, Ration
from tests.kit.clock import ManualClock

FRESH, STALE = 100, 1000


class Source:
    """Counts its fetches; fails while it is down; can be held."""

    def __init__(self) -> None:
        self.fetches = 0
        self.is_down = False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> str:
        self.fetches += 1
        assert self.gate.wait(10)
        if self.is_down:
            raise UpstreamError(Reason.OIDC_PROVIDER_TIMEOUT)
        return f"value {self.fetches}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cached(source: Source, clock: ManualClock) -> Cached[str]:
    return Cached(fetch=source, clock=clock, fresh_seconds=FRESH, stale_seconds=STALE)


@pytest.fixture
def ration(clock: ManualClock) -> Ration:
    return Ration(clock=clock)


def test_a_value_is_kept_while_it_is_fresh(cached: Cached[str], clock: ManualClock) -> None:
    assert cached.get() == "value 1"
    clock.advance(FRESH - 1)
    assert cached.get() == "value 1"
    clock.advance(1)
    assert cached.get() == "value 2"


def test_an_old_value_serves_while_the_provider_is_down(
    cached: Cached[str], source: Source, clock: ManualClock
) -> None:
    cached.get()
    source.is_down = True
    clock.advance(FRESH)
    assert [cached.get() for _ in range(5)] == ["value 1"] * 5
    assert source.fetches == 2

    clock.advance(RETRY_SECONDS)
    source.is_down = False
    assert cached.get() == "value 3"


def test_an_old_value_serves_no_longer_than_its_time(
    cached: Cached[str], source: Source, clock: ManualClock
) -> None:
    cached.get()
    source.is_down = True
    clock.advance(STALE)
    with pytest.raises(UpstreamError):
        cached.get()


def test_without_any_value_each_call_tries_again(cached: Cached[str], source: Source) -> None:
    source.is_down = True
    for _ in range(3):
        with pytest.raises(UpstreamError):
            cached.get()
    source.is_down = False
    assert cached.get() == "value 4"


def test_a_peek_does_not_insist(cached: Cached[str], source: Source, clock: ManualClock) -> None:
    source.is_down = True
    assert cached.peek() is None
    source.is_down = False
    assert cached.peek() is None
    clock.advance(RETRY_SECONDS)
    assert cached.peek() == "value 2"


def test_a_peek_has_the_old_value_for_its_time_when_there_is_no_newer_one(
    cached: Cached[str], source: Source, clock: ManualClock
) -> None:
    cached.get()
    source.is_down = True
    clock.advance(FRESH)
    assert [cached.peek() for _ in range(5)] == ["value 1"] * 5
    assert source.fetches == 2
    clock.advance(STALE - FRESH - 1)
    assert cached.peek() == "value 1"
    clock.advance(1)
    assert cached.peek() is None


def test_a_clock_that_goes_back_makes_nothing_fresh_for_longer(
    cached: Cached[str], clock: ManualClock
) -> None:
    cached.get()
    clock.advance(-5000)
    assert cached.get() == "value 2"


def test_a_newer_value_is_fetched_at_once(cached: Cached[str], ration: Ration) -> None:
    first = cached.get()
    second = cached.newer(first, ration)
    assert second == "value 2"
    assert cached.newer(first, ration) is second  # somebody fetched it meanwhile


def test_newer_values_are_rationed(
    cached: Cached[str], ration: Ration, source: Source, clock: ManualClock
) -> None:
    for _ in range(HURRIED_PER_MINUTE):
        assert cached.newer(cached.get(), ration) is not None
    assert cached.newer(cached.get(), ration) is None
    assert source.fetches == HURRIED_PER_MINUTE + 1

    clock.advance(60)
    assert cached.newer(cached.get(), ration) is not None


def test_one_ration_leaves_the_others_whole(
    cached: Cached[str], ration: Ration, clock: ManualClock
) -> None:
    while cached.newer(cached.get(), ration) is not None:
        pass
    assert cached.newer(cached.get(), Ration(clock=clock)) is not None


def test_a_newer_value_that_is_on_its_way_costs_no_ration(
    cached: Cached[str], source: Source, ration: Ration, clock: ManualClock
) -> None:
    seen = cached.get()
    source.gate.clear()
    with ThreadPoolExecutor(2) as people:
        first = people.submit(cached.newer, seen, ration)
        while source.fetches < 2:
            pass
        others = Ration(clock=clock)
        second = people.submit(cached.newer, seen, others)
        while cached._waiting == 0:
            pass
        source.gate.set()
        assert first.result() == second.result() == "value 2"
    assert sum(others.spend() for _ in range(9)) == HURRIED_PER_MINUTE


def test_everybody_joins_one_fetch(cached: Cached[str], source: Source) -> None:
    source.gate.clear()
    with ThreadPoolExecutor(16) as people:
        waiting = [people.submit(cached.get) for _ in range(16)]
        source.gate.set()
        assert {w.result() for w in waiting} <= {"value 1"}
    assert source.fetches == 1


def test_everybody_joins_one_failure(cached: Cached[str], source: Source) -> None:
    """Sixteen people at a stalled provider wait once, not one after the other."""
    source.gate.clear()
    source.is_down = True
    arrived = threading.Barrier(17)

    def ask() -> bool:
        arrived.wait()
        try:
            cached.get()
        except UpstreamError:
            return True
        return False

    with ThreadPoolExecutor(16) as people:
        waiting = [people.submit(ask) for _ in range(16)]
        arrived.wait()
        while source.fetches == 0:
            pass
        threading.Timer(0.1, source.gate.set).start()
        assert all(w.result() for w in waiting)
    assert source.fetches == 1


def test_only_so_many_wait_for_a_provider_that_stalls(cached: Cached[str], source: Source) -> None:
    source.gate.clear()
    with ThreadPoolExecutor(MAX_WAITING + 1) as people:
        waiting = [people.submit(cached.get) for _ in range(MAX_WAITING + 1)]
        while cached._waiting < MAX_WAITING:
            pass
        with pytest.raises(UpstreamError) as refused:
            cached.get()
        source.gate.set()
        assert {w.result() for w in waiting} == {"value 1"}
    assert refused.value.reason is Reason.PROVIDER_BUSY
    assert cached.get() == "value 1"


def test_a_fault_of_ours_does_not_block_the_next_caller(clock: ManualClock) -> None:
    outcomes: list[str | Exception] = [ZeroDivisionError(), "value"]

    def fetch() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    cached = Cached(fetch=fetch, clock=clock, fresh_seconds=FRESH, stale_seconds=STALE)
    with pytest.raises(ZeroDivisionError):
        cached.get()
    assert cached.get() == "value"
