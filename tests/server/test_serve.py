"""``broker serve``: health, reload, stop, and peers that misbehave."""

from __future__ import annotations

import json
import logging.config
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from broker import server
from broker.web.context import MAX_BODY_BYTES
from tests.kit.clock import ManualClock
from tests.kit.metadata_site import MetadataSite
from tests.kit.saml_idp import SamlIdp
from tests.kit.servers import RedisServer, free_port, wait_until
from tests.kit.serving import BROKER, Serving, serving
from tests.kit.world import POOL_ID, WEB, saml_provider
from tests.kit.wsgi import served


def document(port: int, **pool: Any) -> dict[str, Any]:
    idp = SamlIdp(clock=ManualClock())
    return {
        "UserPools": [
            {
                "Id": POOL_ID,
                "Domain": f"http://localhost:{port}",
                "UserPoolClients": [{**WEB, "AllowedOAuthScopes": ["openid"]}],
                "IdentityProviders": [saml_provider(idp)],
                **pool,
            }
        ]
    }


@pytest.fixture
def running(tmp_path: Path, certs: Path) -> Iterator[Serving]:
    port = free_port()
    with serving(tmp_path, document(port), certs=certs, port=port, workers=2) as process:
        yield process


def is_known(running: Serving, client_id: str) -> bool:
    reply = running.get(
        f"/oauth2/authorize?client_id={client_id}&redirect_uri=https://app.example.test/callback"
        "&response_type=code&prompt=none"
    )
    return "redirect_mismatch" not in reply.headers["Location"]


def test_health_and_readiness_answer_on_any_host(running: Serving) -> None:
    assert running.get("/health", host="10.0.0.7").status == 200
    wait_until(lambda: _check(running.get("/ready", host="probe").status == 200), "ready")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_are_forked_however_python_would_start_processes(
    method: str, tmp_path: Path, certs: Path
) -> None:
    """As on macOS, and as everywhere since Python 3.14."""
    start = (
        f"import multiprocessing; multiprocessing.set_start_method({method!r});"
        "from broker.cli import main; main()"
    )
    program = [sys.executable, "-c", start]
    port = free_port()
    with serving(tmp_path, document(port), certs=certs, port=port, program=program) as process:
        assert is_known(process, WEB["ClientId"])


def test_sigterm_ends_it_with_success(running: Serving) -> None:
    running.signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == 0


