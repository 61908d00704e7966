"""Readers as people write them: each makes one or two published mistakes, and no check of content.

They exist to prove the corpus. A hostile document that deceives none of them would be refused by
anybody and so proves nothing about the broker. None may ever be imported outside the tests.

A reader is four steps: parse, verify, find the assertion, read the name. ``READERS`` lists the
combinations; the mistake is in the name of the step.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
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

from tests.kit.saml_crypto import DSIG, XENC
from tests.kit.saml_keys import KeyPair
from tests.saml.attacks.case import PREFIXES, Scene

SIGNATURE = f"{{{DSIG}}}Signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


class RefusedError(Exception):
    """Even this reader did not accept the document."""


# -- parse ------------------------------------------------------------------------------------


def lenient(encoded: str) -> etree._Element:
    """Junk in base64 is skipped, entities are expanded, DTDs are loaded, no limit holds."""
    return etree.fromstring(_decode(encoded), _PERMISSIVE)


def recovering(encoded: str) -> etree._Element:
    """Repairs what is not well-formed, as HTML readers do."""
    root = etree.fromstring(_decode(encoded), _RECOVERING)
    if root is None:
        raise RefusedError("nothing left to repair")
    return root


def inflating(encoded: str) -> etree._Element:
    """Inflates what looks deflated, without a limit."""
    return etree.fromstring(zlib.decompress(_decode(encoded), -15), _PERMISSIVE)


_PERMISSIVE = etree.XMLParser(
    resolve_entities=True, load_dtd=True, no_network=True, huge_tree=True, strip_cdata=False
)


_RECOVERING = etree.XMLParser(recover=True, huge_tree=True)


def _decode(encoded: str) -> bytes:
    known = re.sub(r"[^A-Za-z0-9+/]", "", encoded.translate(str.maketrans("-_", "+/")))
    return base64.b64decode(known + "=" * (-len(known) % 4))


# -- verify -----------------------------------------------------------------------------------


def presence(root: etree._Element, scene: Scene) -> None:
    """Asks whether there is a signature, not whether it is good."""
    if root.find(f".//{SIGNATURE}") is None:
        raise RefusedError("no signature")


def any_signature(root: etree._Element, scene: Scene) -> None:
    """One good signature anywhere is good for the whole document; libxmlsec does the mathematics,
    with every transform, algorithm and kind of reference it knows."""
    _first_good(root, lambda signature: _libxmlsec(root, signature, _keys_of(scene.idp.keys)))


def if_present(root: etree._Element, scene: Scene) -> None:
    """No signature, no check."""
    if root.find(f".//{SIGNATURE}") is not None:
        any_signature(root, scene)


def any_known_key(root: etree._Element, scene: Scene) -> None:
    """Tries the keys of all providers of the pool."""
    known = _keys_of((*scene.idp.keys, *scene.other.keys, scene.broker))
    _first_good(root, lambda signature: _libxmlsec(root, signature, known))


def key_from_message(root: etree._Element, scene: Scene) -> None:
    """Believes KeyInfo."""

    def good(signature: etree._Element) -> bool:
        text = signature.findtext(".//d:X509Certificate", "", PREFIXES)
        return _libxmlsec(root, signature, (_xmlsec_key(base64.b64decode(text)),))

    _first_good(root, good)


def key_value_from_message(root: etree._Element, scene: Scene) -> None:
    """Believes KeyInfo's bare key, which libxmlsec will do when it is told to."""

    def good(signature: etree._Element) -> bool:
        context = xmlsec.SignatureContext(xmlsec.KeysManager())
        context.set_enabled_key_data([xmlsec.KeyData.VALUE, xmlsec.KeyData.RSA])
        return _verifies(context, root, signature)

    _first_good(root, good)


