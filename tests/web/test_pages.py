"""What the pages say and what they let a browser do, read from their bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from broker.model.pool import ProviderType
from broker.web import pages
from broker.web.language import FALLBACK, LANGUAGES, Language, language_of
from broker.web.pages import EmailForm, PageError, ProviderChoice, Purpose, SignedOutNote
from broker.web.request import Request
from broker.web.response import Response
from tests.kit.sample_pages import EVERY_TYPE, PAGES, REFERENCE, choice, login

ENGLISH = LANGUAGES["en"]
FORMS = {"login-email", "login-invalid", "login-unknown", "confirm"}
SUBMITTING = {f"post-{purpose}" for purpose in Purpose}
EMPTY_ELEMENTS = {"input", "link", "meta"}

every_page = pytest.mark.parametrize("name", PAGES)
every_language = pytest.mark.parametrize("code", LANGUAGES)


class Parsed(HTMLParser):
    """A page as the elements it has, with their attributes, and the text outside style and script."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(response.body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def fields(self) -> dict[str | None, str | None]:
        return {f["name"]: f["value"] for f in self.all("input") if f["type"] == "hidden"}


def _policy(response: Response) -> dict[str, str]:
    directives = dict(response.headers)["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (d.partition(" ") for d in directives)}


def _source(inline: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


@every_page
def test_a_page_says_what_it_is_and_is_kept_nowhere(name: str) -> None:
    headers = dict(PAGES[name](ENGLISH).headers)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Language"] == "en"


@every_page
def test_a_page_may_load_run_and_be_framed_by_nothing(name: str) -> None:
    response = PAGES[name](ENGLISH)
    policy, page = _policy(response), Parsed(response)
    assert policy.pop("style-src") == _source(page.raw["style"])
    if name in SUBMITTING:
        assert policy.pop("script-src") == _source(page.raw["script"])
    else:
        assert "script" not in page.raw
    if name not in FORMS | SUBMITTING:
        assert policy.pop("form-action") == "'none'"
        assert not page.all("form")
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@every_page
def test_a_page_refers_to_nothing_elsewhere(name: str) -> None:
    page = Parsed(PAGES[name](ENGLISH))
    addresses = [a[key] for _, a in page.elements for key in ("src", "href", "style") if key in a]
    assert all(str(address).startswith(("data:", "/chosen")) for address in addresses)
    assert "url(" not in page.raw["style"]
    assert "@import" not in page.raw["style"]
    assert not [a for _, a in page.elements for key in a if key.startswith("on")]


@every_language
@every_page
def test_a_page_is_whole_in_every_language(name: str, code: str) -> None:
    """One heading, which is the title, after what is wrong; no element left open; no placeholder
    left unfilled."""
    response = PAGES[name](LANGUAGES[code])
    page = Parsed(response)
    assert page.all("html") == [{"lang": code, "dir": LANGUAGES[code].direction}]
    assert dict(response.headers)["Content-Language"] == code
    assert page.open == []
    html = response.body.decode()
    (title,), (heading,) = (re.findall(rf"<{tag}>(.+?)</{tag}>", html) for tag in ("title", "h1"))
    problem = LANGUAGES[code].texts["login.email_problem"] + " - "
    assert title == (problem if name in {"login-invalid", "login-unknown"} else "") + heading
    assert not re.search(r"[{}]", page.text)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identifiers)) == len(identifiers)


@every_page
def test_equal_pages_are_equal_byte_for_byte(name: str) -> None:
    one, other = PAGES[name](ENGLISH), PAGES[name](ENGLISH)
    assert one.body == other.body
    assert list(one.headers) == list(other.headers)


@pytest.mark.parametrize("kind", PageError)
def test_error_pages_differ_in_the_reference_alone(kind: PageError) -> None:
    def page(reference: str) -> str:
        response = pages.error_page(kind, status=400, reference=reference, lang=ENGLISH)
        return response.body.decode()

    assert page(REFERENCE).replace(REFERENCE, "another") == page("another")


def test_an_error_page_without_a_reference_shows_none() -> None:
    page = pages.error_page(PageError.NOT_FOUND, status=404, reference=None, lang=ENGLISH)
    assert page.status == 404
    assert "eference" not in Parsed(page).text


def test_the_page_for_a_foreign_redirect_uri_says_what_is_wrong() -> None:
    page = Parsed(PAGES["error-redirect_mismatch"](ENGLISH))
    assert "The redirect URI is not registered for this client" in page.text
    assert "CallbackURLs" in page.text
    assert REFERENCE in page.text


@pytest.mark.parametrize("kind", PageError)
def test_an_error_page_says_what_to_do(kind: PageError) -> None:
    advice = {
        PageError.UNAVAILABLE: "error.try_later",
        PageError.SIGN_OUT_REFUSED: "error.sign_out_again",
    }.get(kind, "error.start_again")
    assert ENGLISH.texts[advice] in Parsed(PAGES[f"error-{kind}"](ENGLISH)).text


def test_nothing_of_a_request_is_shown() -> None:
    headers = {"Cookie": "lang=gotcha", "Accept-Language": "gotcha", "Referer": "http://gotcha"}
    url = "/error?error=<b>gotcha</b>&client_id=gotcha&lang=gotcha"
    lang = language_of(Request(create_environ(url, headers=headers)))
    page = pages.error_page(PageError.BAD_REQUEST, status=400, reference=REFERENCE, lang=lang)
    assert page.body == PAGES["error-bad_request"](ENGLISH).body


