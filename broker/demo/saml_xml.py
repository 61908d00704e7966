"""XML for the demo's SAML identity provider: names, a careful parser, xmlsec signatures.

Shares nothing with ``broker.saml`` on purpose: two implementations that agree say more than one
that agrees with itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

import xmlsec
from lxml import etree
from xmlsec import constants, template

from broker.model.tokens import CertifiedKey

XML = etree._Element  # noqa: SLF001  # lxml has no public name for the type of its elements

NAMESPACES = {
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
EMAIL_NAME_ID = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


class XmlError(ValueError):
    """Not well-formed, or with a document type."""


class SignatureError(ValueError):
    """A signature is missing, covers something else, or does not verify."""


def element(name: str, *children: XML | str | None, **attributes: str | None) -> XML:
    """``element("saml:Issuer", "https://...")``; what is None is left out."""
    prefix, _, local = name.partition(":")
    node = etree.Element(f"{{{NAMESPACES[prefix]}}}{local}", nsmap={prefix: NAMESPACES[prefix]})
    for attribute, value in attributes.items():
        if value is not None:
            node.set(attribute, value)
    for child in children:
        if isinstance(child, str):
            node.text = child
        elif child is not None:
            node.append(child)
    return node


def parse(document: bytes) -> XML:
    """The root of ``document``."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise XmlError("The message is not XML.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("The message has a document type.")
    return root


def first(node: XML, path: str) -> XML | None:
    """The first element at ``path``, written with the prefixes of ``NAMESPACES``."""
    return node.find(path, NAMESPACES)


def text(node: XML, path: str) -> str:
    """The text of the first element at ``path``; empty when there is none."""
    return (node.findtext(path, "", NAMESPACES) or "").strip()


def new_id() -> str:
    """An unpredictable ``xs:ID``, which must not begin with a digit (SAML Core 1.3.4)."""
    return f"_{secrets.token_hex(16)}"


def instant(epoch: float) -> str:
    """``xs:dateTime`` in UTC (SAML Core 1.3.3)."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Signer:
    """Signs elements with one key. Loading the key costs milliseconds, so it is done once."""

    key: CertifiedKey
    _loaded: xmlsec.Key = field(init=False, repr=False)

    def __post_init__(self) -> None:
        loaded = xmlsec.Key.from_memory(self.key.private_pem, constants.KeyDataFormatPem)
        loaded.load_cert_from_memory(self.key.certificate_pem, constants.KeyDataFormatCertPem)
        object.__setattr__(self, "_loaded", loaded)

    def sign(self, element: XML) -> None:
        """Put an enveloped signature behind the element's Issuer (SAML Core 5.4)."""
        signature = template.create(
            element, constants.TransformExclC14N, constants.TransformRsaSha256
        )
        element.insert(1, signature)
        reference = template.add_reference(
            signature, constants.TransformSha256, uri=f"#{element.get('ID')}"
        )
        template.add_transform(reference, constants.TransformEnveloped)
        template.add_transform(reference, constants.TransformExclC14N)
        template.add_x509_data(template.ensure_key_info(signature))
        context = xmlsec.SignatureContext()
        context.key = self._loaded
        context.register_id(element, "ID")
        context.sign(signature)


def verify_enveloped(element: XML, certificates: tuple[bytes, ...]) -> None:
    """Raise ``SignatureError`` unless ``element``'s own signature is good under one certificate."""
    signature = first(element, "ds:Signature")
    if signature is None:
        raise SignatureError("The message is not signed.")
    references = signature.findall("ds:SignedInfo/ds:Reference", NAMESPACES)
    if [r.get("URI") for r in references] != [f"#{element.get('ID')}"]:
        raise SignatureError("The signature covers something other than the message.")
    if not any(_verifies(element, signature, certificate) for certificate in certificates):
        raise SignatureError("The signature does not verify.")


def _verifies(element: XML, signature: XML, certificate: bytes) -> bool:
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate, constants.KeyDataFormatCertPem)
    context.register_id(element, "ID")
    try:
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True
