"""``broker demo`` as its users start it: a process that talks, and has to leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import IO
from urllib.parse import urlsplit

_START_SECONDS = 120
_END_SECONDS = 20
_URL = re.compile(r"http://[\w.]+:\d+")


@dataclass
class Demo:
    """A demo that was started. ``lines`` is what it has said so far."""

    process: subprocess.Popen[str]
    temporary: Path
    lines: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)

    def read_until(self, beginning: str) -> str:
        """The first line that begins so; the test fails when the demo ends before."""
        with self._watched(_START_SECONDS) as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))
                if line.startswith(beginning):
                    self.pids |= descendants(self.process.pid)
                    return self.lines[-1]
        raise AssertionError(self.said)

    @property
    def url(self) -> str:
        """The sample app."""
        return self.lines[-1].removeprefix("Open ")

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def end(self, number: signal.Signals) -> int:
        """Send the signal and read to the end; the exit status."""
        self.pids |= descendants(self.process.pid)
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        with self._watched(_END_SECONDS) as output:
            self.lines += output.read().splitlines()
            return self.process.wait()

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[IO[str]]:
        """Its output; a demo that takes longer than ``seconds`` is killed."""
        assert self.process.stdout is not None
        watchdog = Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            yield self.process.stdout
        finally:
            watchdog.cancel()

    def leftovers(self) -> list[str]:
        """Processes, listening ports and files that should be gone."""
        ports = {urlsplit(url).port for url in _URL.findall(self.said)}
        return [
            *(f"process {pid}" for pid in self.pids if Path(f"/proc/{pid}").exists()),
            *(f"port {port}" for port in ports if port and is_open(port)),
            *(str(path) for path in self.temporary.iterdir()),
        ]


@contextmanager
def running_demo(temporary: Path, environ: Mapping[str, str] | None = None) -> Iterator[Demo]:
    """The demo, with its temporary files below ``temporary``; ended the hard way if a test did
    not end it."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BROKER_")}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("broker"), "demo"],
        env={**inherited, **(environ or {}), "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, temporary)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_END_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def descendants(pid: int) -> set[int]:
    """All processes below ``pid``."""
    found: set[int] = set()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found |= {child} | descendants(child)
    return found


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
