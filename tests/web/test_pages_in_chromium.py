"""The pages as people meet them: in a real browser, by keyboard, on a phone, without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pytest
from flask import Flask, redirect, request
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from broker.model.pool import ProviderType
from broker.web import pages
from broker.web.language import LANGUAGES
from broker.web.pages import EmailForm, Purpose
from broker.web.response import Response
from tests.kit.sample_pages import EVERY_TYPE, FORM, PAGES, REFERENCE, choice, login
from tests.kit.wsgi import served

pytestmark = pytest.mark.chromium

ENGLISH = LANGUAGES["en"]
LOOKS = [name for name in PAGES if not name.startswith("post-")]
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
STATE = "\"'<&>%#=\u00e9\u65e5 \U0001f600"


@dataclass
class Elsewhere:
    """Another origin: an identity provider or an app that answers a form with a redirect."""

    url: str = ""
    received: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask("elsewhere")

        @app.route("/answer", methods=["GET", "POST"])
        def answer() -> Any:
            self.received.append((request.method, request.mimetype, request.values.to_dict()))
            return redirect(f"{self.url.replace('127.0.0.1', 'localhost')}/end")

        app.add_url_rule("/end", view_func=lambda: '<link rel="icon" href="data:,">the end')
        return app


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    there = Elsewhere()
    with served(there.app()) as there.url:
        yield there


@pytest.fixture
def site(elsewhere: Elsewhere) -> Iterator[str]:
    """The pages, each under its name, on an origin of their own."""
    app = Flask("pages")

    @app.get("/<name>/<lang>")
    def show(name: str, lang: str) -> Response:
        return PAGES[name](LANGUAGES[lang])

    @app.get("/chosen")
    def chosen() -> Any:
        return redirect(f"{elsewhere.url}/answer?{request.query_string.decode()}")

    @app.get("/hop")
    def hop() -> Response:
        fields = {"code": "c1", "state": STATE}
        return pages.form_post_page(
            f"{elsewhere.url}/answer", fields, purpose=Purpose.APPLICATION, lang=ENGLISH
        )

    @app.get("/script-address")
    def script_address() -> Response:
        return pages.form_post_page(
            "javascript:document.title='run'", {}, purpose=Purpose.APPLICATION, lang=ENGLISH
        )

    @app.get("/hostile")
    def hostile() -> Response:
        one = choice(HOSTILE, ProviderType.SAML, "javascript:document.title=3")
        form = EmailForm(action="/chosen", hidden={HOSTILE: HOSTILE}, value=HOSTILE)
        return login(ENGLISH, application=HOSTILE, choices=[one], email=form)

    @app.get("/long")
    def long() -> Response:
        return login(
            ENGLISH,
            application="A" * 128,
            choices=[choice("B" * 32, ProviderType.SAML), *EVERY_TYPE * 20],
            email=FORM,
        )

    @app.get("/frame/<name>")
    def frame(name: str) -> str:
        return f'<iframe src="/{escape(name)}/en"></iframe>'

    with served(app) as url:
        yield url


def _open(chromium: Browser, **options: Any) -> tuple[Page, list[str]]:
    """A page in a fresh context, and what the browser complained about on it."""
    page = chromium.new_context(**options).new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 400" not in message.text:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


CONTRAST = """
() => {
  const channel = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = css => css.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) =>
    0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const rgba = parse(getComputedStyle(e).backgroundColor);
      if (rgba.length < 4 || rgba[3] === 1) return rgba;
      if (rgba[3] !== 0) throw new Error("half-transparent ground");
    }
    throw new Error("no ground");
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    found.push([walker.currentNode.data.trim(),
                ratio(parse(getComputedStyle(element).color), ground(element)), 4.5]);
  }
  for (const input of document.querySelectorAll("input[type=text]")) {
    const style = getComputedStyle(input);
    found.push(["text of the box", ratio(parse(style.color), ground(input)), 4.5]);
    found.push(["edge of the box", ratio(parse(style.borderTopColor), ground(input.parentElement)), 3]);
  }
  for (const button of document.querySelectorAll("button"))
    found.push(["button", ratio(ground(button), ground(button.parentElement)), 3]);
  for (const mark of document.querySelectorAll("svg.mark"))
    found.push(["mark", ratio(parse(getComputedStyle(mark).stroke), ground(mark.parentElement)), 3]);
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(chromium: Browser, site: str, scheme: Any) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11."""
    page, complaints = _open(chromium, color_scheme=scheme)
    grounds = set()
    for name in LOOKS:
        page.goto(f"{site}/{name}/en")
        measured = page.evaluate(CONTRAST)
        assert measured
        assert [row for row in measured if row[1] < row[2]] == [], name
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    (ground,) = grounds
    assert (min(int(c) for c in re.findall(r"\d+", ground)) > 128) == (scheme == "light")
    assert complaints == []


@pytest.mark.parametrize("hovered", ["button", "a"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_hovered_can_be_read(
    chromium: Browser, site: str, scheme: Any, hovered: str
) -> None:
    page, _ = _open(chromium, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{site}/login-email/en")
    before = page.evaluate(
        "s => getComputedStyle(document.querySelector(s)).backgroundColor", hovered
    )
    page.hover(hovered)
    after = page.evaluate(
        "s => getComputedStyle(document.querySelector(s)).backgroundColor", hovered
    )
    assert before != after
    assert [row for row in page.evaluate(CONTRAST) if row[1] < row[2]] == []


def test_nothing_is_wider_than_a_phone(chromium: Browser, site: str) -> None:
    """WCAG 2.2, 1.4.10: 320 pixels; in the longest language and with the longest names there are."""
    page, _ = _open(chromium, viewport={"width": 320, "height": 640})
    paths = [f"{name}/de" for name in LOOKS]
    paths += [f"{name}/{code}" for name in ("login-email", "error-too_large") for code in LANGUAGES]
    for path in [*paths, "long"]:
        page.goto(f"{site}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_targets_are_large_enough_for_a_thumb(chromium: Browser, site: str) -> None:
    """WCAG 2.2, 2.5.8 asks for 24 pixels; a thumb wants 44."""
    page, _ = _open(chromium, viewport={"width": 360, "height": 640})
    page.goto(f"{site}/login-email/en")
    for target in page.locator("a, button, input[type=text]").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_a_page_fetches_nothing(chromium: Browser, site: str) -> None:
    page, complaints = _open(chromium)
    fetched: list[str] = []
    page.on("request", lambda r: fetched.append(r.url) if not r.url.startswith("data:") else None)
    seen = ["login-email", "error-unexpected", "confirm", "signed-out"]
    for name in seen:
        page.goto(f"{site}/{name}/en", wait_until="networkidle")
    assert fetched == [f"{site}/{name}/en" for name in seen]
    assert complaints == []


def test_the_sign_in_page_has_names_and_landmarks(chromium: Browser, site: str) -> None:
    page, _ = _open(chromium)
    page.goto(f"{site}/login-email/en")
    expect(page).to_have_title("Sign in")
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    ways = page.get_by_role("navigation", name="Ways to sign in")
    expect(ways.get_by_role("link", name="Continue with Google", exact=True)).to_be_visible()
    expect(ways.get_by_role("list")).to_have_count(1)
    box = page.get_by_role("textbox", name="Email address", exact=True)
    expect(box).to_have_accessible_description(
        "We use it to find your organisation's sign-in page."
    )
    expect(page.get_by_role("button", name="Next", exact=True)).to_be_visible()


def test_a_problem_is_announced_and_belongs_to_the_box(chromium: Browser, site: str) -> None:
    page, _ = _open(chromium)
    page.goto(f"{site}/login-unknown/en")
    expect(page).to_have_title("Check the email address - Sign in")
    box = page.get_by_role("textbox", name="Email address", exact=True)
    expect(page.get_by_role("alert")).to_contain_text("No sign-in is set up")
    expect(box).to_have_accessible_description(re.compile("No sign-in is set up"))
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_value("jo@nowhere.example")
    expect(box).to_be_focused()


def test_an_error_page_has_names_and_landmarks(chromium: Browser, site: str) -> None:
    page, _ = _open(chromium)
    page.goto(f"{site}/error-redirect_mismatch/en")
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", level=1)).to_have_text(
        "The app's return address is not registered"
    )
    aside = main.get_by_role("region", name="For the app's developer")
    expect(aside).to_contain_text("The redirect URI is not registered for this client")
    expect(main.get_by_text(REFERENCE, exact=True)).to_be_visible()


FOCUSED = """
() => {
  const element = document.activeElement, style = getComputedStyle(element);
  return [element.id || (element.lastElementChild ?? element).textContent.trim(),
          style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}
"""


def test_the_keyboard_goes_through_the_page_in_its_order(chromium: Browser, site: str) -> None:
    page, _ = _open(chromium)
    page.goto(f"{site}/login-email/en")
    seen = []
    for _ in range(3):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
    assert seen == [["email", True], ["Next", True], ["Continue with Google", True]]
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_text("the end")


def test_who_wants_no_motion_gets_none(chromium: Browser, site: str) -> None:
    durations = {}
    for wish in ("reduce", "no-preference"):
        page, _ = _open(chromium, reduced_motion=wish)
        page.goto(f"{site}/login/en")
        durations[wish] = page.evaluate(
            "getComputedStyle(document.querySelector('a')).transitionDuration"
        )
    assert durations["reduce"] == "0s"
    assert durations["no-preference"] != "0s"


@pytest.mark.parametrize("name", ["login-email", "error-unexpected", "confirm", "post-sign_in"])
def test_no_page_can_be_framed(chromium: Browser, site: str, name: str) -> None:
    page, complaints = _open(chromium)
    page.goto(f"{site}/frame/{name}", wait_until="networkidle")
    (frame,) = page.main_frame.child_frames
    assert frame.url.startswith("chrome-error:")
    assert any("frame-ancestors" in complaint for complaint in complaints)


@pytest.mark.parametrize("script", [True, False])
def test_the_email_form_leads_to_a_provider_elsewhere(
    chromium: Browser, site: str, elsewhere: Elsewhere, script: bool
) -> None:
    """Chromium applies ``form-action`` to redirects too: the policy must not stop this."""
    page, complaints = _open(chromium, java_script_enabled=script)
    page.goto(f"{site}/login-email/en")
    page.get_by_label("Email address").fill("jo@b\u00fccher.example")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_text("the end")
    sent = {"client_id": "app", "email": "jo@b\u00fccher.example"}
    assert elsewhere.received == [("GET", "", sent)]
    assert complaints == []


@pytest.mark.parametrize("script", [True, False])
def test_a_form_is_posted_with_and_without_script(
    chromium: Browser, site: str, elsewhere: Elsewhere, script: bool
) -> None:
    """By itself or by the button; and the redirect that answers it is followed."""
    page, complaints = _open(chromium, java_script_enabled=script)
    page.goto(f"{site}/hop", wait_until="commit")
    if not script:
        assert elsewhere.received == []
        page.get_by_role("button", name="Continue").click()
    expect(page.locator("body")).to_have_text("the end")
    fields = {"code": "c1", "state": STATE}
    assert elsewhere.received == [("POST", "application/x-www-form-urlencoded", fields)]
    assert complaints == []


def test_an_address_of_script_does_not_run(chromium: Browser, site: str) -> None:
    page, complaints = _open(chromium)
    with page.expect_console_message(lambda message: message.type == "error"):
        page.goto(f"{site}/script-address")
    expect(page).to_have_title("Taking you back to the app")
    assert all("Content Security Policy" in complaint for complaint in complaints)


def test_hostile_names_are_shown_and_not_run(chromium: Browser, site: str) -> None:
    page, complaints = _open(chromium)
    page.goto(f"{site}/hostile", wait_until="networkidle")
    expect(page).to_have_title("Sign in")
    expect(page.get_by_text(f"to continue to {HOSTILE}", exact=True)).to_be_visible()
    expect(page.get_by_label("Email address")).to_have_value(HOSTILE)
    assert page.locator("img, script").count() == 0
    assert complaints == []
    page.get_by_role("link").click()
    expect(page).to_have_title("Sign in")
    assert any("Content Security Policy" in complaint for complaint in complaints)


def test_the_reference_is_selected_by_one_click(chromium: Browser, site: str) -> None:
    page, _ = _open(chromium)
    page.goto(f"{site}/error-unexpected/en")
    page.get_by_text(REFERENCE).click()
    assert page.evaluate("getSelection().toString()") == REFERENCE
