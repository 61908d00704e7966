"""One value that a provider publishes and changes now and then, kept while it is good.

Owns when to ask again, and how often a caller may insist; what is fetched, and how its failure is worded,
is the caller's. Callers that need a fetch at the same moment share one, its failure included, and only so
many wait for it: a provider that stalls holds a few requests, not all of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from broker.model.errors import Reason, UpstreamError
from broker.ports import Clock

RETRY_SECONDS = 30
"""How long a failure is believed where an older value, or another source, will do."""

HURRIED_PER_MINUTE = 5
_MINUTE = 60

MAX_WAITING = 16
"""How many requests of a process wait for one provider; the next ones are refused at once."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_T]):
    value: _T
    at: float


@dataclass(kw_only=True)
class Ration:
    """How often one kind of caller may hurry a fetch, so that made-up key names are no flood."""

    clock: Clock
    _spent: deque[float] = field(
        default_factory=lambda: deque(maxlen=HURRIED_PER_MINUTE), init=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def spend(self) -> bool:
        """Whether there was one left of the ``HURRIED_PER_MINUTE``."""
        now = self.clock.now()
        with self._lock:
            if sum(0 <= now - at < _MINUTE for at in self._spent) >= HURRIED_PER_MINUTE:
                return False
            self._spent.append(now)
            return True


@dataclass(kw_only=True)
class Cached(Generic[_T]):
    """``fetch()`` and its last result. ``fetch`` raises ``UpstreamError``, so does this."""

    fetch: Callable[[], _T]
    clock: Clock
    fresh_seconds: float
    stale_seconds: float
    """How long an old value serves while the provider cannot be reached."""
    _kept: _Kept[_T] | None = field(default=None, init=False)
    _failed_at: float = field(default=float("-inf"), init=False)
    _waiting: int = field(default=0, init=False)
    _flight: Future[_T] | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def get(self) -> _T:
        """The value; fetched when there is none or it is old. Raises what ``fetch`` raised."""
        if self._kept_within(self.stale_seconds) is None:
            return self._joined()
        value = self.peek()
        return self._joined() if value is None else value

    def peek(self) -> _T | None:
        """The value if it can be had without insisting: a recent failure is not tried again, and
        an old value serves meanwhile. None: there is none, or it is too old to serve."""
        fresh = self._kept_within(self.fresh_seconds)
        if fresh is not None:
            return fresh
        if not self._is_younger(self._failed_at, RETRY_SECONDS):
            with suppress(UpstreamError):
                return self._joined()
        return self._kept_within(self.stale_seconds)

    def newer(self, seen: _T, ration: Ration) -> _T | None:
        """Something else than ``seen``, fetched now, whatever the age of what is kept.

        None: the ``ration`` is spent. Raises what ``fetch`` raised.
        """
        kept = self._kept
        if kept is not None and kept.value is not seen:
            return kept.value
        if self._flight is None and not ration.spend():
            return None
        return self._joined()

    def _kept_within(self, seconds: float) -> _T | None:
        kept = self._kept
        return kept.value if kept is not None and self._is_younger(kept.at, seconds) else None

    def _is_younger(self, at: float, seconds: float) -> bool:
        # A clock that was set back makes everything old rather than fresh for longer.
        return 0 <= self.clock.now() - at < seconds

    def _joined(self) -> _T:
        """One fetch for everybody who asks while it is under way."""
        flight, is_ours = self._boarded()
        if is_ours:
            self._fly(flight)
            return flight.result()
        try:
            return flight.result()
        finally:
            with self._lock:
                self._waiting -= 1

    def _boarded(self) -> tuple[Future[_T], bool]:
        """The fetch that is under way, with a place in its queue; or a new one, for the caller to
        make."""
        with self._lock:
            if self._flight is not None:
                self._join_queue()
                return self._flight, False
            self._flight = Future()
            return self._flight, True

    def _join_queue(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise UpstreamError(
                Reason.PROVIDER_BUSY,
                "The identity provider does not answer.",
                expected="an answer of the provider",
                received=f"none yet, and {MAX_WAITING} requests wait for it",
            )
        self._waiting += 1

    def _fly(self, flight: Future[_T]) -> None:
        try:
            value = self.fetch()
            self._kept = _Kept(value, self.clock.now())
            flight.set_result(value)
        except UpstreamError as error:
            self._failed_at = self.clock.now()
            flight.set_exception(error)
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                self._flight = None
