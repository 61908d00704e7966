"""A circuit breaker: stop calling a provider that does not answer, for a moment.

Without it every sign-in at a dead provider holds a thread for the whole timeout. It counts only
what means "not there": failed connections and timeouts in a row. It guards calls behind the
browser's back, never the redirect of the browser itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

THRESHOLD = 5
OPEN_SECONDS = 5.0


@dataclass(kw_only=True)
class Breaker:
    """Opens after ``THRESHOLD`` failures in a row; then one failure a time opens it again."""

    monotonic: Callable[[], float]
    _failures: int = field(default=0, init=False)
    _open_until: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def is_open(self) -> bool:
        return self.monotonic() < self._open_until

    def answered(self) -> None:
        """Somebody is there, whatever the answer says."""
        self._failures = 0

    def failed(self) -> None:
        """No connection, or no answer in time."""
        with self._lock:
            self._failures += 1
            if self._failures >= THRESHOLD:
                self._open_until = self.monotonic() + OPEN_SECONDS
