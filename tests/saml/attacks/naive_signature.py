"""Signature checks as people write them, each with a published mistake. For ``weakened`` alone.

Some use libxmlsec without care, some are written by hand. None looks at what the signature is of.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from xml.dom import minidom

import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from tests.kit.saml_crypto import DSIG
from tests.kit.saml_keys import KeyPair
from tests.saml.attacks.case import PREFIXES, Scene

SIGNATURE = f"{{{DSIG}}}Signature"


class RefusedError(Exception):
    """Even this reader did not accept the document."""


# -- verify -----------------------------------------------------------------------------------


def presence(root: etree._Element, scene: Scene) -> None:
    """Asks whether there is a signature, not whether it is good."""
    if root.find(f".//{SIGNATURE}") is None:
        raise RefusedError("no signature")


def any_signature(root: etree._Element, scene: Scene) -> None:
    """One good signature anywhere is good for the whole document; libxmlsec does the mathematics,
    with every transform, algorithm and kind of reference it knows."""
    _first_good(root, lambda signature: libxmlsec_verifies(root, signature, scene.idp.keys))


def if_present(root: etree._Element, scene: Scene) -> None:
    """No signature, no check."""
    if root.find(f".//{SIGNATURE}") is not None:
        any_signature(root, scene)


def any_known_key(root: etree._Element, scene: Scene) -> None:
    """Tries the keys of all providers of the pool."""
    known = (*scene.idp.keys, *scene.other.keys, scene.broker)
    _first_good(root, lambda signature: libxmlsec_verifies(root, signature, known))


def key_from_message(root: etree._Element, scene: Scene) -> None:
    """Believes KeyInfo."""

    def good(signature: etree._Element) -> bool:
        text = signature.findtext(".//d:X509Certificate", "", PREFIXES)
        context = xmlsec.SignatureContext()
        context.key = _xmlsec_key(base64.b64decode(text))
        return _verifies(context, root, signature)

    _first_good(root, good)


def key_value_from_message(root: etree._Element, scene: Scene) -> None:
    """Believes KeyInfo's bare key, which libxmlsec will do when it is told to."""

    def good(signature: etree._Element) -> bool:
        context = xmlsec.SignatureContext(_no_keys())
        context.set_enabled_key_data([xmlsec.KeyData.VALUE, xmlsec.KeyData.RSA])
        return _verifies(context, root, signature)

    _first_good(root, good)


@cache
def _no_keys() -> xmlsec.KeysManager:
    """Without a manager libxmlsec looks for no key at all; making one takes a while."""
    return xmlsec.KeysManager()


def trusted_certificate_somewhere(root: etree._Element, scene: Scene) -> None:
    """Asks whether KeyInfo holds a trusted certificate, then verifies with its first one."""
    texts = [each.text for each in root.iterfind(".//d:X509Certificate", PREFIXES)]
    if not {pair.certificate_base64 for pair in scene.idp.keys} & set(texts):
        raise RefusedError("no trusted certificate")
    key_from_message(root, scene)


def _first_good(root: etree._Element, good: Callable[[etree._Element], bool]) -> None:
    if not any(good(signature) for signature in list(root.iter(SIGNATURE))):
        raise RefusedError("no signature verified")


@cache
def _xmlsec_key(certificate: bytes) -> xmlsec.Key:
    return xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_DER)


def libxmlsec_verifies(
    root: etree._Element, signature: etree._Element, pairs: tuple[KeyPair, ...]
) -> bool:
    """libxmlsec's verdict, every attribute called ID in the document being one."""
    for pair in pairs:
        context = xmlsec.SignatureContext()
        context.key = _xmlsec_key(pair.certificate.public_bytes(Encoding.DER))
        if _verifies(context, root, signature):
            return True
    return False


def _verifies(
    context: xmlsec.SignatureContext, root: etree._Element, signature: etree._Element
) -> bool:
    xmlsec.tree.add_ids(root, ["ID"])
    try:
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


# -- a verifier written by hand ---------------------------------------------------------------


def whole_text(element: etree._Element) -> str:
    return str(element.xpath("string()"))


def first_text(element: etree._Element) -> str:
    """The text up to the first comment, instruction or child: ``element.text``."""
    return element.text or ""


def last_text(element: etree._Element) -> str:
    """The text behind the last comment, instruction or child."""
    return (element[-1].tail or "") if len(element) else (element.text or "")


