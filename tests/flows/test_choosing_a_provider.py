"""Several ways to sign in: the page lists them, an e-mail address finds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import html

from tests.kit.world import WEB, World, callback, saml_provider

GOOGLE = {
    "ProviderName": "Google",
    "ProviderType": "Google",
    "ProviderDetails": {
        "client_id": "g",
        "client_secret": "s",
        "authorize_scopes": "openid email",
    },
}


@pytest.fixture
def several(new_world: Callable[..., World], world: World) -> World:
    """Two SAML providers with identifiers, one of them capitalised, and Google."""
    providers = [
        saml_provider(world.idp, IdpIdentifiers=["corp.example"]),
        GOOGLE,
        saml_provider(world.idp, "Partner", IdpIdentifiers=["Partner.Example"]),
    ]
    return new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Partner", "Google", "Corp"]}],
        providers=providers,
    )


@pytest.fixture
def listed(new_world: Callable[..., World], world: World) -> World:
    """Two SAML providers of which one has no identifier: all are shown."""
    return new_world(
        clients=[{**WEB, "SupportedIdentityProviders": ["Partner", "Corp", "COGNITO"]}],
        providers=[
            saml_provider(world.idp, IdpIdentifiers=["corp.example"]),
            saml_provider(world.idp, "Partner"),
        ],
    )


def login_page(world: World, browser: Any, **changes: str | None) -> Any:
    location = browser.get(world.authorize_url(**changes)).headers["Location"]
    response = browser.get(location)
    assert response.status_code == 200
    return html.fromstring(response.data)


def links(page: Any) -> dict[str, str]:
    return {" ".join(a.text_content().split()): a.get("href") for a in page.iterfind(".//main//a")}


def test_the_providers_are_listed_in_the_clients_order(listed: World) -> None:
    found = links(login_page(listed, listed.browser()))
    assert [name.split()[-1] for name in found] == ["Partner", "Corp"]


def test_choosing_one_signs_in_there(listed: World) -> None:
    browser = listed.browser()
    page = login_page(listed, browser, state="kept & whole")
    target = next(url for name, url in links(page).items() if "Partner" in name)
    request = listed.idp.read_request(browser.get(target).headers["Location"])
    answer = callback(browser.post("/saml2/idpresponse", listed.idp.post(request)))
    assert answer["state"] == "kept & whole"
    claims = listed.verified(listed.redeem(answer["code"]).json["id_token"])
    assert claims["identities"][0]["providerName"] == "Partner"


def test_an_email_box_stands_for_saml_providers_with_identifiers(several: World) -> None:
    page = login_page(several, several.browser())
    assert [name.split()[-1] for name in links(page)] == ["Google"]
    assert page.find(".//form") is not None


@pytest.mark.parametrize(
    ("email", "provider"),
    [
        ("alice@corp.example", "Corp"),
        ("ALICE@CORP.EXAMPLE", "Corp"),
        (" alice@partner.example ", "Partner"),
        ('"odd@local"@corp.example', "Corp"),
        ("corp.example", "Corp"),
    ],
)
def test_the_part_after_the_at_sign_finds_the_provider(
    several: World, email: str, provider: str
) -> None:
    browser = several.browser()
    form = login_page(several, browser).find(".//form")
    fields = {i.get("name"): i.get("value") or "" for i in form.iterfind(".//input")}
    response = browser.get(f"{form.get('action')}?{urlencode({**fields, 'email': email})}")
    location = response.headers["Location"]
    assert urlsplit(location).path == "/oauth2/authorize"
    assert parse_qs(urlsplit(location).query)["identity_provider"] == [provider]


@pytest.mark.parametrize(
    "email",
    ["alice@sub.corp.example", "alice@elsewhere.example", "alice", "@", "a\x00@corp.example.evil"],
)
def test_an_address_of_nobody_we_know_asks_again(several: World, email: str) -> None:
    browser = several.browser()
    form = login_page(several, browser).find(".//form")
    fields = {i.get("name"): i.get("value") or "" for i in form.iterfind(".//input")}
    response = browser.get(f"/login?{urlencode({**fields, 'email': email})}")
    assert response.status_code == 200
    assert html.fromstring(response.data).find(".//form") is not None


def test_login_checks_what_authorize_checks(listed: World) -> None:
    browser = listed.browser()
    unregistered = listed.authorize_url(redirect_uri="https://evil.example/")
    response = browser.get(unregistered.replace("/oauth2/authorize", "/login"))
    assert response.headers["Location"].startswith("/error?error=redirect_mismatch")
    foreign_scope = listed.authorize_url(scope="admin").replace("/oauth2/authorize", "/login")
    assert callback(browser.get(foreign_scope))["error"] == "invalid_scope"


def test_the_page_speaks_the_language_asked_for_and_remembers_it(listed: World) -> None:
    browser = listed.browser()
    assert login_page(listed, browser).get("lang") == "en"
    assert login_page(listed, browser, lang="de").get("lang") == "de"
    assert login_page(listed, browser).get("lang") == "de"
    assert login_page(listed, browser, ui_locales="xx fr").get("lang") == "fr"


def test_a_client_without_providers_is_told_so(new_world: Callable[..., World]) -> None:
    world = new_world(clients=[{**WEB, "SupportedIdentityProviders": ["COGNITO"]}])
    response = world.browser().get(world.authorize_url().replace("/oauth2/authorize", "/login"))
    assert response.status_code == 200
    assert b"<form" not in response.data


def test_pages_may_not_be_framed_or_cached(listed: World) -> None:
    browser = listed.browser()
    response = browser.get(browser.get(listed.authorize_url()).headers["Location"])
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Strict-Transport-Security"]
