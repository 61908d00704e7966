"""``docs/conformance.md``: every row names tests, and every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_PAGE = _TESTS.parent / "docs" / "conformance.md"
_NAMED = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<test>\w+)`")


def _rows() -> list[str]:
    """The rows of the tables whose last column is headed ``Shown by``."""
    page = _PAGE.read_text("utf-8")
    tables = re.findall(r"^\|.*\| Shown by \|\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [row for table in tables for row in table.splitlines()]


def _named() -> list[tuple[str, str]]:
    found = {(match["file"], match["test"]) for row in _rows() for match in _NAMED.finditer(row)}
    return sorted(found)


@cache
def _tests_in(file: str) -> frozenset[str]:
    tree = ast.parse((_TESTS / file).read_text("utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


def test_the_page_has_its_tables() -> None:
    assert len(_rows()) > 100


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[:40])
def test_each_row_names_a_test(row: str) -> None:
    assert _NAMED.search(row.rstrip(" |").rpartition(" | ")[2])


@pytest.mark.parametrize(("file", "test"), _named(), ids="::".join)
def test_each_named_test_exists(file: str, test: str) -> None:
    assert test.startswith("test_")
    assert test in _tests_in(file)
