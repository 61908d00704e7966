"""Fetches under way: whoever needs the same one shares it, and nobody waits for one for long."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from broker.upstream.saml_renewal import MetadataRenewal

PATIENCE_SECONDS = 5.0
"""How long a sign-in waits for metadata that it cannot do without; the fetch itself goes on."""
PATIENCE_WITH_COPY_SECONDS = 1.5
HURRIED_AT_ONCE = 4
"""Fetches that are waited for because of an unknown key: whoever makes such keys up must not be able
to keep all threads waiting, for one provider after the other."""
SEATS = 64
"""Sign-ins that may wait for one such fetch: with a new key come all who sign in at that moment."""
FETCHERS = 2
"""Threads that fetch what nobody waits for."""


_log = logging.getLogger(__name__)


def in_background(work: Callable[[], None]) -> threading.Thread:
    """On a thread of its own, which keeps no process alive."""
    thread = threading.Thread(target=work, name="saml-metadata", daemon=True)
    thread.start()
    return thread


def in_parallel(work: Callable[[str], None], items: Iterable[str]) -> None:
    """A few at a time, on threads that keep no process alive; until all are done. One that fails is
    told of, and stops no other."""
    waiting = deque(items)

    def work_off() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except Exception:  # noqa: BLE001  # the item's own, whatever it is
                _log.exception("unexpected_error")

    for thread in [in_background(work_off) for _ in range(min(FETCHERS, len(waiting)))]:
        thread.join()


@dataclass(frozen=True, slots=True)
class _Flight:
    """A fetch under way. A seat is not given back: the next fetch has seats of its own."""

    over: Future[None] = field(default_factory=Future)
    seats: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SEATS))

    def wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self.over.result(timeout=seconds)

    def wait_seated(self) -> bool:
        """False: all seats are taken."""
        if not self.seats.acquire(blocking=False):
            return False
        self.wait(PATIENCE_SECONDS)
        return True


@dataclass(kw_only=True)
class Flights:
    """The fetches of one process, by URL."""

    renewal: MetadataRenewal
    landed: Callable[[str], None]
    """Told of each URL when its fetch is over, before those who wait for it."""
    later: Callable[[Callable[[], None]], object]
    _under_way: dict[str, _Flight] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _hurried: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._hurried = threading.BoundedSemaphore(HURRIED_AT_ONCE)

    def begin(self, url: str) -> _Flight:
        """The fetch under way, or one that begins now."""
        with self._lock:
            if (under_way := self._under_way.get(url)) is not None:
                return under_way
            flight = self._under_way[url] = _Flight()
        self.later(lambda: self._fly(url, flight, hurried=False))
        return flight

    def wait(self, url: str, *, has_copy: bool) -> None:
        """Fetch, or go on without when it takes long."""
        self.begin(url).wait(PATIENCE_WITH_COPY_SECONDS if has_copy else PATIENCE_SECONDS)

    def hurry(self, url: str, *, may_begin: bool) -> bool:
        """Wait, because of an unknown key, for the fetch under way; else, if ``may_begin``, for one that
        begins now. False: there is neither, or too many wait for the like already."""
        with self._lock:
            under_way = self._under_way.get(url)
            if under_way is None:
                if not may_begin or not self._hurried.acquire(blocking=False):
                    return False
                flight = self._under_way[url] = _Flight()
        if under_way is not None:
            return under_way.wait_seated()
        try:
            self.later(lambda: self._fly(url, flight, hurried=True))
            return flight.wait_seated()
        finally:
            self._hurried.release()

    def _fly(self, url: str, flight: _Flight, *, hurried: bool) -> None:
        try:
            self.renewal.renew(url, hurried=hurried)
        finally:
            with self._lock:
                del self._under_way[url]
            self.landed(url)
            flight.over.set_result(None)
