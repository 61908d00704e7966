"""A broker under measurement: started as a user would, its CPU read from the kernel."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """The broker's process group: the parent, its workers, and whatever they start."""

    pid: int
    port: int
    ready_seconds: float

    def cpu_seconds(self) -> float:
        """User and system time of the whole group, ended children included."""
        return sum(_cpu_of(pid) for pid in self._pids())

    def rss_mib(self) -> float:
        """Proportional memory of the group: shared pages count once."""
        return sum(_pss_of(pid) for pid in self._pids()) / 1024

    def _pids(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                children.setdefault(_parent_of(int(entry.name)), []).append(int(entry.name))
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue.extend(children.get(pid, []))
        return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else -1


def _cpu_of(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS if fields else 0.0


def _pss_of(pid: int) -> int:
    """KiB."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


@contextmanager
def broker(
    config: Path, port: int, *, workers: int, environ: Mapping[str, str]
) -> Iterator[ServerProcess]:
    """``broker serve``, until the block ends."""
    command = [
        str(Path(sys.executable).with_name("broker")),
        "serve",
        "--config",
        str(config),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    start = time.monotonic()
    log = config.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=output, stderr=output
        )
    try:
        wait_until_healthy(process, port, log)
        yield ServerProcess(pid=process.pid, port=port, ready_seconds=time.monotonic() - start)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def wait_until_healthy(
    process: subprocess.Popen[bytes], port: int, log: Path | None = None
) -> None:
    """Raises ``SystemExit``, with the log if there is one, for a server that does not answer."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"The server did not start:\n{log.read_text() if log else ''}")
