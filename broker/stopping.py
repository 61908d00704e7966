"""How often a worker is told to stop: a second time, for one that missed the first, and never again.

granian's worker has room for two such messages. A third waits for room, in the handler of the signal, and
holds the interpreter meanwhile: no request that is under way can be finished, and the worker is killed with
them. Three come soon: a service manager signals every process of a service, a terminal every process of
its group, and the parent of the workers asks twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType

from granian import _signals

Handler = Callable[[int, FrameType | None], object]

_APART_SECONDS = 0.5
"""Signals of one wish to stop come closer together; who asks a second time waits longer."""


def tell_granian_at_most_twice() -> None:
    """Runs in the worker, before granian has it listen to signals."""
    listen = _signals.set_main_signals

    def set_main_signals(stop: Handler, reload: Handler | None = None) -> None:
        listen(at_most_twice(stop), reload)  # type: ignore[no-untyped-call]  # granian annotates its API alone

    _signals.set_main_signals = set_main_signals


def at_most_twice(handler: Handler, *, now: Callable[[], float] = time.monotonic) -> Handler:
    """``handler``, but for signals that come right behind the first, or after a second."""
    heard: list[float] = []

    def hear(number: int, frame: FrameType | None) -> None:
        at = now()
        if not heard or (len(heard) == 1 and at - heard[0] >= _APART_SECONDS):
            heard.append(at)
            handler(number, frame)

    return hear
