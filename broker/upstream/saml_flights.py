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
"""Sign-ins that may wait because of an unknown key: whoever makes such keys up must not be able to
keep all threads waiting, one for each provider."""
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


@dataclass(kw_only=True)
class Flights:
    """The fetches of one process, by URL."""

    renewal: MetadataRenewal
    landed: Callable[[str], None]
    """Told of each URL when its fetch is over, before those who wait for it."""
    later: Callable[[Callable[[], None]], object]
    _under_way: dict[str, Future[None]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _hurried: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._hurried = threading.BoundedSemaphore(HURRIED_AT_ONCE)

    def begin(self, url: str, *, hurried: bool = False) -> Future[None]:
        """The fetch under way, or one that begins now."""
        with self._lock:
            if (under_way := self._under_way.get(url)) is not None:
                return under_way
            flight = self._under_way[url] = Future()
        self.later(lambda: self._fly(url, flight, hurried=hurried))
        return flight

    def _fly(self, url: str, flight: Future[None], *, hurried: bool) -> None:
        try:
            self.renewal.renew(url, hurried=hurried)
        finally:
            with self._lock:
                del self._under_way[url]
            self.landed(url)
            flight.set_result(None)

    def wait(self, url: str, *, has_copy: bool) -> None:
        """Fetch, or go on without when it takes long."""
        seconds = PATIENCE_WITH_COPY_SECONDS if has_copy else PATIENCE_SECONDS
        with suppress(TimeoutError):
            self.begin(url).result(timeout=seconds)

    def hurry(self, url: str) -> bool:
        """Fetch because of an unknown key. False: too many wait for the like already."""
        if not self._hurried.acquire(blocking=False):
            return False
        try:
            with suppress(TimeoutError):
                self.begin(url, hurried=True).result(timeout=PATIENCE_SECONDS)
        finally:
            self._hurried.release()
        return True
