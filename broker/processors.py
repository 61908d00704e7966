"""Which processor a worker runs on: one of its own, where there are as many as workers.

A request passes between the threads of its worker several times, since Python lets one of them run at a
time. On one processor that is a switch; across two, each has to be woken up, and finds its caches cold.
Measured on two cores: 10 to 18 % less CPU for each operation with a processor of its own.

There they are a batch (``SCHED_BATCH``): a thread that wakes up does not interrupt the one that runs, which
it would soon have to wait for again. A third of the switches, 2 to 4 % of the CPU. Other programs, such as
a database on the same machine, still interrupt them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress


def processor_of(worker: int, *, workers: int, usable: Collection[int]) -> int | None:
    """The processor for ``worker`` (from 0); None: it had better move about.

    That is so unless every processor gets equally many workers. Fewer workers than processors share
    the machine with others, who may have chosen the same; more would queue for the first ones.
    """
    if len(usable) < 2 or workers % len(usable):  # noqa: PLR2004  # one leaves no choice
        return None
    return sorted(usable)[worker % len(usable)]


def settle(worker: int, *, workers: int) -> None:
    """Keep this process, and the threads it will start, on its processor. Linux alone offers that."""
    if sys.platform != "linux":
        return
    with suppress(OSError):  # a sandbox forbids it, or the processor has just been taken away
        processor = processor_of(worker, workers=workers, usable=os.sched_getaffinity(0))
        if processor is not None:
            os.sched_setaffinity(0, {processor})
            if os.sched_getscheduler(0) == os.SCHED_OTHER:  # nobody has chosen otherwise
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
