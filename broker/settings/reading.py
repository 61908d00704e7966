"""What one reading of a configuration has at hand: its surroundings, and what was found wrong.

A ``Place`` is where in the file something stands; a ``Reading`` collects faults and warnings as
lines and resolves ``${NAME}`` and ``file:PATH``. Which values are good is said by the rules, not
here. A line names a place and a problem and never shows a value: it might be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker.settings.unbuilt import UNBUILT, Unbuilt

_FILE = "file:"
_REFERENCE = re.compile(r"\$\$(?=\{)|\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Place:
    """A member or an item of the file, printed as ``UserPools[0].Name``."""

    __slots__ = ("parent", "step")

    def __init__(self, parent: Place | None = None, step: str | int = "") -> None:
        self.parent = parent
        self.step = step

    def __truediv__(self, step: str | int) -> Place:
        return Place(self, step)

    def __str__(self) -> str:
        steps: list[str] = []
        place = self
        while place.parent is not None:  # a loop, because a hostile file nests deeper than Python
            steps.append(f"[{place.step}]" if isinstance(place.step, int) else f".{place.step}")
            place = place.parent
        return "".join(reversed(steps)).removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One configuration file being read. ``folder`` is where its relative paths begin."""

    folder: Path
    environ: Mapping[str, str]
    unbuilt: tuple[Unbuilt, ...] = UNBUILT
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _mappings: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = field(default_factory=dict)

    def fault(self, place: Place, problem: str) -> None:
        self.faults.append(line(place, problem))

    def warn(self, place: Place, problem: str) -> None:
        self.warnings.append(line(place, problem))

    def shared(self, mapping: Mapping[str, str]) -> Mapping[str, str]:
        """One object for equal mappings: thousands of providers have the same few."""
        return self._mappings.setdefault(tuple(mapping.items()), mapping)

    def path(self, text: str) -> Path:
        """``text`` as a path, a relative one beside the configuration file."""
        return self.folder / text

    def resolve(self, raw: str, place: Place) -> str | None:
        """``raw`` with its references replaced; None after a fault.

        What comes from the environment or a file is taken as it is and not read again.
        """
        if "$" not in raw and not raw.startswith(_FILE):
            return raw
        text = self._with_environment(raw, place)
        if text is None or not raw.startswith(_FILE):
            return text
        return self._content(text.removeprefix(_FILE).strip(), place)

    def _with_environment(self, raw: str, place: Place) -> str | None:
        before = len(self.faults)
        text = _REFERENCE.sub(lambda match: self._variable(match, place), raw)
        return text if len(self.faults) == before else None

    def _variable(self, match: re.Match[str], place: Place) -> str:
        name = match.group(1)
        if name is None:  # $${ is a literal ${
            return "$"
        if not _NAME.fullmatch(name):
            self.fault(place, "has a ${...} that holds no variable name (write $${ for a plain ${)")
        elif name not in self.environ:
            self.fault(place, f"the environment variable {name} is not set")
        return self.environ.get(name, "")

    def _content(self, path: str, place: Place) -> str | None:
        try:
            return self.path(path).read_bytes().decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            self.fault(place, f"the file {path} is not UTF-8 text")
        except (OSError, ValueError) as error:
            self.fault(place, f"the file {path} cannot be read ({cause(error)})")
        return None


def line(place: Place | str, problem: str) -> str:
    """One finding as one line, whatever odd characters a name of the file may hold."""
    where = str(place)
    text = f"{where}: {problem}" if where else problem
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?``, or nothing when no known name is near."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def cause(error: Exception) -> str:
    return error.strerror or "no reason given" if isinstance(error, OSError) else "not a path"
