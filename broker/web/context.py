"""What a request is made of: which pool it is for, its parameters, its cookies.

The Host header chooses the pool and nothing else: URLs are built from the pool's ``Domain``. Below
this module nobody meets a header, a query string or a form.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    MisdirectedRequest,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from broker.model.login import SIGN_IN_SECONDS, LoginSession
from broker.model.parameters import Parameters
from broker.model.pool import UserPool
from broker.ports import Clock
from broker.web.request import Request
from broker.web.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES = 512 * 1024
"""Room for 100,000 characters of SAMLResponse, percent-encoded, and a long RelayState."""

SESSION_COOKIE = "cognito"
BINDING_COOKIE = "csrf-state"
LEGACY_BINDING_COOKIE = "csrf-state-legacy"
LANGUAGE_COOKIE = "lang"

_BODY = "broker.body"
"""Where the environment of a request keeps what was read of it."""
_FORM = "application/x-www-form-urlencoded"
_OPAQUE = re.compile(r"[A-Za-z0-9_-]{43}")
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class Site:
    """The pool a request is for, at the domain it arrived at (``base_url``, no trailing slash)."""

    pool: UserPool
    base_url: str

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https:")


class Sites:
    """Host -> ``Site``. With one pool any Host is its main domain; with several an unknown one is 421."""

    def __init__(self, pools: Mapping[str, UserPool]) -> None:
        sites = [Site(pool, base_url) for pool in pools.values() for base_url in pool.domains]
        self._by_host = {
            **{host: site for site in sites for host in _with_default_ports(site.base_url)},
            **{_host_of(site.base_url): site for site in sites},
        }
        only = next(iter(pools.values())) if len(pools) == 1 else None
        self._default = None if only is None else Site(only, only.domain)

    def of(self, host: str) -> Site:
        site = self._by_host.get(host.lower()) or self._default
        if site is None:
            raise MisdirectedRequest
        return site


def _host_of(base_url: str) -> str:
    """The Host header that a browser sends for this URL: without a default port."""
    url = urlsplit(base_url)
    return url.netloc.lower().removesuffix(_DEFAULT_PORTS[url.scheme])


def _with_default_ports(base_url: str) -> Iterator[str]:
    """What others send: with the default port of the URL, or of the wire behind a proxy."""
    host = _host_of(base_url)
    if urlsplit(f"//{host}").port is None:
        yield from (host + port for port in _DEFAULT_PORTS.values())


def query(request: Request) -> Parameters:
    """The query string, single-valued."""
    return _parsed(request.query_string)


def form(request: Request) -> Parameters:
    """The form body, single-valued. Another content type is 415, too large a body 413."""
    if request.mimetype != _FORM:
        raise UnsupportedMediaType
    return _parsed(body(request))


def body(request: Request) -> bytes:
    """The body, all of it, also when it is asked for again.

    Too large a one is 413, whether it says so (Content-Length) or not (chunked), and one that is shorter
    than it says 400. Werkzeug would cut a chunked one at the limit, and what was cut off might be a
    repeated parameter.
    """
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    data = _read_once(request.environ, length)
    if len(data) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if length is not None and len(data) < length:
        raise ClientDisconnected
    return data


def _read_once(environ: WSGIEnvironment, length: int | None) -> bytes:
    """As much as ``length`` says, or of one without it a byte more than is taken. A body that is refused
    is kept as well: whoever asks again, as the page of the refusal does, must not meet the rest of it."""
    if _BODY not in environ:
        # PEP 3333: without a length nobody could tell where it ends, unless the server says so.
        ends = length is not None or environ.get("wsgi.input_terminated")
        size = MAX_BODY_BYTES + 1 if length is None else length
        environ[_BODY] = _read(environ, size) if ends else b""
    return cast("bytes", environ[_BODY])


def _read(environ: WSGIEnvironment, size: int) -> bytes:
    """400 where the server finds no body to read: chunks that are none, a client that is gone."""
    try:
        return cast("bytes", environ["wsgi.input"].read(size))
    except OSError as error:
        raise ClientDisconnected from error


def forget_body(environ: WSGIEnvironment) -> None:
    """What was read of it, once the request is answered."""
    environ.pop(_BODY, None)


def parameters(request: Request) -> Parameters:
    """The query of a GET, the form body of a POST; never both (OIDC Core 3.1.2.1)."""
    return form(request) if request.method == "POST" else query(request)


def _parsed(encoded: bytes) -> Parameters:
    try:
        return Parameters.parse(encoded)
    except ValueError as error:
        raise BadRequest from error


def browser_binding(request: Request, site: Site) -> str | None:
    """The value that names this browser, or None. The legacy cookie counts on plain http alone."""
    value = request.cookies.get(BINDING_COOKIE)
    if value is None and not site.is_https:
        value = request.cookies.get(LEGACY_BINDING_COOKIE)
    return value if value is not None and _OPAQUE.fullmatch(value) else None


def new_binding() -> str:
    return secrets.token_urlsafe(32)


def bind_browser(response: Response, site: Site, binding: str) -> None:
    """Set the binding cookie, anew at each sign-in with the value the browser already has.

    It names the browser, not the transaction, so that tabs do not disturb each other. It must come
    with the IdP's cross-site POST: ``SameSite=None; Secure`` (browsers take it on http://localhost
    as well). HTTP libraries do not, so on plain http a cookie without either stands beside it.
    """
    response.set_cookie(
        BINDING_COOKIE,
        binding,
        max_age=SIGN_IN_SECONDS,
        secure=True,
        same_site="None",
    )
    if not site.is_https:
        response.set_cookie(LEGACY_BINDING_COOKIE, binding, max_age=SIGN_IN_SECONDS)


def session_cookie(request: Request) -> str | None:
    value = request.cookies.get(SESSION_COOKIE)
    return value if value is not None and _OPAQUE.fullmatch(value) else None


def sign_in_browser(response: Response, site: Site, session: LoginSession, clock: Clock) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        session.id,
        max_age=max(0, session.expires_at - int(clock.now())),
        secure=site.is_https,
        same_site="Lax",
    )


def sign_out_browser(response: Response, site: Site) -> None:
    response.set_cookie(SESSION_COOKIE, "", max_age=0, secure=site.is_https, same_site="Lax")
