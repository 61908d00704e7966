"""Locks between processes of one machine. What they protect is their users' business."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold ``path`` alone: among processes, and among threads, as each call opens it anew.

    The file stays behind; a lock file that is removed can be held by two.
    """
    with path.open("ab") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
