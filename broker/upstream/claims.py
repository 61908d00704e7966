"""From a provider's JSON to the claims that attribute mappings name: strings, in order.

Booleans and numbers become their JSON text, arrays several values, objects compact JSON; the members
of an object are claims too, under a dotted path (``address.country``). A document is as long as its
sender likes, so only what is wanted of it is looked for, and nothing is made of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def claim_values(document: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The ``wanted`` claims that ``document`` has. What is null or empty counts as absent."""
    found = ((name, next(filter(None, _read(document, name)), ())) for name in wanted)
    return {name: values for name, values in found if values}


def _read(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """What stands at ``path``; a member that is named with the dots comes before the members of
    objects."""
    if path in node:
        yield _values(node[path])
    for dot, character in enumerate(path):
        inner = node.get(path[:dot]) if character == "." else None
        if isinstance(inner, dict):
            yield from _read(inner, path[dot + 1 :])


def _values(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_text(item) for item in items if item is not None and item not in ("", {}, []))


def _text(value: object) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
