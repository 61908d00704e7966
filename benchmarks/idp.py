"""A SAML identity provider that signs cheaply: its documents are written in canonical form already.

Exclusive canonical XML is text like any other, so the digest and the signature can be computed over strings
that were never parsed. What the broker receives is an ordinary signed Response of realistic size.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_ENTITY = "https://idp.bench.test/metadata"
_SSO = "https://idp.bench.test/sso"
_SAML = "urn:oasis:names:tc:SAML:2.0"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

_ASSERTION = (
    '<saml:Assertion xmlns:saml="{saml}:assertion" ID="{id}" IssueInstant="{now}" Version="2.0">'
    "<saml:Issuer>{issuer}</saml:Issuer>{signature}"
    '<saml:Subject><saml:NameID Format="{saml_1_1}:nameid-format:unspecified">{name_id}</saml:NameID>'
    '<saml:SubjectConfirmation Method="{saml}:cm:bearer"><saml:SubjectConfirmationData'
    '{answers} NotOnOrAfter="{later}" Recipient="{acs}"></saml:SubjectConfirmationData>'
    "</saml:SubjectConfirmation></saml:Subject>"
    '<saml:Conditions NotBefore="{earlier}" NotOnOrAfter="{later}"><saml:AudienceRestriction>'
    "<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
    '<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="{id}"><saml:AuthnContext>'
    "<saml:AuthnContextClassRef>{saml}:ac:classes:PasswordProtectedTransport"
    "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
    "<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
)
_SIGNED_INFO = (
    '<ds:SignedInfo xmlns:ds="{dsig}"><ds:CanonicalizationMethod Algorithm="{c14n}">'
    '</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{rsa}"></ds:SignatureMethod>'
    '<ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{dsig}enveloped-signature">'
    '</ds:Transform><ds:Transform Algorithm="{c14n}"></ds:Transform></ds:Transforms>'
    '<ds:DigestMethod Algorithm="{sha}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>'
    "</ds:Reference></ds:SignedInfo>"
)
_RESPONSE = (
    '<samlp:Response xmlns:samlp="{saml}:protocol" ID="{id}"{answers}'
    ' IssueInstant="{now}" Version="2.0" Destination="{acs}">'
    '<saml:Issuer xmlns:saml="{saml}:assertion">{issuer}</saml:Issuer>'
    '<samlp:Status><samlp:StatusCode Value="{saml}:status:Success"/></samlp:Status>'
    "{assertion}</samlp:Response>"
)


def _attribute(name: str, value: str) -> str:
    return (
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue>'
        "</saml:Attribute>"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the provider reads from a redirect."""

    id: str
    acs: str
    issuer: str
    relay_state: str


@dataclass(frozen=True)
class Idp:
    """One key, one certificate, one name."""

    entity: str = _ENTITY

    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def metadata(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.bench.test")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .sign(self.key, hashes.SHA256())
        )
        body = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        return (
            f'<EntityDescriptor xmlns="{_SAML}:metadata" entityID="{self.entity}">'
            f'<IDPSSODescriptor protocolSupportEnumeration="{_SAML}:protocol">'
            f'<KeyDescriptor use="signing"><KeyInfo xmlns="{_DSIG}"><X509Data><X509Certificate>'
            f"{body}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            f'<SingleSignOnService Binding="{_SAML}:bindings:HTTP-Redirect" Location="{_SSO}"/>'
            "</IDPSSODescriptor></EntityDescriptor>"
        )

    def read(self, location: str) -> Asked:
        """Enough of the AuthnRequest to answer it, without a parser."""
        query = parse_qs(urlsplit(location).query)
        xml = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15).decode()

        def between(start: str, end: str) -> str:
            return xml.partition(start)[2].partition(end)[0]

        return Asked(
            id=between(' ID="', '"'),
            acs=between('AssertionConsumerServiceURL="', '"'),
            issuer=xml.partition("Issuer")[2].partition(">")[2].partition("<")[0],
            relay_state=query["RelayState"][0],
        )

    def answer(self, asked: Asked, name_id: str) -> str:
        """A Response with a signed assertion, base64."""
        now = datetime.now(UTC)
        facts = {
            "saml": _SAML,
            "saml_1_1": "urn:oasis:names:tc:SAML:1.1",
            "issuer": self.entity,
            "answers": f' InResponseTo="{asked.id}"' if asked.id else "",
            "acs": asked.acs,
            "audience": asked.issuer,
            "now": _instant(now),
            "earlier": _instant(now - timedelta(seconds=30)),
            "later": _instant(now + timedelta(minutes=5)),
            "name_id": name_id,
            "attributes": "".join(
                _attribute(name, value)
                for name, value in (
                    ("email", f"{name_id}@bench.test"),
                    ("displayName", "Bench Mark"),
                    ("department", "Measuring"),
                    ("groups", "everybody"),
                )
            ),
        }
        assertion_id = f"_{uuid.uuid4()}"
        unsigned = _ASSERTION.format(**facts, id=assertion_id, signature="")
        signed = _ASSERTION.format(
            **facts, id=assertion_id, signature=self._signature(unsigned, assertion_id)
        )
        response = _RESPONSE.format(**facts, id=f"_{uuid.uuid4()}", assertion=signed)
        return base64.b64encode(response.encode()).decode()

    def _signature(self, canonical: str, reference: str) -> str:
        digest = base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode()
        info = _SIGNED_INFO.format(
            dsig=_DSIG, c14n=_C14N, rsa=_RSA_SHA256, sha=_SHA256, id=reference, digest=digest
        )
        value = self.key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256())
        return (
            f'<ds:Signature xmlns:ds="{_DSIG}">{info}<ds:SignatureValue>'
            f"{base64.b64encode(value).decode()}</ds:SignatureValue></ds:Signature>"
        )


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
