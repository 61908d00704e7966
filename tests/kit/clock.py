"""Time that stands still until a test moves it."""

from __future__ import annotations


class ManualClock:
    """A ``ports.Clock`` for tests."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