def trusted_certificate_somewhere(root: etree._Element, scene: Scene) -> None:
    """Asks whether KeyInfo holds a trusted certificate, then verifies with its first one."""
    texts = [each.text for each in root.iterfind(".//d:X509Certificate", PREFIXES)]
    if not {pair.certificate_base64 for pair in scene.idp.keys} & set(texts):
        raise RefusedError("no trusted certificate")
    key_from_message(root, scene)


def _first_good(root: etree._Element, good: Callable[[etree._Element], bool]) -> None:
    if not any(good(signature) for signature in list(root.iter(SIGNATURE))):
        raise RefusedError("no signature verified")


def _keys_of(pairs: tuple[KeyPair, ...]) -> tuple[xmlsec.Key, ...]:
    return tuple(_xmlsec_key(pair.certificate.public_bytes(Encoding.DER)) for pair in pairs)


@cache
def _xmlsec_key(certificate: bytes) -> xmlsec.Key:
    return xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_DER)


def _libxmlsec(
    root: etree._Element, signature: etree._Element, keys: tuple[xmlsec.Key, ...]
) -> bool:
    for key in keys:
        context = xmlsec.SignatureContext()
        context.key = key
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
    return "".join(element.itertext(with_tail=False))


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


# -- decrypt ----------------------------------------------------------------------------------


def decrypted(root: etree._Element, scene: Scene) -> etree._Element:
    """The document with every plaintext, whatever it is, in the place of what held it."""
    found = _encrypted_in(root)
    for data in found:
        data.attrib.pop("Type", None)  # so that libxmlsec gives bytes
        holder = data.getparent()
        above = None if holder is None else holder.getparent()
        if above is None:
            continue
        try:
            plaintext = xmlsec.EncryptionContext(_keys_manager(scene.broker)).decrypt(data)
        except xmlsec.Error:
            continue
        for element in _elements_of(plaintext):
            holder.addprevious(element)
        above.remove(holder)
    # What was put in may be encrypted again.
    return root if found == _encrypted_in(root) else decrypted(root, scene)


def _encrypted_in(root: etree._Element) -> list[etree._Element]:
    return list(root.iter(f"{{{XENC}}}EncryptedData"))


def _elements_of(plaintext: bytes) -> list[etree._Element]:
    """All elements of a plaintext, however many there are."""
    try:
        return [etree.fromstring(plaintext, _PERMISSIVE)]
    except etree.XMLSyntaxError:
        return list(etree.fromstring(b"<context>%b</context>" % plaintext, _RECOVERING))


@cache
def _keys_manager(pair: KeyPair) -> xmlsec.KeysManager:
    manager = xmlsec.KeysManager()
    manager.add_key(pair.xmlsec_key)
    return manager


# -- find the assertion -----------------------------------------------------------------------


