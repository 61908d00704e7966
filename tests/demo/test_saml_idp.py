"""The demo's SAML identity provider, asked by a service provider that these tests play."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import quoteattr

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask.testing import FlaskClient
from lxml import etree, html

from broker.demo.certificate import certified_key
from broker.demo.saml_idp import SamlIdp, create_idp
from broker.demo.saml_responses import EMAIL, GROUPS
from broker.demo.saml_xml import (
    NAMESPACES,
    SignatureError,
    Signer,
    element,
    parse,
    verify_enveloped,
)
from broker.model.tokens import CertifiedKey
from tests.kit.clock import ManualClock
from tests.kit.saml_keys import KeyPair, key_pair

IDP = "http://127.0.0.1:9001"
ACS = "http://localhost:9000/saml2/idpresponse"
SLO = "http://localhost:9000/saml2/logout"
SP = "urn:amazon:cognito:sp:local_Demo01"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def sp_metadata(pair: KeyPair, *, signs: bool = True) -> bytes:
    certificate = f"<ds:X509Data><ds:X509Certificate>{pair.certificate_base64}</ds:X509Certificate>"
    return f"""<md:EntityDescriptor entityID="{SP}" xmlns:md="{NAMESPACES["md"]}"
        xmlns:ds="{NAMESPACES["ds"]}"><md:SPSSODescriptor AuthnRequestsSigned="{str(signs).lower()}"
        protocolSupportEnumeration="{NAMESPACES["samlp"]}">
      <md:KeyDescriptor use="signing"><ds:KeyInfo>{certificate}</ds:X509Data></ds:KeyInfo>
      </md:KeyDescriptor>
      <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        Location="{SLO}"/>
      <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        Location="{ACS}" index="0"/>
    </md:SPSSODescriptor></md:EntityDescriptor>""".encode()


def request(
    name: str = "AuthnRequest",
    *,
    issuer: str = SP,
    destination: str = f"{IDP}/sso",
    acs: str = ACS,
    body: str = "",
) -> bytes:
    consumer = f" AssertionConsumerServiceURL={quoteattr(acs)}" if name == "AuthnRequest" else ""
    return f"""<samlp:{name} xmlns:samlp="{NAMESPACES["samlp"]}" xmlns:saml="{NAMESPACES["saml"]}"
        ID="_request" Version="2.0" IssueInstant="2027-01-15T08:00:00Z"
        Destination={quoteattr(destination)}{consumer}>
      <saml:Issuer>{issuer}</saml:Issuer>{body}</samlp:{name}>""".encode()


def logout_request(name_id: str, session_index: str) -> bytes:
    body = f"<saml:NameID>{name_id}</saml:NameID><samlp:SessionIndex>{session_index}</samlp:SessionIndex>"
    return request("LogoutRequest", destination=f"{IDP}/logout", body=body)


def deflated(document: bytes) -> str:
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(document) + packer.flush()).decode()


def query(document: bytes, pair: KeyPair | None, relay_state: str = "tx-1") -> str:
    plain = urlencode({"SAMLRequest": deflated(document), "RelayState": relay_state})
    if pair is None:
        return plain
    signed = f"{plain}&SigAlg={quote_plus(RSA_SHA256)}"
    assert isinstance(pair.private, rsa.RSAPrivateKey)
    signature = pair.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}&Signature={quote_plus(base64.b64encode(signature).decode())}"


def signed_form(document: bytes, pair: KeyPair) -> dict[str, str]:
    root = parse(document)
    key = CertifiedKey(private_pem=pair.private_pem, certificate_pem=pair.certificate_pem)
    Signer(key).sign(root)
    return {"SAMLRequest": base64.b64encode(etree.tostring(root)).decode(), "RelayState": "tx-1"}


@dataclass(frozen=True)
class Form:
    action: str
    fields: dict[str, str]

    @classmethod
    def on(cls, page: str) -> Form:
        form = html.document_fromstring(page).find(".//form")
        assert form is not None, page
        fields = {
            i.attrib["name"]: i.get("value", "")
            for i in form.iterfind(".//input[@name]")
            if i.get("type") != "checkbox"
        }
        return cls(form.attrib["action"], fields)

    def message(self) -> etree._Element:
        return parse(base64.b64decode(self.fields["SAMLResponse"]))


@pytest.fixture(scope="module")
def idp_key() -> CertifiedKey:
    return certified_key("Demo", now=ManualClock().now())


@pytest.fixture
def sp() -> KeyPair:
    return key_pair("demo-sp")


@pytest.fixture
def idp_for(idp_key: CertifiedKey) -> Callable[..., FlaskClient]:
    def make(metadata: bytes) -> FlaskClient:
        idp = SamlIdp(
            base_url=IDP,
            key=idp_key,
            read_metadata=lambda: metadata,
            clock=ManualClock(),
            applications={"Sample app": "client_id=app&response_type=code"},
        )
        return create_idp(idp).test_client()

    return make


@pytest.fixture
def idp(idp_for: Callable[..., FlaskClient], sp: KeyPair) -> FlaskClient:
    return idp_for(sp_metadata(sp))


def sign_in(idp: FlaskClient, sp: KeyPair) -> Form:
    page = idp.get(f"/sso?{query(request(), sp)}")
    assert page.status_code == 200, page.text
    form = Form.on(page.text)
    answer = idp.post(form.action, data={**form.fields, "groups": ["finance", "emperors"]})
    assert answer.status_code == 200, answer.text
    return Form.on(answer.text)


def test_a_signed_request_is_answered_with_a_signed_assertion(
    idp: FlaskClient, sp: KeyPair, idp_key: CertifiedKey
) -> None:
    form = sign_in(idp, sp)
    response = form.message()
    assertion = response.find("saml:Assertion", NAMESPACES)
    assert assertion is not None
    verify_enveloped(assertion, (idp_key.certificate_pem,))
    assert (form.action, form.fields["RelayState"]) == (ACS, "tx-1")
    assert (response.get("InResponseTo"), response.get("Destination")) == ("_request", ACS)
    assert assertion.findtext(".//saml:Audience", None, NAMESPACES) == SP
    data = assertion.find(".//saml:SubjectConfirmationData", NAMESPACES)
    assert data is not None
    assert (data.get("Recipient"), data.get("InResponseTo")) == (ACS, "_request")
    assert data.get("NotOnOrAfter") == "2027-01-15T08:05:00Z"


def test_the_assertion_says_what_was_typed_and_offers_no_other_group(
    idp: FlaskClient, sp: KeyPair
) -> None:
    response = sign_in(idp, sp).message()
    values = {
        attribute.get("Name"): [v.text for v in attribute]
        for attribute in response.iterfind(".//saml:Attribute", NAMESPACES)
    }
    assert response.findtext(".//saml:NameID", None, NAMESPACES) == "ada@example.com"
    assert values[EMAIL] == ["ada@example.com"]
    assert values[GROUPS] == ["finance"]


def test_a_signed_request_may_come_by_post(idp: FlaskClient, sp: KeyPair) -> None:
    assert idp.post("/sso", data=signed_form(request(), sp)).status_code == 200


def test_an_unsigned_request_is_fine_when_the_metadata_promises_no_signature(
    idp_for: Callable[..., FlaskClient], sp: KeyPair
) -> None:
    idp = idp_for(sp_metadata(sp, signs=False))
    assert idp.get(f"/sso?{query(request(), None)}").status_code == 200


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (request(issuer="urn:somebody:else"), "not set up here"),
        (request(acs="https://attacker.example/acs"), "metadata does not name"),
        (request(destination="https://other.example/sso"), "another identity provider"),
        (request("LogoutRequest"), "not a SAML 2.0 AuthnRequest"),
        (request().replace(b'ID="_request"', b""), "no ID"),
        (b"<!DOCTYPE x [<!ENTITY e 'v'>]>" + request(), "document type"),
        (b"no xml", "not XML"),
        (b" " * 100_000, "too large"),
    ],
)
def test_a_request_with_something_wrong_gets_no_form(
    idp: FlaskClient, sp: KeyPair, document: bytes, reason: str
) -> None:
    answer = idp.get(f"/sso?{query(document, sp)}")
    assert (answer.status_code, reason in answer.text) == (400, True), answer.text


def test_an_unsigned_request_is_refused_when_the_metadata_promises_signatures(
    idp: FlaskClient,
) -> None:
    assert "not signed" in idp.get(f"/sso?{query(request(), None)}").text


def test_a_signature_by_another_key_is_refused_in_both_bindings(idp: FlaskClient) -> None:
    stranger = key_pair("demo-stranger")
    assert "does not verify" in idp.get(f"/sso?{query(request(), stranger)}").text
    assert "does not verify" in idp.post("/sso", data=signed_form(request(), stranger)).text


def test_a_query_that_is_no_text_is_refused(idp: FlaskClient, sp: KeyPair) -> None:
    assert idp.get(f"/sso?{query(request(), sp)}".replace("tx-1", "\u00ff\x80")).status_code == 400


def test_a_relay_state_changed_behind_the_signature_is_refused(
    idp: FlaskClient, sp: KeyPair
) -> None:
    forged = query(request(), sp).replace("tx-1", "tx-2")
    assert "does not verify" in idp.get(f"/sso?{forged}").text


def test_a_ticket_that_this_provider_did_not_write_is_refused(
    idp: FlaskClient, idp_for: Callable[..., FlaskClient], sp: KeyPair
) -> None:
    form = Form.on(idp.get(f"/sso?{query(request(), sp)}").text)
    ticket = form.fields["ticket"]
    forged = ("A" if ticket[0] != "A" else "B") + ticket[1:]
    assert idp.post("/sign-in", data={**form.fields, "ticket": forged}).status_code == 400


def test_sign_in_may_begin_here_and_then_answers_no_request(idp: FlaskClient) -> None:
    link = html.document_fromstring(idp.get("/").text).find(".//li/a")
    assert link is not None
    form = Form.on(idp.get(link.attrib["href"]).text)
    answer = Form.on(idp.post(form.action, data=form.fields).text)
    assert answer.fields["RelayState"] == "client_id=app&response_type=code"
    assert b"InResponseTo" not in base64.b64decode(answer.fields["SAMLResponse"])
    assert idp.get("/start/Unknown").status_code == 404


def logout_status(idp: FlaskClient, sp: KeyPair, document: bytes, key: CertifiedKey) -> str | None:
    answer = idp.get(f"/logout?{query(document, sp)}")
    assert answer.status_code == 200, answer.text
    form = Form.on(answer.text)
    response = form.message()
    verify_enveloped(response, (key.certificate_pem,))
    assert (form.action, response.get("InResponseTo")) == (SLO, "_request")
    assert form.fields["RelayState"] == "tx-1"
    code = response.find("samlp:Status/samlp:StatusCode", NAMESPACES)
    assert code is not None
    return code.attrib["Value"].rpartition(":")[2]


def test_logout_ends_the_session_it_names_once(
    idp: FlaskClient, sp: KeyPair, idp_key: CertifiedKey
) -> None:
    statement = sign_in(idp, sp).message().find(".//saml:AuthnStatement", NAMESPACES)
    assert statement is not None
    index = statement.attrib["SessionIndex"]
    other = logout_request("bob@example.com", index)
    assert logout_status(idp, sp, other, idp_key) == "Requester"
    document = logout_request("ada@example.com", index)
    assert logout_status(idp, sp, document, idp_key) == "Success"
    assert logout_status(idp, sp, document, idp_key) == "Requester"


def test_an_unsigned_logout_request_ends_nothing(
    idp_for: Callable[..., FlaskClient], sp: KeyPair
) -> None:
    idp = idp_for(sp_metadata(sp, signs=False))
    answer = idp.get(f"/logout?{query(logout_request('ada@example.com', ''), None)}")
    assert (answer.status_code, "not signed" in answer.text) == (400, True)


def test_the_metadata_names_the_endpoints_and_the_key(
    idp: FlaskClient, idp_key: CertifiedKey
) -> None:
    root = parse(idp.get("/metadata").data)
    assert root.get("entityID") == f"{IDP}/metadata"
    locations = {n.get("Location") for n in root.iterfind(".//md:SingleSignOnService", NAMESPACES)}
    assert locations == {f"{IDP}/sso"}
    body = root.findtext(".//ds:X509Certificate", "", NAMESPACES)
    assert body in idp_key.certificate_pem.decode().replace("\n", "")
    assert body


def test_a_signature_that_covers_another_element_is_no_signature(idp_key: CertifiedKey) -> None:
    signed = element("samlp:Response", element("saml:Issuer", "x"), ID="_inner")
    Signer(idp_key).sign(signed)
    wrapper = element("samlp:Response", *signed.iterchildren(), signed, ID="_outer")
    with pytest.raises(SignatureError, match="something other"):
        verify_enveloped(wrapper, (idp_key.certificate_pem,))
