"""From a SAMLResponse parameter to an ``Assertion``: what is read, in which order, and why so.

The order is the security of it. Nothing is believed before a key of the one expected provider
has verified it, and from then on only the tree parsed from the verified bytes is read. The rules
themselves stand in ``rules.py``, one function each. A replay is not noticed here, as that needs a
store: the caller claims ``Assertion.id`` until ``Assertion.usable_until``.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import cast

from lxml import etree

from broker.model.errors import Reason
from broker.saml.algorithms import SignatureError
from broker.saml.assertion import Assertion, read_assertion
from broker.saml.encryption import DecryptionError, decrypt, read_within
from broker.saml.expectations import Expectations
from broker.saml.node import Node
from broker.saml.refusal import refused
from broker.saml.rules import (
    ASSERTION_RULES,
    ISSUER,
    Rule,
    confirmed_until,
    response_rules,
)
from broker.saml.signature import is_signed, signed_view
from broker.saml.xml import SAML, SAMLP, Element, XmlError, name, parse

MAX_CHARACTERS = 100_000
"""Of base64, white space not counted."""

RESPONSE = name(SAMLP, "Response")
ASSERTION = name(SAML, "Assertion")
ENCRYPTED_ASSERTION = name(SAML, "EncryptedAssertion")

_WHITE_SPACE = b" \t\r\n"
_ASSERTIONS = etree.XPath("//saml:Assertion | //saml:EncryptedAssertion", namespaces={"saml": SAML})


def read_response(encoded: str, expected: Expectations) -> Assertion:
    """The assertion that ``encoded`` proves. Raises ``UpstreamError``, and what is raised by
    ``expected.decryption_keys``; nothing else."""
    sent = sent_response(encoded)
    response, response_signed = verified(sent, expected, Reason.SAML_RESPONSE_SIGNATURE)
    _keep(response_rules(signed=response_signed), response, expected)
    assertion, assertion_signed = verified(
        one_assertion(response, sent, expected), expected, Reason.SAML_ASSERTION_SIGNATURE
    )
    if not (response_signed or assertion_signed):
        raise refused(Reason.SAML_UNSIGNED, "a signed Response or Assertion", "no signature")
    _keep(ASSERTION_RULES, assertion, expected)
    usable_until = confirmed_until(assertion, expected)
    return read_assertion(assertion, issuer=expected.issuer, usable_until=usable_until)


def sent_response(encoded: str) -> Node:
    """The Response as sent: nothing about it is proven yet."""
    try:
        root = parse(decoded(encoded))
    except XmlError as fault:
        raise refused(Reason.SAML_RESPONSE_NOT_XML, fault.expected, fault.received) from fault
    if root.tag != RESPONSE:
        raise refused(Reason.SAML_RESPONSE_UNEXPECTED, RESPONSE, str(root.tag))
    _assertions_are_in_place(root)
    return Node(root)


def decoded(encoded: str) -> bytes:
    """The bytes in a form field. Base64 in lines is fine, anything else between it is not."""
    try:
        compact = encoded.encode("ascii").translate(None, _WHITE_SPACE)
    except UnicodeEncodeError as fault:
        raise refused(Reason.SAML_RESPONSE_NOT_BASE64, "base64", "something else") from fault
    if len(compact) > MAX_CHARACTERS:
        received = f"{len(compact)}"
        expected = f"at most {MAX_CHARACTERS} characters"
        raise refused(Reason.SAML_RESPONSE_TOO_LARGE, expected, received)
    try:
        return b64decode(compact, validate=True)
    except binascii.Error as fault:
        raise refused(Reason.SAML_RESPONSE_NOT_BASE64, "base64", "something else") from fault


def _assertions_are_in_place(response: Element) -> None:
    """No assertion but as a direct child of the Response: that is where wrapped ones hide."""
    found = cast("list[Element]", _ASSERTIONS(response))
    if any(assertion.getparent() is not response for assertion in found):
        raise refused(
            Reason.SAML_ASSERTION_PLACEMENT,
            "assertions as children of the Response",
            "one elsewhere",
        )


def verified(sent: Node, expected: Expectations, reason: Reason) -> tuple[Node, bool]:
    """The element to go on with, and whether it is proven. A bad signature is never ignored."""
    if not is_signed(sent):
        return sent, False
    try:
        signed = signed_view(sent.element, expected.keys, allow_sha1=expected.allow_sha1)
    except SignatureError as fault:
        received = f"{fault.received}{_claim(sent, expected)}"
        raise refused(reason, fault.expected, received) from fault
    return Node(signed), True


def _claim(sent: Node, expected: Expectations) -> str:
    """A hint for the log: metadata of another provider, or tenant, is the common mistake."""
    named = ", ".join(issuer.text() for issuer in sent.children(ISSUER))
    return "" if named == expected.issuer else f"; it says it is from {named[:100]!r}"


def one_assertion(response: Node, sent: Node, expected: Expectations) -> Node:
    """The one assertion of the Response, decrypted if need be."""
    plain = response.children(ASSERTION)
    encrypted = response.children(ENCRYPTED_ASSERTION)
    if len(plain) + len(encrypted) != 1:
        received = f"{len(plain)} and {len(encrypted)} encrypted"
        raise refused(Reason.SAML_ASSERTION_PLACEMENT, "one assertion", received)
    if encrypted:
        return _decrypted(encrypted[0], sent.children(ENCRYPTED_ASSERTION)[0], expected)
    if expected.require_encryption:
        raise refused(Reason.SAML_NOT_ENCRYPTED, "an EncryptedAssertion", "a plain one")
    return _as_signed(plain[0], sent)


def _as_signed(assertion: Node, sent: Node) -> Node:
    """An assertion with a signature of its own is taken from the document as sent, to be verified
    there: it may cover namespace declarations around it that the Response's signature does not.

    Nothing of that document is believed because the Response was signed: its signature must be there.
    """
    if not is_signed(assertion):
        return assertion
    as_sent = sent.children(ASSERTION)[0]
    if not is_signed(as_sent):
        raise refused(Reason.SAML_ASSERTION_SIGNATURE, "the signature it was sent with", "none")
    return as_sent


def _decrypted(holder: Node, as_sent: Node, expected: Expectations) -> Node:
    """Reading starts over on the plaintext: what is in it is as unproven as the Response was."""
    try:
        root = _in_its_context(decrypt(holder, expected.decryption_keys()), holder, as_sent)
    except DecryptionError as fault:
        raise refused(Reason.SAML_DECRYPTION, fault.expected, fault.received) from fault
    if root.tag != ASSERTION or len(cast("list[Element]", _ASSERTIONS(root.element))) != 1:
        raise refused(Reason.SAML_DECRYPTION, "one Assertion in the plaintext", "something else")
    return root


def _in_its_context(plaintext: bytes, holder: Node, as_sent: Node) -> Node:
    """The plaintext with its prefixes bound as its proof needs them: by a signature of its own in the
    document as sent, by that of the Response in what it covers.

    Both differ, since exclusive canonicalisation drops a declaration that the Response itself makes
    no use of: whoever carries the message can change it, and so what names in the plaintext mean.
    A signature inside the plaintext was made where all of them were declared, and is verified next:
    it covers each prefix that is used, bound as it is, so another binding fails it, and what is read
    afterwards comes from its own canonical form. Without one, the Response's signature is all the
    proof there is, and it covers the ciphertext and the declarations in ``holder``, not those that
    were dropped. A prefix that only those declare has no meaning that anybody vouches for.

    Declarations changed to hide, or to feign, a signature inside gain nothing: hidden, the plaintext
    must make sense by what the Response's signature covers; feigned, it has to verify.
    """
    root = Node(read_within(plaintext, as_sent.element))
    if is_signed(root):
        return root
    try:
        return Node(read_within(plaintext, holder.element))
    except DecryptionError as fault:
        # It was read a moment ago: nobody without the provider's key gets here, so it is no oracle.
        raise refused(
            Reason.SAML_ENCRYPTED_PREFIX,
            "prefixes declared in the plaintext, or where the Response's signature covers it",
            "one declared on the Response alone, where anybody could change it",
        ) from fault


def _keep(rules: Sequence[tuple[str, Rule]], element: Node, expected: Expectations) -> None:
    for _, rule in rules:
        rule(element, expected)
