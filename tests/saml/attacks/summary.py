"""Prints what the corpus held and what it cost, at the end of a run that used it.

A plugin of the whole test run: the tests note a category and a time, and notes travel from the
workers of pytest-xdist to the process that prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

CATEGORY = "saml document"
MILLISECONDS = "saml milliseconds"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = Counter(map(str, _noted(terminalreporter, CATEGORY)))
    if not counts:
        return
    terminalreporter.section(f"SAML documents, refused and honest: {counts.total()}")
    for category, count in counts.most_common():
        terminalreporter.line(f"{count:5}  {category}")
    costs = sorted(map(float, _noted(terminalreporter, MILLISECONDS)))
    if costs:
        middle, most = costs[len(costs) // 2], costs[-1]
        terminalreporter.line(f"refused in {middle:.2f} ms (median), {most:.1f} ms at most")


def _noted(terminalreporter: pytest.TerminalReporter, wanted: str) -> Iterator[str]:
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            if name == wanted:
                yield value