def test_a_request_under_way_is_finished(running: Serving) -> None:
    """Also by a worker that gets the signal many times: from its parent, which asks twice, from a
    service manager, from somebody impatient."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as under_way:
        under_way.sendall(
            b"POST /saml2/idpresponse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        assert under_way.recv(100).startswith(b"HTTP/1.1 100 ")  # its body is asked for
        under_way.sendall(b"SAMLRes")
        running.signal(signal.SIGTERM)
        wait_until(lambda: _check(not _is_open(running.port)), "the end of new requests")
        for _ in range(8):
            for worker in running.workers():
                _signal_and_see_it_taken(worker)
        under_way.sendall(b"ponse=A")
        assert under_way.recv(100).startswith(b"HTTP/1.1 400 ")
    assert running.process.wait(timeout=20) == 0


def _signal_and_see_it_taken(worker: int) -> None:
    """A worker with nothing under way may be gone already: it has taken all that it had to."""
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)
    wait_until(lambda: _check(not _is_pending(worker)), "the signal to be taken")


def _is_pending(worker: int) -> bool:
    """Whether a signal has come that the process has not met yet (proc_pid_status(5))."""
    lines = _status(worker).splitlines()
    return any(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd"))


def _status(process: int) -> str:
    """What the system says of it; nothing when it is gone."""
    try:
        return Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _post(length: int, more: str = "") -> bytes:
    return (
        f"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("size", [40, 70_000, MAX_BODY_BYTES])
def test_a_body_that_comes_in_pieces_is_waited_for(running: Serving, size: int) -> None:
    """The grant type is at its very end, and so must have been read."""
    end = b"&grant_type=made_up&client_id=nobody"
    body = b"p=" + b"x" * (size - len(end) - 2) + end
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(_post(len(body)) + body[:7])
        assert running.get("/health").status == 200  # time enough for what came to be read
        for start in range(7, len(body), 50_000):
            connection.sendall(body[start : start + 50_000])
        answer = connection.recv(4000)
    assert b"invalid_client" in answer


@pytest.mark.parametrize("form", ["length", "chunked"])
def test_whoever_hangs_up_in_the_middle_of_a_body_is_no_fault_of_ours(
    running: Serving, form: str
) -> None:
    head = _post(1000)
    if form == "chunked":
        head = head.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"3e8\r\n"
    for _ in range(4):  # either worker
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(head + b"grant_type=client_credentials")
            assert running.get("/health").status == 200
    running.signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == 0
    assert not running.logged("unexpected_error")


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Deaf:
    """A worker that does not hear the first signal."""

    idx = 0

    def __init__(self) -> None:
        self.asked = 0

    def terminate(self) -> None:
        self.asked += 1

    def join(self, timeout: float | None = None) -> None:
        pass

    def is_alive(self) -> bool:
        return self.asked < 2

    def kill(self) -> None:
        raise AssertionError("it would have ended by itself")


def test_a_worker_that_missed_the_signal_is_asked_again() -> None:
    stopping = server._Server("broker", workers=2, workers_kill_timeout=20)
    workers = [Deaf(), Deaf()]
    stopping.wrks.extend(workers)  # type: ignore[arg-type]  # they are what is asked of them
    stopping._stop_workers()
    assert not any(worker.is_alive() for worker in workers)


def test_no_worker_outlives_a_parent_that_was_killed(tmp_path: Path, certs: Path) -> None:
    port, options = free_port(), ("--metrics-port", str(free_port()))
    config = document(port)
    with serving(tmp_path, config, certs=certs, port=port, workers=2, options=options) as killed:
        children = killed.workers()
        assert len(children) == 3
        killed.signal(signal.SIGKILL)
        killed.process.wait()
        wait_until(lambda: _check(not any(map(_is_alive, children))), "the end of the children")
    with serving(tmp_path, config, certs=certs, port=port, options=options) as next_one:
        assert next_one.get("/health").status == 200


def _is_alive(process: int) -> bool:
    """A zombie is not: it waits for somebody to read how it ended."""
    status = _status(process)
    return bool(status) and "\nState:\tZ" not in status


def test_sighup_reads_the_configuration_again(running: Serving) -> None:
    assert not is_known(running, "new")
    fresh = document(running.port)
    fresh["UserPools"][0]["UserPoolClients"].append({**WEB, "ClientId": "new"})
    running.write_config(fresh)
    running.signal(signal.SIGHUP)
    wait_until(lambda: _check(is_known(running, "new")), "the new client")


def test_a_faulty_configuration_changes_nothing(running: Serving) -> None:
    running.write_config({"UserPools": [{"Id": "nonsense"}]})
    running.signal(signal.SIGHUP)
    wait_until(lambda: _check(running.logged("configuration_kept")), "the fault to be logged")
    assert is_known(running, "web")


def test_metadata_that_became_faulty_changes_nothing(tmp_path: Path, certs: Path) -> None:
    port, config = free_port(), document(free_port())
    details = config["UserPools"][0]["IdentityProviders"][0]["ProviderDetails"]
    file = tmp_path / "idp.xml"
    file.write_text(details["MetadataFile"])
    details["MetadataFile"] = str(file)
    sign_in = (
        "/oauth2/authorize?client_id=web&response_type=code&scope=openid"
        "&redirect_uri=https://app.example.test/callback"
    )
    with serving(tmp_path, config, certs=certs, port=port) as process:
        to_the_provider = process.get(sign_in).headers["Location"].partition("?")[0]
        file.write_text("<html>not now</html>")
        process.signal(signal.SIGHUP)
        wait_until(lambda: _check(process.logged("configuration_kept")), "the fault to be logged")
        assert f"{POOL_ID} Corp: saml_metadata_" in process.log.read_text()
        assert process.get(sign_in).headers["Location"].partition("?")[0] == to_the_provider


def test_http_2_is_not_spoken_without_tls_either(running: Serving) -> None:
    """RFC 9113 3.3: a client that knows that the server speaks it begins like this."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")


