"""``broker keys``, beside a broker that serves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broker.cli import main
from tests.kit.world import POOL_ID, World, make_world


@pytest.fixture
def own_certs(tmp_path: Path) -> Path:
    """Not those that all tests share: they are changed here."""
    return tmp_path / "own-certs"


@pytest.fixture
def world(tmp_path: Path, own_certs: Path) -> Iterator[World]:
    world = make_world(tmp_path, own_certs, pool={"SigningAlgorithm": "ES256"})
    yield world
    world.close()


def run(world: World, folder: Path, *command: str, answer: str | None = None) -> Result:
    environ = {
        "BROKER_STATE_DIR": str(folder / "var"),
        "BROKER_CERTS_DIR": str(folder / "own-certs"),
    }
    config = ["--config", str(folder / "broker.yaml")]
    return CliRunner().invoke(main, ["keys", *command, *config], input=answer, env=environ)


def test_list_rotate_and_retire(world: World, tmp_path: Path) -> None:
    assert "no keys yet" in run(world, tmp_path, "list").output
    before = world.tokens()
    listed = run(world, tmp_path, "list")
    assert listed.output.startswith(POOL_ID)
    assert listed.output.count("current") == 4

    rotated = run(world, tmp_path, "rotate")
    assert rotated.exit_code == 0
    assert (rotated.output.count("  current "), rotated.output.count("  next ")) == (2, 2)
    listed = run(world, tmp_path, "list", "--pool", POOL_ID)
    assert (listed.output.count("  old "), listed.output.count("  next ")) == (2, 2)
    during = world.tokens()
    for tokens in (before, during):
        assert world.userinfo(tokens["access_token"]).status_code == 200

    retired = run(world, tmp_path, "retire")
    assert retired.exit_code == 0
    assert "4 keys were retired" in retired.output
    assert world.userinfo(before["access_token"]).status_code == 401
    assert world.userinfo(during["access_token"]).status_code == 200
    assert "nothing to retire" in run(world, tmp_path, "retire").output


def test_at_a_terminal_it_asks(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(world, tmp_path, "rotate")
    run(world, tmp_path, "rotate")

    monkeypatch.setattr(import_module("broker.cli.keys"), "_is_terminal", lambda: True)
    before = run(world, tmp_path, "list").output
    assert run(world, tmp_path, "retire", answer="n\n").exit_code == 1
    assert run(world, tmp_path, "list").output == before
    assert run(world, tmp_path, "retire", "--yes").exit_code == 0
    assert run(world, tmp_path, "list").output != before


def test_faults_are_said_in_a_line(world: World, tmp_path: Path, own_certs: Path) -> None:
    unknown = run(world, tmp_path, "list", "--pool", "eu-west-1_Nobody")
    assert unknown.exit_code == 2
    assert POOL_ID in unknown.output
    own_certs.write_text("a file")
    assert "keys of pool" in run(world, tmp_path, "rotate").output
    (tmp_path / "broker.yaml").write_text("UserPools: [{}]")
    faulty = run(world, tmp_path, "list")
    assert faulty.exit_code == 1
    assert "UserPools[0].Id" in faulty.output
