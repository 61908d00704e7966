"""The file as YAML: what is read as what, what is refused, and that nothing breaks the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.model.errors import ConfigurationError
from broker.settings import load, yaml_file
from broker.settings.client_table import CLIENT
from broker.settings.provider_tables import DETAILS
from broker.settings.reading import Reading
from broker.settings.tables import POOL, PROVIDER, RESOURCE_SERVER, SCHEMA_ATTRIBUTE
from tests.kit import configuration
from tests.kit.configuration import GOOD


def parsed(text: str) -> tuple[object, list[str]]:
    reading = Reading(folder=Path(), environ={})
    return yaml_file.parse(text, reading), reading.faults


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a: 0123", {"a": "0123"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: yes", {"a": "yes"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: 'null'", {"a": "null"}),
        ("a: !!str 1", {"a": "1"}),
        ('{"a": [1, true, null, "x"]}', {"a": ["1", "true", None, "x"]}),
        ("a: &x [1]\nb: *x", {"a": ["1"], "b": ["1"]}),
        (
            "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}",
            {"a": {"k": "1", "l": "2"}, "b": {"k": "3", "l": "2"}},
        ),
        (
            "a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: [*x, *y]}",
            {"a": {"k": "1"}, "b": {"k": "2", "l": "2"}, "c": {"k": "1", "l": "2"}},
        ),
        ("'<<': 1", {"<<": "1"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("", None),
        ("# nothing\n", None),
    ],
)
def test_what_is_read(text: str, meant: object) -> None:
    assert parsed(text) == (meant, [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: {x: 1, y: [{z: 1, z: 2}]}", "b.y[0].z: stands twice (keep one of them)"),
        ("a: 1\na: 2", "a: stands twice (keep one of them)"),
        ("a: [1", "line 2, column 1: this is not YAML: did not find expected ',' or ']'"),
        (
            "a: b: c",
            "line 1, column 5: this is not YAML: mapping values are not allowed in this context",
        ),
        ("a: *x", "line 1, column 4: this alias names no anchor above it"),
        ("a: &x [*x]", "line 1, column 8: this alias names no anchor above it"),
        ("a: !secret b", "line 1, column 4: tags (!...) have no meaning here"),
        ("a: 1\n---\nb: 1", "line 2, column 1: a second document begins; one is allowed"),
        ("? [a]\n: 1", "line 1, column 3: a member's name must be text"),
        ("~: 1", "a member's name must be text"),
        ("a: {<<: b}", "a.<<: must name a mapping, or a list of mappings"),
    ],
)
def test_what_is_refused(text: str, fault: str) -> None:
    assert parsed(text)[1] == [fault]


def test_pyyaml_without_its_c_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {k: 0123, l: ~}\nb: {<<: *x, l: 'y'}\nc: [1, 'null']"
    with_c = parsed(text)
    monkeypatch.setattr(yaml_file, "_LOADER", yaml.SafeLoader)
    assert parsed(text) == with_c
    assert parsed("a: 1\na: 2") == ({"a": "1"}, ["a: stands twice (keep one of them)"])
    assert parsed("a: [")[1][0].startswith("line 1, column 5: this is not YAML: ")


def test_several_duplicates_are_told_at_once() -> None:
    assert len(parsed("a: 1\na: 2\nb: {c: 1, c: 2}")[1]) == 2


def test_a_control_character() -> None:
    assert parsed("a: \x01")[1] != []


def test_deep_nesting_is_only_a_fault(tmp_path: Path) -> None:
    text = "UserPools: " + "[" * 5000 + "{a: 1, a: 2}" + "]" * 5000
    assert len(configuration.faults(tmp_path, text)) >= 1


def test_aliases_of_aliases_do_not_grow(tmp_path: Path) -> None:
    levels = "\n".join(f"x-{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 12))
    text = f"x-0: &l0 [x]\n{levels}\nUserPools: *l11\n"
    assert configuration.faults(tmp_path, text)[0] == "UserPools[0]: must be a mapping, not a list"


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "broker.yaml"
    path.write_bytes(b"\xff\xfeU")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load(path, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "UserPools: is missing or empty: there must be a pool"),
        ("[]", "the file must begin with UserPools: and have its list below it"),
        ("UserPools:", "UserPools: is missing or empty: there must be a pool"),
        ("UserPools: {}", "UserPools: must be a list, not a mapping"),
        ("UserPools: [1]", "UserPools[0]: must be a mapping, not a single value"),
        ("Userpools: []", "Userpools: unknown member; did you mean UserPools?"),
    ],
)
def test_the_top_of_the_file(tmp_path: Path, text: str, fault: str) -> None:
    assert configuration.faults(tmp_path, text)[0] == fault


def test_own_members_at_the_top_hold_anchors(tmp_path: Path) -> None:
    text = f"x-pool: &pool {GOOD['UserPools'][0]}\nUserPools: [*pool]"
    assert list(configuration.loaded(tmp_path, text).pools) == ["eu-west-1_Example01"]


def _names() -> list[str]:
    """The members of every table, so that arbitrary trees get past the first of them."""
    tables = [POOL, CLIENT, PROVIDER, RESOURCE_SERVER, SCHEMA_ATTRIBUTE, *DETAILS.values()]
    return sorted({name for table in tables for name in (*table.known, table.wrapper or "x-")})


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["${HOME}", "file:x", "SAML", "https://a.example.com", "http://[", "a_b", "<x"]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_names()) | st.text(), inner, max_size=6)
    ),
    max_leaves=30,
)
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def _refused_or_loaded(folder: Path, content: bytes) -> None:
    path = folder / "broker.yaml"
    path.write_bytes(content)
    try:
        load(path, {"HOME": "x"})
    except ConfigurationError as error:
        assert error.faults  # noqa: PT017  # either outcome is right, an empty refusal is not


@MANY
@given(tree=TREES)
def test_any_tree_is_loaded_or_refused(tmp_path: Path, tree: object) -> None:
    content = yaml.safe_dump({"UserPools": [tree]}, allow_unicode=True)
    _refused_or_loaded(tmp_path, content.encode("utf-8", "surrogatepass"))


@MANY
@given(
    content=st.binary()
    | st.text(alphabet="{}[]:,&*!|>-?#'\"\\\n ab<~%@`", max_size=60).map(str.encode)
)
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, content: bytes) -> None:
    _refused_or_loaded(tmp_path, content)


@MANY
@given(value=TREES, member=st.sampled_from(_names()))
def test_any_value_of_any_member_is_loaded_or_refused(
    tmp_path: Path, value: object, member: str
) -> None:
    def put(pool: configuration.Tree) -> None:
        for holder in (
            pool,
            configuration.client(pool),
            configuration.provider(pool),
            configuration.details(pool),
            configuration.details(pool, 1),
            pool["ResourceServers"][0],
        ):
            if member in holder:
                holder[member] = value

    _refused_or_loaded(tmp_path, configuration.changed(put).encode())