def first_anywhere(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//s:Assertion", namespaces=PREFIXES), 0)


def last_anywhere(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//s:Assertion", namespaces=PREFIXES), -1)


def first_child(root: etree._Element) -> etree._Element:
    return _take(root.findall("s:Assertion", PREFIXES), 0)


def last_child(root: etree._Element) -> etree._Element:
    return _take(root.findall("s:Assertion", PREFIXES), -1)


def by_local_name(root: etree._Element) -> etree._Element:
    return _take(root.xpath("//*[local-name()='Assertion']"), 0)


def by_any_id_attribute(root: etree._Element) -> etree._Element:
    """What the first Reference points to, with any attribute called ID in any case."""
    uri = root.xpath("string(//d:Reference/@URI)", namespaces=PREFIXES)
    lower = "translate(local-name(), 'ID', 'id') = 'id' or local-name() = 'AssertionID'"
    return _take(root.xpath(f"//*[@*[{lower}] = $id][@*[{lower}]]", id=uri[1:]), 0)


def _take(found: list[etree._Element], which: int) -> etree._Element:
    if not found:
        raise RefusedError("no assertion")
    return found[which]


# -- find the name, and read it ----------------------------------------------------------------------------


def in_subject(assertion: etree._Element) -> etree._Element:
    return _take(assertion.findall("s:Subject/s:NameID", PREFIXES), 0)


def anything_called_name_id(assertion: etree._Element) -> etree._Element:
    return _take(assertion.xpath(".//*[local-name()='NameID']"), 0)


def in_subject_if_any(assertion: etree._Element) -> etree._Element:
    """No name is the empty name, and everybody who has none is one user."""
    found = assertion.find("s:Subject/s:NameID", PREFIXES)
    return etree.Element("nobody") if found is None else found


@dataclass(frozen=True)
class NaiveReader:
    """One way to be deceived. ``forgets`` says what it should have done."""

    forgets: str
    verify: Callable[[etree._Element, Scene], None] = any_signature
    find: Callable[[etree._Element], etree._Element] = first_anywhere
    name: Callable[[etree._Element], etree._Element] = in_subject
    text: Callable[[etree._Element], str] = whole_text
    parse: Callable[[str], etree._Element] = lenient
    decrypts_first: bool = False

    def read(self, encoded: str, scene: Scene) -> str:
        """The NameID this reader believes in; RefusedError when it believes in none."""
        try:
            root = self.parse(encoded)
            if self.decrypts_first:
                root = decrypted(root, scene)
            self.verify(root, scene)
            if not self.decrypts_first:
                root = decrypted(root, scene)
            return self.text(self.name(self.find(root)))
        except (etree.LxmlError, xmlsec.Error, zlib.error, ValueError) as error:
            raise RefusedError(str(error)) from error


_FINDERS = (first_child, last_child, first_anywhere, last_anywhere)

READERS = (
    *(
        NaiveReader(
            f"what was signed, reads {find.__name__}, decrypts {'first' if early else 'last'}",
            find=find,
            decrypts_first=early,
        )
        for find in _FINDERS
        for early in (False, True)
    ),
    *(
        NaiveReader(
            f"{forgets}, reads {find.__name__}, decrypts {'first' if early else 'last'}",
            find=find,
            verify=HandMade(target=pick),
            decrypts_first=early,
        )
        for find in (first_child, last_anywhere)
        for early in (False, True)
        for forgets, pick in (("where it is enveloped", 0), ("that an ID is unique", -1))
    ),
    NaiveReader("that a signature can be bad", verify=presence),
    NaiveReader("that no signature is no proof", verify=if_present),
    NaiveReader("namespaces", find=by_local_name, name=anything_called_name_id),
    NaiveReader("that ID has one spelling", find=by_any_id_attribute),
    NaiveReader("that comments stand between texts", text=first_text),
    NaiveReader("that text stands before comments", text=last_text),
    NaiveReader("that comments are no text", text=with_comments),
    NaiveReader("that CDATA is only a way of writing", text=first_dom_node),
    NaiveReader("that keys are not the message's to choose", verify=key_from_message),
    NaiveReader("that bare keys are not either", verify=key_value_from_message),
    NaiveReader("which certificate was trusted", verify=trusted_certificate_somewhere),
    NaiveReader("whose keys are whose", verify=any_known_key),
    NaiveReader("that encryption proves nothing", verify=if_present, decrypts_first=True),
    NaiveReader("that nobody is no user", name=in_subject_if_any),
    NaiveReader("that bad XML is no XML", parse=recovering),
    NaiveReader("that inflating needs a limit", parse=inflating),
    NaiveReader("that SignedInfo is unique (1)", verify=HandMade(info=-1)),
    NaiveReader("that SignedInfo is unique (2)", verify=HandMade(reference=-1)),
    NaiveReader("that a digest is all of its text", verify=HandMade(text=first_node)),
    NaiveReader("to verify the digest", verify=HandMade(skip_digest=True)),
    NaiveReader("to verify the value", verify=HandMade(skip_value=True)),
    NaiveReader("that nothing is no match", verify=HandMade(empty_is_fine=True)),
    NaiveReader("that canonicalization can fail", verify=HandMade(void_c14n=True)),
)
