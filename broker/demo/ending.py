"""How the demo learns that it should end: SIGINT, SIGTERM or SIGHUP, noticed between two steps.

A signal never interrupts a step by an exception, so whatever a step started is known to those who
clean up.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndRequestedError(Exception):
    """Somebody wants the demo to end. Not a failure."""


class Ending:
    """A wish to end, and the one way to wait here."""

    def __init__(self, wished: int) -> None:
        self._wished = wished

    def wait(self, seconds: float | None = None) -> None:
        """Pass ``seconds``, or for ever; raises ``EndRequestedError`` as soon as it is wished."""
        readable, _, _ = select.select([self._wished], [], [], seconds)
        if readable:
            raise EndRequestedError

    def check(self) -> None:
        """Raises ``EndRequestedError`` if it was wished."""
        self.wait(0)


@contextmanager
def ending() -> Iterator[Ending]:
    """Take over the signals until the block ends. A pipe carries the wish, because a handler may
    run at any moment, even while this thread holds a lock."""
    wished, wish = os.pipe()
    os.set_blocking(wish, False)
    previous = {number: signal.signal(number, lambda *_: _write(wish)) for number in _SIGNALS}
    try:
        yield Ending(wished)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(wish)
        os.close(wished)


def _write(wish: int) -> None:
    try:
        os.write(wish, b"!")
    except BlockingIOError:
        return  # the pipe is full of wishes already
