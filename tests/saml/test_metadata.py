"""What is taken from an identity provider's metadata, and what makes it unusable."""

from __future__ import annotations

import html
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import Reason, UpstreamError
from broker.saml.metadata import Endpoint, IdpDescriptor, parse_idp_metadata
from broker.saml.metadata_keys import Unusable
from tests.saml import builders
from tests.saml.builders import DS, IDP, NOW, SAMLP, at, certificate, rsa_key

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SSO = "https://idp.example.com/sso"
SLO = "https://idp.example.com/slo"


def key_descriptor(*bodies: str, use: str | None = "signing") -> str:
    held = "".join(f"<ds:X509Certificate>{body}</ds:X509Certificate>" for body in bodies)
    return (
        f'<md:KeyDescriptor{builders.optional("use", use)}><ds:KeyInfo xmlns:ds="{DS}">'
        f"<ds:X509Data>{held}</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )


def service(name: str, binding: str, location: str, answer: str | None = None) -> str:
    return (
        f'<md:{name} Binding="{binding}" Location="{location}"'
        f"{builders.optional('ResponseLocation', answer)}/>"
    )


SIGN_ON = service("SingleSignOnService", REDIRECT, SSO)


def role(content: str, *, protocols: str = SAMLP, more: str = "") -> str:
    return (
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{protocols}"{more}>'
        f"{content}</md:IDPSSODescriptor>"
    )


def entity(content: str, entity_id: str = IDP, more: str = "") -> str:
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID="{entity_id}"{more}>'
        f"{content}</md:EntityDescriptor>"
    )


def good(entity_id: str = IDP) -> str:
    return entity(role(key_descriptor(certificate(rsa_key("idp"))) + SIGN_ON), entity_id)


def read(xml: str, entity_id: str | None = None) -> IdpDescriptor:
    return parse_idp_metadata(xml.encode(), entity_id)


def refuses(xml: str, entity_id: str | None = None) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        read(xml, entity_id)
    return refusal.value.reason


def numbers(descriptor: IdpDescriptor) -> list[object]:
    return [key.public_numbers() for key in descriptor.keys]


def of(*owners: str) -> list[object]:
    return [rsa_key(owner).public_key().public_numbers() for owner in owners]


def test_a_descriptor() -> None:
    descriptor = read(good())
    assert descriptor.entity_id == IDP
    assert (descriptor.sso_redirect, descriptor.sso_post) == (SSO, None)
    assert (descriptor.slo_redirect, descriptor.slo_post) == (None, None)
    assert numbers(descriptor) == of("idp")
    assert descriptor.signing[0].expires_at == NOW + 365 * 86400
    assert (descriptor.valid_until, descriptor.cache_duration) == (None, None)


def test_every_certificate_for_signing_counts() -> None:
    keys = (
        key_descriptor(certificate(rsa_key("encryption")), use="encryption")
        + key_descriptor(certificate(rsa_key("idp")), certificate(rsa_key("next")))
        + key_descriptor(certificate(rsa_key("other")), use=None)
    )
    assert numbers(read(entity(role(keys + SIGN_ON)))) == of("idp", "next", "other")


def test_an_expired_certificate_counts_and_is_reported() -> None:
    expired = certificate(rsa_key("idp"), days=-1)
    descriptor = read(entity(role(key_descriptor(expired) + SIGN_ON)))
    assert numbers(descriptor) == of("idp")
    assert descriptor.signing[0].expires_at < NOW


def test_elliptic_curve_keys_count() -> None:
    body = certificate(builders.ec_key("idp"))
    descriptor = read(entity(role(key_descriptor(body) + SIGN_ON)))
    assert isinstance(descriptor.keys[0], ec.EllipticCurvePublicKey)


@pytest.mark.parametrize("layout", ["wrapped", "armoured"])
def test_certificates_come_in_several_layouts(layout: str) -> None:
    body = "\n   ".join(["", *textwrap.wrap(certificate(rsa_key("idp")), 64), ""])
    if layout == "armoured":
        body = f"-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----"
    assert numbers(read(entity(role(key_descriptor(body) + SIGN_ON)))) == of("idp")


