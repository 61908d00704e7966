"""The text of a configuration file -> lists, mappings and text.

Every scalar stays the text that was written (null aside): the member table knows what each is
meant to be, so ``client_id: 0123`` is neither an octal number nor a fault. The tree is built from
parser events, which costs a third of the time and a fifth of the memory of PyYAML's own loader,
and shows duplicate keys, which that loader hides. Equal texts are one object.
"""

from __future__ import annotations

from typing import Final, Protocol

import yaml
from yaml import events

from broker.settings.reading import Place, Reading

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_MERGE = object()
"""The plain key ``<<``: the members of the mapping (or mappings) it names, unless set here."""


class _UnusableError(Exception):
    """The file cannot be read on from here."""


class _Collection:
    """A list or mapping whose end has not come yet; a mapping's items are key, value, key ..."""

    __slots__ = ("anchor", "is_mapping", "items", "place")

    def __init__(self, *, is_mapping: bool, anchor: str | None, place: Place) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.place = place
        self.items: list[object] = []

    def place_of_next(self) -> Place:
        """Where the value that comes next stands; never asked at a mapping's key."""
        if not self.is_mapping:
            return self.place / len(self.items)
        key = self.items[-1]
        return self.place / (key if isinstance(key, str) else "<<")


def parse(text: str, reading: Reading) -> object:
    """The document in ``text``; None after a fault, or when there is none."""
    builder = _Builder(reading)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except _UnusableError as unusable:
        reading.fault(Place(), str(unusable))
    except yaml.MarkedYAMLError as error:
        reading.fault(Place(), f"{_where(error.problem_mark)}this is not YAML: {error.problem}")
    except yaml.YAMLError:
        reading.fault(Place(), "this is not YAML: a character that YAML does not allow")
    else:
        return builder.root
    return None


class _Mark(Protocol):
    """What the C parser's marks and the Python one's have in common; both count from 0."""

    line: int
    column: int


def _where(mark: _Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


class _Builder:
    """Takes the parser's events one by one; ``root`` is the document when all are taken."""

    def __init__(self, reading: Reading) -> None:
        self.root: object = None
        self._reading = reading
        self._documents = 0
        self._open: list[_Collection] = []
        self._anchors: dict[str, object] = {}
        self._texts: dict[str, str] = {}

    def take(self, event: events.Event) -> None:
        match event:
            case events.ScalarEvent():
                self._add(self._scalar(event), event.anchor)
            case events.MappingStartEvent() | events.SequenceStartEvent():
                self._begin(event)
            case events.MappingEndEvent() | events.SequenceEndEvent():
                self._end()
            case events.AliasEvent():
                self._add(self._alias(event), None)
            case events.DocumentStartEvent():
                self._one_document(event)

    def _scalar(self, event: events.ScalarEvent) -> object:
        if event.tag not in _TEXT_TAGS:
            raise _UnusableError(f"{_where(event.start_mark)}tags (!...) have no meaning here")
        is_plain = event.implicit[0] and event.tag is None
        if is_plain and event.value in _NULLS:
            return None
        if is_plain and event.value == "<<" and self._is_key_next():
            return _MERGE
        return self._texts.setdefault(event.value, event.value)

    def _is_key_next(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and not len(self._open[-1].items) % 2

    def _begin(self, event: events.CollectionStartEvent) -> None:
        if self._is_key_next():
            raise _UnusableError(f"{_where(event.start_mark)}a member's name must be text")
        place = self._open[-1].place_of_next() if self._open else Place()
        is_mapping = isinstance(event, events.MappingStartEvent)
        self._open.append(_Collection(is_mapping=is_mapping, anchor=event.anchor, place=place))

    def _end(self) -> None:
        done = self._open.pop()
        self._add(self._mapping(done) if done.is_mapping else done.items, done.anchor)

    def _add(self, value: object, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        if self._open:
            self._open[-1].items.append(value)
        else:
            self.root = value

    def _alias(self, event: events.AliasEvent) -> object:
        if event.anchor not in self._anchors:
            raise _UnusableError(f"{_where(event.start_mark)}this alias names no anchor above it")
        return self._anchors[event.anchor]

    def _one_document(self, event: events.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _UnusableError(
                f"{_where(event.start_mark)}a second document begins; one is allowed"
            )

    def _mapping(self, done: _Collection) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        pairs = zip(done.items[::2], done.items[1::2], strict=True)
        for key, value in pairs:
            if key is _MERGE:
                merged = self._merged(value, done.place) | merged
            elif not isinstance(key, str):
                self._reading.fault(done.place, "a member's name must be text")
            elif key in own:
                self._reading.fault(done.place / key, "stands twice (keep one of them)")
            else:
                own[key] = value
        return merged | own if merged else own

    def _merged(self, value: object, place: Place) -> dict[str, object]:
        merged: dict[str, object] = {}
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                merged = part | merged
            else:
                self._reading.fault(place / "<<", "must name a mapping, or a list of mappings")
        return merged
