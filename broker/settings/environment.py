"""The environment variables ``BROKER_*``, read here and nowhere else.

An empty variable counts as unset, because that is what ``${X:-}`` in a compose file makes of one.
Values are never shown in a fault: a database URL holds a password.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.settings.reading import Place, Reading, nearest
from broker.settings.urls import base_domain_problem

_PREFIX = "BROKER_"
_KNOWN = (
    "BROKER_STATE_DIR",
    "BROKER_CERTS_DIR",
    "BROKER_DATABASE_URL",
    "BROKER_REDIS_URL",
    "BROKER_BASE_DOMAIN",
    "BROKER_PROXY_HOPS",
    "BROKER_LOG",
)
_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
_REDIS = ("redis", "rediss", "unix")
_LOG_FORMATS = ("json", "text")
_PORT = re.compile(r"[^:]+://(?:[^:/]*(?::[^@]*)?@)?+(?:\[[^/?]+\]|[^/:?]*):(?P<port>[^/?]*)")
"""As SQLAlchemy takes a URL apart."""
_PORTS = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where this installation keeps things, and how it is reached."""

    state_dir: Path
    certs_dir: Path
    database_url: str
    redis_url: str | None
    base_domain: str
    proxy_hops: int
    log_format: str


def read(reading: Reading, *, port: int) -> Environment:
    """The environment with its defaults; whatever is wrong becomes a fault of ``reading``."""
    given = {name: value for name, value in reading.environ.items() if value}
    _warn_unknown(given, reading)
    state_dir = _folder(given.get("BROKER_STATE_DIR"), reading.folder / "var")
    return Environment(
        state_dir=state_dir,
        certs_dir=_folder(given.get("BROKER_CERTS_DIR"), state_dir / "certs"),
        database_url=_url("BROKER_DATABASE_URL", given, _DATABASES, reading)
        or f"sqlite:///{state_dir / 'broker.db'}",
        redis_url=_url("BROKER_REDIS_URL", given, _REDIS, reading),
        base_domain=_base_domain(given, reading) or f"localhost:{port}",
        proxy_hops=_proxy_hops(given, reading),
        log_format=_log_format(given, reading),
    )


def _warn_unknown(given: Mapping[str, str], reading: Reading) -> None:
    """Other programs may own ``BROKER_`` names too, so only a near miss is worth a line."""
    for name in given:
        if name.startswith(_PREFIX) and name not in _KNOWN:
            guess = nearest(name, _KNOWN)
            if guess:
                reading.warn(Place() / name, f"unknown environment variable{guess}")


def _folder(value: str | None, default: Path) -> Path:
    return Path(value).expanduser().absolute() if value else default


def _url(
    name: str, given: Mapping[str, str], schemes: tuple[str, ...], reading: Reading
) -> str | None:
    url = given.get(name)
    if url is not None and url.partition(":")[0].lower() not in schemes:
        reading.fault(Place() / name, f"must be a URL that begins with {', '.join(schemes)}")
    elif url is not None and not _has_possible_port(url):
        reading.fault(
            Place() / name,
            "must be a URL with a port from 1 to 65535 (in a password write %40 for @, %2F for /)",
        )
    return url


def _has_possible_port(url: str) -> bool:
    """None at all is possible, too."""
    match = _PORT.match(url)
    port = match["port"] if match else ""
    return not port or (port.isascii() and port.isdigit() and 0 < int(port) < _PORTS)


def _base_domain(given: Mapping[str, str], reading: Reading) -> str | None:
    value = given.get("BROKER_BASE_DOMAIN")
    problem = base_domain_problem(value) if value else None
    if problem:
        reading.fault(Place() / "BROKER_BASE_DOMAIN", problem)
    return None if problem else value


def _proxy_hops(given: Mapping[str, str], reading: Reading) -> int:
    value = given.get("BROKER_PROXY_HOPS", "0")
    if value.isascii() and value.isdigit() and len(value) == 1:
        return int(value)
    reading.fault(Place() / "BROKER_PROXY_HOPS", "must be a whole number from 0 to 9")
    return 0


def _log_format(given: Mapping[str, str], reading: Reading) -> str:
    """A person at a terminal reads text; anything else that collects logs reads JSON."""
    value = given.get("BROKER_LOG")
    if value is not None and value not in _LOG_FORMATS:
        reading.fault(
            Place() / "BROKER_LOG",
            f"must be {' or '.join(_LOG_FORMATS)}{nearest(value, _LOG_FORMATS)}",
        )
    return value or ("text" if sys.stderr.isatty() else "json")
