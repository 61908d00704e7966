"""Which URLs a configuration may hold, and what the forms of ``Domain`` stand for.

The rules that hold for all URLs are in ``broker.model.urls``. The ``*_problem`` functions answer what
is wrong with a URL, or None.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from broker.model.urls import (
    DEFAULT_PORTS,
    fragment_problem,
    is_loopback,
    odd_character_problem,
    taken_apart,
    web_problem,
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_RUNS_IN_THE_BROWSER = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})


def callback_problem(url: str) -> str | None:
    """RFC 6749 3.1.2 and RFC 8252 7.1: as ``web_problem``, or a scheme of the app's own."""
    scheme = url.partition(":")[0].lower()
    if scheme in DEFAULT_PORTS or not _SCHEME.match(url):
        return web_problem(url)
    if scheme in _RUNS_IN_THE_BROWSER:
        return f"must not have the scheme {scheme} (a browser would run it or read local data)"
    return odd_character_problem(url) or fragment_problem(url)


def issuer_problem(url: str) -> str | None:
    """RFC 8414 2: an issuer has neither query nor fragment."""
    return web_problem(url) or ("must not have a query" if "?" in url else None)


def base_url_problem(url: str) -> str | None:
    """A pool's base URL: the broker's paths begin at its root."""
    problem = issuer_problem(url)
    if problem is None and urlsplit(url).path.strip("/"):
        return "must not have a path (the broker serves whole hosts)"
    return problem


def base_url(domain: str, base_domain: str) -> str:
    """The base URL that a ``Domain`` value stands for, host in lower case, no default port."""
    url = _expanded(domain, base_domain)
    parts = taken_apart(url)
    if base_url_problem(url) is not None or parts is None:
        return url
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    is_default = parts.port in {None, DEFAULT_PORTS[parts.scheme]}
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")


def authority(url: str) -> tuple[str, int]:
    """Host and port of a base URL: what a Host header can tell apart."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]


def base_domain_problem(base_domain: str) -> str | None:
    """``host`` or ``host:port``, which bare ``Domain`` prefixes hang under."""
    is_name = base_url_problem(f"https://{base_domain}") is None and "/" not in base_domain
    return None if is_name else "must be a host name, with a port if need be (auth.example.com)"


def _expanded(domain: str, base_domain: str) -> str:
    if "://" in domain:
        return domain
    if "." in domain:
        return f"https://{domain}"
    host = urlsplit(f"//{base_domain}").hostname or ""
    return f"{'http' if is_loopback(host) else 'https'}://{domain}.{base_domain}"