def test_half_sent_requests_stop_nobody(running: Serving) -> None:
    sockets = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(40)]
    try:
        for half_open in sockets:
            half_open.sendall(
                b"POST /saml2/idpresponse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nSAMLResponse=A"
            )
        for _ in range(8):
            assert running.get("/.well-known/jwks.json", timeout=5).status == 200
    finally:
        for half_open in sockets:
            half_open.close()


def test_a_large_body_is_413_and_an_unknown_method_405(running: Serving) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    large = running.request("POST", "/saml2/idpresponse", "SAMLResponse=" + "A" * 10_000_000, form)
    assert large.status == 413
    assert running.request("DELETE", "/oauth2/token").status == 405


def test_without_its_redis_it_says_503_and_recovers(
    tmp_path: Path, certs: Path, redis_server: RedisServer
) -> None:
    own = RedisServer(tmp_path)
    own.start()
    port = free_port()
    try:
        with serving(
            tmp_path, document(port), certs=certs, port=port, environ={"BROKER_REDIS_URL": own.url}
        ) as process:
            sign_in = (
                "/oauth2/authorize?client_id=web&response_type=code&scope=openid"
                "&redirect_uri=https://app.example.test/callback"
            )
            assert process.get(sign_in).status == 302
            own.kill()
            away = process.get(sign_in)
            assert away.status == 503
            assert away.headers["Retry-After"]
            assert b"<html" in away.body
            assert b"Traceback" not in away.body
            assert process.logged("store_unavailable")
            assert "Traceback" not in process.log.read_text()
            assert process.get("/ready").status == 503
            assert process.get("/health").status == 200
            own.start()
            wait_until(lambda: _check(process.get(sign_in).status == 302), "recovery")
    finally:
        own.kill()


