"""The one kind of response that leaves the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from werkzeug.http import dump_cookie

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_BODY = frozenset({204, 304})
"""RFC 9110 6.4.1; neither has a Content-Length of its own."""

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Response:
    """A WSGI application (PEP 3333), complete when it is made, and sent as it was made.

    Raises ``ValueError`` for a value with a line break, which would begin another header, and ``KeyError``
    for a status that there is not.

    Werkzeug's would copy the headers several times, rewrite ``Location`` for browsers of old (lose an empty
    authority, as in ``myapp:///callback``, change case, fail on what is no host name), and hand an
    iterator to granian, which asks one piece by piece, with a change of threads for each.
    """

    __slots__ = ("_status_line", "body", "headers", "status")

    def __init__(
        self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self.status = status
        self.headers = list(headers.items()) if headers else []
        self._status_line = _STATUS_LINES[status]
        _refuse_line_breaks(value for _, value in self.headers)

    def add_header(self, name: str, value: str) -> None:
        _refuse_line_breaks((value,))
        self.headers.append((name, value))

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        secure: bool = False,
        same_site: Literal["Lax", "None"] | None = None,
    ) -> None:
        """For ``max_age`` seconds, or as long as the browser runs; 0 takes it away (RFC 6265 5.2.2).
        Max-Age says so alone: it goes before Expires wherever it is known (RFC 6265 5.3)."""
        cookie = dump_cookie(
            name,
            value,
            max_age=max_age,
            sync_expires=False,
            secure=secure,
            httponly=True,
            samesite=same_site,
        )
        self.add_header("Set-Cookie", cookie)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        headers, body = self.headers, self.body
        if self.status in _WITHOUT_BODY:
            body = b""
        else:
            headers = [*headers, ("Content-Length", str(len(body)))]
        start_response(self._status_line, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _refuse_line_breaks(values: Iterable[str]) -> None:
    """RFC 9110 5.5. Names are ours."""
    text = "".join(values)
    if "\n" in text or "\r" in text:
        raise ValueError("a line break in a header")
