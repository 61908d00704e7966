"""What ``sqlite.py`` and ``postgresql.py`` tell the engine of their databases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """``engine`` knows the dialect and makes connections; it keeps none (``NullPool``)."""

    engine: sa.Engine
    begin: str
    """The statement that begins a transaction which will write."""
    connections: int
    """How many a process may have."""
    patience: float
    """Seconds a thread waits for one of them."""
    bulk: Callable[[Any], AbstractContextManager[object]]
    """A transaction on a driver's connection that nobody waits for at a browser, and so waits longer itself.
    It commits when the block ends well; after a failure the connection is not to be used again."""
    turn: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Held while something is written."""
    is_good: Callable[[Any], bool] = lambda _: True
    """Whether a driver's connection that was idle can still be used."""

    def connect(self) -> Any:
        """A connection of the driver's own, set up as the dialect does it."""
        connection = self.engine.raw_connection()
        driver = connection.driver_connection
        connection.detach()
        return driver
