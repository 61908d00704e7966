"""Runs the application under granian: worker processes, TLS, graceful stop and reload.

The configuration is read once, before the workers fork. SIGTERM finishes requests in flight; SIGHUP reads
the configuration again and replaces the workers one by one. If the new configuration is faulty, a file
that it needs cannot be used, or the database does not answer, the workers stay as they are.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server.mp import MPServer

from broker import log, metrics, processors, stopping, wiring
from broker.app import create_app
from broker.installation import Installation, install
from broker.listening import CannotListenError, Listener, TlsFiles
from broker.login import upkeep
from broker.login.broker import Broker
from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.settings import Settings

_log = logging.getLogger("broker.server")
_DRAIN_SECONDS = 20
_RELOAD_PAUSE_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 1.0
_UPKEEP_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def serve(load: Callable[[], Settings], listener: Listener) -> None:
    """Serve until SIGINT or SIGTERM. ``load`` reads the configuration, now and at each SIGHUP.

    Raises ``ConfigurationError`` for a faulty configuration, ``CannotListenError``, and
    ``StoreUnavailableError`` when the database does not answer. The caller has to see to it that
    SIGHUP does not end the process before it is listened to here.
    """
    settings = load()
    log.configure(settings.log_format)
    _report(settings)
    listener = listener.ready()
    current = _Current(load, install(settings), listener.tls)
    server = _Server(
        "broker",
        address=listener.host,
        port=listener.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # an HTTP/2 stream that ends in its body keeps a thread busy for ever
        workers=listener.workers,
        ssl_cert=None if listener.tls is None else listener.tls.chain,
        ssl_key=None if listener.tls is None else listener.tls.key,
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.warning,
        log_dictconfig=_granian_logging(lambda: server.interrupt_signal),
        workers_kill_timeout=_DRAIN_SECONDS,
        respawn_failed_workers=True,
        respawn_interval=_RELOAD_PAUSE_SECONDS,
    )
    server.may_reload = current.reload
    server.has_own_processors = listener.cpu_affinity
    _log.info("serving", extra={"url": listener.url, "pools": len(settings.pools)})
    # Not Python's own choice on macOS, nor anywhere since 3.14.
    multiprocessing.set_start_method("fork", force=True)
    _share_with_workers()
    _Children()
    with metrics.exposed(listener.metrics):
        server.serve(target_loader=current.application, wrap_loader=False)


class _Server(MPServer):
    """granian's server, but for a reload that may be refused, a stop that everybody hears, and
    workers that know their places."""

    may_reload: Callable[[], bool]
    has_own_processors = False

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:  # type: ignore[override]  # as MPServer has it
        loader = partial(self._settled, idx, callback_loader)
        return super()._spawn_worker(idx, target, loader)

    def _settled(self, worker: int, load: Callable[[], Any]) -> Any:
        """Runs in the worker, before it has threads."""
        stopping.tell_granian_at_most_twice()
        if self.has_own_processors:
            processors.settle(worker, workers=self.workers)
        return load()

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        """In the place of granian's own. What is signalled meanwhile is seen to afterwards."""
        self.reload_signal = False
        self.main_loop_interrupt.clear()
        if not self.interrupt_signal and self.may_reload():
            self.respawned_wrks.clear()
            everyone = list(range(self.workers))
            self._respawn_workers(everyone, spawn_target, target_loader, self.respawn_interval)
        if self.interrupt_signal:
            self.main_loop_interrupt.set()

    def _stop_workers(self) -> None:
        """Ask twice: a worker that begins to listen to signals in that moment misses the first
        one, and would be waited for until it is killed."""
        deadline = time.monotonic() + _ASK_AGAIN_SECONDS
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]  # granian annotates its API alone
        for worker in self.wrks:
            worker.join(max(0.0, deadline - time.monotonic()))  # type: ignore[no-untyped-call]  # as above
        super()._stop_workers()  # type: ignore[no-untyped-call]  # as above


class _Children:
    """What holds for every process that is forked from now on."""

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._libc = ctypes.CDLL(None)  # loaded before the fork, which may come at any moment
        os.register_at_fork(before=self._note_parent, after_in_child=self._begin)

    def _note_parent(self) -> None:
        self._parent = os.getpid()

    def _begin(self) -> None:
        """SIGTERM ends a worker that is still starting: it has no request to finish yet. It would
        inherit the parent's handler, which means nothing to it, and be waited for in vain."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._die_with_parent()

    def _die_with_parent(self) -> None:
        """End when the parent is killed, as surely as it was: nobody would be left to replace or to
        stop this process, and its port would stay taken. Linux alone has a signal for that."""
        if sys.platform == "linux":
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent:  # it was killed before we asked for the signal
            os._exit(1)


class _Current:
    """What new workers get."""

    def __init__(
        self, load: Callable[[], Settings], installation: Installation, tls: TlsFiles | None
    ) -> None:
        self._load = load
        self._installation = installation
        self._tls = tls
        self._reloaded_at = 0.0

    def reload(self) -> bool:
        """Whether there is something new to serve: all of it is good, or nothing changes.

        Fetched metadata is asked for again by the workers that come then.
        """
        asked_at = wiring.SystemClock().now()
        try:
            installation = self._read()
        except ConfigurationError as error:
            return _kept(*error.faults)
        except (StoreUnavailableError, CannotListenError) as error:
            return _kept(str(error))
        self._installation, self._reloaded_at = installation, asked_at
        _share_with_workers()
        _report(installation.settings)
        pools = len(installation.settings.pools)
        _log.info("configuration_reloaded", extra={"pools": pools})
        return True

    def _read(self) -> Installation:
        settings = self._load()
        if self._tls is not None:
            self._tls.check()
        return install(settings, before=self._installation)

    def application(self) -> Callable[..., Any]:
        """Runs in each worker: connections and threads are made after the fork, never before."""
        settings, keys = self._installation.settings, self._installation.keys
        log.configure(settings.log_format)
        metrics.count_events()
        broker = wiring.build(settings, keys=keys, renew_since=self._reloaded_at)
        threading.Thread(target=_keep_up, args=(broker,), name="upkeep", daemon=True).start()
        return create_app(broker).wsgi_app


def _kept(*faults: str) -> bool:
    _log.error("configuration_kept", extra={"faults": list(faults)})
    return False


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


def _granian_logging(is_stopping: Callable[[], bool]) -> dict[str, Any]:
    """granian's own records go the way of all others, but for what means nothing here."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"meant": {"()": lambda: lambda record: _is_meant(record, is_stopping())}},
        "loggers": {
            "_granian": {
                "level": "WARNING",
                "handlers": [],
                "propagate": True,
                "filters": ["meant"],
            }
        },
    }


def _is_meant(record: logging.LogRecord, is_stopping: bool) -> bool:  # noqa: FBT001  # one fact
    """Threads are many on purpose, as most of them wait for a store or an identity provider. And
    that a worker exits is expected once a signal, which may have reached it too, ends the broker."""
    text = record.getMessage()
    return "Python threads" not in text and not (is_stopping and "Unexpected exit" in text)
