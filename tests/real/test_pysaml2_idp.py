"""A sign-in at an identity provider that is not ours: pysaml2's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.kit import pysaml2_idp
from tests.kit.saml_keys import key_pair
from tests.kit.world import World, callback

SIGNING = {
    "assertion signed": {"sign_assertion": True, "sign_response": False},
    "response signed": {"sign_assertion": False, "sign_response": True},
    "both signed": {"sign_assertion": True, "sign_response": True},
}


@pytest.mark.parametrize("signing", SIGNING.values(), ids=SIGNING)
def test_a_sign_in_at_pysaml2(
    new_world: Callable[..., World], tmp_path: Path, signing: dict[str, bool]
) -> None:
    folder = tmp_path / "idp"
    folder.mkdir()
    pair = key_pair("pysaml2")
    provider = {
        "ProviderName": "Corp",
        "ProviderType": "SAML",
        "ProviderDetails": {
            "MetadataFile": pysaml2_idp.metadata(folder, pair),
            "RequestSigningAlgorithm": "rsa-sha256",
        },
        "AttributeMapping": {"email": "mail", "name": "displayName"},
    }
    world = new_world(providers=[provider])
    world.clock.advance(time.time() - world.clock.now())  # pysaml2 reads the machine's clock
    browser = world.browser()
    sp_metadata = browser.get("/saml2/metadata").data
    server = pysaml2_idp.make(folder, pair, sp_metadata)

    location = browser.get(world.authorize_url()).headers["Location"]
    assert location.startswith(pysaml2_idp.SSO)
    query = dict(parse_qsl(urlsplit(location).query))
    people = {"mail": ["alice@b.test"], "displayName": ["Alice"]}
    form = pysaml2_idp.respond(server, query, people, **signing)
    answer = callback(browser.post("/saml2/idpresponse", form))

    claims = world.verified(world.redeem(answer["code"]).json["id_token"])
    assert claims["cognito:username"] == "Corp_alice@pysaml2"
    assert claims["email"] == "alice@b.test"
    assert claims["identities"][0]["issuer"] == pysaml2_idp.ENTITY_ID
