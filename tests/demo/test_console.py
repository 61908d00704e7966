"""Colours are for terminals; a pipe gets each line at once, and plain."""

from __future__ import annotations

import io

import pytest

from broker.demo.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def spoken(out: io.StringIO) -> str:
    console = Console.on(out)
    console.bad("No.")
    return out.getvalue()


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert spoken(Terminal()) == "\x1b[31mNo.\x1b[0m\n"
    assert spoken(io.StringIO()) == "No.\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", ""), ("TERM", "dumb")])
def test_colours_may_be_declined(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert spoken(Terminal()) == "No.\n"


def test_steps_are_numbered() -> None:
    out = io.StringIO()
    steps = Console.on(out).steps()
    steps.tell("One")
    steps.tell("Two")
    assert out.getvalue() == "  1. One\n  2. Two\n"