def test_a_taken_port_is_said_in_one_line(tmp_path: Path, running: Serving) -> None:
    command = [BROKER, "serve", "--config", str(running.config), "--port", str(running.port)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{running.port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_faulty_configuration_is_not_served(tmp_path: Path) -> None:
    config = tmp_path / "broker.yaml"
    config.write_text("UserPools:\n  - Id: nonsense\n    Domian: https://a.test\n")
    for command in (["serve"], ["check"]):
        ended = subprocess.run(
            [BROKER, *command, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert ended.returncode == 1
        assert "UserPools[0].Domian: unknown member" in ended.stderr
        assert "UserPools[0].Id" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_check_counts_what_it_found(running: Serving) -> None:
    ended = subprocess.run(
        [BROKER, "check", "--config", str(running.config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "no faults. 1 pool(s), 1 client(s), 1 provider(s)" in ended.stdout


def refused_start(folder: Path, **environ: str) -> str:
    """What a start says that ends with status 1."""
    config = folder / "broker.yaml"
    config.write_text(json.dumps(document(8080)))
    ended = subprocess.run(
        [BROKER, "serve", "--config", str(config), "--port", str(free_port())],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Errno" not in ended.stderr
    return ended.stderr


def test_a_database_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    database = f"postgresql://broker:a-password@127.0.0.1:{free_port()}/broker"
    said = refused_start(tmp_path, BROKER_DATABASE_URL=database, BROKER_LOG="json")
    last = said.splitlines()[-1]
    assert last.startswith("Error: a store does not answer, or refuses: database: (psycopg.")
    assert "BROKER_DATABASE_URL" in last
    assert "a-password" not in said


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused_start(tmp_path, BROKER_STATE_DIR=str(tmp_path / "file" / "var"))
    assert f"fault    BROKER_STATE_DIR: {tmp_path}/file/var cannot be made: Not a directory" in said


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "broker.db").write_bytes(b"no database" * 1000)
    said = refused_start(tmp_path)
    assert f"{tmp_path}/var/broker.db cannot be used: file is not a database" in said
    assert "does not answer" not in said


def test_a_redis_option_that_there_is_not(tmp_path: Path) -> None:
    """Each worker would end by it, and be replaced by the next."""
    said = refused_start(tmp_path, BROKER_REDIS_URL="redis://:a-password@localhost/0?foo=1")
    assert "fault    BROKER_REDIS_URL: an option that there is not" in said
    assert "'foo'" in said
    assert "a-password" not in said


def test_a_database_that_is_away_at_a_reload_changes_nothing(running: Serving) -> None:
    database = running.config.parent / "var" / "broker.db"
    database.rename(database.with_suffix(".away"))
    database.write_bytes(b"no database" * 1000)
    running.signal(signal.SIGHUP)
    wait_until(lambda: _check(running.logged("configuration_kept")), "the fault to be logged")
    assert running.process.poll() is None
    assert running.get("/health").status == 200


def test_sighup_while_it_starts_does_not_end_it(tmp_path: Path, certs: Path) -> None:
    """The configuration comes through a pipe, so the test knows how far the start has come."""
    port, config = free_port(), tmp_path / "broker.yaml"
    os.mkfifo(config)
    environ = {"BROKER_STATE_DIR": str(tmp_path / "var"), "BROKER_CERTS_DIR": str(certs)}
    process = subprocess.Popen(
        [BROKER, "serve", "--config", str(config), "--port", str(port), "--workers", "1"],
        env={**os.environ, **environ},
        stderr=subprocess.DEVNULL,
    )
    running = Serving(process, port, config, tmp_path / "unused.log")
    try:
        with config.open("w") as pipe:  # opens when the broker reads
            process.send_signal(signal.SIGHUP)
            pipe.write(json.dumps(document(port)))
        wait_until(lambda: _check(running.get("/health", timeout=2).status == 200), "health")
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_its_log_begins_without_advice_of_others(running: Serving) -> None:
    events = [json.loads(line)["event"] for line in running.log.read_text().splitlines()]
    assert events[0] == "serving"
    assert not [event for event in events if "Python threads" in event]


def test_a_worker_that_a_signal_ends_is_not_unexpected() -> None:
    """Ctrl-C reaches all processes of a terminal, and a worker may be the first to end."""
    exit_of_one = logging.makeLogRecord({"msg": "Unexpected exit from worker-1"})
    for is_stopping in (True, False):
        granian = logging.getLogger(f"granian {is_stopping}")
        configuration = server._granian_logging(lambda stopping=is_stopping: stopping)
        configuration["loggers"] = {granian.name: configuration["loggers"]["_granian"]}
        logging.config.dictConfig(configuration)
        assert bool(granian.filter(exit_of_one)) is not is_stopping


def test_commands_print_no_bare_events(tmp_path: Path) -> None:
    config = document(8080)
    details = {"MetadataURL": "http://127.0.0.1:1/metadata"}
    config["UserPools"][0]["IdentityProviders"][0]["ProviderDetails"] = details
    file = tmp_path / "broker.yaml"
    file.write_text(json.dumps(config))
    ended = subprocess.run(
        [BROKER, "check", "--config", file], capture_output=True, text=True, check=True, timeout=30
    )
    assert "saml_metadata_unavailable" in ended.stdout
    assert "saml_metadata_not_renewed" not in ended.stderr


def test_two_workers_fetch_metadata_once_and_once_more_at_a_reload(
    tmp_path: Path, certs: Path
) -> None:
    port, site = free_port(), MetadataSite(SamlIdp(clock=ManualClock()).metadata)
    with served(site) as url:
        config = document(port)
        details = {"MetadataURL": f"{url}/metadata"}
        config["UserPools"][0]["IdentityProviders"][0]["ProviderDetails"] = details
        with serving(tmp_path, config, certs=certs, port=port, workers=2) as process:
            copies = tmp_path / "var" / "metadata"
            wait_until(lambda: _check(any(copies.glob("*.json"))), "the note of the first fetch")
            assert site.visits == 1
            config["UserPools"][0]["UserPoolClients"].append({**WEB, "ClientId": "new"})
            process.write_config(config)
            process.signal(signal.SIGHUP)
            wait_until(lambda: _check(site.visits == 2), "the fetch after the reload")
            wait_until(lambda: _check(is_known(process, "new")), "the new client")
            assert site.unchanged == 1
    assert site.visits == 2


def _check(condition: bool) -> None:
    assert condition
