"""What a record looks like to whoever reads it."""

from __future__ import annotations

import ast
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import broker
from broker.log import JsonFormatter, TextFormatter
from broker.model.errors import StoreUnavailableError


def line(**fields: str) -> str:
    record = logging.makeLogRecord({"msg": "event", "levelname": "INFO", **fields})
    return TextFormatter().format(record).partition(" info ")[2]


def in_json(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_plain_values_stand_as_they_are() -> None:
    assert line(path="/error", name_of="Zoë") == "event path=/error name_of=Zoë"


def test_values_with_spaces_and_quotes_are_quoted() -> None:
    assert line(said='a "b" ö') == r'event said="a \"b\" ö"'


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\x9b", "\u2028", "\u202e", "\ud800"])
def test_no_value_reaches_the_terminal_as_a_command(character: str) -> None:
    """A path may hold any of these, and so could forge a line or hide one."""
    assert line(path=f"/{character}[2J").isprintable()


def test_a_line_of_json_has_the_fields_that_were_given() -> None:
    standard = {"msg": "event", "levelname": "INFO", "name": "broker.x", "created": 1.5}
    assert in_json(logging.makeLogRecord({**standard, "count": 3, "empty": ""})) == {
        "time": "1970-01-01T00:00:01.500+00:00",
        "level": "info",
        "logger": "broker.x",
        "event": "event",
        "count": 3,
    }


@pytest.mark.parametrize("value", ["a\nb", "\x1b[2J", "\u2028", "\ud800", "ö", Path("/x"), 2**70])
def test_a_line_of_json_holds_whatever_is_said(value: object) -> None:
    told = in_json(logging.makeLogRecord({"msg": "event", "said": value}))["said"]
    assert told == (value if isinstance(value, int) else str(value))


@given(
    st.dictionaries(
        st.sampled_from(["sub", "provider", "expected", "received"]),
        st.text() | st.integers() | st.booleans() | st.lists(st.text(), max_size=2),
    )
)
@example({"received": '\ud800 \x00\x1f\x7f\u2028 "\\/ {a: 1, b}'})
@example({"sub": 2**70, "received": -(2**70)})
def test_lines_are_those_of_the_standard_library(said: dict[str, object]) -> None:
    """To the letter: people search them as text."""
    text = JsonFormatter().format(
        logging.makeLogRecord({"msg": "event", "levelname": "INFO", **said})
    )
    assert text == json.dumps(json.loads(text), ensure_ascii=False)
    assert dict(json.loads(text)).items() >= {k: v for k, v in said.items() if v != ""}.items()


@dataclass
class Secretive:
    shown: str
    hidden: str = field(repr=False)


@pytest.mark.parametrize("value", [Secretive("a", "b"), {"b"}, b"b", timedelta(1), 1.5])
def test_an_object_is_written_as_it_shows_itself(value: object) -> None:
    told = in_json(logging.makeLogRecord({"msg": "event", "said": value}))["said"]
    assert told == (value if isinstance(value, float) else str(value))
    listed = in_json(logging.makeLogRecord({"msg": "event", "said": [value, [value]]}))["said"]
    assert listed == [told, [told]]


def _events() -> Iterator[tuple[str, str]]:
    """What each call of a logger has for a message, and in which file."""
    for path in sorted(Path(broker.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("_log")), args=[ast.Constant(text), *_]
                ):
                    yield path.name, text


def test_every_record_is_an_event_with_a_name() -> None:
    """A sentence with values in it can be neither searched for nor counted."""
    events = list(_events())
    assert ("user_info.py", "userinfo_failed") in events
    assert [event for event in events if not event[1].isidentifier()] == []


def caught(error: Exception, cause: Exception) -> logging.LogRecord:
    """A record of ``error``, as a handler that caught it would make it."""
    try:
        raise error from cause
    except type(error):
        return logging.makeLogRecord({"msg": "event", "exc_info": sys.exc_info()})


def test_a_store_that_is_away_is_told_in_one_line() -> None:
    cause = OSError("no route\nto host")
    record = caught(StoreUnavailableError("redis: away"), cause)
    told = in_json(record)
    assert told["fault"] == "redis: away; because of OSError: no route to host"
    assert "trace" not in told
    assert TextFormatter().format(record).endswith(f'event fault="{told["fault"]}"')
    repeated = caught(StoreUnavailableError(f"redis: {cause}"), cause)
    assert in_json(repeated)["fault"] == "redis: no route to host"


def test_an_unexpected_fault_keeps_its_trace() -> None:
    record = caught(RuntimeError("ours"), ValueError("deeper"))
    assert "Traceback" in in_json(record)["trace"]
    assert "Traceback" in TextFormatter().format(record)
