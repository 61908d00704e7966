"""The rules of single values that are faults when broken: what would be ambiguous or unsafe.

Each answers the problem, or None. Lengths and patterns that Cognito merely prescribes stand in
``tables.py`` and are warnings.
"""

from __future__ import annotations

import re

_POOL_ID = re.compile(r"[A-Za-z0-9_-]+_[0-9A-Za-z]+")
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]{1,256}")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SHORTEST_PROVIDER_NAME = 3
_RESERVED_PROVIDER_NAME = "cognito"


def not_empty(text: str) -> str | None:
    return None if text.strip() else "must not be empty"


def text(value: str) -> str | None:
    """What stands in XML that we write."""
    return not_empty(value) or writable(value)


def writable(value: str) -> str | None:
    """XML has no place for control characters, but for white space."""
    return "must not have control characters" if _UNWRITABLE.search(value) else None


def pool_id(text: str) -> str | None:
    """It is a path segment of every endpoint, and its region is the part before the ``_``."""
    return None if _POOL_ID.fullmatch(text) else "must be <region>_<letters and digits>"


def client_id(text: str) -> str | None:
    """RFC 6749 A.1 and RFC 7617 2: printable, and without the colon that ends it in Basic."""
    if ":" not in text and _PRINTABLE_ASCII.fullmatch(text) and text == text.strip():
        return None
    return "must be 1 to 256 printable ASCII characters without a colon"


def client_secret(text: str) -> str | None:
    """RFC 6749 A.2."""
    if _PRINTABLE_ASCII.fullmatch(text):
        return None
    return "must be 1 to 256 printable ASCII characters"


def provider_name(text: str) -> str | None:
    """A user's name is ``<ProviderName>_<id>``, split at the first underscore."""
    if "_" in text:
        return "must not contain _ (user names are <ProviderName>_<id>, split at the first _)"
    if len(text) < _SHORTEST_PROVIDER_NAME:
        return f"must have at least {_SHORTEST_PROVIDER_NAME} characters"
    if not text.isprintable() or " " in text:
        return "must not contain spaces or control characters"
    if text.lower() == _RESERVED_PROVIDER_NAME:
        return "is reserved (COGNITO means the pool's own users)"
    return None


def resource_identifier(text: str) -> str | None:
    """RFC 6749 3.3: a scope is part of a list with spaces between."""
    return (
        None if _SCOPE_TOKEN.fullmatch(text) else "must not contain spaces, quotes or backslashes"
    )


def scope_name(text: str) -> str | None:
    """A scope is ``<Identifier>/<ScopeName>``, split at the last slash."""
    if "/" in text:
        return "must not contain / (a scope is <Identifier>/<ScopeName>, split at the last /)"
    return resource_identifier(text)
