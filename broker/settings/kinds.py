"""What a value may look like: text, yes or no, a number, a choice, a list, a map.

A kind reads one raw value: it answers the value in the broker's own type, or None when it is at
fault, which it has reported then. None of them shows a value in a report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from broker.settings.reading import Place, Reading, nearest

STRING_TYPE_MAX = 131_072
"""The longest value of the API's ``StringType``."""

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_DIGITS = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_NAMES: dict[type, str] = {list: "list", dict: "mapping", str: "single value"}
_Collection = TypeVar("_Collection", list[Any], dict[str, Any])


class Kind(Protocol):
    """One form of value."""

    def read(self, raw: object, place: Place, reading: Reading) -> Any:
        """The value; None after a fault. ``raw`` is text, a list, a dict or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Handed on as it stands in the file."""

    def read(self, raw: object, place: Place, reading: Reading) -> Any:  # noqa: ARG002  # a Kind
        return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """``must`` answers a fault; ``longest`` and ``pattern`` are the API's and only warn."""

    must: Callable[[str], str | None] | None = None
    longest: int = STRING_TYPE_MAX
    pattern: re.Pattern[str] | None = None

    def read(self, raw: object, place: Place, reading: Reading) -> str | None:
        text = scalar(raw, "text", place, reading)
        if text is None:
            return None
        if self.must and (problem := self.must(text)):
            reading.fault(place, problem)
            return None
        self._warn(text, place, reading)
        return text

    def _warn(self, text: str, place: Place, reading: Reading) -> None:
        if len(text) > self.longest:
            reading.warn(place, f"Cognito allows at most {self.longest} characters")
        if self.pattern and not self.pattern.fullmatch(text):
            reading.warn(place, "Cognito would refuse this: it is empty or has other characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean:
    """``true`` and ``false``, quoted or not, and YAML 1.1's other words for them."""

    def read(self, raw: object, place: Place, reading: Reading) -> bool | None:
        text = scalar(raw, "true or false", place, reading)
        if text is None:
            return None
        if text.lower() not in _TRUE | _FALSE:
            reading.fault(place, "must be true or false")
            return None
        return text.lower() in _TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number; outside ``low`` to ``high`` it could not be served."""

    low: int
    high: int

    def read(self, raw: object, place: Place, reading: Reading) -> int | None:
        text = scalar(raw, "a whole number", place, reading)
        if text is None:
            return None
        if not _DIGITS.fullmatch(text) or not self.low <= int(text) <= self.high:
            reading.fault(place, f"must be a whole number from {self.low} to {self.high}")
            return None
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in decimal notation."""

    def read(self, raw: object, place: Place, reading: Reading) -> float | None:
        text = scalar(raw, "a number", place, reading)
        if text is None or _DECIMAL.fullmatch(text):
            return None if text is None else float(text)
        reading.fault(place, "must be a number")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some words, case-exact."""

    words: tuple[str, ...]

    def read(self, raw: object, place: Place, reading: Reading) -> str | None:
        text = scalar(raw, "text", place, reading)
        if text is None or text in self.words:
            return text
        reading.fault(place, f"must be {' or '.join(self.words)}{nearest(text, self.words)}")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of one kind, repetitions dropped. An empty value is an empty list."""

    item: Kind
    most: int
    """More than the API allows is a warning."""
    alone: bool = False
    """Whether a single item may stand without the list."""

    def read(self, raw: object, place: Place, reading: Reading) -> tuple[Any, ...] | None:
        if self.alone and isinstance(raw, str):
            raw = [raw]
        items = collection(raw, list, place, reading)
        if items is None:
            return None
        if len(items) > self.most:
            reading.warn(place, f"Cognito allows at most {self.most}")
        read = (self.item.read(item, place / i, reading) for i, item in enumerate(items))
        return tuple(dict.fromkeys(value for value in read if value is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """Names of any kind, each with text. An empty value is an empty map."""

    value: Text
    longest_name: int

    def read(self, raw: object, place: Place, reading: Reading) -> dict[str, Any] | None:
        given = collection(raw, dict, place, reading)
        if given is None:
            return None
        if any(len(name) > self.longest_name for name in given):
            reading.warn(place, f"Cognito allows names of at most {self.longest_name} characters")
        read = {n: self.value.read(value, place / n, reading) for n, value in given.items()}
        return {name: value for name, value in read.items() if value is not None}


def scalar(raw: object, wanted: str, place: Place, reading: Reading) -> str | None:
    """The text of a scalar, references replaced."""
    if isinstance(raw, str):
        return reading.resolve(raw, place)
    if raw is None:
        reading.fault(place, f"has no value (it must be {wanted}; or leave the member out)")
    else:
        reading.fault(place, f"must be {wanted}, not a {_NAMES[type(raw)]}")
    return None


def collection(
    raw: object, wanted: type[_Collection], place: Place, reading: Reading
) -> _Collection | None:
    """A list or a mapping; no value at all is an empty one."""
    if raw is None:
        return wanted()
    if isinstance(raw, wanted):
        return raw
    reading.fault(place, f"must be a {_NAMES[wanted]}, not a {_NAMES[type(raw)]}")
    return None
