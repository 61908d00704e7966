"""Removes expired rows now and then, a few at a time, along with the writes that make new ones."""

from __future__ import annotations

from itertools import count

import sqlalchemy as sa

from broker.ports import Clock
from broker.stores.engine import SqlEngine

EVERY = 256
"""Writes of one process between two sweeps."""
AT_MOST = 1000
"""Rows that one statement of a sweep removes: no request pays for a long pause."""


class Sweeper:
    """``statements`` take ``now`` and ``at_most``, and return a row for each row removed."""

    def __init__(self, sql: SqlEngine, clock: Clock, *statements: sa.ClauseElement) -> None:
        self._sql = sql
        self._clock = clock
        self._statements = statements
        self._writes = count(1)

    def wrote(self) -> None:
        if next(self._writes) % EVERY == 0:
            self.sweep(self._clock.now())

    def sweep(self, now: float) -> int:
        """How many rows it removed."""
        return sum(
            len(self._sql.write(statement, now=now, at_most=AT_MOST))
            for statement in self._statements
        )
