"""pysaml2's identity provider, configured as an administrator would: from the broker's SP metadata."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from lxml import html
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from tests.kit.saml_keys import KeyPair

ENTITY_ID = "https://pysaml2.example/idp"
SSO = "https://pysaml2.example/sso"
SLO = "https://pysaml2.example/slo"


def make(folder: Path, pair: KeyPair, sp_metadata: bytes) -> Server:
    """A server that knows one service provider and wants its requests signed."""
    (folder / "idp.key").write_bytes(pair.private_pem)
    (folder / "idp.crt").write_bytes(pair.certificate_pem)
    (folder / "sp.xml").write_bytes(sp_metadata)
    return Server(config=_config(folder, metadata=[str(folder / "sp.xml")]))


def metadata(folder: Path, pair: KeyPair) -> str:
    """The provider's own metadata, written by pysaml2."""
    (folder / "idp.key").write_bytes(pair.private_pem)
    (folder / "idp.crt").write_bytes(pair.certificate_pem)
    return str(entity_descriptor(_config(folder, metadata=None)))


def _config(folder: Path, *, metadata: list[str] | None) -> IdPConfig:
    settings: dict[str, Any] = {
        "entityid": ENTITY_ID,
        "key_file": str(folder / "idp.key"),
        "cert_file": str(folder / "idp.crt"),
        "service": {
            "idp": {
                "name": "pysaml2",
                "endpoints": {
                    "single_sign_on_service": [(SSO, BINDING_HTTP_REDIRECT)],
                    "single_logout_service": [(SLO, BINDING_HTTP_REDIRECT)],
                },
                "want_authn_requests_signed": metadata is not None,
                # pysaml2's own default is SHA-1, which the broker refuses.
                "signing_algorithm": SIG_RSA_SHA256,
                "digest_algorithm": DIGEST_SHA256,
                "policy": {
                    "default": {
                        "lifetime": {"minutes": 5},
                        "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
                    }
                },
            }
        },
    }
    if metadata is not None:
        settings["metadata"] = {"local": metadata}
    return IdPConfig().load(settings)


def begin(server: Server, acs: str, sp_entity_id: str, attributes: dict[str, list[str]]) -> str:
    """A SAMLResponse that nobody asked for, its assertion signed: base64."""
    response = server.create_authn_response(
        identity=attributes,
        in_response_to=None,
        destination=acs,
        sp_entity_id=sp_entity_id,
        name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="alice@pysaml2"),
        authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": ENTITY_ID},
        sign_assertion=True,
        sign_response=False,
    )
    return base64.b64encode(str(response).encode()).decode()


def sign_out(server: Server, location_query: dict[str, str]) -> dict[str, str]:
    """Check the LogoutRequest as pysaml2 does, signature included, and answer it with a POST form."""
    request = server.parse_logout_request(
        location_query["SAMLRequest"],
        BINDING_HTTP_REDIRECT,
        relay_state=location_query["RelayState"],
        sigalg=location_query["SigAlg"],
        signature=location_query["Signature"],
    )
    assert request.message.name_id.text == "alice@pysaml2"
    response = server.create_logout_response(
        request.message,
        [BINDING_HTTP_POST],
        sign=True,
        sign_alg=SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA256,
    )
    return {
        "SAMLResponse": base64.b64encode(str(response).encode()).decode(),
        "RelayState": location_query["RelayState"],
    }


def respond(
    server: Server,
    location_query: dict[str, str],
    attributes: dict[str, list[str]],
    **signing: bool,
) -> dict[str, str]:
    """Check the request as pysaml2 does, signature included, and answer it with a POST form."""
    request = server.parse_authn_request(
        location_query["SAMLRequest"],
        BINDING_HTTP_REDIRECT,
        relay_state=location_query["RelayState"],
        sigalg=location_query["SigAlg"],
        signature=location_query["Signature"],
    )
    arguments = server.response_args(request.message, [BINDING_HTTP_POST])
    response = server.create_authn_response(
        identity=attributes,
        userid="alice",
        name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="alice@pysaml2"),
        authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": ENTITY_ID},
        **{**arguments, **signing},
    )
    posted = server.apply_binding(
        BINDING_HTTP_POST,
        str(response),
        arguments["destination"],
        location_query["RelayState"],
        response=True,
    )
    form = html.fromstring(posted["data"]).find(".//form")
    return {i.get("name"): i.get("value") for i in form.iterfind(".//input[@name]")}
