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
    for path, value in (*_nested(document, "", MAX_DEPTH), *document.items()):
        if values := _values(value):
            found[path] = values
    return found


def _nested(node: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The members of the objects in ``node``, by their paths."""
    for name, value in node.items():
        if isinstance(value, dict) and depth > 1:
            path = f"{prefix}{name}."
            yield from ((path + inner, member) for inner, member in value.items())
            yield from _nested(value, path, depth - 1)


def _values(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_text(item) for item in items if item is not None and item not in ("", {}, []))


def _text(value: object) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
