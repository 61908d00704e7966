"""What every answer carries, whoever made it: security headers, and CORS where browser apps call.

A layer around the application rather than a hook in it, so that nothing the application does, or fails to
do, can leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException

from broker.web.context import Sites

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
_CROSS_ORIGIN_PATHS = frozenset({"/", "/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"})
_WELL_KNOWN = "/.well-known/"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_cross_origin(path: str) -> bool:
    """Whether browser apps of any origin may call ``path``; none of it looks at a cookie."""
    return path in _CROSS_ORIGIN_PATHS or _WELL_KNOWN in path


def with_headers(app: Wsgi, sites: Sites) -> Wsgi:
    """``app`` with the headers that an answer does not have yet."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            present = {name for name, _ in headers}
            more = (*_ALWAYS, *_by_site(sites, environ), *_by_path(environ))
            return start_response(
                status, [*headers, *(h for h in more if h[0] not in present)], *error
            )

        return app(environ, start)

    return answer


def _by_path(environ: dict[str, Any]) -> list[tuple[str, str]]:
    return _CROSS_ORIGIN if is_cross_origin(environ.get("PATH_INFO", "")) else []


def _by_site(sites: Sites, environ: dict[str, Any]) -> list[tuple[str, str]]:
    """HSTS where the pool is served over https, which is never on loopback."""
    try:
        return _ENCRYPTED if sites.of(environ.get("HTTP_HOST", "")).is_https else []
    except HTTPException:
        return []
