"""Decryption of one EncryptedAssertion (XML Encryption 1.1).

Owns the way from ciphertext to an assertion: its bytes, and the tree that they are in a given
place. Every failure here is one failure, in text and as far as possible in time: a key that does
not unwrap is replaced by a random one and the work goes on, so that the broker is no oracle for a
padding (Bleichenbacher, Manger) or for a content key (Jager and Somorovsky). Decrypting proves
nothing about the sender; the signature that does is the caller's business.
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.saml.node import Node
from broker.saml.xml import (
    DS,
    XENC,
    XENC11,
    Element,
    RefusedError,
    XmlError,
    escaped,
    name,
    parse,
    serialized,
    words,
)

MAX_ENCRYPTED_KEYS = 8
"""Of one assertion, one per recipient. Each costs a private-key operation with each of our keys."""

RSA_OAEP_MGF1P = f"{XENC}rsa-oaep-mgf1p"
RSA_OAEP = f"{XENC11}rsa-oaep"

# The default of both, by the specification.
_SHA1 = hashes.SHA1()  # noqa: S303  # inside OAEP, where collisions are of no use

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    f"{DS}sha1": _SHA1,
    f"{XENC}sha256": hashes.SHA256(),
    f"{XENC}sha512": hashes.SHA512(),
}
_MASKS: dict[str, hashes.HashAlgorithm] = {
    f"{XENC11}mgf1sha1": _SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256(),
    f"{XENC11}mgf1sha512": hashes.SHA512(),
}

_BLOCK = 16
_NONCE = 12

_XML_DECLARATION = b"<?xml "


class DecryptionError(RefusedError):
    """The assertion could not be decrypted. Deliberately says no more than that."""

    def __init__(self) -> None:
        super().__init__("an assertion encrypted for this pool", "one that does not decrypt")


@dataclass(frozen=True, slots=True)
class _Cipher:
    """A content encryption algorithm: the length of its key in bytes, and how it opens."""

    key_size: int
    open: Callable[[bytes, bytes], bytes]


def decrypt(holder: Node, keys: Sequence[rsa.RSAPrivateKey]) -> bytes:
    """The plaintext inside an EncryptedAssertion. Raises ``DecryptionError``, and nothing else."""
    try:
        data = holder.only_child(name(XENC, "EncryptedData"))
        cipher = _CIPHERS[data.only_child(name(XENC, "EncryptionMethod")).get("Algorithm", "")]
        wrapped = _encrypted_keys(holder, data)
        content_key = _content_key(wrapped, keys, cipher.key_size)
        return cipher.open(content_key, _cipher_value(data))
    except Exception as fault:
        raise DecryptionError from fault


def read_within(plaintext: bytes, holder: Element) -> Element:
    """The root of the plaintext, parsed like any other document, as if it stood where ``holder`` does.

    It stands for an element (XML Encryption 4.4), so prefixes may be declared outside it: libraries
    that encrypt in place leave them there. What ``holder`` declares then decides what the names in
    the plaintext mean, so the caller must know who declared it. Raises ``DecryptionError``, and
    nothing else.
    """
    try:
        if plaintext.startswith(_XML_DECLARATION):
            return parse(plaintext)  # a document of its own, which nothing can stand around
        return _parsed_within(plaintext, holder)
    except Exception as fault:
        raise DecryptionError from fault


def _encrypted_keys(holder: Node, data: Node) -> list[Node]:
    """Inside KeyInfo or beside EncryptedData: both places are in use (SAML core 2.3.4)."""
    tag = name(XENC, "EncryptedKey")
    found = holder.children(tag)
    for key_info in data.children(name(DS, "KeyInfo")):
        found += key_info.children(tag)
    if len(found) > MAX_ENCRYPTED_KEYS:
        raise XmlError(f"at most {MAX_ENCRYPTED_KEYS} encrypted keys", str(len(found)))
    return found


def _content_key(wrapped: Sequence[Node], keys: Sequence[rsa.RSAPrivateKey], size: int) -> bytes:
    """The content key, or a random one. Every pair is tried, so the time does not tell which."""
    found = secrets.token_bytes(size)
    for encrypted in wrapped:
        scheme = _oaep(encrypted.only_child(name(XENC, "EncryptionMethod")))
        value = _cipher_value(encrypted)
        for key in keys:
            unwrapped = _unwrap(key, value, scheme)
            if len(unwrapped) == size:
                found = unwrapped
    return found


def _unwrap(key: rsa.RSAPrivateKey, value: bytes, scheme: padding.AsymmetricPadding) -> bytes:
    try:
        return key.decrypt(value, scheme)
    except ValueError:
        return b""


def _oaep(method: Node) -> padding.AsymmetricPadding:
    """RSA-OAEP as declared (XML Encryption 5.5.2). PKCS#1 v1.5 is no member: it is an oracle."""
    uri = method.get("Algorithm", "")
    if uri not in (RSA_OAEP_MGF1P, RSA_OAEP):
        raise XmlError("RSA-OAEP", uri)
    digest = _declared(method, name(DS, "DigestMethod"), _DIGESTS)
    # rsa-oaep-mgf1p is MGF1 with SHA-1 by definition and has no MGF child.
    mgf = _declared(method, name(XENC11, "MGF"), _MASKS) if uri == RSA_OAEP else _SHA1
    label = "".join(p.plain_text() for p in method.children(name(XENC, "OAEPparams")))
    return padding.OAEP(padding.MGF1(mgf), digest, b64decode(label) or None)


def _declared(
    method: Node, tag: str, table: dict[str, hashes.HashAlgorithm]
) -> hashes.HashAlgorithm:
    for parameter in method.children(tag):
        return table[parameter.get("Algorithm", "")]
    return _SHA1


def _cipher_value(encrypted: Node) -> bytes:
    value = encrypted.only_child(name(XENC, "CipherData")).only_child(name(XENC, "CipherValue"))
    return b64decode("".join(words(value.plain_text())), validate=True)


def _open_gcm(key: bytes, data: bytes) -> bytes:
    return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], None)


def _open_cbc(key: bytes, data: bytes) -> bytes:
    """The last byte is the length of the padding, the rest of it is arbitrary (XML Enc 5.2)."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(data[:_BLOCK])).decryptor()
    padded = decryptor.update(data[_BLOCK:]) + decryptor.finalize()
    count = padded[-1]
    if not 1 <= count <= _BLOCK:
        raise ValueError("padding")
    return padded[:-count]


def _parsed_within(plaintext: bytes, holder: Element) -> Element:
    declarations = "".join(
        f' xmlns{":" if prefix else ""}{prefix or ""}="{escaped(uri)}"'
        for prefix, uri in holder.nsmap.items()
    )
    context = parse(b"<context%b>%b</context>" % (declarations.encode(), plaintext))
    (only,) = context
    if (context.text or "").strip() or (only.tail or "").strip():
        raise XmlError("an element", "text around it")
    return parse(serialized(only))


_CIPHERS = {
    f"{XENC}aes128-cbc": _Cipher(16, _open_cbc),
    f"{XENC}aes256-cbc": _Cipher(32, _open_cbc),
    f"{XENC11}aes128-gcm": _Cipher(16, _open_gcm),
    f"{XENC11}aes256-gcm": _Cipher(32, _open_gcm),
}
