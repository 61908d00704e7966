"""Which language a page speaks, and what it says in it.

Owns the texts (one file per language in ``languages/``, read once) and the choice among them.
Whether a choice is remembered in the cookie is for the endpoints.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from broker.model.parameters import Parameters
from broker.web import context
from broker.web.request import Request

CODES = ("en", "de", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW")
"""The values of ``lang``, as Cognito's managed login has them; the first is the fallback."""

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language: its BCP 47 tag, the direction it is written in, and every text."""

    code: str
    direction: str
    texts: Mapping[str, str] = field(repr=False)

    def text(self, key: str, **values: str) -> str:
        """The text called ``key`` with its placeholders filled. An unknown key is our mistake."""
        return self.texts[key].format_map(values)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """``[error.not_found] title = ...`` as ``("error.not_found.title", ...)``."""
    for name, value in table.items():
        if isinstance(value, str):
            yield prefix + name, value
        else:
            yield from _flat(value, f"{prefix}{name}.")


def _read(code: str) -> tuple[Language, tuple[str, ...]]:
    """A language and the other tags it serves: ``zh-Hant`` is answered in ``zh-TW``."""
    table = tomllib.loads((files(__package__) / "languages" / f"{code}.toml").read_text("utf-8"))
    direction, also = table.pop("direction"), tuple(table.pop("also"))
    return Language(code=code, direction=direction, texts=dict(_flat(table))), also


_READ = tuple(_read(code) for code in CODES)

LANGUAGES: Mapping[str, Language] = {language.code: language for language, _ in _READ}
FALLBACK = LANGUAGES[CODES[0]]

_BY_TAG: Mapping[str, Language] = {
    tag.lower(): language for language, also in _READ for tag in (language.code, *also)
}


def lookup(tag: str) -> Language | None:
    """The language for ``tag``, cut from its end until one fits (RFC 4647 3.4)."""
    if not _TAG.fullmatch(tag):
        return None
    subtags = tag.lower().split("-")
    prefixes = ("-".join(subtags[:length]) for length in range(len(subtags), 0, -1))
    return next((_BY_TAG[prefix] for prefix in prefixes if prefix in _BY_TAG), None)


def _accepted(header: str) -> Iterator[str]:
    """The tags of an ``Accept-Language`` header, best first (RFC 9110 12.5.4)."""
    accepted = parse_accept_header(header, LanguageAccept)
    return (tag for tag, quality in accepted if quality > 0)


def choose_language(
    lang: str | None = None,
    ui_locales: str | None = None,
    cookie: str | None = None,
    accept_language: str | None = None,
) -> Language:
    """The first wish that can be met: what the app asks for, what was asked for before, the browser.

    ``lang`` is Cognito's parameter, ``ui_locales`` that of OIDC Core 3.1.2.1 (best first). A
    language the broker does not speak is no error: the next wish counts, and English in the end.
    """
    wishes = (
        lang or "",
        *(ui_locales or "").split(),
        cookie or "",
        *_accepted(accept_language or ""),
    )
    return next((found for tag in wishes if (found := lookup(tag))), FALLBACK)


def language_of(request: Request) -> Language:
    """The language of the answer to ``request``: from its parameters, its cookie, its header."""
    asked = _asked(request)
    return choose_language(
        lang=asked.get("lang"),
        ui_locales=asked.get("ui_locales"),
        cookie=request.cookies.get(context.LANGUAGE_COOKIE),
        accept_language=request.header("Accept-Language"),
    )


def _asked(request: Request) -> Parameters:
    """The parameters, whatever is in them: the page that refuses unreadable ones has a language too."""
    try:
        return context.parameters(request)
    except HTTPException:
        return Parameters()
