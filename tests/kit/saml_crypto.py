"""XML Signature and XML Encryption as an identity provider makes them, for tests.

Signatures come from libxmlsec, so the broker's own verifier is judged by somebody else's signer.
Encryption is written out here, to reach the algorithms and layouts no library still offers.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass

import xmlsec
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import Certificate
from lxml import etree

from tests.kit.saml_keys import KeyPair

DSIG = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"

_HASH_URIS = {
    "sha1": DSIG + "sha1",
    "sha256": XENC + "sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": XENC + "sha512",
}
_HASHES = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_CONTENTS = {
    "aes128-cbc": (XENC + "aes128-cbc", 16),
    "aes192-cbc": (XENC + "aes192-cbc", 24),
    "aes256-cbc": (XENC + "aes256-cbc", 32),
    "aes128-gcm": (XENC11 + "aes128-gcm", 16),
    "aes192-gcm": (XENC11 + "aes192-gcm", 24),
    "aes256-gcm": (XENC11 + "aes256-gcm", 32),
    "tripledes-cbc": (XENC + "tripledes-cbc", 24),
}
"""Content encryption: its URI and the length of its key in bytes."""


def sign(
    element: etree._Element,
    pair: KeyPair,
    *,
    hash_name: str = "sha256",
    digest_name: str = "",
    prefix: str = "ds",
    inclusive_prefixes: Sequence[str] = (),
    key_info: KeyPair | None = None,
) -> etree._Element:
    """Sign ``element`` by its ID, in place, with the Signature behind its Issuer (SAML core 5.4).

    ``key_info`` puts that pair's certificate into the message; a good reader does not care.
    """
    family = "RSA" if pair.is_rsa else "ECDSA"
    signature = xmlsec.template.create(
        element,
        xmlsec.Transform.EXCL_C14N,
        getattr(xmlsec.Transform, f"{family}_{hash_name.upper()}"),
        ns=prefix or None,
    )
    digest = getattr(xmlsec.Transform, (digest_name or hash_name).upper())
    reference = xmlsec.template.add_reference(signature, digest, uri="#" + element.get("ID"))
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    c14n = xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    if inclusive_prefixes:
        xmlsec.template.transform_add_c14n_inclusive_namespaces(c14n, list(inclusive_prefixes))
    if key_info:
        _add_certificate(signature, key_info)
    _insert_behind_issuer(element, signature)
    context = xmlsec.SignatureContext()
    context.register_id(element, "ID")
    context.key = pair.xmlsec_key
    context.sign(signature)
    return signature


def _add_certificate(signature: etree._Element, pair: KeyPair) -> None:
    info = xmlsec.template.ensure_key_info(signature)
    data = etree.SubElement(info, f"{{{DSIG}}}X509Data")
    etree.SubElement(data, f"{{{DSIG}}}X509Certificate").text = pair.certificate_base64


def _insert_behind_issuer(element: etree._Element, signature: etree._Element) -> None:
    issuer = element.find(f"{{{ASSERTION}}}Issuer")
    element.insert(0 if issuer is None else element.index(issuer) + 1, signature)


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """How an assertion is encrypted (XML Encryption 1.1, SAML core 6)."""

    certificate: Certificate
    content: str = "aes256-gcm"
    transport: str = "rsa-oaep-mgf1p"
    """``rsa-oaep-mgf1p``, ``rsa-oaep`` (the 1.1 URI, names its MGF) or ``rsa-1_5``."""
    digest: str = "sha1"
    mgf: str = "sha1"
    detached_key: bool = False
    """The EncryptedKey beside EncryptedData, found by RetrievalMethod, as some products do."""

    def encrypt(self, plaintext: bytes) -> etree._Element:
        """An ``EncryptedAssertion`` that holds ``plaintext``."""
        secret = os.urandom(_CONTENTS[self.content][1])
        data = self._data(_encrypt_content(self.content, secret, plaintext))
        key = self._key(self._wrap(secret))
        if self.detached_key:
            info = f'<ds:KeyInfo xmlns:ds="{DSIG}">{_RETRIEVAL}</ds:KeyInfo>'
            body = data.format(key_info=info) + key
        else:
            info = f'<ds:KeyInfo xmlns:ds="{DSIG}">{key}</ds:KeyInfo>'
            body = data.format(key_info=info)
        return etree.fromstring(
            f'<saml:EncryptedAssertion xmlns:saml="{ASSERTION}">{body}</saml:EncryptedAssertion>'
        )

    def _data(self, ciphertext: bytes) -> str:
        return (
            f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
            f'<xenc:EncryptionMethod Algorithm="{_CONTENTS[self.content][0]}"/>{{key_info}}'
            f"<xenc:CipherData><xenc:CipherValue>{base64.b64encode(ciphertext).decode()}"
            "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
        )

    def _key(self, wrapped: bytes) -> str:
        return (
            f'<xenc:EncryptedKey xmlns:xenc="{XENC}" Id="_wrapped-key">'
            f"{self._transport_method()}<xenc:CipherData><xenc:CipherValue>"
            f"{base64.b64encode(wrapped).decode()}"
            "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
        )

    def _transport_method(self) -> str:
        if self.transport == "rsa-1_5":
            return f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-1_5"/>'
        digest = f'<ds:DigestMethod xmlns:ds="{DSIG}" Algorithm="{_HASH_URIS[self.digest]}"/>'
        if self.transport == "rsa-oaep-mgf1p":
            return (
                f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p">{digest}'
                "</xenc:EncryptionMethod>"
            )
        return (
            f'<xenc:EncryptionMethod Algorithm="{XENC11}rsa-oaep">{digest}'
            f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1{self.mgf}"/>'
            "</xenc:EncryptionMethod>"
        )

    def _wrap(self, secret: bytes) -> bytes:
        public = self.certificate.public_key()
        assert isinstance(public, RSAPublicKey)
        if self.transport == "rsa-1_5":
            return public.encrypt(secret, padding.PKCS1v15())
        mgf = padding.MGF1(_HASHES[self.mgf]())
        return public.encrypt(
            secret, padding.OAEP(mgf=mgf, algorithm=_HASHES[self.digest](), label=None)
        )


_RETRIEVAL = f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#_wrapped-key"/>'


def _encrypt_content(content: str, secret: bytes, plaintext: bytes) -> bytes:
    """Initialisation vector and ciphertext (XML Encryption 1.1, 5.2)."""
    if content.endswith("gcm"):
        nonce = os.urandom(12)
        return nonce + AESGCM(secret).encrypt(nonce, plaintext, None)
    cipher = TripleDES(secret) if content == "tripledes-cbc" else algorithms.AES(secret)
    block = cipher.block_size // 8
    vector = os.urandom(block)
    missing = block - len(plaintext) % block
    padded = plaintext + bytes(missing - 1) + bytes([missing])
    encryptor = Cipher(cipher, modes.CBC(vector)).encryptor()
    return vector + encryptor.update(padded) + encryptor.finalize()
