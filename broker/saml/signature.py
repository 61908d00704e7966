"""XML signatures as SAML profiles them.

Owns the one way from bytes somebody sent to data somebody signed: ``signed_view`` verifies and
returns a *new* tree, parsed from exactly the bytes that were signed, so the node that is read
can be no other than the node that was verified. Keys are the caller's; a key that travels in
the message (KeyInfo) is never looked at. Signing is left to ``signing.py``.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from broker.saml.xml import (
    DS,
    EXC_C14N,
    Element,
    RefusedError,
    canonical,
    children,
    elements,
    ids_are_unique,
    local_name,
    name,
    only_child,
    parse,
    plain_text,
)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 2048
MIN_CURVE_BITS = 256
ENVELOPED = f"{DS}enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SIGNATURE = name(DS, "Signature")

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_PKCS1 = padding.PKCS1v15()

MAX_PREFIXES = 32
"""In a PrefixList: each is looked up for each element."""

_SHAPE_LIMIT = 16
"""More nodes than a SignedInfo with one Reference can hold; it is canonicalised before anything
in it is proven."""


class SignatureError(RefusedError):
    """A signature that is missing, malformed, not allowed or not good."""


@dataclass(frozen=True, slots=True)
class _Method:
    """A signature algorithm: the kind of key it takes, and its hash."""

    key_type: type[rsa.RSAPublicKey] | type[ec.EllipticCurvePublicKey]
    hash: hashes.HashAlgorithm


_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    f"{_ENC}sha256": hashes.SHA256(),
    f"{_MORE}sha384": hashes.SHA384(),
    f"{_ENC}sha512": hashes.SHA512(),
}
_METHODS = {
    RSA_SHA256: _Method(rsa.RSAPublicKey, hashes.SHA256()),
    f"{_MORE}rsa-sha384": _Method(rsa.RSAPublicKey, hashes.SHA384()),
    f"{_MORE}rsa-sha512": _Method(rsa.RSAPublicKey, hashes.SHA512()),
    f"{_MORE}ecdsa-sha256": _Method(ec.EllipticCurvePublicKey, hashes.SHA256()),
    f"{_MORE}ecdsa-sha384": _Method(ec.EllipticCurvePublicKey, hashes.SHA384()),
    f"{_MORE}ecdsa-sha512": _Method(ec.EllipticCurvePublicKey, hashes.SHA512()),
}
# Forgeable since 2017 at a price; only for a provider that cannot do better and says so.
_SHA1 = hashes.SHA1()  # noqa: S303  # opt-in per provider, see signed_view
_SHA1_DIGESTS: dict[str, hashes.HashAlgorithm] = {f"{DS}sha1": _SHA1}
_SHA1_METHODS = {
    f"{DS}rsa-sha1": _Method(rsa.RSAPublicKey, _SHA1),
    f"{_MORE}ecdsa-sha1": _Method(ec.EllipticCurvePublicKey, _SHA1),
}


def is_signed(element: Element) -> bool:
    """Whether the element carries a signature of its own. It says nothing about its worth."""
    return next(element.iterchildren(SIGNATURE), None) is not None


def is_strong(key: PublicKey) -> bool:
    """Whether a key is long enough to verify with."""
    least = MIN_RSA_BITS if isinstance(key, rsa.RSAPublicKey) else MIN_CURVE_BITS
    return key.key_size >= least


def signed_view(
    element: Element, keys: Sequence[PublicKey], *, allow_sha1: bool = False
) -> Element:
    """What the holder of one of ``keys`` signed, parsed anew from the signed bytes.

    The signature is taken out of the tree that was given, which is of no use afterwards.
    Raises ``SignatureError``, and nothing else: a fault in here must not read as anything.
    """
    try:
        return parse(_verified_bytes(element, keys, allow_sha1=allow_sha1))
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
    _, method, reference = elements(parse(signed_bytes))
    verify_detached(
        signed_bytes,
        _base64(only_child(signature, name(DS, "SignatureValue"))),
        _algorithm(method),
        keys,
        allow_sha1=allow_sha1,
    )
    _refers_to(element, reference)
    transforms, digest_method, digest_value = elements(reference)
    prefixes = _transform_prefixes(transforms)
    content = canonical(_without(element, signature), prefixes)
    digest = _digest(_algorithm(digest_method), allow_sha1=allow_sha1)
    _digest_matches(content, digest, _base64(digest_value))
    return content


def verify_detached(
    data: bytes,
    signature: bytes,
    algorithm: str,
    keys: Sequence[PublicKey],
    *,
    allow_sha1: bool = False,
) -> None:
    """Some key of the provider verifies. Which one is not said: rollover has two for a while.

    Raises ``SignatureError``.
    """
    method = _method(algorithm, allow_sha1=allow_sha1)
    usable = [key for key in keys if isinstance(key, method.key_type) and is_strong(key)]
    if not any(_verifies(key, data, signature, method.hash) for key in usable):
        raise SignatureError(f"a signature by one of {len(usable)} fitting keys", "another one")


def _own_signature(element: Element) -> Element:
    """The one Signature child, of SignedInfo, SignatureValue and at most a KeyInfo.

    An Object has no place in it (SAML core 5.4.2, errata E91), and is where wrapped content hides.
    """
    signature = only_child(element, SIGNATURE)
    parts = [str(part.tag) for part in elements(signature)]
    required = [name(DS, "SignedInfo"), name(DS, "SignatureValue")]
    if parts not in (required, [*required, name(DS, "KeyInfo")]):
        raise SignatureError("SignedInfo, SignatureValue, KeyInfo", _locals(signature))
    return signature


def _canonical_signed_info(signature: Element) -> bytes:
    """The signed bytes of SignedInfo, once its shape is known to be the one SAML allows."""
    signed_info = only_child(signature, name(DS, "SignedInfo"))
    if sum(1 for _ in signed_info.iter("*")) > _SHAPE_LIMIT:
        raise SignatureError("a SignedInfo with one Reference", "a larger one")
    _consists_of(signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    method, _, reference = elements(signed_info)
    _consists_of(reference, "Transforms", "DigestMethod", "DigestValue")
    return canonical(signed_info, _exclusive_prefixes(method))


def _consists_of(parent: Element, *local_names: str) -> None:
    if [child.tag for child in elements(parent)] != [name(DS, local) for local in local_names]:
        raise SignatureError(", ".join(local_names), _locals(parent))


def _locals(parent: Element) -> str:
    return ", ".join(local_name(child) for child in elements(parent))[:120]


def _algorithm(element: Element) -> str:
    return element.get("Algorithm", "")


def _exclusive_prefixes(method: Element) -> list[str]:
    """The PrefixList of an exclusive c14n, the only one taken (Exclusive C14N 4)."""
    if _algorithm(method) != EXC_C14N:
        raise SignatureError("exclusive canonicalisation", _algorithm(method))
    prefixes = [
        prefix
        for inclusive in children(method, name(EXC_C14N, "InclusiveNamespaces"))
        for prefix in inclusive.get("PrefixList", "").split()
    ]
    if len(prefixes) > MAX_PREFIXES:
        raise SignatureError(f"at most {MAX_PREFIXES} prefixes", str(len(prefixes)))
    return prefixes


def _transform_prefixes(transforms: Element) -> list[str]:
    """Transforms are enveloped signature, then exclusive c14n (SAML core 5.4.4), nothing else."""
    _consists_of(transforms, "Transform", "Transform")
    steps = list(elements(transforms))
    used = [_algorithm(step) for step in steps]
    if used != [ENVELOPED, EXC_C14N]:
        raise SignatureError(f"{ENVELOPED}, {EXC_C14N}", ", ".join(used)[:200])
    return _exclusive_prefixes(steps[1])


def _method(uri: str, *, allow_sha1: bool) -> _Method:
    method = _METHODS.get(uri) or (_SHA1_METHODS.get(uri) if allow_sha1 else None)
    if method is None:
        raise SignatureError("RSA or ECDSA with SHA-256, SHA-384 or SHA-512", uri)
    return method


def _digest(uri: str, *, allow_sha1: bool) -> hashes.HashAlgorithm:
    algorithm = _DIGESTS.get(uri) or (_SHA1_DIGESTS.get(uri) if allow_sha1 else None)
    if algorithm is None:
        raise SignatureError("digest SHA-256, SHA-384 or SHA-512", uri)
    return algorithm


def _base64(element: Element) -> bytes:
    """The value of a DigestValue or SignatureValue: base64, not empty, no elements in it."""
    try:
        value = b64decode("".join(plain_text(element).split()), validate=True)
    except binascii.Error as fault:
        raise SignatureError(f"base64 in {local_name(element)}", "something else") from fault
    if not value:
        raise SignatureError(f"a {local_name(element)}", "an empty one")
    return value


def _refers_to(element: Element, reference: Element) -> None:
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


def _verifies(
    key: PublicKey, data: bytes, signature: bytes, algorithm: hashes.HashAlgorithm
) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _PKCS1, algorithm)
        else:
            key.verify(_der(signature, key), data, ec.ECDSA(algorithm))
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XML Signature 6.4.3 writes r and s side by side, each as long as the curve's order."""
    size = (key.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise ValueError("not r and s of this curve")
    r, s = signature[:size], signature[size:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
