"""How an object of the file is read by a table of its members.

``tables.py`` says which members there are. Here: unknown names are faults that name the nearest
known one, what Describe calls return in addition is let through, and so is the wrapper that they
put round an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, NamedTuple

from broker.settings.kinds import Kind, collection
from broker.settings.reading import Place, Reading, nearest

Values = Mapping[str, Any]
"""Members by name, each in the type its kind reads; those absent or at fault are missing."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is read. ``kind`` checks it, whether or not the broker has a use for it."""

    name: str
    kind: Kind
    says: str
    _: KW_ONLY
    required: bool = False
    default: str = ""
    """The default in words, for people."""


class Entry(NamedTuple):
    """An object that was read, and where it stands."""

    place: Place
    values: Values
    given: frozenset[str]
    """The names of all members in the file, also of those at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The members of one object of the API."""

    name: str
    members: Mapping[str, Member]
    let_through: frozenset[str] = frozenset()
    """Known to the API, of no use to a broker, never looked at."""
    wrapper: str | None = None
    required: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        required = frozenset(m.name for m in self.members.values() if m.required)
        object.__setattr__(self, "required", required)

    @property
    def known(self) -> Iterable[str]:
        return (*self.members, *self.let_through)

    def read(self, raw: object, place: Place, reading: Reading) -> Entry | None:
        """None when ``raw`` is no mapping; else what could be read of it."""
        members = collection(raw, dict, place, reading)
        if members is None:
            return None
        place, members = self._unwrapped(members, place, reading)
        values = {}
        for name, given in members.items():
            value = self._value(name, given, place / name, reading)
            if value is not None:
                values[name] = value
        for name in sorted(self.required - members.keys()):
            reading.fault(place / name, "is missing")
        return Entry(place, values, frozenset(members))

    def _unwrapped(
        self, members: dict[str, Any], place: Place, reading: Reading
    ) -> tuple[Place, dict[str, Any]]:
        """The members out of a Describe wrapper, with those that stand beside it."""
        if self.wrapper not in members:
            return place, members
        inside = collection(members[self.wrapper], dict, place / self.wrapper, reading) or {}
        beside = {name: value for name, value in members.items() if name != self.wrapper}
        for name in sorted(inside.keys() & beside.keys()):
            reading.fault(place / name, f"stands here and inside {self.wrapper} (keep one)")
        is_alone = beside.keys() <= self.let_through
        return (place / self.wrapper if is_alone else place), beside | inside

    def _value(self, name: str, given: object, place: Place, reading: Reading) -> Any:
        member = self.members.get(name)
        if member is not None:
            value = member.kind.read(given, place, reading)
            self._note_unbuilt(name, value, place, reading)
            return value
        if name not in self.let_through:
            reading.fault(place, f"unknown member{nearest(name, self.known)}")
        return None

    def _note_unbuilt(self, name: str, value: object, place: Place, reading: Reading) -> None:
        for gap in reading.unbuilt:
            if (gap.table, gap.member) == (self.name, name) and gap.concerns(value):
                reading.warn(place, gap.says)


@dataclass(frozen=True, slots=True)
class Object:
    """An object inside another; its values alone."""

    table: Table

    def read(self, raw: object, place: Place, reading: Reading) -> Values | None:
        entry = self.table.read(raw, place, reading)
        return entry.values if entry else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """A list of objects, as entries: what is checked across them still needs their places."""

    table: Table
    most: int

    def read(self, raw: object, place: Place, reading: Reading) -> tuple[Entry, ...] | None:
        items = collection(raw, list, place, reading)
        if items is None:
            return None
        if len(items) > self.most:
            reading.warn(place, f"Cognito allows at most {self.most}")
        read = (self.table.read(item, place / i, reading) for i, item in enumerate(items))
        return tuple(entry for entry in read if entry is not None)


class Taken:
    """Names that belong to one holder each."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._holders: dict[object, Place] = {}

    def claim(self, name: object, holder: Place, member: str) -> None:
        """A fault at ``holder``'s ``member`` when somebody else has the name. None is no name."""
        first = self._holders.setdefault(name, holder) if name is not None else holder
        if first is not holder:
            self._reading.fault(holder / member, f"{_shown(name)} is already taken by {first}")


def _shown(name: object) -> str:
    return ":".join(map(str, name)) if isinstance(name, tuple) else str(name)


def table(name: str, *members: Member, let_through: str = "", wrapper: str | None = None) -> Table:
    """A table, with the names that are let through separated by spaces."""
    return Table(
        name=name,
        members={member.name: member for member in members},
        let_through=frozenset(let_through.split()),
        wrapper=wrapper,
    )