def test_providers_stand_in_the_order_given_by_the_names_people_know() -> None:
    page = Parsed(login(ENGLISH, choices=EVERY_TYPE))
    assert re.findall(r"Continue with (\S+)", page.text) == [
        *("Okta-Workforce", "Contoso", "Google", "Facebook"),
        *("Amazon", "Apple", "Microsoft", "GitHub"),
    ]


def test_an_app_without_a_name_is_not_named() -> None:
    page = Parsed(login(ENGLISH, application="", choices=EVERY_TYPE))
    assert "to continue to" not in page.text


def test_an_app_without_providers_is_told_what_to_configure() -> None:
    page = Parsed(login(ENGLISH))
    assert "This app has no way to sign in" in page.text
    assert "SupportedIdentityProviders" in page.text


def test_the_email_form_sends_its_hidden_fields_by_get() -> None:
    form = EmailForm(action="/login", hidden={"client_id": "app", "state": "a&b"}, value="jo@x")
    page = Parsed(login(ENGLISH, email=form))
    assert page.all("form") == [{"action": "/login", "method": "get"}]
    assert page.fields == {"client_id": "app", "state": "a&b"}
    (box,) = (f for f in page.all("input") if f["type"] == "text")
    assert (box["name"], box["value"]) == ("email", "jo@x")


def test_signing_out_says_what_else_happened() -> None:
    plain = Parsed(pages.signed_out_page(lang=ENGLISH)).text
    partial = Parsed(pages.signed_out_page(lang=ENGLISH, notes=[SignedOutNote.PARTIAL])).text
    assert "You are signed out" in plain
    assert "did not confirm" not in plain
    assert "You are signed out" in partial
    assert "did not confirm" in partial


def test_the_question_says_that_the_person_is_still_signed_in() -> None:
    page = Parsed(
        pages.confirm_sign_out_page(action="/logout", hidden={"token": "t"}, lang=ENGLISH)
    )
    assert "You are still signed in" in page.text
    assert page.all("form") == [{"action": "/logout", "method": "post"}]
    assert page.fields == {"token": "t"}


def test_a_form_post_page_submits_by_plain_script_and_has_a_button() -> None:
    response = pages.form_post_page(
        "https://app.example.com/cb?a=1&b=2",
        {"code": "c"},
        purpose=Purpose.APPLICATION,
        lang=ENGLISH,
    )
    page = Parsed(response)
    assert page.all("form") == [{"action": "https://app.example.com/cb?a=1&b=2", "method": "post"}]
    assert page.fields == {"code": "c"}
    assert page.raw["script"] == "document.forms[0].submit()"
    assert page.all("button") == [{"type": "submit"}]


def _shape(response: Response) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in Parsed(response).elements]


hostile = st.one_of(
    st.text(min_size=1),
    st.sampled_from(
        [
            '"><script>alert(1)</script>',
            "' autofocus onfocus=alert(1) x='",
            "</title></style></script><img src=x onerror=alert(1)>",
            "{{ 7 * 7 }}{% raw %}{application}{0.__class__}",
            "<!-- ]]> -->",
            "javascript:alert(1)",
            "&quot;&#34;&amp;",
        ]
    ),
)


@given(application=hostile, name=hostile, url=hostile, field=hostile, value=hostile)
def test_hostile_names_stay_text(
    application: str, name: str, url: str, field: str, value: str
) -> None:
    def page(application: str, one: ProviderChoice, email: EmailForm) -> Response:
        return login(ENGLISH, application=application, choices=[one], email=email)

    form = EmailForm(action=url, hidden={field: value}, value=value)
    response = page(application, choice(name, ProviderType.SAML, url), form)
    plain = page("a", choice("n", ProviderType.SAML, "/"), EmailForm(action="/", hidden={"a": "b"}))
    assert _shape(response) == _shape(plain)
    parsed = Parsed(response)
    assert parsed.fields == {field: value}
    assert parsed.all("a")[0]["href"] == url
    assert parsed.all("form")[0]["action"] == url
    words = "".join(parsed.words)
    assert f"to continue to {application}" in words
    assert f"Continue with {name}" in words


@given(
    url=hostile,
    fields=st.dictionaries(hostile, hostile, max_size=4),
    purpose=st.sampled_from(Purpose),
)
def test_hostile_fields_stay_fields(url: str, fields: dict[str, str], purpose: Purpose) -> None:
    def page(url: str, fields: dict[str, str]) -> Response:
        return pages.form_post_page(url, fields, purpose=purpose, lang=FALLBACK)

    response = page(url, fields)
    assert _shape(response) == _shape(page("/", {str(i): "" for i in range(len(fields))}))
    assert Parsed(response).fields == fields
    assert Parsed(response).all("form")[0]["action"] == url


@given(hostile)
def test_a_hostile_reference_stays_text(reference: str) -> None:
    def page(reference: str) -> Response:
        return pages.error_page(PageError.UNEXPECTED, status=500, reference=reference, lang=ENGLISH)

    assert _shape(page(reference)) == _shape(page("r"))
    assert reference in "".join(Parsed(page(reference)).words)


def test_a_value_that_is_no_unicode_is_no_error() -> None:
    """What ``surrogateescape`` makes of a percent-encoded byte that is not UTF-8."""
    state = b"a\xffb".decode("utf-8", "surrogateescape")
    response = pages.form_post_page(
        "https://app.example.com/cb", {"state": state}, purpose=Purpose.APPLICATION, lang=ENGLISH
    )
    assert Parsed(response).fields == {"state": "a?b"}


def _in(language: Language) -> str:
    return PAGES["error-not_found"](language).body.decode()


def test_languages_make_different_pages() -> None:
    assert len({_in(language) for language in LANGUAGES.values()}) == len(LANGUAGES)
