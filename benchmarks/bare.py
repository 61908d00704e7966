"""What Flask and the same cryptography cost on this machine when every check is left out.

The crypto floor says nothing of the interpreter, and machines differ in how the two compare. So the same
run measures a service that does no more than parse, sign, verify and answer, under the same server, with the
same number of requests, connections and workers. It is no peer of the broker: it believes everything.
"""

from __future__ import annotations

import base64
import http.client
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, redirect, request
from lxml import etree

from benchmarks.processes import ServerProcess, free_port, wait_until_healthy

_FORM = "application/x-www-form-urlencoded"
_DOCUMENT = (
    b"<Response><Assertion>" + b"<Attribute>value</Attribute>" * 60 + b"</Assertion></Response>"
)

app = Flask("bare", static_folder=None)
_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_public = _key.public_key()


def _sign(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(_key.sign(data, padding.PKCS1v15(), hashes.SHA256()))


_signature = _key.sign(_DOCUMENT, padding.PKCS1v15(), hashes.SHA256())


@app.get("/health")
def _health() -> Response:
    return Response(b"ok")


@app.get("/oauth2/authorize")
def _authorize() -> object:
    return redirect(f"https://idp.example/?{urlencode(request.args.to_dict())}")


@app.post("/saml2/idpresponse")
def _consume() -> object:
    document = base64.b64decode(request.form["SAMLResponse"])
    etree.fromstring(document)
    _public.verify(_signature, document, padding.PKCS1v15(), hashes.SHA256())
    return redirect("https://app.example/callback?code=code")


@app.post("/oauth2/token")
def _token() -> dict[str, str]:
    code = request.form["code"].encode()
    return {"id_token": _sign(code).decode(), "access_token": _sign(code * 2).decode()}


class Caller:
    """One connection. Each call is one operation, under the name of the broker's."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def empty(self) -> None:
        self._send("GET", "/health")

    def refresh(self) -> None:
        self._send("POST", "/oauth2/token", {"code": "c" * 48, "client_id": "bench"})

    def saml_login(self) -> None:
        self._send("GET", f"/oauth2/authorize?{urlencode({'state': 's' * 32, 'nonce': 'n' * 32})}")
        encoded = base64.b64encode(_DOCUMENT).decode()
        self._send("POST", "/saml2/idpresponse", {"SAMLResponse": encoded, "RelayState": "r" * 43})
        self.refresh()

    def _send(self, method: str, path: str, form: dict[str, str] | None = None) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._local.connection = connection
        body = None if form is None else urlencode(form)
        connection.request(method, path, body, {} if form is None else {"Content-Type": _FORM})
        response = connection.getresponse()
        response.read()
        if response.status not in (200, 302):
            raise SystemExit(f"the bare service answered {response.status}")


@contextmanager
def served(workers: int) -> Iterator[tuple[ServerProcess, list[Caller]]]:
    """The service under granian, as the broker is, until the block ends; and four connections."""
    port = free_port()
    granian = str(Path(sys.executable).with_name("granian"))
    command = [granian, "--interface", "wsgi", "--http", "1", "--no-log"]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, "--workers", str(workers), "--port", str(port), "benchmarks.bare:app"],
            stdout=output,
            stderr=output,
        )
        try:
            wait_until_healthy(process, port)
            yield (
                ServerProcess(pid=process.pid, port=port, ready_seconds=0.0),
                [Caller(port) for _ in range(4)],
            )
        finally:
            process.terminate()
            process.wait(timeout=30)
