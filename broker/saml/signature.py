"""XML signatures as SAML profiles them.

Owns the one way from bytes somebody sent to data somebody signed: ``signed_view`` verifies and
returns a *new* tree, parsed from exactly the bytes that were signed, so the node that is read
can be no other than the node that was verified. Keys are the caller's; a key that travels in
the message (KeyInfo) is never looked at. Which algorithms are good enough is said in
``algorithms.py``; our own signatures are made in ``signing.py``.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes

from broker.saml.algorithms import PublicKey, SignatureError, digest_algorithm, verify_detached
from broker.saml.node import Node
from broker.saml.xml import (
    DS,
    EXC_C14N,
    Element,
    RefusedError,
    canonical,
    ids_are_unique,
    name,
    namespaces_are_absolute,
    reparse,
    words,
)

ENVELOPED = f"{DS}enveloped-signature"
SIGNATURE = name(DS, "Signature")

_SIGNED_INFO = name(DS, "SignedInfo")
_SIGNATURE_VALUE = name(DS, "SignatureValue")
_SIGNATURE_PARTS = [_SIGNED_INFO, _SIGNATURE_VALUE, name(DS, "KeyInfo")]
_SIGNED_INFO_PARTS = [
    name(DS, "CanonicalizationMethod"),
    name(DS, "SignatureMethod"),
    name(DS, "Reference"),
]
_REFERENCE_PARTS = [name(DS, "Transforms"), name(DS, "DigestMethod"), name(DS, "DigestValue")]
_INCLUSIVE_NAMESPACES = name(EXC_C14N, "InclusiveNamespaces")
_TRANSFORMS_PARTS = [name(DS, "Transform")] * 2

MAX_PREFIXES = 32
"""In a PrefixList: each is looked up for each element."""

_SHAPE_LIMIT = 16
"""More nodes than a SignedInfo with one Reference can hold; it is canonicalised before anything
in it is proven."""


def is_signed(element: Node) -> bool:
    """Whether the element carries a signature of its own. It says nothing about its worth."""
    return bool(element.children(SIGNATURE))


def signed_view(
    element: Element, keys: Sequence[PublicKey], *, allow_sha1: bool = False
) -> Element:
    """What the holder of one of ``keys`` signed, parsed anew from the signed bytes.

    The signature is taken out of the tree that was given.
    Raises ``SignatureError``, and nothing else: a fault in here must not read as anything.
    """
    try:
        return reparse(_verified_bytes(element, keys, allow_sha1=allow_sha1))
    except RefusedError as refusal:
        raise SignatureError(refusal.expected, refusal.received) from refusal
    except Exception as fault:
        raise SignatureError("a signature", type(fault).__name__) from fault


def _verified_bytes(element: Element, keys: Sequence[PublicKey], *, allow_sha1: bool) -> bytes:
    """Core validation (XML Signature 3.2), the signature first and the reference after it.

    In this order a stranger's document is refused before it is canonicalised as a whole.
    """
    if not ids_are_unique(element):
        raise SignatureError("unique IDs", "one ID at two elements")
    signature = _own_signature(element)
    signed_bytes = _canonical_signed_info(signature)
    _, method, reference = Node(reparse(signed_bytes)).elements()
    verify_detached(
        signed_bytes,
        _base64(signature.only_child(_SIGNATURE_VALUE)),
        _algorithm(method),
        keys,
        allow_sha1=allow_sha1,
    )
    _refers_to(element, reference)
    if not namespaces_are_absolute(element):
        raise SignatureError("absolute namespace URIs in the document", "a relative one")
    transforms, digest_method, digest_value = reference.elements()
    prefixes = _transform_prefixes(transforms)
    content = canonical(_without(element, signature.element), prefixes)
    digest = digest_algorithm(_algorithm(digest_method), allow_sha1=allow_sha1)
    _digest_matches(content, digest, _base64(digest_value))
    return content


def _own_signature(element: Element) -> Node:
    """The one Signature child, of SignedInfo, SignatureValue and at most a KeyInfo.

    An Object has no place in it (SAML core 5.4.2, errata E91), and is where wrapped content hides.
    """
    signature = Node(element).only_child(SIGNATURE)
    _consists_of(signature, _SIGNATURE_PARTS, _SIGNATURE_PARTS[:2])
    return signature


def _canonical_signed_info(signature: Node) -> bytes:
    """The signed bytes of SignedInfo, once its shape is known to be the one SAML allows."""
    signed_info = signature.only_child(_SIGNED_INFO)
    if sum(1 for _ in signed_info.element.iter("*")) > _SHAPE_LIMIT:
        raise SignatureError("a SignedInfo with one Reference", "a larger one")
    _consists_of(signed_info, _SIGNED_INFO_PARTS)
    method, _, reference = signed_info.elements()
    _consists_of(reference, _REFERENCE_PARTS)
    return canonical(signed_info.element, _exclusive_prefixes(method))


def _consists_of(parent: Node, *shapes: list[str]) -> None:
    """The child elements are one of these sequences: nothing more, nothing else, in this order."""
    if [child.tag for child in parent.elements()] not in shapes:
        wanted = ", ".join(tag.rpartition("}")[2] for tag in shapes[0])
        raise SignatureError(wanted, _locals(parent))


def _locals(parent: Node) -> str:
    return ", ".join(child.local_name for child in parent.elements())[:120]


def _algorithm(element: Node) -> str:
    return element.get("Algorithm", "")


def _exclusive_prefixes(method: Node) -> list[str]:
    """The PrefixList of an exclusive c14n, the only one taken (Exclusive C14N 4)."""
    if _algorithm(method) != EXC_C14N:
        raise SignatureError("exclusive canonicalisation", _algorithm(method))
    prefixes = [
        prefix
        for inclusive in method.children(_INCLUSIVE_NAMESPACES)
        for prefix in words(inclusive.get("PrefixList", ""))
    ]
    if len(prefixes) > MAX_PREFIXES:
        raise SignatureError(f"at most {MAX_PREFIXES} prefixes", str(len(prefixes)))
    return prefixes


def _transform_prefixes(transforms: Node) -> list[str]:
    """Transforms are enveloped signature, then exclusive c14n (SAML core 5.4.4), nothing else."""
    _consists_of(transforms, _TRANSFORMS_PARTS)
    steps = transforms.elements()
    used = [_algorithm(step) for step in steps]
    if used != [ENVELOPED, EXC_C14N]:
        raise SignatureError(f"{ENVELOPED}, {EXC_C14N}", ", ".join(used)[:200])
    return _exclusive_prefixes(steps[1])


def _base64(element: Node) -> bytes:
    """The value of a DigestValue or SignatureValue: base64, not empty, no elements in it."""
    try:
        value = b64decode("".join(words(element.plain_text())), validate=True)
    except ValueError as fault:
        raise SignatureError(f"base64 in {element.local_name}", "something else") from fault
    if not value:
        raise SignatureError(f"a {element.local_name}", "an empty one")
    return value


def _refers_to(element: Element, reference: Node) -> None:
    """The reference is to the signature's parent, by its ID (SAML core 5.4.2)."""
    own = element.get("ID", "")
    if not own or reference.get("URI") != f"#{own}":
        raise SignatureError(f"a reference to #{own}", repr(reference.get("URI")))


def _without(element: Element, signature: Element) -> Element:
    """The enveloped-signature transform (XML Signature 6.6.4): what follows the signature stays."""
    tail = signature.tail
    before = signature.getprevious()
    element.remove(signature)
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        element.text = (element.text or "") + tail
    return element


def _digest_matches(content: bytes, algorithm: hashes.HashAlgorithm, expected: bytes) -> None:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    if not hmac.compare_digest(digest.finalize(), expected):
        raise SignatureError("the signed content", "changed content (the digest differs)")
