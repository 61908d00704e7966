"""What every answer carries, whoever made it: security headers, and CORS where browser apps call.

A layer around the application rather than a hook in it, so that nothing the application does, or fails to
do, can leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException

from broker.web import errors
from broker.web.context import Sites
from broker.web.mounts import Mounts
from broker.web.request import Request
from broker.web.response import Response

_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
]
_ENCRYPTED = [("Strict-Transport-Security", "max-age=31536000; includeSubDomains")]
_CROSS_ORIGIN = [
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "WWW-Authenticate, Retry-After, x-amzn-RequestId, x-amzn-ErrorType",
    ),
]
_MORE = {
    (encrypted, cross_origin): (
        *_ALWAYS,
        *(_ENCRYPTED if encrypted else ()),
        *(_CROSS_ORIGIN if cross_origin else ()),
    )
    for encrypted in (True, False)
    for cross_origin in (True, False)
}

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_headers(app: Wsgi, sites: Sites, mounts: Mounts) -> Wsgi:
    """``app`` with the headers of every answer, which it leaves to this layer."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            more = _MORE[_is_encrypted(sites, request), _is_cross_origin(mounts, request)]
            return start_response(status, [*headers, *more], *error)

        return app(environ, start)

    return answer


def preflight(request: Request, **_: str) -> Response:
    """Allow what a browser asks for. ``*`` would not cover Authorization (Fetch standard, CORS protocol)."""
    response = errors.empty(204, {})
    asked = request.header("Access-Control-Request-Headers")
    if asked:
        response.add_header("Access-Control-Allow-Headers", asked)
    response.add_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
    response.add_header("Access-Control-Max-Age", "600")
    return response


def _is_cross_origin(mounts: Mounts, request: Request) -> bool:
    """CORS for what browser apps call: any origin, no cookies, errors included."""
    row = mounts.at(request.path)
    return row is not None and row.cross_origin


def _is_encrypted(sites: Sites, request: Request) -> bool:
    """HSTS where the pool is served over https, which is never on loopback."""
    try:
        return sites.of(request.host).is_https
    except HTTPException:
        return False
