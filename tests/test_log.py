"""What a record looks like to whoever reads it."""

from __future__ import annotations

import logging

import pytest

from broker.log import TextFormatter


def line(**fields: str) -> str:
    record = logging.makeLogRecord({"msg": "event", "levelname": "INFO", **fields})
    return TextFormatter().format(record).partition(" info ")[2]


def test_plain_values_stand_as_they_are() -> None:
    assert line(path="/error", name_of="Zoë") == "event path=/error name_of=Zoë"


def test_values_with_spaces_and_quotes_are_quoted() -> None:
    assert line(said='a "b" ö') == r'event said="a \"b\" ö"'


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\x9b", "\u2028", "\u202e", "\ud800"])
def test_no_value_reaches_the_terminal_as_a_command(character: str) -> None:
    """A path may hold any of these, and so could forge a line or hide one."""
    assert line(path=f"/{character}[2J").isprintable()
