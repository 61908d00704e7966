"""AuthnRequest, the bindings it travels by, and our signatures; xmlsec is the second opinion."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode, b64encode
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.model.tokens import CertifiedKey
from broker.saml import bindings
from broker.saml.request import AuthnRequest, new_id
from broker.saml.signature import signed_view
from broker.saml.signing import MessageSigner, rsa_private_key, signer_of
from broker.saml.xml import SAML, SAMLP, parse
from tests.kit.saml_idp import verify_redirect
from tests.saml import builders
from tests.saml.builders import ACS, DS, MORE, NOW, SP, at

SSO = "https://idp.example.com/sso?tenant=a&b"
REQUEST = AuthnRequest(issuer=SP, destination=SSO, acs_url=ACS)
NAMESPACES = {"samlp": SAMLP, "saml": SAML}


@pytest.fixture(scope="module")
def pair() -> CertifiedKey:
    key = builders.rsa_key("pool")
    return CertifiedKey(
        private_pem=builders.pem(key), certificate_pem=builders.certificate_pem(key)
    )


@pytest.fixture(scope="module")
def signer(pair: CertifiedKey) -> MessageSigner:
    return signer_of(pair)


def tree(request: AuthnRequest = REQUEST) -> etree._Element:
    return etree.fromstring(request.xml(request_id="_1", now=NOW))


def test_a_request_says_who_asks_whom_and_where_to_answer() -> None:
    root = tree()
    assert root.tag == f"{{{SAMLP}}}AuthnRequest"
    assert dict(root.attrib) == {
        "ID": "_1",
        "Version": "2.0",
        "IssueInstant": at(0),
        "Destination": SSO,
        "AssertionConsumerServiceURL": ACS,
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    }
    assert [child.tag for child in root] == [f"{{{SAML}}}Issuer"]
    assert root[0].text == SP


def test_what_is_asked_for_stands_in_the_order_of_the_schema() -> None:
    root = tree(
        AuthnRequest(
            issuer=SP,
            destination=SSO,
            acs_url=ACS,
            force_authn=True,
            name_id_format="urn:format",
            authn_contexts=("urn:a", "urn:b"),
        )
    )
    assert root.get("ForceAuthn") == "true"
    assert [etree.QName(child).localname for child in root] == [
        "Issuer",
        "NameIDPolicy",
        "RequestedAuthnContext",
    ]
    assert root.xpath("samlp:NameIDPolicy/@Format", namespaces=NAMESPACES) == ["urn:format"]
    path = "samlp:RequestedAuthnContext/saml:AuthnContextClassRef/text()"
    assert root.xpath(path, namespaces=NAMESPACES) == ["urn:a", "urn:b"]


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30))
def test_no_value_breaks_the_message(value: str) -> None:
    root = tree(AuthnRequest(issuer=value, destination=value, acs_url=value, name_id_format=value))
    assert root[0].text == value
    assert root.get("Destination") == root.get("AssertionConsumerServiceURL") == value
    assert root[1].get("Format") == value


def test_ids_are_unique_and_no_number() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids)


# The redirect binding.


def test_a_redirect_carries_the_message_deflated() -> None:
    xml = REQUEST.xml(request_id="_1", now=NOW)
    url = bindings.redirect_url(SSO, "SAMLRequest", xml, "relay/state+", None)
    assert url.startswith(SSO + "&SAMLRequest=")
    query = parse_qs(urlsplit(url).query, strict_parsing=False)
    assert query["RelayState"] == ["relay/state+"]
    assert zlib.decompress(b64decode(query["SAMLRequest"][0]), -15).decode() == xml
    assert "Signature" not in query
    bare = bindings.redirect_url("https://idp.example.com/sso", "SAMLRequest", xml, "r", None)
    assert bare.startswith("https://idp.example.com/sso?SAMLRequest=")


def signed_query(signer: MessageSigner, xml: str = "<a/>", relay_state: str = "r") -> str:
    url = bindings.redirect_url("https://i", "SAMLRequest", xml, relay_state, signer)
    return url.partition("?")[2]


@given(st.text(max_size=60), st.text(max_size=40))
def test_a_signed_redirect_verifies(text: str, relay_state: str) -> None:
    key = builders.rsa_key("pool")
    pair = CertifiedKey(
        private_pem=builders.pem(key), certificate_pem=builders.certificate_pem(key)
    )
    text, relay_state = (t.encode(errors="ignore").decode() for t in (text, relay_state))
    query = signed_query(signer_of(pair), f"<a>{text}</a>", relay_state)
    verify_redirect(f"https://i?{query}", x509.load_pem_x509_certificate(pair.certificate_pem))
    assert parse_qs(query).get("RelayState", [""]) == [relay_state]
    message = zlib.decompress(b64decode(parse_qs(query)["SAMLRequest"][0]), -15)
    assert message == f"<a>{text}</a>".encode()


def test_the_signature_of_a_redirect_covers_the_query_as_it_stands(signer: MessageSigner) -> None:
    """Checked without the code under test (bindings 3.4.4.1)."""
    query = signed_query(signer)
    signed, _, signature = query.partition("&Signature=")
    assert signed.endswith("&SigAlg=" + quote(f"{MORE}rsa-sha256", safe=""))
    builders.rsa_key("pool").public_key().verify(
        b64decode(parse_qs("s=" + signature)["s"][0]),
        signed.encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


# The POST binding.


def test_a_form_carries_the_message_as_it_is() -> None:
    form = bindings.post_form("SAMLRequest", "<a>ü</a>", "r")
    assert form == {"SAMLRequest": b64encode("<a>ü</a>".encode()).decode(), "RelayState": "r"}


def test_a_posted_message_is_signed_after_its_issuer(signer: MessageSigner) -> None:
    signed = signer.enveloped(REQUEST.xml(request_id="_1", now=NOW))
    root = etree.fromstring(signed)
    assert [etree.QName(child).localname for child in root] == ["Issuer", "Signature"]
    assert signed_view(parse(signed), [builders.rsa_key("pool").public_key()]).get("ID") == "_1"
    assert root.findtext(f".//{{{DS}}}X509Certificate") is not None


def test_xmlsec_agrees_with_the_signature(signer: MessageSigner, pair: CertifiedKey) -> None:
    root = etree.fromstring(signer.enveloped(REQUEST.xml(request_id="_1", now=NOW)))
    context = xmlsec.SignatureContext()
    context.register_id(root, "ID")
    context.key = xmlsec.Key.from_memory(
        pair.certificate_pem, xmlsec.constants.KeyDataFormatCertPem
    )
    context.verify(root.find(f"{{{DS}}}Signature"))


def test_a_key_is_loaded_once(pair: CertifiedKey) -> None:
    assert signer_of(pair) is signer_of(
        CertifiedKey(private_pem=pair.private_pem, certificate_pem=pair.certificate_pem)
    )


def test_a_key_of_another_kind_is_no_saml_key() -> None:
    with pytest.raises(TypeError, match="RSA"):
        rsa_private_key(builders.pem(builders.ec_key("idp")))


def test_a_foreign_signature_does_not_verify(signer: MessageSigner) -> None:
    with pytest.raises(InvalidSignature):
        builders.rsa_key("other").public_key().verify(
            signer.sign(b"data"), b"data", padding.PKCS1v15(), hashes.SHA256()
        )
