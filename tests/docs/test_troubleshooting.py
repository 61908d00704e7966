"""The troubleshooting page is complete: each reason the log can give has a row, each row a reason."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from broker.model.errors import Reason, RequestReason

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "troubleshooting.md"
_ROW = re.compile(
    r"^\| `(?P<reason>[a-z0-9_]+)` \| (?P<meaning>.*) \| (?P<change>.*) \|$", re.MULTILINE
)


def _rows() -> list[re.Match[str]]:
    """The rows of the tables whose first column is headed ``Reason``."""
    page = _PAGE.read_text("utf-8")
    tables = re.findall(r"^\| Reason \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [row for table in tables for row in _ROW.finditer(table)]


def test_every_reason_has_a_row_and_every_row_a_reason() -> None:
    reasons = {reason.value for reason in (*Reason, *RequestReason)}
    assert {row["reason"] for row in _rows()} == reasons


def test_no_reason_has_two_rows() -> None:
    named = [row["reason"] for row in _rows()]
    assert sorted(named) == sorted(set(named))


def test_every_event_of_the_log_is_told_of() -> None:
    """On this page, or where the pages speak of what it is about."""
    pages = "".join(page.read_text("utf-8") for page in _PAGE.parent.glob("*.md"))
    assert "saml_metadata_not_shared" in _events()
    assert {event for event in _events() if f"`{event}`" not in pages} == set()


def _events() -> set[str]:
    """What loggers are called with, but for what goes to the metrics alone."""
    nodes = [
        node
        for path in (_ROOT / "broker").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    ]
    return {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and re.fullmatch(r"_log\.(info|warning|error|exception)", ast.unparse(node.func))
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_row_says_what_it_means_and_what_to_change() -> None:
    assert [row["reason"] for row in _rows() if not (row["meaning"] and row["change"])] == []


@pytest.mark.parametrize("reasons", [Reason, RequestReason])
def test_every_reason_can_be_given(reasons: type[Reason] | type[RequestReason]) -> None:
    """It is named somewhere else than as the key of a table that says more of it."""
    trees = [ast.parse(p.read_text("utf-8")) for p in (_ROOT / "broker").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    keys = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    given = {ast.unparse(n) for n in nodes if isinstance(n, ast.Attribute) and id(n) not in keys}
    assert {f"{reasons.__name__}.{reason.name}" for reason in reasons} - given == set()
