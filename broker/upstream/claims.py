"""From a provider's JSON to the claims that attribute mappings name: strings, in order.

Booleans and numbers become their JSON text, arrays several values, objects compact JSON; the members
of an object are claims too, under a dotted path (``address.country``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

MAX_DEPTH = 5
"""How deep dotted paths go: a document nested without end must not cost its square."""

_encode = msgspec.json.Encoder().encode


def claim_values(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Every claim of ``document``. What is null or empty counts as absent.

    A member named with a dot wins over the path that reads the same.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, value in _walk(document, "", MAX_DEPTH):
        values = _values(value)
        if values and (path not in found or path in document):
            found[path] = values
    return found


def _walk(node: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        yield prefix + name, value
        if isinstance(value, dict) and depth > 1:
            yield from _walk(value, f"{prefix}{name}.", depth - 1)


def _values(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_text(item) for item in items if item is not None and item not in ("", {}, []))


def _text(value: object) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
