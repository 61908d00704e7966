"""Everything the broker is told, read once into frozen types: the configuration file, the files it
names, and the environment.

``load`` either answers settings that can be served or raises with every fault at once. Which
members exist stands in ``tables.py``; what single values must be in ``rules.py`` and ``urls.py``;
how an object becomes a type of the model, and what is checked between objects, in ``pools.py``,
``clients.py``, ``providers.py`` and ``schema.py``. Nothing here reaches out to the network, makes a
directory or opens a store, and metadata and key files are left to those who use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker.model.errors import ConfigurationError
from broker.model.pool import UserPool
from broker.settings import environment, pools, yaml_file
from broker.settings.reading import Place, Reading, cause

__all__ = ["Settings", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A configuration that can be served. Paths are absolute; none needs to exist yet."""

    pools: Mapping[str, UserPool]
    """By id, in file order."""
    state_dir: Path
    certs_dir: Path
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    proxy_hops: int
    log_format: str
    """``json`` or ``text``."""
    warnings: tuple[str, ...]
    """One line each, with the place in the file."""


def load(path: Path, environ: Mapping[str, str], *, port: int = 8080) -> Settings:
    """The settings in ``path`` and ``environ``; ``port`` is the one a bare domain is served at.

    Raises ``ConfigurationError`` with all faults.
    """
    config_path = path.absolute()
    reading = Reading(folder=config_path.parent, environ=environ)
    surroundings = environment.read(reading, port=port)
    found = _pools(config_path, surroundings.base_domain, reading)
    if reading.faults:
        raise ConfigurationError(tuple(reading.faults))
    return Settings(
        pools=found,
        state_dir=surroundings.state_dir,
        certs_dir=surroundings.certs_dir,
        database_url=surroundings.database_url,
        redis_url=surroundings.redis_url,
        proxy_hops=surroundings.proxy_hops,
        log_format=surroundings.log_format,
        warnings=tuple(reading.warnings),
    )


def _pools(path: Path, base_domain: str, reading: Reading) -> dict[str, UserPool]:
    before = len(reading.faults)
    text = _text(path, reading)
    tree = None if text is None else yaml_file.parse(text, reading)
    if tree is None and len(reading.faults) > before:
        return {}
    return pools.build(tree, base_domain, reading)


def _text(path: Path, reading: Reading) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        reading.fault(Place() / str(path), "is not UTF-8 text")
    except (OSError, ValueError) as error:
        reading.fault(Place() / str(path), f"cannot be read ({cause(error)})")
    return None
