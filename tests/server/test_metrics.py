"""``/metrics``: on an address of its own, added up over the workers, about nobody in particular."""

from __future__ import annotations

import http.client
import logging
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.metrics import EventCounter
from tests.kit.servers import free_port, wait_until
from tests.kit.serving import Serving, serving
from tests.kit.world import WEB
from tests.server.test_serve import document

SIGN_IN = (
    "/oauth2/authorize?client_id=web&response_type=code&scope=openid"
    "&redirect_uri=https://app.example.test/callback&code_challenge_method=S256"
    f"&code_challenge={'a' * 43}"
)


@pytest.fixture
def counted(tmp_path: Path, certs: Path) -> Iterator[tuple[Serving, int]]:
    """A broker of two workers, and the port of its metrics."""
    port, metrics = free_port(), free_port()
    options = ("--metrics-port", str(metrics))
    config = document(port)
    with serving(tmp_path, config, certs=certs, port=port, workers=2, options=options) as process:
        yield process, metrics


def read(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    try:
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_refusals_are_added_up_over_the_workers(counted: tuple[Serving, int]) -> None:
    process, port = counted
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(10):
        body = "SAMLResponse=A&RelayState=B"
        assert process.request("POST", "/saml2/idpresponse", body, form).status == 400
    for _ in range(3):
        assert process.request("POST", "/saml2/logout", "SAMLResponse=A", form).status == 400
        assert process.request("POST", "/oauth2/backchannel-logout", "", form).status == 400
    for _ in range(5):
        assert process.get("/oauth2/authorize?client_id=nobody").status == 302

    def is_counted() -> None:
        text = read(port)
        refused = (
            r'broker_sign_ins_total\{.*outcome="refused",.*reason="transaction_unknown"\} 10\.0'
        )
        assert re.search(refused, text), text
        for reason in ("sign_out_unknown", "parameter_missing"):
            left = rf'broker_sign_outs_total\{{.*outcome="refused",.*reason="{reason}"\}} 3\.0'
            assert re.search(left, text), text
        assert len(re.findall(r"^broker_sign_ins_total", text, re.MULTILINE)) == 1, text
        assert re.search(r'broker_requests_refused_total\{reason="\w+"\} 5\.0', text), text

    wait_until(is_counted, "the count")


def test_certificates_are_told_by_their_days(counted: tuple[Serving, int]) -> None:
    process, port = counted
    assert process.get(SIGN_IN).status == 302

    def is_told() -> None:
        text = read(port)
        assert re.search(r'certificate_days_left\{.*provider="Corp"\} [0-9.]+', text), text

    wait_until(is_told, "the days")


def test_workers_that_are_replaced_leave_their_counts_and_nothing_else(
    tmp_path: Path, certs: Path
) -> None:
    """After each reload: the same files or fewer, the counts kept, a provider that is gone gone."""
    port, metrics = free_port(), free_port()
    config = document(port)
    (provider,) = config["UserPools"][0]["IdentityProviders"]
    with serving(
        tmp_path,
        config,
        certs=certs,
        port=port,
        workers=2,
        options=("--metrics-port", str(metrics)),
        environ={"TMPDIR": str(tmp_path)},
    ) as process:
        (folder,) = tmp_path.glob("broker-metrics-*")
        for reload in range(1, 4):
            assert process.get("/oauth2/authorize?client_id=nobody").status == 302
            name = f"Corp{reload}"
            provider["ProviderName"] = name
            config["UserPools"][0]["UserPoolClients"] = [
                {**WEB, "AllowedOAuthScopes": ["openid"], "SupportedIdentityProviders": [name]}
            ]
            process.write_config(config)
            process.signal(signal.SIGHUP)

            def is_replaced(name: str = name, reload: int = reload) -> None:
                process.get(SIGN_IN)
                text = read(metrics)
                assert re.findall(r'certificate_days_left\{.*provider="(\w+)"\}', text) == [name]
                counted = re.findall(
                    r"^broker_requests_refused_total.* (\d+)\.0$", text, re.MULTILINE
                )
                assert sum(map(int, counted)) == reload, text

            wait_until(is_replaced, "the new workers")
        assert len(list(folder.glob("counter_*.db"))) <= 4
        assert len(list(folder.glob("gauge_*.db"))) <= 2


def test_a_fault_of_the_metrics_reaches_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    counter = EventCounter()
    counter.handle(logging.makeLogRecord({"msg": "saml_certificate", "days_left": "many"}))
    assert "could not convert string to float: 'many'" in capsys.readouterr().err


def test_the_public_listener_has_no_metrics(counted: tuple[Serving, int]) -> None:
    process, _ = counted
    assert process.get("/metrics").status == 404


def test_nothing_is_left_when_it_ends(counted: tuple[Serving, int]) -> None:
    process, port = counted
    process.signal(signal.SIGTERM)
    assert process.process.wait(timeout=30) == 0
    with pytest.raises(OSError, match="refused"):
        read(port)
