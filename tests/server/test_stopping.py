"""How often a worker is told to stop."""

from __future__ import annotations

import signal

import pytest

from broker.stopping import at_most_twice


@pytest.mark.parametrize(
    ("at", "heard"),
    [
        ([0.0], [0.0]),
        ([0.0, 0.0, 0.01, 0.49], [0.0]),
        ([0.0, 0.01, 1.0], [0.0, 1.0]),
        ([0.0, 1.0, 2.0, 60.0], [0.0, 1.0]),
    ],
    ids=["once", "several at once", "asked again", "and again"],
)
def test_a_worker_hears_the_first_and_one_that_is_repeated(
    at: list[float], heard: list[float]
) -> None:
    told, clock = [], iter(at)
    now = 0.0

    def time() -> float:
        nonlocal now
        now = next(clock)
        return now

    hear = at_most_twice(lambda *_: told.append(now), now=time)
    for _ in at:
        hear(signal.SIGTERM, None)
    assert told == heard
