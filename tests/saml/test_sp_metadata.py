"""The pool's own metadata; pysaml2, an implementation of others, reads it too."""

from __future__ import annotations

import re
from dataclasses import replace

from lxml import etree
from saml2 import BINDING_HTTP_POST, md

from broker.model.pool import Organization
from broker.model.tokens import CertifiedKey
from broker.saml.signature import signed_view
from broker.saml.signing import signer_of
from broker.saml.sp_metadata import ServiceProvider, sp_metadata
from broker.saml.xml import parse
from tests.saml import builders
from tests.saml.builders import SP, certificate, certificate_pem, pem, rsa_key

PROVIDER = ServiceProvider(
    entity_id=SP,
    base_urls=("https://auth.example.com", "https://old.example.com"),
    signing=(certificate_pem(rsa_key("pool")),),
    encryption=(certificate_pem(rsa_key("current")), certificate_pem(rsa_key("next"))),
)


def described() -> md.SPSSODescriptor:
    entity = md.entity_descriptor_from_string(sp_metadata(PROVIDER))
    assert entity.entity_id == SP
    (role,) = entity.spsso_descriptor
    return role


def test_where_responses_go() -> None:
    services = described().assertion_consumer_service
    assert [(s.binding, s.location, s.index, s.is_default) for s in services] == [
        (BINDING_HTTP_POST, "https://auth.example.com/saml2/idpresponse", "0", "true"),
        (BINDING_HTTP_POST, "https://old.example.com/saml2/idpresponse", "1", None),
    ]


def test_where_logout_messages_go() -> None:
    services = described().single_logout_service
    assert [(s.binding, s.location) for s in services] == [
        (BINDING_HTTP_POST, "https://auth.example.com/saml2/logout"),
        (BINDING_HTTP_POST, "https://old.example.com/saml2/logout"),
    ]


def test_which_keys_sign_and_decrypt() -> None:
    keys = [
        (key.use, re.sub(r"\s", "", key.key_info.x509_data[0].x509_certificate.text))
        for key in described().key_descriptor
    ]
    assert keys == [
        ("signing", certificate(rsa_key("pool"))),
        ("encryption", certificate(rsa_key("current"))),
        ("encryption", certificate(rsa_key("next"))),
    ]


def test_how_to_encrypt() -> None:
    methods = [m.algorithm for m in described().key_descriptor[1].encryption_method]
    assert "http://www.w3.org/2009/xmlenc11#aes256-gcm" in methods
    assert not any("1_5" in method or "tripledes" in method for method in methods)


def test_the_order_is_that_of_the_schema() -> None:
    role = etree.fromstring(sp_metadata(replace(PROVIDER, display_name="A")))[0]
    order = [etree.QName(child).localname for child in role]
    assert order == sorted(
        order,
        key=[
            "Extensions",
            "KeyDescriptor",
            "SingleLogoutService",
            "AssertionConsumerService",
        ].index,
    )


def test_it_can_be_signed() -> None:
    key = rsa_key("pool")
    signer = signer_of(CertifiedKey(private_pem=pem(key), certificate_pem=certificate_pem(key)))
    signed = sp_metadata(PROVIDER, signer)
    assert signed_view(parse(signed), [key.public_key()]).get("entityID") == SP
    assert md.entity_descriptor_from_string(signed).entity_id == SP


def test_equal_facts_are_equal_bytes() -> None:
    assert sp_metadata(PROVIDER) == sp_metadata(PROVIDER)
    assert builders.SP.encode() in sp_metadata(PROVIDER)


def test_how_long_it_is_good_for() -> None:
    """As long as a certificate in it, so that who imported it once is not cut off sooner."""
    body = certificate(rsa_key("later"), days=800)
    longer = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()
    rolling = replace(PROVIDER, signing=(*PROVIDER.signing, longer))
    for provider, end in (
        (PROVIDER, builders.at(365 * 86400)),
        (rolling, builders.at(800 * 86400)),
    ):
        root = parse(sp_metadata(provider))
        assert (root.get("validUntil"), root.get("cacheDuration")) == (end, "P1D")


def test_who_runs_it_if_that_is_known() -> None:
    assert b"Organization" not in sp_metadata(PROVIDER)
    organization = Organization(name="A & B", display_name="A and B", url="https://ab.example")
    entity = md.entity_descriptor_from_string(
        sp_metadata(replace(PROVIDER, organization=organization))
    )
    told = entity.organization
    assert [name.text for name in told.organization_name] == ["A & B"]
    assert [name.text for name in told.organization_display_name] == ["A and B"]
    assert [url.text for url in told.organization_url] == ["https://ab.example"]


def test_equal_facts_are_equal_bytes_also_when_signed() -> None:
    pair = CertifiedKey(
        private_pem=pem(rsa_key("pool")), certificate_pem=certificate_pem(rsa_key("pool"))
    )
    assert sp_metadata(PROVIDER, signer_of(pair)) == sp_metadata(PROVIDER, signer_of(pair))
