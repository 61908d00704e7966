"""Runs the application under granian: worker processes, TLS, graceful stop and reload.

The configuration is read once, before the workers fork. SIGTERM finishes requests in flight; SIGHUP reads
the configuration again and replaces the workers one by one, or keeps the old one if the new is faulty or
the database does not answer.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server import Server

from broker import log, metrics, wiring
from broker.app import create_app
from broker.login import upkeep
from broker.login.broker import Broker
from broker.metrics import MetricsListener
from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.settings import Settings

_log = logging.getLogger("broker.server")
_DRAIN_SECONDS = 20
_RELOAD_PAUSE_SECONDS = 1.0
_UPKEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where to listen. ``tls`` is a certificate chain and its key, PEM files."""

    host: str
    port: int
    workers: int
    tls: tuple[Path, Path] | None = None
    metrics: MetricsListener | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"


class AddressInUseError(Exception):
    """Somebody else listens there."""


def serve(load: Callable[[], Settings], listener: Listener) -> None:
    """Serve until SIGINT or SIGTERM. ``load`` reads the configuration, now and at each SIGHUP.

    Raises ``ConfigurationError`` for a faulty configuration, ``AddressInUseError``, and
    ``StoreUnavailableError`` when the database does not answer. The caller has to see to it that
    SIGHUP does not end the process before it is listened to here.
    """
    settings = load()
    log.configure(settings.log_format)
    _report(settings)
    _require_free(listener)
    wiring.prepare(settings)
    current = _Current(load, settings)
    server = Server(
        "broker",
        address=listener.host,
        port=listener.port,
        interface=Interfaces.WSGI,
        workers=listener.workers,
        ssl_cert=None if listener.tls is None else listener.tls[0],
        ssl_key=None if listener.tls is None else listener.tls[1],
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.warning,
        log_dictconfig=_granian_logging(),
        workers_kill_timeout=_DRAIN_SECONDS,
        respawn_failed_workers=True,
        respawn_interval=_RELOAD_PAUSE_SECONDS,
    )
    server.on_reload(current.reload)
    _log.info("serving", extra={"url": listener.url, "pools": len(settings.pools)})
    _share_with_workers()
    with metrics.exposed(listener.metrics):
        os.register_at_fork(after_in_child=_end_at_once)
        server.serve(target_loader=current.application, wrap_loader=False)


def _end_at_once() -> None:
    """SIGTERM ends a worker that is still starting: it has no request to finish yet.

    It would inherit the parent's handler, which means nothing to it, and be waited for in vain.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Current:
    """The configuration that new workers get."""

    def __init__(self, load: Callable[[], Settings], settings: Settings) -> None:
        self._load = load
        self._settings = settings
        self._reloaded_at = 0.0

    def reload(self) -> None:
        """A faulty configuration changes nothing: workers come back with the one that works.

        Keys and metadata are read again by the workers, which are new either way.
        """
        self._reloaded_at = wiring.SystemClock().now()
        try:
            settings = self._load()
            wiring.prepare(settings)
        except ConfigurationError as error:
            _log.error("configuration_kept", extra={"faults": list(error.faults)})
            return
        except StoreUnavailableError as error:
            _log.error("configuration_kept", extra={"faults": [str(error)]})
            return
        self._settings = settings
        _share_with_workers()
        _report(settings)
        _log.info("configuration_reloaded", extra={"pools": len(settings.pools)})

    def application(self) -> Callable[..., Any]:
        """Runs in each worker: connections and threads are made after the fork, never before."""
        settings = self._settings
        log.configure(settings.log_format)
        metrics.count_events()
        broker = wiring.build(settings, renew_since=self._reloaded_at)
        threading.Thread(target=_keep_up, args=(broker,), name="upkeep", daemon=True).start()
        return create_app(broker).wsgi_app


def _keep_up(broker: Broker) -> None:
    """What goes on behind the requests, for as long as the worker lives."""
    pause = threading.Event()
    upkeep.warm_up(broker)
    while not pause.wait(_UPKEEP_SECONDS):
        upkeep.keep_up(broker)


def _share_with_workers() -> None:
    """Garbage collection writes into every object it looks at, and what is written to is no longer
    shared after the fork: take what there is now out of its sight."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _report(settings: Settings) -> None:
    for warning in settings.warnings:
        _log.warning("configuration", extra={"warning": warning})


def _require_free(listener: Listener) -> None:
    """granian would report a taken port as a crash."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.host, listener.port))
        except OSError as error:
            raise AddressInUseError(f"{listener.host}:{listener.port}: {error.strerror}") from error


def _granian_logging() -> dict[str, Any]:
    """granian's own records go the way of all others, but for its advice about threads: they are
    many on purpose, as most of them wait for a store or an identity provider."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"advice": {"()": lambda: _is_no_advice}},
        "loggers": {
            "_granian": {
                "level": "WARNING",
                "handlers": [],
                "propagate": True,
                "filters": ["advice"],
            }
        },
    }


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "Python threads" not in record.getMessage()
