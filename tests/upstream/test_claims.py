"""JSON to claims: whatever a provider sends becomes strings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.upstream.claims import MAX_DEPTH, claim_values


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
    assert claim_values({"c": value})["c"] == values


@pytest.mark.parametrize("value", [None, "", [], {}, [None], [""]])
def test_nothing_is_absent(value: Any) -> None:
    assert "c" not in claim_values({"c": value})


def test_members_of_objects_are_claims() -> None:
    found = claim_values({"address": {"country": "NL", "lines": ["a", "b"]}})

    assert found["address"] == ('{"country":"NL","lines":["a","b"]}',)
    assert found["address.country"] == ("NL",)
    assert found["address.lines"] == ("a", "b")


@pytest.mark.parametrize("flip", [False, True])
def test_a_dotted_name_wins_over_the_path(flip: bool) -> None:
    members = [("a.b", "named"), ("a", {"b": "path"})]

    assert claim_values(dict(members[::-1] if flip else members))["a.b"] == ("named",)


def test_paths_end() -> None:
    document: dict[str, Any] = {"x": "bottom"}
    for _ in range(500):
        document = {"x": document}

    found = claim_values(document)

    assert max(path.count(".") for path in found) == MAX_DEPTH - 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_every_value_is_non_empty_strings(document: dict[str, Any]) -> None:
    for values in claim_values(document).values():
        assert values
        assert all(isinstance(value, str) for value in values)
        assert msgspec.json.decode(msgspec.json.encode(values)) == list(values)
