"""What is opened is closed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.wiring import _call_all
from tests.kit.world import World


def open_files() -> list[str]:
    return [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


def test_a_broker_that_is_closed_holds_no_database(world: World, tmp_path: Path) -> None:
    world.tokens()
    assert any(file.startswith(str(tmp_path)) for file in open_files())
    world.broker.close()
    assert not any(file.startswith(str(tmp_path)) for file in open_files())
    world.tokens()  # and may be used again


def test_one_part_that_cannot_be_closed_keeps_no_other_open() -> None:
    closed: list[int] = []

    def broken() -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # the one of above
        _call_all(lambda: closed.append(1), broken, lambda: closed.append(2))
    assert closed == [1, 2]
