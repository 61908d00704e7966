"""The troubleshooting page is complete: each reason the log can give has a row, each row a reason.

Reasons of refused sign-ins are the members of ``Reason``. Those of refused requests stand in the code
where the rule does, so they are read from it: what is given as ``reason``, by name or to a helper that
has a parameter of that name, and the error code where no reason is given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from broker.model.errors import ErrorCode, Reason

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "troubleshooting.md"
_REFUSING = ("oauth", "web", "login")
_ROW = re.compile(
    r"^\| `(?P<reason>[a-z0-9_]+)` \| (?P<meaning>.*) \| (?P<change>.*) \|$", re.MULTILINE
)


def _rows() -> list[re.Match[str]]:
    """The rows of the tables whose first column is headed ``Reason``."""
    page = _PAGE.read_text("utf-8")
    tables = re.findall(r"^\| Reason \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [row for table in tables for row in _ROW.finditer(table)]


def _trees() -> list[ast.Module]:
    paths = (p for part in _REFUSING for p in (_ROOT / "broker" / part).glob("*.py"))
    return [ast.parse(path.read_text("utf-8")) for path in sorted(paths)]


def _strings(node: ast.expr) -> Iterator[str]:
    """The texts an expression may be: a constant, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _positions(trees: list[ast.Module]) -> dict[str, int]:
    """Helper functions that take a ``reason``, and at which place they do."""
    functions = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    return {
        function.name: names.index("reason")
        for function in functions
        if "reason" in (names := [argument.arg for argument in function.args.args])
    }


def _reasons_of(call: ast.Call, positions: dict[str, int]) -> Iterator[str]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    place = positions.get(_called(call))
    if place is not None and place < len(call.args):
        given.append(call.args[place])
    for expression in given:
        yield from _strings(expression)
    if _called(call) == "OAuthError" and not given and isinstance(call.args[0], ast.Attribute):
        yield ErrorCode[call.args[0].attr].value


def _request_reasons() -> set[str]:
    trees = _trees()
    positions = _positions(trees)
    calls = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call))
    return {reason for call in calls for reason in _reasons_of(call, positions)}


# The codes that a table maps to request parameters: authorization_request._UNSUPPORTED.
_BY_TABLE = {
    ErrorCode.REQUEST_NOT_SUPPORTED.value,
    ErrorCode.REQUEST_URI_NOT_SUPPORTED.value,
    ErrorCode.REGISTRATION_NOT_SUPPORTED.value,
}


def test_every_reason_of_a_refused_sign_in_has_a_row() -> None:
    assert {reason.value for reason in Reason} - {row["reason"] for row in _rows()} == set()


def test_every_reason_of_a_refused_sign_in_can_be_given() -> None:
    """By its name, elsewhere than as the key of a table that says more of it."""
    trees = [ast.parse(p.read_text("utf-8")) for p in (_ROOT / "broker").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    keys = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    given = {ast.unparse(n) for n in nodes if isinstance(n, ast.Attribute) and id(n) not in keys}
    assert [reason for reason in Reason if f"Reason.{reason.name}" not in given] == []


def test_every_reason_of_a_refused_request_has_a_row() -> None:
    assert (_request_reasons() | _BY_TABLE) - {row["reason"] for row in _rows()} == set()


def test_every_row_names_a_reason() -> None:
    known = {reason.value for reason in Reason} | _request_reasons() | _BY_TABLE
    assert {row["reason"] for row in _rows()} - known == set()


def test_no_reason_has_two_rows() -> None:
    named = [row["reason"] for row in _rows()]
    assert sorted(named) == sorted(set(named))


def test_every_row_says_what_it_means_and_what_to_change() -> None:
    assert [row["reason"] for row in _rows() if not (row["meaning"] and row["change"])] == []


def test_the_reasons_are_found_where_they_stand() -> None:
    """The reader of the code reads all forms there are; without it the tests above would pass."""
    found = _request_reasons()
    by_keyword, by_helper, by_choice, by_code = (
        "redirect_uri_differs", "code_reused", "parameter_repeated", "invalid_client",
    )  # fmt: skip
    assert {by_keyword, by_helper, by_choice, by_code, "pkce_method"} <= found
