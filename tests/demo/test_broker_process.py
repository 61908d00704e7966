"""The broker's process from start to end, with small programs in the broker's place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from broker.demo import broker_process
from broker.demo.broker_process import BrokerFailedError, BrokerProcess, serving
from broker.demo.ending import Ending, EndRequestedError, ending
from broker.demo.servers import free_port
from tests.kit.servers import wait_until

SERVER = """
import http.server
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[7])), Healthy).serve_forever()
"""
STUBBORN = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def end() -> Iterator[Ending]:
    with ending() as wish:
        yield wish


def started(program: str, tmp_path: Path, **environ: str) -> AbstractContextManager[BrokerProcess]:
    command = tmp_path / "broker"
    command.write_text(f"#!{sys.executable}\nimport os, sys\n{program}")
    command.chmod(0o755)
    config = tmp_path / "broker.yaml"
    return serving(
        command=str(command), config=config, port=free_port(), state=tmp_path, environ=environ
    )


def test_it_is_waited_for_and_ended(tmp_path: Path, end: Ending) -> None:
    with started(SERVER, tmp_path) as broker:
        broker.wait_until_healthy(end)
        assert broker.process.poll() is None
    assert broker.process.returncode is not None


def test_a_broker_that_dies_says_why(tmp_path: Path, end: Ending) -> None:
    with (
        started("sys.exit('no such thing')", tmp_path) as broker,
        pytest.raises(BrokerFailedError, match="no such thing"),
    ):
        broker.wait_until_healthy(end)


def test_a_broker_that_does_not_answer_is_given_up(
    tmp_path: Path, end: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_process, "_START_SECONDS", 0.3)
    with (
        started("import time; time.sleep(300)", tmp_path) as broker,
        pytest.raises(BrokerFailedError, match="does not answer"),
    ):
        broker.wait_until_healthy(end)


def test_waiting_ends_when_that_is_wished(tmp_path: Path, end: Ending) -> None:
    with started("import time; time.sleep(300)", tmp_path) as broker:
        os.kill(os.getpid(), broker_process.signal.SIGTERM)
        with pytest.raises(EndRequestedError):
            broker.wait_until_healthy(end)


def test_a_broker_that_will_not_end_is_killed_with_its_children(
    tmp_path: Path, end: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_process, "_STOP_SECONDS", 0.2)
    with started(STUBBORN, tmp_path) as broker:
        while not broker.last_words():
            end.wait(0.02)
        child = int(broker.last_words())
    assert broker.process.returncode == -9
    wait_until(lambda: has_ended(child), "the child to be gone")


def has_ended(pid: int) -> None:
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except FileNotFoundError:
        return False


def test_only_the_databases_may_be_chosen_from_outside(tmp_path: Path, end: Ending) -> None:
    program = "print(sorted(f'{k}={v}' for k, v in os.environ.items() if 'BROKER_' in k))"
    chosen = {"BROKER_REDIS_URL": "redis://x", "BROKER_STATE_DIR": "/etc", "BROKER_PROXY_HOPS": "3"}
    with (
        started(program, tmp_path, **chosen, PATH=os.environ["PATH"]) as broker,
        pytest.raises(BrokerFailedError) as failure,
    ):
        broker.wait_until_healthy(end)
    settings = ["BROKER_LOG=text", "BROKER_REDIS_URL=redis://x", f"BROKER_STATE_DIR={tmp_path}"]
    assert str(settings) in str(failure.value)
