"""An OpenID provider that answers at once, and others beside it that take a token request and never answer.

Real HTTP on loopback, in threads of the driver: what it costs is not the broker's. Nothing is checked
here; that the broker asks properly is the tests' business.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "broker", "broker-secret-0123456789"
_KID = "op"
_PATIENCE_SECONDS = 10.0


class Op:
    """The provider at ``url``. ``url`` + ``/stalled-N`` are issuers of their own, which stall."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._hanging = threading.Semaphore(0)
        self.url = ""

    def answer(self, location: str, name: str) -> dict[str, str]:
        """The person signs in. What the token request needs to know travels in the code."""
        query = dict(parse_qsl(urlsplit(location).query))
        code = urlencode({"sub": name, "nonce": query["nonce"]})
        return {"code": code, "state": query["state"]}

    def hang(self) -> None:
        """What a stalled token endpoint does until the run is over."""
        self._hanging.release()
        self.over.wait()

    def wait_until_hanging(self, count: int) -> None:
        """Until ``count`` more token requests wait for an answer that does not come."""
        for _ in range(count):
            if not self._hanging.acquire(timeout=_PATIENCE_SECONDS):
                raise SystemExit("The stalled provider was not asked.")

    def document(self, path: str, bearer: str) -> dict[str, Any]:
        """Whatever is at ``path``; the access token is the person's name."""
        prefix, _, is_discovery = path.partition("/.well-known/")
        if is_discovery:
            return self._metadata(self.url + prefix)
        if path == "/userinfo":
            return {"sub": bearer, "email": f"{bearer}@bench.test"}
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": _KID, "n": _number(public.n), "e": _number(public.e)}
        return {"keys": [key]}

    def tokens(self, code: str) -> dict[str, str]:
        """A token response with a signed ID token."""
        asked, now = dict(parse_qsl(code)), int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "name": "Bench Mark",
            "department": "Measuring",
            **asked,
        }
        return {
            "token_type": "Bearer",
            "access_token": asked["sub"],
            "id_token": self._signed(claims),
        }

    def _metadata(self, issuer: str) -> dict[str, Any]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "code_challenge_methods_supported": ["S256"],
        }

    def _signed(self, claims: dict[str, Any]) -> str:
        head = {"alg": "RS256", "kid": _KID, "typ": "JWT"}
        data = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self._key.sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{data}.{_base64url(signature)}"


@contextmanager
def served() -> Iterator[Op]:
    """An ``Op`` on a free port, until the block ends."""
    op = Op()
    server = _Server(("127.0.0.1", 0), _handler(op))
    op.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield op
    finally:
        op.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A broker that gives up on a stalled request is what is measured."""


def _handler(op: Op) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:  # the base class's name
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._say(op.document(self.path, bearer))

        def do_POST(self) -> None:  # the base class's name
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path.startswith("/stalled"):
                op.hang()
            else:
                self._say(op.tokens(parse_qs(form)["code"][0]))

        def _say(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    return Handler


def _number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
