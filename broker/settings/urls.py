"""Which URLs a configuration may hold, and what the forms of ``Domain`` stand for.

Plain http is for loopback names only, because a code, a token or an assertion that crosses a
network in the clear belongs to whoever listens. The ``*_problem`` functions answer what is wrong
with a URL, or None.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_RUNS_IN_THE_BROWSER = frozenset({"javascript", "data", "vbscript", "file", "about", "blob"})
_NOT_ABSOLUTE = "must be an absolute URL (https://host/...)"


def is_loopback(host: str) -> bool:
    """``localhost``, ``*.localhost`` (RFC 6761 6.3), ``127.0.0.1`` and ``::1``, nothing else."""
    name = host.lower()
    return name in _LOOPBACK_NAMES or name.endswith(".localhost")


def web_problem(url: str) -> str | None:
    """An absolute https URL without fragment, or http on a loopback host."""
    if _ODD.search(url):
        return "must not contain spaces, backslashes or control characters"
    parts = _split(url)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return _NOT_ABSOLUTE
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    return _fragment_problem(url) or _host_problem(parts.scheme, parts.hostname)


def _host_problem(scheme: str, host: str) -> str | None:
    if not _is_host(host):
        return "must name a possible host"
    if scheme == "http" and not is_loopback(host):
        return "must be https (plain http is for localhost, *.localhost, 127.0.0.1 and [::1])"
    return None


def _fragment_problem(url: str) -> str | None:
    return "must not have a fragment (drop the # and what follows)" if "#" in url else None


def callback_problem(url: str) -> str | None:
    """RFC 6749 3.1.2 and RFC 8252 7.1: as ``web_problem``, or a scheme of the app's own."""
    scheme = url.partition(":")[0].lower()
    if scheme in _DEFAULT_PORTS or not _SCHEME.match(url):
        return web_problem(url)
    if scheme in _RUNS_IN_THE_BROWSER:
        return f"must not have the scheme {scheme} (a browser would run it or read local data)"
    if _ODD.search(url):
        return "must not contain spaces, backslashes or control characters"
    return _fragment_problem(url)


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
    parts = _split(url)
    if base_url_problem(url) is not None or parts is None:
        return url
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    is_default = parts.port in {None, _DEFAULT_PORTS[parts.scheme]}
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")


def authority(url: str) -> tuple[str, int]:
    """Host and port of a base URL: what a Host header can tell apart."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


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


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            return None
    except ValueError:  # brackets that hold no address, a port that is no number
        return None
    return parts


def _is_host(host: str) -> bool:
    """An address, or labels of RFC 1123 2.1 (with the underscore that internal names have)."""
    labels = host.removesuffix(".").split(".")
    if ":" not in host and not labels[-1].isdigit():
        return all(_LABEL.fullmatch(label) for label in labels)
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
