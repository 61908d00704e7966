"""Numbers for Prometheus, made from the log: what is logged is what is counted.

Every worker counts its own events in files of a number that is its own while it lives; the next one goes on
with them, so that there are never more than there were workers at once. One process of its own adds them up
and answers ``/metrics`` on an address that is not the public one. Labels are names of the configuration and
reasons, never people.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Metric

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client reads it when it is imported, which is why it is imported late."""

_CERTIFICATES = "broker.upstream.saml_expiry"
"""The logger that tells, below the level of the log, how long each provider's certificates last."""

_ATTEMPT = ("pool", "provider", "outcome", "reason")
"""What an event of ``login/events.py`` is counted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsListener:
    host: str
    port: int


@contextmanager
def exposed(listener: MetricsListener | None) -> Iterator[None]:
    """Answer ``/metrics`` for as long as the block lasts; with None nothing is counted."""
    if listener is None:
        yield
        return
    directory = tempfile.mkdtemp(prefix="broker-metrics-")
    os.environ[_DIRECTORY] = directory
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_answer, args=(listener,), name="metrics", daemon=True)
    process.start()
    try:
        yield
    finally:
        del os.environ[_DIRECTORY]
        process.terminate()
        process.join()
        shutil.rmtree(directory, ignore_errors=True)


def _answer(listener: MetricsListener) -> None:
    """The process that adds up. It ends with the broker, not with a terminal's Ctrl-C before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(_OfTheLiving(Path(os.environ[_DIRECTORY])))
    start_http_server(listener.port, listener.host, registry)
    threading.Event().wait()


def count_events() -> None:
    """Begin to count, in a worker: after the fork, before the first request."""
    if _DIRECTORY in os.environ:
        _count_in_files_of(_number(Path(os.environ[_DIRECTORY])))
        logging.getLogger().addHandler(EventCounter())
        logging.getLogger(_CERTIFICATES).setLevel(logging.DEBUG)


def _count_in_files_of(number: int) -> None:
    """As prometheus-client offers for workers that have numbers; otherwise it takes the process id."""
    from prometheus_client import values

    _forget(number)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: number)  # type: ignore[no-untyped-call]  # it has no annotations


_held: list[IO[bytes]] = []
"""The lock of this process: the system takes it away when the process ends, however it does."""


def _number(directory: Path) -> int:
    """The lowest number that no living worker has; it is this one's until the process ends."""
    numbers = ((n, _locked(directory / f"{n}.lock")) for n in itertools.count())
    number, lock = next((number, lock) for number, lock in numbers if lock is not None)
    _held.append(lock)
    return number


def _locked(path: Path) -> IO[bytes] | None:
    """The file, locked for as long as it is open; None if another process holds it."""
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _forget(number: int) -> None:
    """What a worker knew of the present dies with it; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(number)  # type: ignore[no-untyped-call]  # it has no annotations


@dataclass(frozen=True, slots=True)
class _OfTheLiving:
    """Adds up the files, after the gauges of workers that have ended were taken out of them."""

    directory: Path

    def collect(self) -> list[Metric]:
        from prometheus_client.multiprocess import MultiProcessCollector

        for path in self.directory.glob("*.lock"):
            lock = _locked(path)
            if lock is not None:
                with lock:  # and so no new worker can begin to use the number
                    _forget(int(path.stem))
        everything = MultiProcessCollector(None, str(self.directory))  # type: ignore[no-untyped-call]  # it has no annotations
        return list(everything.collect())  # type: ignore[no-untyped-call]  # it has no annotations


class EventCounter(logging.Handler):
    """Counts sign-ins, sign-outs and refusals, and keeps how long certificates last."""

    def __init__(self) -> None:
        super().__init__()
        from prometheus_client import Counter, Gauge

        self._attempts = {
            "sign_in": Counter(
                "broker_sign_ins",
                "Sign-ins by how they ended; reason is empty for those that succeeded.",
                _ATTEMPT,
            ),
            "sign_out": Counter(
                "broker_sign_outs",
                "Sign-outs in which a provider takes part: those it began, and what was refused.",
                _ATTEMPT,
            ),
        }
        self._refused = Counter(
            "broker_requests_refused", "Requests refused by an OAuth rule.", ("reason",)
        )
        self._failures = Counter(
            "broker_failures",
            "Faults of the broker's own, stores that are away included.",
            ("event",),
        )
        self._days = Gauge(
            "broker_saml_certificate_days_left",
            "Days until the last signing certificate of a SAML provider expires.",
            ("pool", "provider"),
            multiprocess_mode="livemostrecent",
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Whatever goes wrong here is no business of the request that was logged."""
        try:
            self._count(record)
        except Exception:  # noqa: BLE001  # as every handler of the standard library does
            self.handleError(record)

    def _count(self, record: logging.LogRecord) -> None:
        event = record.getMessage()
        if event in self._attempts:
            self._attempts[event].labels(*(_text(record, name) for name in _ATTEMPT)).inc()
        elif event == "request_refused":
            self._refused.labels(_text(record, "reason")).inc()
        elif event == "saml_certificate":
            days = self._days.labels(_text(record, "pool"), _text(record, "provider"))
            days.set(float(_text(record, "days_left")))
        elif record.levelno >= logging.ERROR:
            self._failures.labels(event if event.isidentifier() else "other").inc()


def _text(record: logging.LogRecord, name: str) -> str:
    value = getattr(record, name, None)
    return "" if value is None else str(value)
