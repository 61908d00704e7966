"""JSON to claims: whatever a provider sends becomes strings."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.upstream.claims import claim_values


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("x", ("x",)),
        (True, ("true",)),
        (False, ("false",)),
        (0, ("0",)),
        (1234567890123, ("1234567890123",)),
        (1.5, ("1.5",)),
        (["a", "b"], ("a", "b")),
        ([1, True, None, "x"], ("1", "true", "x")),
        ([{"a": 1}, [2]], ('{"a":1}', "[2]")),
        ({"a": "é 😀"}, ('{"a":"é 😀"}',)),
    ],
)
def test_values(value: Any, values: tuple[str, ...]) -> None:
    assert claim_values({"c": value}, ["c"]) == {"c": values}


@pytest.mark.parametrize("value", [None, "", [], {}, [None], [""]])
def test_nothing_is_absent(value: Any) -> None:
    assert claim_values({"c": value}, ["c", "d"]) == {}


def test_members_of_objects_are_claims() -> None:
    document = {"address": {"country": "NL", "lines": ["a", "b"], "geo": {"lat": 52.5}}}
    wanted = ["address", "address.country", "address.lines", "address.geo.lat"]

    assert claim_values(document, wanted) == {
        "address": ('{"country":"NL","lines":["a","b"],"geo":{"lat":52.5}}',),
        "address.country": ("NL",),
        "address.lines": ("a", "b"),
        "address.geo.lat": ("52.5",),
    }


@pytest.mark.parametrize(
    "path", ["a", "a.", ".a", ".", "", "a.b.c", "a.c", "list.0", "text.0", "text.upper", "no.b"]
)
def test_paths_that_lead_nowhere(path: str) -> None:
    assert claim_values({"a": {"b": "x"}, "list": ["x"], "text": "x"}, [path]).keys() <= {"a"}


@pytest.mark.parametrize("flip", [False, True])
def test_a_dotted_name_wins_over_the_path(flip: bool) -> None:
    members = [("a.b", "named"), ("a", {"b": "path"})]

    assert claim_values(dict(members[::-1] if flip else members), ["a.b"]) == {"a.b": ("named",)}


@pytest.mark.parametrize(
    "document",
    [
        {"https://app.example/claims": {"a.b": "x"}},
        {"https://app.example/claims": {"a": {"b": "x"}}},
        {"https://app.example/claims.a": {"b": "x"}, "https://app": "no object"},
        {"https://app.example/claims.a.b": None, "https://app.example/claims.a": {"b": "x"}},
    ],
)
def test_names_within_a_path_may_have_dots(document: dict[str, Any]) -> None:
    path = "https://app.example/claims.a.b"

    assert claim_values(document, [path]) == {path: ("x",)}


def test_what_is_not_wanted_costs_nothing() -> None:
    """40 kB of JSON, whose paths would be 40 MB; an answer may be 25 times as long."""
    document = {"k" * 20_000: {f"{number:x}": 1 for number in range(2_000)}, "email": "x"}
    tracemalloc.start()
    try:
        assert claim_values(document, ["email", "address.country"]) == {"email": ("x",)}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.lists(st.text()))
def test_every_value_is_non_empty_strings(document: dict[str, Any], wanted: list[str]) -> None:
    for values in claim_values(document, [*document, *wanted]).values():
        assert values
        assert all(isinstance(value, str) for value in values)
        assert msgspec.json.decode(msgspec.json.encode(values)) == list(values)
