"""TLS files: served, exchanged, and refused in a sentence when they cannot be served."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from broker.listening import CannotListenError, TlsFiles
from tests.kit.servers import free_port, wait_until
from tests.kit.serving import BROKER, Serving, serving
from tests.kit.tls import write_pair
from tests.server.test_serve import document


def certificate(process: Serving) -> str:
    """The one that new connections are shown."""
    return ssl.get_server_certificate(("127.0.0.1", process.port))


def test_it_serves_tls_and_takes_a_renewed_certificate(tmp_path: Path, certs: Path) -> None:
    files, port = write_pair(tmp_path), free_port()
    config = document(port, Domain=f"https://localhost:{port}")
    with serving(tmp_path, config, certs=certs, port=port, tls=files) as process:
        configuration = process.get("/.well-known/openid-configuration")
        assert json.loads(configuration.body)["token_endpoint"].startswith("https://localhost")
        assert configuration.headers["Strict-Transport-Security"]
        before = certificate(process)
        write_pair(tmp_path)
        process.signal(signal.SIGHUP)
        wait_until(lambda: _check(certificate(process) != before), "the renewed certificate")


def test_no_http_2_is_offered(tmp_path: Path, certs: Path) -> None:
    """granian's reads the body of a stream that was broken off for ever."""
    files, port = write_pair(tmp_path), free_port()
    context = ssl.create_default_context(cafile=str(files[0]))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        serving(tmp_path, document(port), certs=certs, port=port, tls=files),
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as encrypted,
    ):
        assert encrypted.selected_alpn_protocol() != "h2"


def test_a_faulty_file_at_a_reload_replaces_no_worker(tmp_path: Path, certs: Path) -> None:
    files, port = write_pair(tmp_path), free_port()
    with serving(tmp_path, document(port), certs=certs, port=port, tls=files) as process:
        before, workers = certificate(process), process.workers()
        files[1].write_text("no key")
        process.signal(signal.SIGHUP)
        wait_until(lambda: _check(process.logged("configuration_kept")), "the fault to be logged")
        assert "tls.key holds no private key in PEM" in process.log.read_text()
        assert (certificate(process), process.workers()) == (before, workers)
        # ... and it still listens to both signals.
        write_pair(tmp_path)
        process.signal(signal.SIGHUP)
        wait_until(lambda: _check(certificate(process) != before), "the renewed certificate")
        process.signal(signal.SIGTERM)
        assert process.process.wait(timeout=20) == 0


def no_certificate(chain: Path, key: Path) -> None:
    chain.write_bytes(key.read_bytes())


def broken_chain(chain: Path, key: Path) -> None:
    with chain.open("a") as file:
        file.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def no_key(chain: Path, key: Path) -> None:
    key.write_bytes(chain.read_bytes())


def encrypted_key(chain: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(
        private.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")
        )
    )


def another_key(chain: Path, key: Path) -> None:
    given = chain.read_bytes()
    write_pair(chain.parent)
    chain.write_bytes(given)


def curve_that_is_not_served(chain: Path, key: Path) -> None:
    write_pair(chain.parent, ec.generate_private_key(ec.SECP521R1()))


def short_key(chain: Path, key: Path) -> None:
    write_pair(chain.parent, rsa.generate_private_key(public_exponent=65537, key_size=1024))


def missing_key(chain: Path, key: Path) -> None:
    key.unlink()


FAULTS: dict[Callable[[Path, Path], None], str] = {
    no_certificate: "tls.crt holds no certificate in PEM",
    broken_chain: "tls.crt holds no certificate in PEM",
    no_key: "tls.key holds no private key in PEM",
    encrypted_key: "tls.key is encrypted: store it without a passphrase",
    another_key: "the key does not belong to the certificate",
    curve_that_is_not_served: "the certificate's key must be RSA",
    short_key: "the certificate's key must be RSA",
    missing_key: "tls.key cannot be read: No such file",
}


@pytest.mark.parametrize(
    ("spoil", "text"), FAULTS.items(), ids=[spoil.__name__ for spoil in FAULTS]
)
def test_what_is_wrong_is_said(
    tmp_path: Path, spoil: Callable[[Path, Path], None], text: str
) -> None:
    chain, key = write_pair(tmp_path)
    spoil(chain, key)
    with pytest.raises(CannotListenError, match=text):
        TlsFiles(chain=chain, key=key).check()


@pytest.mark.parametrize("key_size", [2048, 3072, 4096])
def test_rsa_keys_of_the_usual_sizes_are_served(tmp_path: Path, key_size: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=key_size)
    chain, private = write_pair(tmp_path, key)
    TlsFiles(chain=chain, key=private).check()


def test_a_faulty_file_ends_the_start_in_one_line(tmp_path: Path) -> None:
    chain, key = write_pair(tmp_path)
    encrypted_key(chain, key)
    config = tmp_path / "broker.yaml"
    config.write_text(json.dumps(document(8080)))
    where = ["--config", config, "--port", str(free_port())]
    ended = subprocess.run(
        [BROKER, "serve", *where, "--tls-cert", chain, "--tls-key", key],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Error: TLS cannot be served: ")
    assert "Traceback" not in ended.stderr
    assert "pass phrase" not in ended.stderr + ended.stdout


def _check(condition: bool) -> None:
    assert condition