def first_node(element: etree._Element) -> str:
    """The first child node's value, which may be a comment's: ``childNodes[0].nodeValue``."""
    if element.text or not len(element):
        return element.text or ""
    return element[0].text or ""


def with_comments(element: etree._Element) -> str:
    return "".join(
        part if isinstance(part, str) else part.text for part in element.xpath("text() | comment()")
    )


def first_dom_node(element: etree._Element) -> str:
    """The first child in a DOM, where a CDATA section is a node of its own."""
    child = minidom.parseString(etree.tostring(element, with_tail=False)).documentElement.firstChild
    return getattr(child, "data", "")


@dataclass(frozen=True)
class HandMade:
    """XML Signature in forty lines, with the liberties such lines take.

    ``info`` and ``reference``: which of several elements is used to verify the value and which to
    verify the digest; 0 is the first, -1 the last, anywhere below Signature. ``target``: which of
    several elements with the ID. ``text``: how DigestValue and SignatureValue are read.
    """

    info: int = 0
    reference: int = 0
    target: int = 0
    text: Callable[[etree._Element], str] = whole_text
    skip_digest: bool = False
    skip_value: bool = False
    empty_is_fine: bool = False
    void_c14n: bool = False

    def __call__(self, root: etree._Element, scene: Scene) -> None:
        _first_good(root, lambda signature: self._good(signature, scene))

    def _good(self, signature: etree._Element, scene: Scene) -> bool:
        try:
            digest = self.skip_digest or self._digest_matches(signature)
            return digest and (self.skip_value or self._value_matches(signature, scene))
        except (IndexError, KeyError, TypeError, ValueError, etree.LxmlError):
            return False

    def _digest_matches(self, signature: etree._Element) -> bool:
        references = signature.findall(".//d:Reference", PREFIXES)
        if not references:
            return self.empty_is_fine
        reference = references[self.reference]
        said = self._text_at(reference, "d:DigestValue")
        if not said:
            return self.empty_is_fine
        target = self._target(signature.getroottree(), reference.get("URI", "")[1:])
        for own in target.findall("d:Signature", PREFIXES):
            target.remove(own)
        method = reference.find("d:DigestMethod", PREFIXES)
        name = re.split("[#-]", method.get("Algorithm", ""))[-1]
        return hashlib.new(name, self._c14n(target)).digest() == base64.b64decode(said)

    def _target(self, tree: etree._ElementTree, identifier: str) -> etree._Element:
        found = tree.xpath("//*[@ID=$id]", id=identifier)[self.target]
        return etree.fromstring(etree.tostring(found, with_tail=False))

    def _value_matches(self, signature: etree._Element, scene: Scene) -> bool:
        info = signature.findall(".//d:SignedInfo", PREFIXES)[self.info]
        said = self._text_at(signature, "d:SignatureValue")
        if not said:
            return self.empty_is_fine
        method = info.find("d:SignatureMethod", PREFIXES)
        algorithm = re.split("[#-]", method.get("Algorithm", ""))
        value, signed = base64.b64decode(said), self._c14n(info)
        return any(_mathematics(algorithm, pair, value, signed) for pair in scene.idp.keys)

    def _text_at(self, element: etree._Element, path: str) -> str:
        found = element.findall(f".//{path}", PREFIXES)
        return re.sub(r"\s", "", self.text(found[0])) if found else ""

    def _c14n(self, element: etree._Element) -> bytes:
        try:
            return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
        except (etree.C14NError, ValueError):
            if self.void_c14n:
                return b""
            raise


def _mathematics(algorithm: list[str], pair: KeyPair, value: bytes, signed: bytes) -> bool:
    """The algorithm is the message's choice; HMAC gets the only key there is, the public one."""
    *_, family, hash_name = ["", *algorithm]
    if family == "hmac":
        return any(
            hmac.compare_digest(hmac.digest(key, signed, hash_name)[: len(value)], value)
            for key in _public_bytes(pair.certificate)
            if value
        )
    if family != "rsa":
        return True  # an unknown algorithm finds no fault
    try:
        public = pair.certificate.public_key()
        public.verify(value, signed, padding.PKCS1v15(), getattr(hashes, hash_name.upper())())
    except InvalidSignature:
        return False
    return True


def _public_bytes(certificate: x509.Certificate) -> Iterator[bytes]:
    """Every spelling of the public key an attacker could have used as a secret."""
    for encoding in (Encoding.PEM, Encoding.DER):
        yield certificate.public_bytes(encoding)
        yield certificate.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    yield base64.b64encode(certificate.public_bytes(Encoding.DER))
