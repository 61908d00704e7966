"""Fixtures: a world, and a maker of worlds. Keys are made once per test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.world import World, make_world


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run keeps its pools' keys: making them is the slow part."""
    return tmp_path_factory.mktemp("certs")


@pytest.fixture
def new_world(tmp_path: Path, certs: Path) -> Iterator[Callable[..., World]]:
    """``make_world`` in a folder of the test's own."""
    made: list[World] = []

    def make(**members: Any) -> World:
        folder = tmp_path / f"world-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        made.append(make_world(folder, certs, **members))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()
