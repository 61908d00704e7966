"""Which URLs the broker calls, and in what form they go on the wire.

Configuration is trusted to name hosts; what a provider's discovery document or a redirect names is
not, beyond this rule: https anywhere, plain http only towards this machine, and that only for a
provider that is itself on this machine. So no public provider can aim the broker at a service that
listens on its loopback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from broker.model.urls import DEFAULT_PORTS, is_loopback, odd_character_problem

_HOST = re.compile(r"[0-9A-Za-z._:-]+")
_SAFE = "%/?:@!$&'()*+,;=~-._"


class RefusedUrlError(ValueError):
    """A URL that the broker does not call. The message says why, without the URL's query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL taken apart. ``path`` has its query and no fragment, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def target(url: str) -> Target:
    """``url`` taken apart, if it may be called. Raises ``RefusedUrlError``."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError as error:  # brackets, ports and labels that are none
        raise RefusedUrlError("not a URL") from error
    is_odd = odd_character_problem(url) or "@" in parts.netloc or not _HOST.fullmatch(host)
    if is_odd or parts.scheme not in DEFAULT_PORTS:
        raise RefusedUrlError("not an http(s) URL of a host")
    if parts.scheme == "http" and not is_loopback(host):
        raise RefusedUrlError("plain http towards another machine")
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return Target(
        scheme=parts.scheme,
        host=host,
        port=DEFAULT_PORTS[parts.scheme] if port is None else port,
        path=path + query,
    )


def beside(named: str, by: str) -> str:
    """``named``, an absolute URL that whoever answers at ``by`` told us to call next.

    Raises ``RefusedUrlError``, also for plain http when ``by`` is not on this machine.
    """
    if target(named).scheme == "http" and not is_loopback(target(by).host):
        raise RefusedUrlError("plain http named by a provider on another machine")
    return named


def redirected(location: str, url: str) -> str:
    """Where a ``Location`` at ``url`` leads (RFC 9110 10.2.2). Raises ``RefusedUrlError``."""
    try:
        return beside(urljoin(url, location), url)
    except ValueError as error:  # brackets that hold no address
        raise RefusedUrlError(str(error)) from error
