"""How log records look: one JSON object a line, or text for a terminal.

What is logged is decided where it happens. Records hold names, reasons and references; no secret, token,
code, cookie or assertion is ever handed to a logger.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from broker.model.errors import StoreUnavailableError

_encode = msgspec.json.Encoder(enc_hook=str).encode
_encode_anything = json.JSONEncoder(default=str, ensure_ascii=False).encode
_PLAIN = (str, int, float)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(style: str) -> None:
    """Send every record to standard error; ``style`` is ``json`` or ``text``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.INFO)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    _leave_out_what_no_line_shows()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("httpx2", "httpcore2", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _leave_out_what_no_line_shows() -> None:
    """Where in the code, in which thread and process: finding that out for each record has its price
    (Logging HOWTO, "Optimization")."""
    logging._srcfile = None  # noqa: SLF001  # as documented
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def silence() -> None:
    """For commands that say themselves what there is to say: without a handler, Python would print
    the bare names of events."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def extras(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """The fields a caller gave as ``extra``; empty ones are left out."""
    for name, value in record.__dict__.items():
        if name not in _STANDARD and value not in (None, ""):
            yield name, value


class JsonFormatter(logging.Formatter):
    """``{"time", "level", "logger", "event", ...extras}``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{
                name: value if isinstance(value, _PLAIN) else _shown(value)
                for name, value in extras(record)
            },
        }
        if fault := _fault(record):
            line["fault"] = fault
        elif record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _in_json(line)


def _shown(value: object) -> object:
    """Lists as they are, all else as ``str`` has it: msgspec would write the members of an object, those too
    that its ``repr`` hides."""
    if isinstance(value, list):
        return [each if isinstance(each, _PLAIN) else _shown(each) for each in value]
    return str(value)


def _in_json(line: dict[str, object]) -> str:
    """Written as ``json.dumps`` would write it, since lines are searched as text, but in half of the time."""
    try:
        return msgspec.json.format(_encode(line), indent=0).decode()
    except UnicodeEncodeError:  # bytes that somebody sent, and that are no UTF-8
        return _encode_anything(line)


class TextFormatter(logging.Formatter):
    """``12:00:00 warning sign_in outcome=refused reason=...``."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = "".join(f" {name}={_quoted(value)}" for name, value in extras(record))
        line = f"{time} {record.levelname.lower()} {record.getMessage()}{fields}"
        if fault := _fault(record):
            return f"{line} fault={_quoted(fault)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _fault(record: logging.LogRecord) -> str:
    """A store that is away, in one line: an outage has thousands of them, and where in our code it
    was noticed is of no use to anybody. Empty for any other exception."""
    error = record.exc_info[1] if record.exc_info else None
    return "; ".join(_chain(error)) if isinstance(error, StoreUnavailableError) else ""


def _chain(error: BaseException | None) -> Iterator[str]:
    """The error and its causes, without those that only repeat what was said."""
    said = ""
    while error is not None:
        text = " ".join(str(error).split())
        if not said or text not in said:
            said = f"because of {type(error).__name__}: {text}" if said else text
            yield said
        error = error.__cause__


def _quoted(value: object) -> str:
    text = str(value)
    if not text.isprintable():  # a path may hold them, and a terminal obeys control characters
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False) if {" ", '"'} & set(text) else text
