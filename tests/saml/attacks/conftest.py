"""Prints what the corpus holds, by category, at the end of a run that used it."""

from __future__ import annotations

import pytest

from tests.saml.attacks.corpus import CORPUS, count_by_category


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section(f"SAML attack corpus: {len(CORPUS)} hostile documents")
    for category, count in count_by_category().items():
        terminalreporter.line(f"{count:5}  {category}")
