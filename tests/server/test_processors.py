"""Which worker runs on which processor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.processors import processor_of, settle
from tests.kit.servers import free_port, wait_until
from tests.kit.serving import Serving, serving
from tests.server.test_serve import document


def test_each_worker_has_a_processor_of_its_own() -> None:
    usable = {7, 3, 5}
    assert [processor_of(n, workers=3, usable=usable) for n in range(3)] == [3, 5, 7]


def test_each_processor_gets_equally_many() -> None:
    assert [processor_of(n, workers=4, usable={0, 1}) for n in range(4)] == [0, 1, 0, 1]


@pytest.mark.parametrize(("workers", "processors"), [(1, 2), (2, 64), (3, 2), (1, 1), (2, 1)])
def test_otherwise_they_move_about(workers: int, processors: int) -> None:
    usable = range(processors)
    assert {processor_of(n, workers=workers, usable=usable) for n in range(workers)} == {None}


@pytest.mark.parametrize(
    "refused", ["sched_getaffinity", "sched_setaffinity", "sched_setscheduler"]
)
def test_a_worker_starts_where_it_may_not_choose(
    monkeypatch: pytest.MonkeyPatch, usable: list[int], refused: str
) -> None:
    """A sandbox may forbid the system calls. A worker that ended would be started again for ever."""
    asked = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise PermissionError

    with monkeypatch.context() as sandbox:
        sandbox.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        sandbox.setattr(os, refused, refuse)
        settle(0, workers=2)
    assert asked


def test_a_worker_starts_where_nobody_may_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux."""
    monkeypatch.setattr(sys, "platform", "darwin")
    for name in ("sched_getaffinity", "sched_setaffinity", "SCHED_BATCH"):
        monkeypatch.delattr(os, name, raising=False)
    settle(0, workers=2)


def test_a_policy_that_somebody_chose_stays(
    monkeypatch: pytest.MonkeyPatch, usable: list[int]
) -> None:
    with monkeypatch.context() as chosen:
        chosen.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        chosen.setattr(os, "sched_getscheduler", lambda _: os.SCHED_IDLE)
        chosen.setattr(os, "sched_setscheduler", lambda *_: pytest.fail("theirs to choose"))
        settle(0, workers=2)


@pytest.fixture
def usable() -> Iterator[list[int]]:
    """Two processors, or the one there is, for this test and what it starts."""
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[:2]
    os.sched_setaffinity(0, chosen)
    yield chosen
    os.sched_setaffinity(0, before)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def run_on(running: Serving, expected: list[set[int]], *, policy: int = os.SCHED_BATCH) -> None:
    def check() -> None:
        workers = running.workers()
        found = [os.sched_getaffinity(worker) for worker in workers]
        assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
        assert {os.sched_getscheduler(worker) for worker in workers} == {policy}

    wait_until(check, f"workers on {expected}")


def test_workers_settle_and_so_do_those_that_replace_them(
    tmp_path: Path, certs: Path, usable: list[int]
) -> None:
    port, apart = free_port(), [{processor} for processor in usable]
    with serving(tmp_path, document(port), certs=certs, port=port, workers=len(usable)) as running:
        run_on(running, apart)
        first = running.workers()
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: replaced(running, first[:1]), "another worker")
        run_on(running, apart)
        running.signal(signal.SIGHUP)
        wait_until(lambda: replaced(running, first), "new workers")
        run_on(running, apart)


def replaced(running: Serving, former: list[int]) -> None:
    assert not set(running.workers()) & set(former)


def test_they_can_be_left_alone(tmp_path: Path, certs: Path, usable: list[int]) -> None:
    port, number = free_port(), len(usable)
    options = ("--no-cpu-affinity",)
    with serving(
        tmp_path, document(port), certs=certs, port=port, workers=number, options=options
    ) as running:
        run_on(running, [set(usable)] * number, policy=os.SCHED_OTHER)
