"""What stores are handed and answer, besides the users and the tokens themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Kind(StrEnum):
    """What a single-use value is; part of its key, so one kind is never taken for another."""

    TRANSACTION = "tx"
    CODE = "code"
    LOGOUT = "logout"
    UPSTREAM_SESSION = "idp-session"
    """Whom a provider's session is of, for providers that end sessions by their own name for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A value on its way into the ``SingleUseStore``."""

    kind: Kind
    key: str = field(repr=False)
    value: bytes = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class Spent:
    """The outcome of ``SingleUseStore.spend``: the value, and whether this call was the first."""

    value: bytes
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDocument:
    """What a machine fetched, and its note about that. ``document`` None: never yet a good one."""

    document: bytes | None
    note: bytes


class Rotation(Enum):
    """What ``RefreshTokenStore.rotate`` found."""

    ROTATED = "rotated"
    IN_GRACE = "in_grace"
    """The old token was rotated before, less than the grace period ago: the new one is good too."""
    REUSED = "reused"
    """The old token was rotated before and its grace is over: somebody holds a stolen copy."""
    UNKNOWN = "unknown"