@pytest.mark.parametrize(
    "keys",
    [
        "",
        key_descriptor(),
        key_descriptor(""),
        key_descriptor("AAAA"),
        key_descriptor("not base64!"),
        key_descriptor(certificate(rsa_key("short", 1024))),
        key_descriptor(certificate(builders.ec_key("idp", ec.SECP192R1))),
        key_descriptor(certificate(rsa_key("idp")), use="encryption"),
        key_descriptor(certificate(rsa_key("idp")), use="Signing"),
    ],
)
def test_without_a_usable_signing_key_the_provider_is_unusable(keys: str) -> None:
    assert refuses(entity(role(keys + SIGN_ON))) == Reason.SAML_METADATA_NO_KEY


@pytest.mark.parametrize(
    ("body", "why", "detail"),
    [
        ("AAAA", Unusable.UNREADABLE, "ValueError"),
        ("not base64!", Unusable.UNREADABLE, "Error"),
        (builders.certificate_of_version_6(rsa_key("idp")), Unusable.UNREADABLE, "InvalidVersion"),
        (certificate(rsa_key("short", 1024)), Unusable.TOO_WEAK, "RSA, 1024 bits"),
        (
            certificate(builders.ec_key("idp", ec.SECP192R1)),
            Unusable.TOO_WEAK,
            "secp192r1, 192 bits",
        ),
        (certificate(Ed25519PrivateKey.generate()), Unusable.WRONG_KIND, "Ed25519"),
        (
            builders.certificate_of_unknown_curve(),
            Unusable.WRONG_KIND,
            "Curve 1.2.840.10045.3.1.127",
        ),
    ],
)
def test_a_bad_certificate_is_remembered_and_hides_no_good_one(
    body: str, why: Unusable, detail: str
) -> None:
    keys = key_descriptor(body) + key_descriptor(certificate(rsa_key("idp")))
    descriptor = read(entity(role(keys + SIGN_ON)))
    assert numbers(descriptor) == of("idp")
    (left_out,) = descriptor.keys_left_out
    assert left_out.why == why
    assert left_out.detail.startswith(detail)


def test_a_key_whose_use_is_not_stated_is_told_from_others() -> None:
    keys = key_descriptor(certificate(rsa_key("idp"))) + key_descriptor(
        certificate(rsa_key("next")), use=None
    )
    descriptor = read(entity(role(keys + SIGN_ON)))
    assert [key.is_for_any_use for key in descriptor.signing] == [False, True]
    assert descriptor.keys_left_out == ()


def test_keys_of_another_role_do_not_count() -> None:
    other = (
        f'<md:AttributeAuthorityDescriptor protocolSupportEnumeration="{SAMLP}">'
        f"{key_descriptor(certificate(rsa_key('other')))}</md:AttributeAuthorityDescriptor>"
    )
    own = role(key_descriptor(certificate(rsa_key("idp"))) + SIGN_ON)
    assert numbers(read(entity(other + own))) == of("idp")


KEY = key_descriptor(certificate(rsa_key("idp")))


def test_endpoints_by_binding() -> None:
    services = (
        service("SingleLogoutService", "urn:oasis:names:tc:SAML:2.0:bindings:SOAP", SLO + "/soap")
        + service("SingleLogoutService", REDIRECT, SLO, SLO + "/return")
        + service("SingleLogoutService", POST, SLO + "/post")
        + service("SingleSignOnService", POST, SSO + "/post")
        + service("SingleSignOnService", POST, SSO + "/second")
    )
    descriptor = read(entity(role(KEY + services)))
    assert (descriptor.sso_redirect, descriptor.sso_post) == (None, SSO + "/post")
    assert descriptor.slo_redirect == Endpoint(location=SLO, response_location=SLO + "/return")
    assert descriptor.slo_post == Endpoint(location=SLO + "/post", response_location=SLO + "/post")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/sso",
        "http://idp.example.com/sso",
        "javascript:alert(1)",
        "ftp://idp",
        "https://",
        "https://[",
        "https://idp.example.com/sso&#10;x",
        "https://idp.example.com/s so",
        "https://idp.example.com:99999/sso",
        "https://idp.example.com:port/sso",
        "https://somebody@idp.example.com/sso",
        "https://idp.example.com\\@mallory.example/sso",
        "https://idp.example.com/sso#here",
    ],
)
def test_a_browser_is_sent_to_an_https_url_only(location: str) -> None:
    """What is none counts as absent, beside a good one too, and is remembered."""
    bad, good = (service("SingleSignOnService", POST, at) for at in (location, SSO + "/post"))
    assert refuses(entity(role(KEY + bad))) == Reason.SAML_METADATA_NO_ENDPOINT
    descriptor = read(entity(role(KEY + bad + good)))
    assert (descriptor.sso_redirect, descriptor.sso_post) == (None, SSO + "/post")
    (left_out,) = descriptor.endpoints_left_out
    assert left_out.service == "SingleSignOnService"
    assert left_out.location == html.unescape(location)
    assert left_out.problem.startswith("must")


