"""What every ``ReplayGuard`` keeps."""

from __future__ import annotations

import pytest

from tests.kit.clock import ManualClock
from tests.kit.store_backends import State

POOL = "eu-west-1_one"


def test_a_mark_is_new_once(state: State, clock: ManualClock) -> None:
    until = clock.now() + 300
    marked = [state.replay.first_time(POOL, "CorpSAML", "_id", until=until) for _ in range(3)]
    assert marked == [True, False, False]


@pytest.mark.parametrize(
    ("pool_id", "scope", "key"),
    [
        ("eu-west-1_two", "CorpSAML", "_id"),
        (POOL, "Other", "_id"),
        (POOL, "CorpSAML", "_ID"),
        (POOL, "CorpSAML_", "id"),
    ],
    ids=["pool", "scope", "key", "the border between scope and key"],
)
def test_marks_differ_by(
    state: State, clock: ManualClock, pool_id: str, scope: str, key: str
) -> None:
    until = clock.now() + 300
    assert state.replay.first_time(POOL, "CorpSAML", "_id", until=until)
    assert state.replay.first_time(pool_id, scope, key, until=until)


@pytest.mark.parametrize(("age", "first"), [(299.5, False), (300.5, True)])
def test_a_mark_stands_until_its_time(
    state: State, clock: ManualClock, age: float, first: bool
) -> None:
    state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300)
    clock.advance(age)
    assert state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300) is first


def test_looking_leaves_no_mark(state: State, clock: ManualClock) -> None:
    assert not state.replay.seen(POOL, "CorpSAML", "_id")
    assert state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300)
    assert state.replay.seen(POOL, "CorpSAML", "_id")
    for pool_id, scope, key in (
        ("eu-west-1_two", "CorpSAML", "_id"),
        (POOL, "Other", "_id"),
        (POOL, "CorpSAML", "_ID"),
    ):
        assert not state.replay.seen(pool_id, scope, key)
    clock.advance(299.5)
    assert state.replay.seen(POOL, "CorpSAML", "_id")
    clock.advance(1)
    assert not state.replay.seen(POOL, "CorpSAML", "_id")


def test_a_mark_made_anew_stands_again(state: State, clock: ManualClock) -> None:
    state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 10)
    clock.advance(11)
    assert state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 10)
    clock.advance(9)
    assert not state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 10)


def test_a_replay_does_not_shorten_or_lengthen_the_mark(state: State, clock: ManualClock) -> None:
    state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300)
    assert not state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 1)
    assert not state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 9000)
    clock.advance(299)
    assert not state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300)
    clock.advance(2)
    assert state.replay.first_time(POOL, "CorpSAML", "_id", until=clock.now() + 300)
