"""What the demo's SAML identity provider receives: service provider metadata and requests.

Undoes the two bindings (SAML Bindings 3.4, 3.5), checks the signature and the envelope, and hands
on plain values. What is answered is ``saml_responses``' business.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from broker.demo.saml_xml import (
    NAMESPACES,
    POST,
    XML,
    SignatureError,
    XmlError,
    first,
    parse,
    text,
    verify_enveloped,
)

_MAX_MESSAGE = 64 * 1024
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SIGNED_FIELDS = ("SAMLRequest", "RelayState", "SigAlg")


class RequestError(Exception):
    """A message that this identity provider does not answer, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    """Whom the identity provider serves, as the metadata says: what it is not told, it refuses."""

    entity_id: str
    acs_url: str
    logout_url: str | None
    certificates: tuple[bytes, ...]
    signs_requests: bool

    @classmethod
    def from_metadata(cls, document: bytes) -> ServiceProvider:
        """Read an ``EntityDescriptor`` with one ``SPSSODescriptor`` (SAML Metadata 2.4.4)."""
        entity = parse(document)
        role = first(entity, "md:SPSSODescriptor")
        if role is None:
            raise RequestError("The metadata describes no service provider.")
        return cls(
            entity_id=entity.get("entityID", ""),
            acs_url=_location(role, "md:AssertionConsumerService") or "",
            logout_url=_location(role, "md:SingleLogoutService"),
            certificates=_signing_certificates(role),
            signs_requests=role.get("AuthnRequestsSigned") in {"true", "1"},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One protocol message as it arrived. ``signed`` says that its signature was checked."""

    root: XML
    relay_state: str | None
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """Whose session is to end (SAML Core 3.7.1)."""

    id: str
    name_id: str
    session_indexes: tuple[str, ...]


def from_query(query: str, provider: ServiceProvider) -> Message:
    """HTTP-Redirect binding (SAML Bindings 3.4.4): deflated, with the signature in the query."""
    raw = dict(part.partition("=")[::2] for part in query.split("&"))
    signed = "Signature" in raw
    if signed:
        _verify_query(raw, provider.certificates)
    fields = dict(parse_qsl(query, keep_blank_values=True))
    return Message(
        root=_parsed(_inflated(_decoded(fields.get("SAMLRequest", "")))),
        relay_state=fields.get("RelayState"),
        signed=signed,
    )


def from_form(request: str, relay_state: str | None, provider: ServiceProvider) -> Message:
    """HTTP-POST binding (SAML Bindings 3.5.4): the message carries its own signature."""
    root = _parsed(_decoded(request))
    signed = first(root, "ds:Signature") is not None
    if signed:
        try:
            verify_enveloped(root, provider.certificates)
        except SignatureError as error:
            raise RequestError(str(error)) from error
    return Message(root=root, relay_state=relay_state, signed=signed)


def authn_request(message: Message, provider: ServiceProvider, *, endpoint: str) -> str:
    """The ID of an AuthnRequest (SAML Core 3.4.1) that ``provider`` sent to ``endpoint``."""
    _expect(message, "AuthnRequest", provider, endpoint=endpoint, signed=provider.signs_requests)
    consumer = message.root.get("AssertionConsumerServiceURL", provider.acs_url)
    if consumer != provider.acs_url:
        raise RequestError("The answer would go to a URL that the metadata does not name.")
    return message.root.get("ID", "")


def logout_request(message: Message, provider: ServiceProvider, *, endpoint: str) -> LogoutRequest:
    """A LogoutRequest, which has to be signed (SAML Profiles 4.4.4.1)."""
    _expect(message, "LogoutRequest", provider, endpoint=endpoint, signed=True)
    indexes = message.root.findall("samlp:SessionIndex", NAMESPACES)
    return LogoutRequest(
        id=message.root.get("ID", ""),
        name_id=text(message.root, "saml:NameID"),
        session_indexes=tuple((index.text or "").strip() for index in indexes),
    )


def _expect(
    message: Message, name: str, provider: ServiceProvider, *, endpoint: str, signed: bool
) -> None:
    """What every request has in common: kind, version, sender, destination, signature."""
    root = message.root
    if root.tag != f"{{{NAMESPACES['samlp']}}}{name}" or root.get("Version") != "2.0":
        raise RequestError(f"This is not a SAML 2.0 {name}.")
    if not root.get("ID"):
        raise RequestError(f"The {name} has no ID to answer to.")
    if text(root, "saml:Issuer") != provider.entity_id:
        raise RequestError("The request comes from a service provider that is not set up here.")
    if root.get("Destination", endpoint) != endpoint:
        raise RequestError("The request is addressed to another identity provider.")
    if signed and not message.signed:
        raise RequestError(f"The {name} is not signed, and the metadata says that it would be.")


def _verify_query(raw: dict[str, str], certificates: tuple[bytes, ...]) -> None:
    """Check the signature over the octets as they were sent, not as they might be re-encoded."""
    if unquote_plus(raw.get("SigAlg", "")) != _RSA_SHA256:
        raise RequestError("The request is signed with an algorithm other than RSA-SHA256.")
    signed = "&".join(f"{name}={raw[name]}" for name in _SIGNED_FIELDS if name in raw)
    octets = signed.encode("latin-1")
    signature = _decoded(unquote_plus(raw["Signature"]))
    if not any(_verifies(octets, signature, pem) for pem in certificates):
        raise RequestError("The signature does not verify.")


def _verifies(octets: bytes, signature: bytes, pem: bytes) -> bool:
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, octets, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error as error:
        raise RequestError("The message is not base64.") from error


def _inflated(packed: bytes) -> bytes:
    """Undo DEFLATE without a zlib header, up to a size no honest request reaches."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        document = inflater.decompress(packed, _MAX_MESSAGE)
    except zlib.error as error:
        raise RequestError("The message is not deflated.") from error
    if inflater.unconsumed_tail:
        raise RequestError("The message is too large.")
    return document


def _parsed(document: bytes) -> XML:
    try:
        return parse(document)
    except XmlError as error:
        raise RequestError(str(error)) from error


def _location(role: XML, path: str) -> str | None:
    """The URL that takes answers by POST."""
    for endpoint in role.findall(path, NAMESPACES):
        if endpoint.get("Binding") == POST:
            return endpoint.get("ResponseLocation") or endpoint.get("Location")
    return None


def _signing_certificates(role: XML) -> tuple[bytes, ...]:
    """PEM of the keys for signing; a key without ``use`` serves for that too (2.4.1.1)."""
    keys = [k for k in role.findall("md:KeyDescriptor", NAMESPACES) if k.get("use") != "encryption"]
    return tuple(
        f"-----BEGIN CERTIFICATE-----\n{''.join((node.text or '').split())}\n"
        "-----END CERTIFICATE-----\n".encode()
        for key in keys
        for node in key.iterfind(".//ds:X509Certificate", NAMESPACES)
    )
