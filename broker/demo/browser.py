"""A small web browser for the sign-in that the demo does by itself: cookies, redirects, forms.

Real HTTP against the real pages, and no knowledge of any protocol. It runs no scripts, which the
pages do not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urljoin

import httpx2
from lxml import html

_TIMEOUT_SECONDS = 15
_MAX_REDIRECTS = 10


class BrowserError(Exception):
    """The page is not what the story needs: what was looked for, and where."""


@dataclass(frozen=True)
class Page:
    """A page, and the URLs that led to it, the last one its own."""

    trail: tuple[str, ...]
    status: int
    source: str

    @property
    def url(self) -> str:
        return self.trail[-1]

    @property
    def title(self) -> str:
        title: str = self._document().findtext(".//title") or ""
        return title.strip()

    def link(self, text: str) -> str:
        """The absolute target of the link that reads ``text``."""
        for anchor in self._document().iterfind(".//a[@href]"):
            if " ".join("".join(anchor.itertext()).split()) == text:
                target: str = urljoin(self.url, anchor.get("href", ""))
                return target
        raise BrowserError(f'There is no link "{text}" on {self}.')

    def text(self, element_id: str) -> str:
        """The text of the element with that id."""
        found = self._document().find(f".//*[@id='{element_id}']")
        if found is None:
            raise BrowserError(f'There is no element "{element_id}" on {self}.')
        return "".join(found.itertext()).strip()

    def form(self) -> tuple[str, str, dict[str, str | list[str]]]:
        """Method, target and filled-in fields of the page's one form."""
        form = self._document().find(".//form")
        if form is None:
            raise BrowserError(f"There is no form on {self}.")
        fields: dict[str, str | list[str]] = {}
        for field in form.iterfind(".//input[@name]"):
            if field.get("type") != "checkbox":
                fields[field.get("name", "")] = field.get("value", "")
            elif field.get("checked") is not None:
                ticked = fields.setdefault(field.get("name", ""), [])
                if isinstance(ticked, list):
                    ticked.append(field.get("value", "on"))
        target = urljoin(self.url, form.get("action") or "")
        return form.get("method", "get").upper(), target, fields

    def __str__(self) -> str:
        return f'{self.url.partition("?")[0]} (status {self.status}, "{self.title}")'

    def _document(self) -> html.HtmlElement:
        return html.document_fromstring(self.source or "<p></p>")


class Browser:
    """One person's browser, from first page to last."""

    def __init__(self) -> None:
        self._client = httpx2.Client(
            follow_redirects=True, max_redirects=_MAX_REDIRECTS, timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def open(self, url: str) -> Page:
        return self._page("GET", url, None)

    def follow(self, page: Page, text: str) -> Page:
        """Click on the link that reads ``text``."""
        return self.open(page.link(text))

    def submit(self, page: Page, **changes: str) -> Page:
        """Press the button of the page's form, with these fields filled in differently."""
        method, target, fields = page.form()
        return self._page(method, target, {**fields, **changes})

    def _page(self, method: str, url: str, form: Mapping[str, str | list[str]] | None) -> Page:
        try:
            response = self._client.request(method, url, data=form)
        except httpx2.HTTPError as error:
            raise BrowserError(f"{url.partition('?')[0]} does not answer: {error}") from error
        trail = (*(str(r.url) for r in response.history), str(response.url))
        return Page(trail=trail, status=response.status_code, source=response.text)
