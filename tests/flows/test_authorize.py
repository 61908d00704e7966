"""What an app may ask at ``/oauth2/authorize``, and where each fault lands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.kit.saml_idp import SamlIdp
from tests.kit.world import CALLBACK, WEB, World, callback, saml_provider

NOT_PROVEN = {
    "no client_id": {"client_id": None},
    "unknown client": {"client_id": "nobody"},
    "no redirect_uri": {"redirect_uri": None},
    "unregistered redirect_uri": {"redirect_uri": "https://evil.example/"},
    "redirect_uri with a slash more": {"redirect_uri": f"{CALLBACK}/"},
    "redirect_uri in other case": {"redirect_uri": CALLBACK.upper()},
    "redirect_uri with a query": {"redirect_uri": f"{CALLBACK}?x=1"},
    "redirect_uri with user info": {
        "redirect_uri": "https://app.example.test@evil.example/callback"
    },
    "redirect_uri with a line break": {"redirect_uri": f"{CALLBACK}\r\nSet-Cookie: a=b"},
    "a good redirect_uri only inside request": {
        "redirect_uri": "https://evil.example/",
        "request": "eyJhbGciOiJub25lIn0.e30.",
    },
}


@pytest.mark.parametrize("changes", NOT_PROVEN.values(), ids=NOT_PROVEN)
def test_without_a_proven_way_back_nobody_is_redirected_to_the_app(
    world: World, changes: dict[str, str | None]
) -> None:
    browser = world.browser()
    response = browser.get(world.authorize_url(**changes))
    location = response.headers["Location"]

    assert response.status_code == 302
    assert urlsplit(location).path == "/error"
    assert urlsplit(location).netloc == ""
    page = browser.get(location)
    assert page.status_code == 400
    assert b"evil" not in page.data
    assert "Set-Cookie" not in page.headers


def test_unknown_client_and_unregistered_uri_look_alike(world: World) -> None:
    browser = world.browser()
    unknown = browser.get(world.authorize_url(client_id="nobody")).headers["Location"]
    unregistered = browser.get(world.authorize_url(redirect_uri="https://evil.example/"))
    assert unknown == "/error?error=redirect_mismatch&client_id=nobody"
    assert unregistered.headers["Location"] == "/error?error=redirect_mismatch&client_id=web"


FAULTS: dict[str, tuple[dict[str, str | None], str]] = {
    "no response_type": ({"response_type": None}, "invalid_request"),
    "unknown response_type": ({"response_type": "id_token"}, "unsupported_response_type"),
    "flow the client does not have": ({"response_type": "token"}, "unauthorized_client"),
    "challenge without method": ({"code_challenge_method": None}, "invalid_request"),
    "method without challenge": ({"code_challenge": None}, "invalid_request"),
    "method plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "challenge too short": ({"code_challenge": "short"}, "invalid_request"),
    "public client without PKCE": (
        {"client_id": "spa", "code_challenge": None, "code_challenge_method": None},
        "invalid_request",
    ),
    "scope of another client": ({"scope": "openid admin/write"}, "invalid_scope"),
    "scope that does not exist": ({"scope": "openid nonsense"}, "invalid_scope"),
    "email without openid": ({"scope": "email"}, "invalid_scope"),
    "unknown provider": ({"identity_provider": "Nobody"}, "invalid_request"),
    "unknown identifier": ({"idp_identifier": "nobody.example"}, "invalid_request"),
    "prompt none with login": ({"prompt": "none login"}, "invalid_request"),
    "nobody signed in": ({"prompt": "none"}, "login_required"),
    "max_age no number": ({"max_age": "soon"}, "invalid_request"),
    "request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    "request_uri": ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
    "registration": ({"registration": "{}"}, "registration_not_supported"),
    "resource with a fragment": ({"resource": "https://api.example/#x"}, "invalid_request"),
    "resource over http": ({"resource": "http://api.example/"}, "invalid_request"),
    "unknown response_mode": ({"response_mode": "pigeon"}, "invalid_request"),
}


@pytest.mark.parametrize(("changes", "error"), FAULTS.values(), ids=FAULTS)
def test_other_faults_go_to_the_app(
    world: World, changes: dict[str, str | None], error: str
) -> None:
    answer = callback(world.browser().get(world.authorize_url(**changes)))
    assert answer["error"] == error
    assert answer["state"] == "state-1"
    assert answer["iss"] == f"{world.origin}/{next(iter(world.broker.pools))}"
    assert set(answer) <= {"error", "error_description", "state", "iss"}
    description = answer.get("error_description", "")
    assert all(0x20 <= ord(c) <= 0x7E and c not in '"\\' for c in description)


@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "state", "nonce", "code_challenge", "identity_provider", "prompt"],
)
def test_a_repeated_parameter_is_refused(world: World, name: str) -> None:
    url = world.authorize_url()
    answer = callback(world.browser().get(f"{url}&{name}=a&{name}=a"))
    assert answer["error"] == ("invalid_request")
    assert answer.get("state") == (None if name == "state" else "state-1")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_repeated_way_back_is_no_way_back(world: World, name: str) -> None:
    url = world.authorize_url()
    repeated = f"{url}&{name}={'web' if name == 'client_id' else CALLBACK}"
    assert world.browser().get(repeated).headers["Location"].startswith("/error?")


def test_unknown_parameters_are_ignored_even_when_repeated(world: World) -> None:
    url = world.authorize_url(
        extra="foobar", claims_locales="se", acr_values="1 2", display="popup"
    )
    assert world.idp.read_request(
        world.browser().get(f"{url}&extra=again").headers["Location"]
    ).issuer.startswith("urn:amazon:cognito:sp:")


def test_no_scope_means_all_of_the_clients(world: World) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser, scope=None), name_id="alice")
    code = callback(browser.post("/saml2/idpresponse", form))["code"]
    claims = world.verified(world.redeem(code).json["access_token"])
    assert claims["scope"] == "openid email profile phone api/read"


def test_post_works_like_get(world: World) -> None:
    browser = world.browser()
    body = dict(parse_qsl(urlsplit(world.authorize_url()).query))
    response = browser.post("/oauth2/authorize", body)
    request = world.idp.read_request(response.headers["Location"])
    form = world.idp.post(request, name_id="alice")
    assert "code" in callback(browser.post("/saml2/idpresponse", form))


def test_post_reads_the_body_alone(world: World) -> None:
    response = world.browser().post(world.authorize_url(), {"client_id": "web"})
    assert response.headers["Location"].startswith("/error?")


def two_providers(**changes: Any) -> Callable[[SamlIdp], dict[str, Any]]:
    def members(idp: SamlIdp) -> dict[str, Any]:
        return {
            "clients": [{**WEB, "SupportedIdentityProviders": ["Corp", "Partner"]}],
            "providers": [
                saml_provider(idp, IdpIdentifiers=["corp.example"], **changes),
                saml_provider(idp, "Partner", IdpIdentifiers=["Partner.Example", "p2"]),
            ],
        }

    return members


def test_several_providers_lead_to_the_page_with_the_same_parameters(
    new_world: Callable[..., World], world: World
) -> None:
    several = new_world(**two_providers()(world.idp))
    url = several.authorize_url()
    response = several.browser().get(url)
    location = response.headers["Location"]
    assert urlsplit(location).path == "/login"
    assert parse_qsl(urlsplit(location).query) == parse_qsl(urlsplit(url).query)


@pytest.mark.parametrize(
    "choice",
    [
        {"identity_provider": "Partner"},
        {"idp_identifier": "partner.example"},
        {"idp_identifier": "PARTNER.EXAMPLE"},
        {"idp_identifier": "p2"},
        {"identity_provider": "Partner", "idp_identifier": "corp.example"},
    ],
)
def test_a_choice_in_the_request_goes_straight_to_the_provider(
    new_world: Callable[..., World], world: World, choice: dict[str, str]
) -> None:
    several = new_world(**two_providers()(world.idp))
    browser = several.browser()
    form = several.idp.post(several.begin(browser, **choice), name_id="alice")
    code = callback(browser.post("/saml2/idpresponse", form))["code"]
    claims = several.verified(several.redeem(code).json["id_token"])
    assert claims["cognito:username"] == "Partner_alice"


def test_cognito_as_provider_leaves_the_choice_to_the_person(
    new_world: Callable[..., World], world: World
) -> None:
    several = new_world(**two_providers()(world.idp))
    response = several.browser().get(several.authorize_url(identity_provider="COGNITO"))
    assert response.headers["Location"].startswith("/login?")


def test_resource_becomes_the_access_tokens_audience(world: World) -> None:
    browser = world.browser()
    request = world.begin(browser, resource="https://api.example.test/v1")
    code = callback(browser.post("/saml2/idpresponse", world.idp.post(request)))["code"]
    assert world.verified(world.redeem(code).json["access_token"])["aud"] == (
        "https://api.example.test/v1"
    )


def test_the_host_header_decides_nothing(world: World) -> None:
    browser = world.browser()
    response = browser.get(
        world.authorize_url(),
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert world.idp.read_request(response.headers["Location"]).acs == (
        f"{world.origin}/saml2/idpresponse"
    )
