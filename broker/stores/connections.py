"""A few connections to one database, each lent to one thread at a time.

SQLAlchemy's pool does more than the stores need (events, weak references, transactions of its own), and
that costs as much as a read of SQLite. Drivers are in autocommit mode here, and a connection that failed
is thrown away, so that there is nothing to reset and nothing to look after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Closeable(Protocol):
    """What every driver's connection can do."""

    def close(self) -> None: ...


Lent = TypeVar("Lent", bound=Closeable)


class NoneFreeError(Exception):
    """Every connection stayed with others for as long as a thread may wait for one."""


class Connections(Generic[Lent]):
    """At most ``at_most`` of them, opened when they are first needed, the latest used first.

    Each has a place, and so has one that is not open (None): whoever takes a place gives it back, to
    the thread that has waited longest. Those of the standard library's queues go to whoever comes by
    in that moment, and a thread that has to be woken up may never be that.

    ``is_good`` tells of a connection that was idle whether it can still be used. Safe among threads.
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
        self._lock = Lock()
        self._idle: list[Lent | None] = [None] * at_most
        self._waiting: deque[SimpleQueue[Lent | None]] = deque()

    def take(self) -> Lent:
        """A connection, which is the caller's until ``give_back`` or ``discard``. Raises
        ``NoneFreeError`` after ``patience`` seconds, and what the driver raises while connecting."""
        kept = self._place()
        try:
            if kept is not None and self._is_good(kept):
                return kept
            if kept is not None:
                _close(kept)
            return self._connect()
        except BaseException:
            self._free(None)
            raise

    def _place(self) -> Lent | None:
        """One that is idle, or else the next that comes free after those before this thread."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            turn: SimpleQueue[Lent | None] = SimpleQueue()
            self._waiting.append(turn)
        try:
            return turn.get(timeout=self._patience)
        except Empty:
            return self._last_moment(turn)

    def _last_moment(self, turn: SimpleQueue[Lent | None]) -> Lent | None:
        """What came after patience had ended, but before this thread could say so."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                raise NoneFreeError(f"no connection came free in {self._patience} s")
        return turn.get_nowait()

    def _free(self, place: Lent | None) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().put(place)
            else:
                self._idle.append(place)

    def give_back(self, connection: Lent) -> None:
        self._free(connection)

    def discard(self, connection: Lent) -> None:
        """Close it in place of giving it back: that undoes what was begun, and nobody meets what
        is wrong with it."""
        _close(connection)
        self._free(None)

    def close(self) -> None:
        """Close those that are not lent; each is opened anew when it is needed again."""
        with self._lock:
            idle, self._idle = self._idle, [None] * len(self._idle)
        for connection in idle:
            if connection is not None:
                _close(connection)


def _close(connection: Closeable) -> None:
    """Whatever is wrong with it, it is not needed any more."""
    with suppress(Exception):
        connection.close()