def test_a_response_location_that_is_no_url_is_not_used_either() -> None:
    logout = service("SingleLogoutService", REDIRECT, SLO, "http://idp.example.com/slo")
    descriptor = read(entity(role(KEY + SIGN_ON + logout)))
    assert descriptor.slo_redirect == Endpoint(location=SLO, response_location=SLO)
    (left_out,) = descriptor.endpoints_left_out
    assert left_out.location == "http://idp.example.com/slo"
    assert "https" in left_out.problem


@pytest.mark.parametrize(
    "location", ["http://localhost:8081/sso", "http://127.0.0.1/sso", "http://idp.localhost/sso"]
)
def test_plain_http_is_for_loopback(location: str) -> None:
    services = service("SingleSignOnService", REDIRECT, location)
    assert read(entity(role(KEY + services))).sso_redirect == location


def test_without_a_sign_on_endpoint_the_provider_is_unusable() -> None:
    artifact = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
    services = service("SingleSignOnService", artifact, SSO)
    assert refuses(entity(role(KEY + services))) == Reason.SAML_METADATA_NO_ENDPOINT


def aggregate(*entities: str, more: str = "") -> str:
    return (
        f'<md:EntitiesDescriptor xmlns:md="{MD}"{more}>{"".join(entities)}</md:EntitiesDescriptor>'
    )


SP_ENTITY = entity(f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}"/>', "urn:sp")


def test_of_an_aggregate_one_is_named() -> None:
    both = aggregate(good("urn:a"), aggregate(good("urn:b"), SP_ENTITY))
    assert read(both, "urn:b").entity_id == "urn:b"
    assert read(aggregate(SP_ENTITY, good("urn:a"))).entity_id == "urn:a"
    for wanted in (None, "urn:c", "urn:sp"):
        assert refuses(both, wanted) == Reason.SAML_METADATA_ENTITY
    twins = aggregate(good("urn:a"), good("urn:a"))
    assert refuses(twins, "urn:a") == Reason.SAML_METADATA_ENTITY


def test_a_named_entity_must_be_the_one_described() -> None:
    assert read(good(), IDP).entity_id == IDP
    assert refuses(good(), "urn:other") == Reason.SAML_METADATA_ENTITY
    assert refuses(good("")) == Reason.SAML_METADATA_ENTITY


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<html/>",
        "<!DOCTYPE a>" + good(),
        SP_ENTITY,
        aggregate(),
        entity(role(KEY + SIGN_ON, protocols="urn:oasis:names:tc:SAML:1.1:protocol")),
        f"<x>{good()}</x>",
        entity(role(KEY + SIGN_ON), more=' validUntil="soon"'),
        entity(role(KEY + SIGN_ON), more=' cacheDuration="soon"'),
    ],
)
def test_what_is_no_metadata_refuses(xml: str) -> None:
    assert refuses(xml) == Reason.SAML_METADATA_INVALID


def test_the_strictest_lifetime_counts() -> None:
    inner = entity(
        role(KEY + SIGN_ON, more=f' validUntil="{at(7200)}"'), more=' cacheDuration="PT2H"'
    )
    descriptor = read(aggregate(inner, more=f' validUntil="{at(3600)}" cacheDuration="PT4H"'))
    assert (descriptor.valid_until, descriptor.cache_duration) == (NOW + 3600, 7200)


@given(st.binary(max_size=200))
def test_any_bytes_refuse(data: bytes) -> None:
    with pytest.raises(UpstreamError):
        parse_idp_metadata(data)
