"""The texts are complete in every language, and a person gets the one they asked for."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from broker.web.language import CODES, FALLBACK, LANGUAGES, Language, choose_language, language_of
from broker.web.request import Request

OTHERS = [language for language in LANGUAGES.values() if language is not FALLBACK]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_languages_of_managed_login_are_there() -> None:
    assert set(CODES) == {
        *("de", "en", "es", "fr", "id", "it", "ja", "ko"),
        *("pt-BR", "zh-CN", "zh-TW"),
    }


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_a_language_has_every_text_of_english_and_no_other(language: Language) -> None:
    assert language.texts.keys() == FALLBACK.texts.keys()


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_a_language_has_the_placeholders_of_english(language: Language) -> None:
    for key, text in FALLBACK.texts.items():
        assert _placeholders(language.texts[key]) == _placeholders(text), key


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_every_text_is_translated(language: Language) -> None:
    """Short words may be alike ("Continuer" and "Continue" are not)."""
    alike = {key for key, text in FALLBACK.texts.items() if language.texts[key] == text}
    assert not {key for key in alike if len(FALLBACK.texts[key]) > 10}


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.code)
def test_every_text_says_something(language: Language) -> None:
    assert language.direction in {"ltr", "rtl"}
    assert all(text.strip() == text != "" for text in language.texts.values())


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_what_a_developer_must_type_is_not_translated(language: Language) -> None:
    names = re.compile(
        r"\b(?:[a-z]+_[a-z]+|[A-Z]\w*URLs|Supported\w+|IDPInit|Allow|SAML)\b", re.ASCII
    )
    for key, text in FALLBACK.texts.items():
        assert set(names.findall(text)) <= set(names.findall(language.texts[key])), key


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({}, "en"),
        ({"lang": "de"}, "de"),
        ({"lang": "fr", "ui_locales": "de", "cookie": "es", "accept_language": "ja"}, "fr"),
        ({"ui_locales": "de", "cookie": "es", "accept_language": "ja"}, "de"),
        ({"cookie": "es", "accept_language": "ja"}, "es"),
        ({"accept_language": "ja"}, "ja"),
        ({"lang": "xx", "accept_language": "ja"}, "ja"),
        ({"ui_locales": "se"}, "en"),
        ({"ui_locales": "se fr de"}, "fr"),
        ({"lang": "PT-br"}, "pt-BR"),
        ({"lang": "pt-PT"}, "pt-BR"),
        ({"lang": "de-AT-1996"}, "de"),
        ({"lang": "zh"}, "zh-CN"),
        ({"lang": "zh-Hans-HK"}, "zh-CN"),
        ({"lang": "zh-SG"}, "zh-CN"),
        ({"lang": "zh-Hant"}, "zh-TW"),
        ({"lang": "zh-HK"}, "zh-TW"),
        ({"lang": "deutsch"}, "en"),
        ({"lang": "de_AT"}, "en"),
        ({"lang": "de\n"}, "en"),
        ({"accept_language": "en;q=0.3, ko-KR;q=0.9, *;q=0.1"}, "ko"),
        ({"accept_language": "de;q=0, it;q=0.2"}, "it"),
        ({"accept_language": "*"}, "en"),
        ({"accept_language": ";;q=,,,=x"}, "en"),
    ],
)
def test_the_first_wish_that_can_be_met_counts(wishes: dict[str, str], code: str) -> None:
    assert choose_language(**wishes).code == code


@given(st.text(), st.text(), st.text(), st.text())
def test_no_wish_is_an_error(lang: str, ui_locales: str, cookie: str, accept: str) -> None:
    assert choose_language(lang, ui_locales, cookie, accept) in LANGUAGES.values()


@pytest.mark.parametrize(
    ("url", "headers", "code"),
    [
        ("/?lang=fr&ui_locales=de", {"Cookie": "lang=es", "Accept-Language": "ja"}, "fr"),
        ("/?ui_locales=de", {"Cookie": "lang=es", "Accept-Language": "ja"}, "de"),
        ("/", {"Cookie": "lang=es", "Accept-Language": "ja"}, "es"),
        ("/?lang=%FF", {"Accept-Language": "ja"}, "ja"),
    ],
)
def test_the_wishes_are_read_from_the_request(url: str, headers: dict[str, str], code: str) -> None:
    assert language_of(Request(create_environ(url, headers=headers))).code == code
