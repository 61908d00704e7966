"""The pages people read: every link leads somewhere, every configuration in them is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from broker import settings

_ROOT = Path(__file__).parents[2]
_PAGES = sorted(
    path.relative_to(_ROOT)
    for pattern in ("*.md", "docs/**/*.md", "certs/*.md", "config/*.md", "benchmarks/*.md")
    for path in _ROOT.glob(pattern)
)
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<title>.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NAMED_FILE = re.compile(r"\b(?:MetadataFile: |file:)(?P<name>[\w./-]+)$", re.MULTILINE)


def _text(page: Path) -> str:
    return (_ROOT / page).read_text("utf-8")


def _anchor(title: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    prose = _FENCE.sub("", page.read_text("utf-8"))
    return {_anchor(match["title"]) for match in _HEADING.finditer(prose)}


def _broken(page: Path) -> Iterator[str]:
    for match in _LINK.finditer(_FENCE.sub("", _text(page))):
        url = urlsplit(match["target"])
        if url.scheme:
            continue
        target = (_ROOT / page).parent / unquote(url.path) if url.path else _ROOT / page
        if not target.exists() or (url.fragment and url.fragment not in _anchors(target)):
            yield match["target"]


def _examples() -> list[tuple[Path, str]]:
    return [
        (page, match["content"])
        for page in _PAGES
        for match in _FENCE.finditer(_text(page))
        if match["language"] == "yaml" and match["content"].startswith("UserPools:")
    ]


@pytest.mark.parametrize("page", _PAGES, ids=str)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(_broken(page)) == []


@pytest.mark.parametrize(("page", "example"), _examples(), ids=lambda value: str(value)[:40])
def test_every_complete_configuration_is_accepted(page: Path, example: str, tmp_path: Path) -> None:
    for named in _NAMED_FILE.finditer(example):
        (tmp_path / named["name"]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / named["name"]).write_text("stands for the file that the reader has")
    (tmp_path / "broker.yaml").write_text(example, "utf-8")
    environment = dict.fromkeys(_VARIABLE.findall(example), "some-value")

    loaded = settings.load(tmp_path / "broker.yaml", environment)

    assert loaded.pools


def test_the_pages_are_found() -> None:
    """Without pages or examples the tests above would say nothing."""
    assert {Path("README.md"), Path("docs/configuration.md")} <= set(_PAGES)
    assert len(_examples()) > 5
