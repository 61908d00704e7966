"""Addresses: names that resolve, ports that are taken, and what is said of those that cannot be had."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.listening import CannotListenError, Listener
from broker.metrics import MetricsListener
from tests.kit.servers import free_port
from tests.kit.serving import BROKER, serving
from tests.server.test_serve import document


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def listener(
    host: str = "127.0.0.1", port: int | None = None, metrics: int | None = None
) -> Listener:
    return Listener(
        host=host,
        port=port or free_port(),
        workers=1,
        metrics=None if metrics is None else MetricsListener(host="localhost", port=metrics),
    )


def test_a_name_is_listened_on_by_its_address(tmp_path: Path, certs: Path) -> None:
    port = free_port()
    options = ("--host", "localhost")
    with serving(tmp_path, document(port), certs=certs, port=port, options=options) as process:
        assert f"http://127.0.0.1:{port}" in process.log.read_text()


def test_the_url_of_an_ipv6_address_has_brackets(tmp_path: Path) -> None:
    assert listener("::1", 8080).url == "http://[::1]:8080"
    assert listener("localhost").ready().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("nowhere.invalid", "the name does not resolve. Choose another --host."),
        ("a..b", "the name does not resolve. Choose another --host."),
        ("192.0.2.1", "Cannot assign requested address. Choose another --host."),
        ("fe80::1%lo", "Invalid argument. Choose another --host."),
    ],
)
def test_what_cannot_be_listened_on_is_said(host: str, text: str) -> None:
    with pytest.raises(CannotListenError, match=r"^cannot listen on ") as refused:
        listener(host).ready()
    assert str(refused.value).endswith(text)


def test_a_port_that_is_taken(taken: int) -> None:
    for refusing, option in (
        (listener(port=taken), "--port"),
        (listener(metrics=taken), "--metrics-port"),
    ):
        with pytest.raises(CannotListenError, match=f"Choose another {option}"):
            refusing.ready()


def test_both_ports_must_differ() -> None:
    port = free_port()
    with pytest.raises(CannotListenError, match="Choose another --metrics-port"):
        listener(port=port, metrics=port).ready()


def test_a_taken_port_for_metrics_ends_the_start_in_one_line(
    tmp_path: Path, certs: Path, taken: int
) -> None:
    config = tmp_path / "broker.yaml"
    port = free_port()
    with serving(tmp_path, document(port), certs=certs, port=port):
        pass
    ended = subprocess.run(
        [BROKER, "serve", "--config", config, "--port", str(port), "--metrics-port", str(taken)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{taken}" in ended.stderr
    assert "Traceback" not in ended.stderr
