"""What every ``SingleUseStore`` keeps."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.model.stored import Kind, Spent
from tests.kit.clock import ManualClock
from tests.kit.store_backends import State

POOL = "eu-west-1_one"


def test_a_value_is_taken_once(state: State) -> None:
    state.single_use.put(POOL, Kind.TRANSACTION, "key", b"value", lifetime=300)
    assert state.single_use.take(POOL, Kind.TRANSACTION, "key") == b"value"
    assert state.single_use.take(POOL, Kind.TRANSACTION, "key") is None


def test_a_value_takes_the_place_of_one_that_is_there(state: State) -> None:
    for value in (b"old", b"new"):
        state.single_use.put(POOL, Kind.UPSTREAM_SESSION, "key", value, lifetime=300)
    assert state.single_use.take(POOL, Kind.UPSTREAM_SESSION, "key") == b"new"
    assert state.single_use.take(POOL, Kind.UPSTREAM_SESSION, "key") is None


def test_values_are_told_apart_by_their_keys(state: State) -> None:
    for key in ("one", "two", "three"):
        state.single_use.put(POOL, Kind.CODE, key, key.encode(), lifetime=300)
    assert state.single_use.take(POOL, Kind.CODE, "two") == b"two"
    assert state.single_use.spend(POOL, Kind.CODE, "three", remember=300) == Spent(
        b"three", first=True
    )
    assert state.single_use.take(POOL, Kind.CODE, "one") == b"one"


def test_what_was_never_put_is_unknown(state: State) -> None:
    assert state.single_use.take(POOL, Kind.CODE, "key") is None
    assert state.single_use.spend(POOL, Kind.CODE, "key", remember=300) is None


@pytest.mark.parametrize(("age", "found"), [(299.9, b"value"), (300, None), (301, None)])
def test_a_value_lives_for_its_lifetime(
    state: State, clock: ManualClock, age: float, found: bytes | None
) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    clock.advance(age)
    assert state.single_use.take(POOL, Kind.CODE, "key") == found


def test_one_kind_is_never_taken_for_another(state: State) -> None:
    state.single_use.put(POOL, Kind.TRANSACTION, "key", b"value", lifetime=300)
    assert state.single_use.take(POOL, Kind.CODE, "key") is None
    assert state.single_use.spend(POOL, Kind.LOGOUT, "key", remember=300) is None
    assert state.single_use.take(POOL, Kind.TRANSACTION, "key") == b"value"


def test_one_pool_does_not_see_anothers_value(state: State) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    assert state.single_use.take("eu-west-1_two", Kind.CODE, "key") is None
    assert state.single_use.spend("eu-west-1_two", Kind.CODE, "key", remember=300) is None
    assert state.single_use.take(POOL, Kind.CODE, "key") == b"value"


def test_spending_has_one_first_and_remembers_the_value(state: State) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    outcomes = [state.single_use.spend(POOL, Kind.CODE, "key", remember=300) for _ in range(3)]
    assert outcomes == [Spent(b"value", first=True), *[Spent(b"value", first=False)] * 2]


@pytest.mark.parametrize("age", [300, 301])
def test_what_expired_unused_cannot_be_spent(state: State, clock: ManualClock, age: float) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    clock.advance(age)
    assert state.single_use.spend(POOL, Kind.CODE, "key", remember=600) is None


def test_a_spent_value_is_remembered_from_its_first_use(state: State, clock: ManualClock) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    clock.advance(299)
    state.single_use.spend(POOL, Kind.CODE, "key", remember=600)
    clock.advance(599)
    assert state.single_use.spend(POOL, Kind.CODE, "key", remember=600) == Spent(
        b"value", first=False
    )
    clock.advance(2)
    assert state.single_use.spend(POOL, Kind.CODE, "key", remember=600) is None


@pytest.mark.parametrize("seconds", [10, 300])
def test_remembering_may_be_shorter_than_the_lifetime(
    state: State, clock: ManualClock, seconds: int
) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    state.single_use.spend(POOL, Kind.CODE, "key", remember=seconds)
    clock.advance(seconds)
    assert state.single_use.spend(POOL, Kind.CODE, "key", remember=seconds) is None


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(key=st.text(alphabet=st.characters(exclude_categories=())), value=st.binary())
def test_any_key_and_any_value_come_back_as_they_were(state: State, key: str, value: bytes) -> None:
    state.single_use.put(POOL, Kind.LOGOUT, key, value, lifetime=300)
    spent = state.single_use.spend(POOL, Kind.LOGOUT, key, remember=300)
    assert spent == Spent(value, first=True)
    assert state.single_use.take(POOL, Kind.LOGOUT, key) == value
