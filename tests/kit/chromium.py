"""A real browser: the machine's own Chromium, driven by Playwright.

The browser process is started once per test process, on first use; a test gets it with no contexts
open and leaves it so. Tests that use it are marked ``chromium``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def _unmarked() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Hide the event loop that Playwright leaves marked as running between its calls.

    It is suspended in a greenlet. Marked, it would keep every other test of this process from
    running a loop of its own; unmarked, Playwright's own calls fail. So it is marked for the length
    of the blocks that use the browser, and no longer.
    """
    loop = asyncio.get_running_loop()

    @contextmanager
    def marked() -> Iterator[None]:
        asyncio._set_running_loop(loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    asyncio._set_running_loop(None)
    yield marked
    asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def _chromium() -> Iterator[tuple[Browser, Callable[[], AbstractContextManager[None]]]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        with _unmarked() as marked:
            yield browser, marked
        browser.close()


@pytest.fixture
def chromium(
    _chromium: tuple[Browser, Callable[[], AbstractContextManager[None]]],
) -> Iterator[Browser]:
    """The browser. Open contexts at will: what a test forgets is closed after it."""
    browser, marked = _chromium
    with marked():
        yield browser
        for context in browser.contexts:
            context.close()
