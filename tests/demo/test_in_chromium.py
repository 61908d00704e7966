"""The demo's story in a real browser, over the embedded stores and over Redis and PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.kit.demo_process import Demo, running_demo

pytestmark = pytest.mark.chromium

expect.set_options(timeout=20_000)  # a page may have to wait for a busy machine


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Without a server: everything in SQLite."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        demo.read_until("Open ")
        yield demo


@pytest.fixture
def with_servers(tmp_path: Path, redis_url: str, postgresql_url: str) -> Iterator[Demo]:
    """What lives for minutes in Redis, the rest in PostgreSQL."""
    environ = {"BROKER_REDIS_URL": redis_url, "BROKER_DATABASE_URL": postgresql_url}
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


@pytest.mark.parametrize("stores", ["embedded", "with_servers"])
def test_sign_in_sign_out_and_be_asked_again(
    chromium: Browser, stores: str, request: pytest.FixtureRequest
) -> None:
    demo: Demo = request.getfixturevalue(stores)
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


def test_all_of_it_works_without_scripts(chromium: Browser, embedded: Demo) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(embedded.url)
    ask_at_the_identity_provider(page)
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()


def test_sign_in_can_begin_at_the_identity_provider(chromium: Browser, embedded: Demo) -> None:
    page = chromium.new_page()
    provider = re.search(r"SAML identity provider +(\S+)", embedded.said)
    assert provider is not None
    page.goto(provider[1])
    page.get_by_role("link", name="Sample app").click()
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()


def test_the_pages_are_served_without_a_policy_violation(chromium: Browser, embedded: Demo) -> None:
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(embedded.url)
    page.get_by_role("link", name="Sign in with OIDC").click()
    sign_in_as(page, "Grace Hopper", "grace@example.com")
    expect(page.get_by_role("heading", name="Hello, Grace Hopper")).to_be_visible()
    assert complaints == []
