"""Messages for unit tests, written out as text and signed by hand.

Independent of the code under test: canonical forms come from lxml, signatures from cryptography,
and whatever a test wants to spoil is an argument with a good default.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from lxml import etree

NOW = 1_800_000_000.0
ACS = "https://auth.example.com/saml2/idpresponse"
SP = "urn:amazon:cognito:sp:eu-west-1_Example01"
IDP = "https://idp.example.com/metadata"
REQUEST = "_c0ffee00-0000-4000-8000-000000000001"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

DS = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def at(offset: float = 0) -> str:
    """``NOW + offset`` as xs:dateTime."""
    return datetime.fromtimestamp(NOW + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache
def rsa_key(owner: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """``owner``'s key, made once per run: RSA key generation is the slowest thing in these tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@lru_cache
def ec_key(owner: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def optional(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{value}"'


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    method: str = BEARER
    recipient: str | None = ACS
    in_response_to: str | None = REQUEST
    not_before: str | None = None
    not_on_or_after: str | None = at(300)

    def xml(self) -> str:
        return (
            f'<saml:SubjectConfirmation Method="{self.method}"><saml:SubjectConfirmationData'
            + optional("Recipient", self.recipient)
            + optional("InResponseTo", self.in_response_to)
            + optional("NotBefore", self.not_before)
            + optional("NotOnOrAfter", self.not_on_or_after)
            + "/></saml:SubjectConfirmation>"
        )


@dataclass(frozen=True, kw_only=True)
class Message:
    """A Response with one Assertion; every part of it can be replaced."""

    assertion_id: str | None = "_a1"
    assertion_version: str = "2.0"
    assertion_issuer: str = f"<saml:Issuer>{IDP}</saml:Issuer>"
    issue_instant: str = at(-5)
    name_id: str = "<saml:NameID>alice</saml:NameID>"
    confirmations: tuple[Confirmation, ...] = (Confirmation(),)
    not_before: str | None = at(-60)
    not_on_or_after: str | None = at(300)
    conditions: str = (
        f"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>"
    )
    authn: str = (
        f'<saml:AuthnStatement AuthnInstant="{at(-10)}" SessionIndex="_s1"><saml:AuthnContext>'
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
        "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
    )
    attributes: str = (
        '<saml:AttributeStatement><saml:Attribute Name="mail">'
        "<saml:AttributeValue>alice@example.com</saml:AttributeValue>"
        "</saml:Attribute></saml:AttributeStatement>"
    )
    more: str = ""
    response_id: str = "_r1"
    response_version: str = "2.0"
    response_issuer: str = f"<saml:Issuer>{IDP}</saml:Issuer>"
    destination: str | None = ACS
    in_response_to: str | None = REQUEST
    status: str = f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'

    def but(self, **changes: object) -> Message:
        return replace(self, **changes)  # type: ignore[arg-type]  # names and values are the test's

    def subject(self) -> str:
        confirmations = "".join(c.xml() for c in self.confirmations)
        return f"<saml:Subject>{self.name_id}{confirmations}</saml:Subject>"

    def assertion(self) -> str:
        return (
            f'<saml:Assertion xmlns:saml="{SAML}"'
            + optional("ID", self.assertion_id)
            + f' Version="{self.assertion_version}" IssueInstant="{self.issue_instant}">'
            + self.assertion_issuer
            + self.subject()
            + "<saml:Conditions"
            + optional("NotBefore", self.not_before)
            + optional("NotOnOrAfter", self.not_on_or_after)
            + f">{self.conditions}</saml:Conditions>"
            + f"{self.more}{self.authn}{self.attributes}</saml:Assertion>"
        )

    def response(self, content: str | None = None) -> str:
        """The Response around ``content``, or around the plain assertion."""
        return (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{self.response_id}"'
            f' Version="{self.response_version}" IssueInstant="{at(-5)}"'
            + optional("Destination", self.destination)
            + optional("InResponseTo", self.in_response_to)
            + f">{self.response_issuer}{self.status}"
            + (self.assertion() if content is None else content)
            + "</samlp:Response>"
        )


def unsolicited(message: Message | None = None) -> Message:
    """The same message, sent without a request."""
    message = message or Message()
    return message.but(
        in_response_to=None,
        confirmations=tuple(replace(c, in_response_to=None) for c in message.confirmations),
    )


def encoded(xml: str | bytes) -> str:
    return b64encode(xml.encode() if isinstance(xml, str) else xml).decode()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to sign; each field is a thing that can be wrong."""

    digest: str = f"{XENC}sha256"
    method: str = f"{MORE}rsa-sha256"
    c14n: str = EXC
    transforms: tuple[str, ...] = (ENVELOPED, EXC)
    prefixes: str | None = None
    uri: str | None = None
    key_info: str = ""
    digest_value: Callable[[str], str] = str
    signature_value: Callable[[str], str] = str
    signed_info: Callable[[str], str] = str
    """Applied before signing."""
    signature: Callable[[str], str] = str
    """Applied to the finished Signature element."""


RECIPE = Recipe()
_HASHES = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def c14n(element: etree._Element, prefixes: str | None = None) -> bytes:
    return etree.tostring(
        element,
        method="c14n",
        exclusive=True,
        with_comments=False,
        inclusive_ns_prefixes=(prefixes or "").split(),
    )


def raw_signature(data: bytes, key: PrivateKey, method: str) -> bytes:
    algorithm = _HASHES.get(method.rpartition("-")[2], hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), algorithm)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def sign(xml: str, element_id: str, key: PrivateKey, recipe: Recipe = RECIPE) -> str:
    """``xml`` with an enveloped signature in the element that has ``element_id``."""
    root = etree.fromstring(xml.encode())
    (target,) = root.xpath("//*[@ID=$id]", id=element_id)
    algorithm = recipe.digest.rpartition("#")[2]
    digest = hashlib.new(algorithm, c14n(target, recipe.prefixes)).digest()
    inclusive = (
        f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="{recipe.prefixes}"/>'
        if recipe.prefixes is not None
        else ""
    )
    transforms = "".join(
        f'<ds:Transform Algorithm="{t}">{inclusive if t == EXC else ""}</ds:Transform>'
        for t in recipe.transforms
    )
    uri = f"#{element_id}" if recipe.uri is None else recipe.uri
    signed_info = recipe.signed_info(
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{recipe.c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{recipe.method}"/><ds:Reference URI="{uri}">'
        f"<ds:Transforms>{transforms}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{recipe.digest}"/><ds:DigestValue>'
        f"{recipe.digest_value(b64encode(digest).decode())}</ds:DigestValue>"
        "</ds:Reference></ds:SignedInfo>"
    )
    value = raw_signature(c14n(etree.fromstring(signed_info)), key, recipe.method)
    signature = recipe.signature(
        f'<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>'
        f"{recipe.signature_value(b64encode(value).decode())}</ds:SignatureValue>"
        f"{recipe.key_info}</ds:Signature>"
    )
    issuer = target.find(f"{{{SAML}}}Issuer")
    at_index = 0 if issuer is None else target.index(issuer) + 1
    holder = etree.fromstring(f"<x>{signature}</x>")
    for offset, element in enumerate(holder):
        target.insert(at_index + offset, element)
    return etree.tostring(root, encoding="unicode")


def certificate_pem(key: PrivateKey) -> bytes:
    return f"-----BEGIN CERTIFICATE-----\n{certificate(key)}\n-----END CERTIFICATE-----\n".encode()


def certificate(key: PrivateKey | ed25519.Ed25519PrivateKey, *, days: int = 365) -> str:
    """A self-signed certificate's base64 body."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.fromtimestamp(NOW, UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start - timedelta(days=1000))
        .not_valid_after(start + timedelta(days=days))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return b64encode(built.public_bytes(serialization.Encoding.DER)).decode()


def certificate_of_version_6(key: PrivateKey) -> str:
    """X.509 ends at 3. What reading one raises is neither a ValueError nor of another known family."""
    return _patched(certificate(key), "a003020102", "a003020105")


def certificate_of_unknown_curve() -> str:
    """The curve's name, secp256r1, becomes one that nobody has given away."""
    return _patched(certificate(ec_key("idp")), "2a8648ce3d030107", "2a8648ce3d03017f")


def _patched(body: str, old: str, new: str) -> str:
    der = b64decode(body)
    assert bytes.fromhex(old) in der
    return b64encode(der.replace(bytes.fromhex(old), bytes.fromhex(new))).decode()
