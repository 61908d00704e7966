"""The broker as a user starts it: ``broker serve`` in a process of its own.

Owns that process from its start to its end, together with all that it starts itself. Its output
goes to a file, which is shown when something goes wrong.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from broker.demo.ending import Ending
from broker.demo.servers import LOOPBACK

_START_SECONDS = 60
_POLL_SECONDS = 0.1
_STOP_SECONDS = 10
_LAST_LINES = 20
_PR_SET_PDEATHSIG = 1
_PASSED_ON = ("BROKER_DATABASE_URL", "BROKER_REDIS_URL")


class BrokerFailedError(Exception):
    """The broker did not start, or does not answer; the message says what it said."""


@dataclass(frozen=True, kw_only=True)
class BrokerProcess:
    """A broker that was started and answers in its own time."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def wait_until_healthy(self, ending: Ending) -> None:
        """Ask ``/health`` until it answers, the process has died, or it has taken too long."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_healthy():
            if self.process.poll() is not None:
                raise BrokerFailedError(f"The broker ended by itself.\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise BrokerFailedError(f"The broker does not answer.\n{self.last_words()}")
            ending.wait(_POLL_SECONDS)

    def last_words(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_LAST_LINES:])

    def _is_healthy(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/health", timeout=2).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False


def broker_command() -> str:
    """The ``broker`` command that belongs to this Python."""
    return str(Path(sys.executable).with_name("broker"))


@contextmanager
def serving(
    *, command: str, config: Path, port: int, state: Path, environ: Mapping[str, str]
) -> Iterator[BrokerProcess]:
    """``command serve`` on ``port`` until the block ends. No thread may run yet: the child's first
    act is Python's, and a lock that another thread held would stay locked in it."""
    log = state / "broker.log"
    serve = [command, "serve", "--config", str(config)]
    options = ["--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command and our own file names
            [*serve, *options],
            env=_environment(environ, state=state),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # no thread runs yet, see above
        )
    try:
        yield BrokerProcess(process=process, url=f"http://localhost:{port}", log=log)
    finally:
        _stop(process)


def _environment(environ: Mapping[str, str], *, state: Path) -> dict[str, str]:
    """As found, without settings of some other broker; databases may be chosen, state may not."""
    kept = {k: v for k, v in environ.items() if not k.startswith("BROKER_") or k in _PASSED_ON}
    return {**kept, "BROKER_STATE_DIR": str(state), "BROKER_LOG": "text"}


def _end_with_parent() -> None:
    """Linux: be told to end when the demo dies without having been able to say so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, insist; then end whatever the process left in its group."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill_group(process.pid)
        process.wait()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it is gone
