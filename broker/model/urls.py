"""Which URLs a browser may be sent to, whoever names them: the configuration or a provider's metadata.

Plain http is for loopback names only, because a code, a token or an assertion that crosses a network
in the clear belongs to whoever listens. The ``*_problem`` functions answer what is wrong with a URL,
or None.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

_ODD = re.compile(r"[\s\\\x00-\x1f\x7f]")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """``localhost``, ``*.localhost`` (RFC 6761 6.3), ``127.0.0.1`` and ``::1``, nothing else."""
    name = host.lower()
    return name in _LOOPBACK_NAMES or name.endswith(".localhost")


def web_problem(url: str) -> str | None:
    """An absolute https URL without fragment, or http on a loopback host."""
    if problem := odd_character_problem(url):
        return problem
    parts = taken_apart(url)
    if parts is None or parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return "must be an absolute URL (https://host/...)"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    return (
        _port_problem(parts) or fragment_problem(url) or _host_problem(parts.scheme, parts.hostname)
    )


def _port_problem(parts: SplitResult) -> str | None:
    try:
        is_possible = parts.port != 0
    except ValueError:
        is_possible = False
    return None if is_possible else "must have a port from 1 to 65535, or none"


def _host_problem(scheme: str, host: str) -> str | None:
    if not _is_host(host):
        return "must name a possible host"
    if scheme == "http" and not is_loopback(host):
        return "must be https (plain http is for localhost, *.localhost, 127.0.0.1 and [::1])"
    return None


def odd_character_problem(url: str) -> str | None:
    is_odd = _ODD.search(url)
    return "must not contain spaces, backslashes or control characters" if is_odd else None


def fragment_problem(url: str) -> str | None:
    return "must not have a fragment (drop the # and what follows)" if "#" in url else None


def taken_apart(url: str) -> SplitResult | None:
    """None: brackets that hold no address. Its port may be none."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_host(host: str) -> bool:
    """An address, or labels of RFC 1123 2.1 (with the underscore that internal names have)."""
    labels = host.removesuffix(".").split(".")
    if ":" not in host and not labels[-1].isdigit():
        return all(_LABEL.fullmatch(label) for label in labels)
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
