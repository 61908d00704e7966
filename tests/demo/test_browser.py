"""The demo's browser, on pages that ask of it what the real ones do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, jsonify, redirect, request

from broker.demo.browser import Browser, BrowserError
from broker.demo.servers import Listener

PAGE = """<!doctype html><title> A page </title><a href="/in?x=1">Go <b>in</b></a>
<p id="who">Ada &amp; Bob</p><form method="post" action="/take">
<input type="hidden" name="ticket" value="t&quot;1"><input name="name" value="Ada">
<input type="checkbox" name="groups" value="a" checked><input type="checkbox" name="groups"
value="b" checked><input type="checkbox" name="groups" value="c"><button>Go</button></form>"""


@pytest.fixture
def site() -> Iterator[str]:
    app = Flask("site")

    def enter() -> Any:
        response = redirect("/here")
        response.set_cookie("who", request.args["x"])
        return response

    app.add_url_rule("/", "home", lambda: PAGE)
    app.add_url_rule("/in", "in", enter)
    app.add_url_rule("/here", "here", lambda: f'<p id="c">{request.cookies["who"]}</p>')
    app.add_url_rule("/loop", "loop", lambda: redirect("/loop"))
    app.add_url_rule(
        "/take", "take", lambda: jsonify(request.form.to_dict(flat=False)), methods=["POST"]
    )
    with Listener() as listener, listener.serving(app):
        yield f"http://localhost:{listener.port}"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def test_it_follows_links_and_redirects_and_keeps_cookies(browser: Browser, site: str) -> None:
    page = browser.follow(browser.open(f"{site}/"), "Go in")
    assert page.trail == (f"{site}/in?x=1", f"{site}/here")
    assert page.text("c") == "1"


def test_it_submits_what_the_form_holds_and_what_was_changed(browser: Browser, site: str) -> None:
    page = browser.submit(browser.open(f"{site}/"), name="Bob")
    assert page.source.replace("\n", "").replace(" ", "") == (
        '{"groups":["a","b"],"name":["Bob"],"ticket":["t\\"1"]}'
    )


def test_it_reads_titles_and_texts(browser: Browser, site: str) -> None:
    page = browser.open(f"{site}/")
    assert (page.title, page.text("who")) == ("A page", "Ada & Bob")


def test_what_is_missing_is_named(browser: Browser, site: str) -> None:
    page = browser.follow(browser.open(f"{site}/"), "Go in")
    with pytest.raises(BrowserError, match='no link "Out"'):
        page.link("Out")
    with pytest.raises(BrowserError, match='no element "x"'):
        page.text("x")
    with pytest.raises(BrowserError, match=r"no form on .*/here \(status 200"):
        browser.submit(page)


def test_a_server_that_does_not_answer_and_a_loop_are_errors(browser: Browser, site: str) -> None:
    with pytest.raises(BrowserError, match="does not answer"):
        browser.open(f"{site}/loop")
    with Listener() as nobody:
        port = nobody.port
    with pytest.raises(BrowserError, match="does not answer"):
        browser.open(f"http://localhost:{port}/?secret=1")
