"""Removes expired rows, a few at a time, behind the back of the requests.

No request sweeps: one that failed at it would lose what it had already done, such as the mark by which
an assertion is not accepted twice. Every worker sweeps about once a minute, also at the same moment as
the others: rows that another one has in hand are passed over, and each row goes once.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy import bindparam, delete, select

from broker.ports import Clock
from broker.stores.engine import SqlEngine

BATCH = 1000
"""Rows that one statement removes: sign-ins wait for no more than that."""
BATCHES = 100
"""Statements a table gets in one run: what is left then is for the next."""

_REST_SECONDS = 0.01
"""Between two batches, for writers that wait: locks go to whoever asks at the right moment."""


def expired(
    table: sa.Table, name: sa.Column[str], *late: sa.ColumnElement[bool]
) -> sa.ClauseElement:
    """What removes some of the rows of ``table`` that are ``late``, found by their ``name``, in which
    no two of them need to differ.

    A common table expression, which is evaluated once. PostgreSQL may evaluate a subquery for each row of
    the table, and that would find others each time, as those it has locked are passed over.
    """
    some = select(name).where(*late).limit(bindparam("at_most")).with_for_update(skip_locked=True)
    found = some.cte("found")
    return delete(table).where(*late, name.in_(select(found.c[0]))).returning(table.c.pool_id)


class Sweeper:
    """``statements`` take ``now`` and ``at_most``, and return a row for each row removed."""

    def __init__(self, sql: SqlEngine, clock: Clock, *statements: sa.ClauseElement) -> None:
        self._sql = sql
        self._clock = clock
        self._statements = statements

    def sweep(self) -> int:
        """Remove what has expired; how many rows that were. Raises ``StoreUnavailableError``."""
        now = self._clock.now()
        return sum(self._emptied(statement, now) for statement in self._statements)

    def _emptied(self, statement: sa.ClauseElement, now: float) -> int:
        removed = 0
        for _ in range(BATCHES):
            batch = len(self._sql.write(statement, now=now, at_most=BATCH))
            removed += batch
            if batch < BATCH:
                break
            time.sleep(_REST_SECONDS)
        return removed
