"""What the demo prints: numbered steps for people, colours on a terminal only.

Every line is flushed, because somebody may be reading through a pipe and waiting for the last one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count
from typing import TextIO

_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"


@dataclass(frozen=True)
class Console:
    """Writes to ``out``; ``coloured`` says whether escape sequences may be used."""

    out: TextIO
    coloured: bool

    @classmethod
    def on(cls, out: TextIO) -> Console:
        """Colours unless the output is a file or a pipe, or somebody set NO_COLOR."""
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        return cls(out, coloured=out.isatty() and not plain)

    def line(self, text: str = "") -> None:
        self.out.write(f"{text}\n")
        self.out.flush()

    def heading(self, text: str) -> None:
        self.line()
        self.line(self._in(_BOLD, text))

    def note(self, text: str) -> None:
        self.line(self._in(_DIM, text))

    def good(self, text: str) -> None:
        self.line(self._in(_GREEN, text))

    def bad(self, text: str) -> None:
        self.line(self._in(_RED, text))

    def steps(self) -> Steps:
        return Steps(self)

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.coloured else text


class Steps:
    """Numbers what is told, from 1."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = count(1)

    def tell(self, text: str) -> None:
        self._console.line(f"{next(self._number):3}. {text}")
