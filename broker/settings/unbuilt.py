"""What the broker knows of and does not do yet: the one list to shorten when something is built.

Such a value is accepted with one warning line, so that a configuration written today is good
tomorrow; what depends on it is refused when it is used, not when the file is read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbuilt:
    """A member of a table (see ``tables.py``), or some of its values, and what that means today."""

    table: str
    member: str
    values: frozenset[object] | None = None
    """None: whatever is set and not empty."""
    says: str

    def concerns(self, value: object) -> bool:
        if self.values is None:
            return bool(value)
        given = value if isinstance(value, tuple) else (value,)
        return any(v in self.values for v in given)


UNBUILT: tuple[Unbuilt, ...] = (
    Unbuilt(
        table="UserPool",
        member="LambdaConfig",
        says="triggers are not built yet: accepted, and none is called",
    ),
)
