"""Sign-in and sign-out at an identity provider that is not ours: pysaml2's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from saml2.server import Server

from tests.kit import pysaml2_idp
from tests.kit.browser import Browser
from tests.kit.saml_keys import key_pair
from tests.kit.world import CALLBACK, ORIGIN, POOL_ID, WEB, World, callback

PEOPLE = {"mail": ["alice@b.test"], "displayName": ["Alice"]}
HOME = WEB["LogoutURLs"][0]
SIGNING = {
    "assertion signed": {"sign_assertion": True, "sign_response": False},
    "response signed": {"sign_assertion": False, "sign_response": True},
    "both signed": {"sign_assertion": True, "sign_response": True},
}


@dataclass
class Federation:
    """The broker and pysaml2, each set up from the other's metadata."""

    world: World
    server: Server

    def sign_in(self, browser: Browser, **signing: bool) -> dict[str, str]:
        location = browser.get(self.world.authorize_url()).headers["Location"]
        assert location.startswith(pysaml2_idp.SSO)
        form = pysaml2_idp.respond(self.server, query_of(location), PEOPLE, **signing)
        return callback(browser.post("/saml2/idpresponse", form))


def query_of(location: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(location).query))


@pytest.fixture
def federation(new_world: Callable[..., World], tmp_path: Path) -> Federation:
    folder = tmp_path / "idp"
    folder.mkdir()
    pair = key_pair("pysaml2")
    provider = {
        "ProviderName": "Corp",
        "ProviderType": "SAML",
        "ProviderDetails": {
            "MetadataFile": pysaml2_idp.metadata(folder, pair),
            "RequestSigningAlgorithm": "rsa-sha256",
            "IDPInit": "true",
            "IDPSignout": "true",
        },
        "AttributeMapping": {"email": "mail", "name": "displayName"},
    }
    world = new_world(providers=[provider])
    world.clock.advance(time.time() - world.clock.now())  # pysaml2 reads the machine's clock
    sp_metadata = world.browser().get("/saml2/metadata").data
    return Federation(world, pysaml2_idp.make(folder, pair, sp_metadata))


@pytest.mark.parametrize("signing", SIGNING.values(), ids=SIGNING)
def test_a_sign_in_that_begins_here(federation: Federation, signing: dict[str, bool]) -> None:
    world = federation.world
    answer = federation.sign_in(world.browser(), **signing)
    claims = world.verified(world.redeem(answer["code"]).json["id_token"])
    assert claims["cognito:username"] == "Corp_alice@pysaml2"
    assert claims["email"] == "alice@b.test"
    assert claims["identities"][0]["issuer"] == pysaml2_idp.ENTITY_ID


def test_a_sign_in_that_begins_there(federation: Federation) -> None:
    world = federation.world
    acs, entity_id = f"{ORIGIN}/saml2/idpresponse", f"urn:amazon:cognito:sp:{POOL_ID}"
    relay_state = {
        "identity_provider": "Corp",
        "client_id": "web",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
    }
    form = {
        "SAMLResponse": pysaml2_idp.begin(federation.server, acs, entity_id, PEOPLE),
        "RelayState": urlencode(relay_state),
    }
    code = callback(world.browser().post("/saml2/idpresponse", form))["code"]
    claims = world.verified(world.redeem(code, code_verifier=None).json["id_token"])
    assert claims["email"] == "alice@b.test"


def test_a_sign_out_goes_round_by_it(federation: Federation) -> None:
    browser = federation.world.browser()
    federation.sign_in(browser, sign_assertion=True)
    asked = browser.get("/logout?" + urlencode({"client_id": "web", "logout_uri": HOME}))
    location = asked.headers["Location"]
    assert location.startswith(pysaml2_idp.SLO)
    form = pysaml2_idp.sign_out(federation.server, query_of(location))
    assert browser.post("/saml2/logout", form).headers["Location"] == HOME
    assert (
        browser.get(federation.world.authorize_url())
        .headers["Location"]
        .startswith(pysaml2_idp.SSO)
    )
