"""Numbers for Prometheus, made from the log: what is logged is what is counted.

Every worker counts its own events in files that they share, and one process of its own adds them up and
answers ``/metrics`` on an address that is not the public one. Labels are names of the configuration and
reasons, never people.
"""

from __future__ import annotations

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
        process.terminate()
        process.join()
        shutil.rmtree(directory, ignore_errors=True)


def _answer(listener: MetricsListener) -> None:
    """The process that adds up. It ends with the broker, not with a terminal's Ctrl-C before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no annotations
    start_http_server(listener.port, listener.host, registry)
    threading.Event().wait()


def count_events() -> None:
    """Begin to count, in a worker: after the fork, before the first request."""
    if _DIRECTORY in os.environ:
        logging.getLogger().addHandler(EventCounter())
        logging.getLogger(_CERTIFICATES).setLevel(logging.DEBUG)


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
            multiprocess_mode="mostrecent",
        )

    def emit(self, record: logging.LogRecord) -> None:
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
