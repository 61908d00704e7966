"""A few connections to one database, each lent to one thread at a time.

SQLAlchemy's pool does more than the stores need (events, weak references, transactions of its own), and
that costs as much as a read of SQLite. Drivers are in autocommit mode here, and a connection that failed
is thrown away, so that there is nothing to reset and nothing to look after.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, LifoQueue
from typing import Generic, Protocol, TypeVar


class Closeable(Protocol):
    """What every driver's connection can do."""

    def close(self) -> None: ...


Lent = TypeVar("Lent", bound=Closeable)


class NoneFreeError(Exception):
    """Every connection stayed with others for as long as a thread may wait for one."""


class Connections(Generic[Lent]):
    """At most ``at_most`` of them, opened when they are first needed, the latest used first.

    Each has a place in the queue, and so has one that is not open (None): whoever takes a place gives
    it back. ``is_good`` tells of a connection that was idle whether it can still be used. Safe among
    threads.
    """

    def __init__(
        self,
        connect: Callable[[], Lent],
        *,
        at_most: int,
        patience: float,
        is_good: Callable[[Lent], bool] = lambda _: True,
    ) -> None:
        self._connect = connect
        self._patience = patience
        self._is_good = is_good
        self._places: LifoQueue[Lent | None] = LifoQueue()
        for _ in range(at_most):
            self._places.put(None)

    def take(self) -> Lent:
        """A connection, which is the caller's until ``give_back`` or ``discard``. Raises
        ``NoneFreeError`` after ``patience`` seconds, and what the driver raises while connecting."""
        try:
            kept = self._places.get(timeout=self._patience)
        except Empty:
            raise NoneFreeError(f"no connection came free in {self._patience} s") from None
        try:
            if kept is not None and self._is_good(kept):
                return kept
            if kept is not None:
                _close(kept)
            return self._connect()
        except BaseException:
            self._places.put(None)
            raise

    def give_back(self, connection: Lent) -> None:
        self._places.put(connection)

    def discard(self, connection: Lent) -> None:
        """Close it in place of giving it back: that undoes what was begun, and nobody meets what
        is wrong with it."""
        _close(connection)
        self._places.put(None)

    def close(self) -> None:
        """Close those that are not lent; each is opened anew when it is needed again."""
        idle = []
        with suppress(Empty):
            while True:
                idle.append(self._places.get_nowait())
        for connection in idle:
            if connection is not None:
                _close(connection)
            self._places.put(None)


def _close(connection: Closeable) -> None:
    """Whatever is wrong with it, it is not needed any more."""
    with suppress(Exception):
        connection.close()
