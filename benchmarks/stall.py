"""What a provider that stalls costs the sign-ins at another one: latency with and without it.

Twenty people come back from the stalled provider at once, and their requests wait for its token endpoint
until the broker's deadline. Meanwhile others sign in at the SAML provider, one after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from benchmarks.driver import STALLED, Person
from benchmarks.idp import Idp
from benchmarks.op import Op

HANGING = 20
_PEOPLE = 2
_SECONDS = 4.0
"""Less than the broker's deadline of five: all of them hang for as long as is measured."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a whole SAML sign-in (three requests)."""

    p50: float
    p95: float
    count: int

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms ({self.count} sign-ins)"


def measure(port: int, idp: Idp, op: Op) -> Iterator[tuple[str, Latency]]:
    """Alone and beside the stalled provider by turns, so that a busy machine is busy for both."""
    samples: dict[str, list[float]] = {"alone": [], f"{HANGING} hang": []}
    alone, beside = samples.values()
    for provider in STALLED:
        alone += _latencies(port, idp, op)
        with _hanging(port, idp, op, provider):
            beside += _latencies(port, idp, op)
    for name, seconds in samples.items():
        centiles = statistics.quantiles(seconds, n=20)
        yield name, Latency(statistics.median(seconds) * 1000, centiles[-1] * 1000, len(seconds))


@contextmanager
def _hanging(port: int, idp: Idp, op: Op, provider: str) -> Iterator[None]:
    """The block runs while everybody hangs at ``provider``; each has a provider of its own, because
    the broker leaves one that did not answer alone for a while."""
    people = [Person(port=port, idp=idp, op=op, name_id=f"hanging-{n}") for n in range(HANGING)]
    returns = [person.return_from(provider) for person in people]
    with ThreadPoolExecutor(HANGING) as threads:
        pending = [threads.submit(come_back) for come_back in returns]
        op.wait_until_hanging(HANGING)
        yield
        if wait(pending, timeout=0).done:
            raise SystemExit("Not everybody was hanging for as long as was measured.")
        for each in pending:
            each.result()


def _latencies(port: int, idp: Idp, op: Op) -> list[float]:
    people = [Person(port=port, idp=idp, op=op, name_id=f"waiting-{n}") for n in range(_PEOPLE)]
    with ThreadPoolExecutor(_PEOPLE) as threads:
        return list(chain(*threads.map(_repeated, [person.saml_login for person in people])))


def _repeated(operation: Callable[[], None]) -> list[float]:
    """Seconds that each of many runs takes; the first, which connects, does not count."""
    operation()
    end, taken = time.monotonic() + _SECONDS, []
    while (start := time.monotonic()) < end:
        operation()
        taken.append(time.monotonic() - start)
    return taken
