"""Who may import what, where import-linter's contracts cannot say it: see ADR 0001."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_BROKER = _ROOT / "broker"
_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))

# The parts of the code that each contract leaves out, for they are where the library lives. The
# demo's own programs (identity providers, an app) use what they need.
_AT_HOME = {
    "Flask lives in the application": {"app", "demo"},
    "Werkzeug lives at the edge": {"app", "web", "demo"},
    "XML lives in saml": {"saml", "demo"},
    "Outgoing HTTP lives in upstream": {"upstream", "demo"},
    "JOSE lives in oauth and upstream": {"oauth", "upstream", "demo"},
    "Databases live in stores": {"stores"},
}
_FOR_TYPES_ALONE = {"_typeshed"}


def _imported(folder: Path) -> set[str]:
    """Every module that the code below ``folder`` imports, anywhere."""
    return {name for path in folder.rglob("*.py") for name in _imports(path)}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module


def _parts() -> set[str]:
    """The modules and packages at the top of the code."""
    found = {path.stem for path in _BROKER.glob("*.py")} - {"__init__"}
    return found | {path.parent.name for path in _BROKER.glob("*/__init__.py")}


def test_the_model_imports_the_standard_library_alone() -> None:
    others = {name for name in _imported(_BROKER / "model") if not name.startswith("broker.model")}
    assert {name.partition(".")[0] for name in others} - sys.stdlib_module_names == set()


def test_every_part_of_the_code_is_under_every_contract() -> None:
    contracts = _PROJECT["tool"]["importlinter"]["contracts"]
    forbidding = {c["name"]: c for c in contracts if c["type"] == "forbidden"}
    assert forbidding.keys() == _AT_HOME.keys()
    for name, contract in forbidding.items():
        named = {module.removeprefix("broker.") for module in contract["source_modules"]}
        assert named | _AT_HOME[name] == _parts(), name
        assert not named & _AT_HOME[name], name


def test_the_tour_has_the_layers_of_the_contract() -> None:
    (layers,) = (
        c["layers"] for c in _PROJECT["tool"]["importlinter"]["contracts"] if "layers" in c
    )
    tour = (_ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert "```\n" + "\n".join(layers) + "\n```" in tour


def test_what_is_imported_is_declared_and_what_is_declared_imported() -> None:
    """A library that only another one needs may go with that one's next release."""
    top = {name.partition(".")[0] for name in _imported(_BROKER)}
    foreign = top - sys.stdlib_module_names - _FOR_TYPES_ALONE - {"broker"}
    of = packages_distributions()
    imported = {name.lower().replace("_", "-") for module in foreign for name in of[module]}
    declared = {
        re.split(r"[^\w-]", requirement, maxsplit=1)[0]
        for requirement in _PROJECT["project"]["dependencies"]
    }
    assert declared == imported
