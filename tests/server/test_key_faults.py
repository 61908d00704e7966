"""A key file that cannot be used: at the start, at a reload, and in front of a load balancer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from broker.app import create_app
from tests.kit.servers import free_port, wait_until
from tests.kit.serving import BROKER, serving
from tests.kit.world import POOL_ID, make_world
from tests.server.test_serve import document

FILE = "access-token.rs256.1.pem"


@pytest.fixture
def own_certs(tmp_path: Path, certs: Path) -> Path:
    """Not those that all tests share: they are spoiled here."""
    with serving(tmp_path, document(port := free_port()), certs=certs, port=port) as process:
        wait_until(lambda: _check((certs / POOL_ID / FILE).exists()), "the keys")
        assert process.get("/.well-known/jwks.json").status == 200
    return Path(shutil.copytree(certs, tmp_path / "own"))


def spoil(certs: Path) -> None:
    (certs / POOL_ID / FILE).write_text("no key")


def test_it_ends_the_start_in_a_sentence(tmp_path: Path, own_certs: Path) -> None:
    spoil(own_certs)
    config = tmp_path / "broker.yaml"
    config.write_text(json.dumps(document(8080)))
    ended = subprocess.run(
        [BROKER, "serve", "--config", config, "--port", str(free_port())],
        env={**os.environ, "BROKER_CERTS_DIR": str(own_certs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert (
        f"fault    keys of pool {POOL_ID}: {own_certs / POOL_ID}: {FILE} holds no" in ended.stderr
    )
    assert "Traceback" not in ended.stderr


def test_it_changes_nothing_at_a_reload(tmp_path: Path, own_certs: Path) -> None:
    port = free_port()
    with serving(tmp_path, document(port), certs=own_certs, port=port) as process:
        workers = process.workers()
        spoil(own_certs)
        process.signal(signal.SIGHUP)
        wait_until(lambda: _check(process.logged("configuration_kept")), "the fault to be logged")
        assert f"{FILE} holds no private key" in process.log.read_text()
        assert process.workers() == workers
        assert process.get("/.well-known/jwks.json").status == 200
        assert process.get("/ready").status == 200
        # ... and whoever takes the place of a worker that died has the good ones, too.
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: _check(process.workers() not in ([], workers)), "another worker")
        jwks = "/.well-known/jwks.json"
        wait_until(lambda: _check(process.get(jwks).status == 200), "its keys")


def test_whoever_has_no_keys_is_not_ready(tmp_path: Path, own_certs: Path) -> None:
    good = (own_certs / POOL_ID / FILE).read_bytes()
    spoil(own_certs)
    world = make_world(tmp_path, own_certs)
    client = create_app(world.broker).test_client()
    assert client.get("/.well-known/jwks.json").status_code == 503
    assert client.get("/ready").status_code == 503
    (own_certs / POOL_ID / FILE).write_bytes(good)
    assert client.get("/ready").status_code == 200
    world.close()


def _check(condition: bool) -> None:
    assert condition
