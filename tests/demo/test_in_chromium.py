"""The demo's story in a real browser, over the embedded stores and over Redis and PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.kit.demo_process import Demo, running_demo

pytestmark = pytest.mark.chromium


@pytest.fixture(params=["embedded", "redis and postgresql"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    environ = {}
    if request.param != "embedded":
        environ["BROKER_REDIS_URL"] = request.getfixturevalue("redis_url")
        environ["BROKER_DATABASE_URL"] = request.getfixturevalue("postgresql_url")
    with running_demo(tmp_path, environ) as demo:
        demo.read_until("Open ")
        yield demo


def ask_at_the_identity_provider(page: Page) -> None:
    """From the app's page to the SAML identity provider's form, by the broker's list."""
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_role("link", name=re.compile("DemoSAML")).click()
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    assert page.url.startswith("http://127.0.0.1:")


def sign_in_as(page: Page, name: str, email: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("finance").check()
    page.get_by_role("button", name="Sign in").click()


def test_sign_in_sign_out_and_be_asked_again(chromium: Browser, demo: Demo) -> None:
    page = chromium.new_page()
    page.goto(demo.url)
    ask_at_the_identity_provider(page)
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()
    expect(page.get_by_role("row", name="custom:groups")).to_contain_text("[engineering, finance]")
    assert page.url == demo.url
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    ask_at_the_identity_provider(page)


@pytest.mark.parametrize("demo", ["embedded"], indirect=True)
def test_all_of_it_works_without_scripts(chromium: Browser, demo: Demo) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(demo.url)
    ask_at_the_identity_provider(page)
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()


@pytest.mark.parametrize("demo", ["embedded"], indirect=True)
def test_sign_in_can_begin_at_the_identity_provider(chromium: Browser, demo: Demo) -> None:
    page = chromium.new_page()
    provider = re.search(r"SAML identity provider +(\S+)", demo.said)
    assert provider is not None
    page.goto(provider[1])
    page.get_by_role("link", name="Sample app").click()
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()


@pytest.mark.parametrize("demo", ["embedded"], indirect=True)
def test_the_pages_are_served_without_a_policy_violation(chromium: Browser, demo: Demo) -> None:
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(demo.url)
    page.get_by_role("link", name="Sign in with OIDC").click()
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()
    assert complaints == []
