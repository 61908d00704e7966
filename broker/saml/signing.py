"""Our own signatures: detached in a redirect, enveloped in a posted message.

A ``MessageSigner`` is made once per key and kept, as libxmlsec takes its time to adopt a key.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import xmlsec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from broker.model.tokens import CertifiedKey
from broker.saml.xml import SAML, name, parse

_PKCS1 = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_SIGNERS = 256
"""Keys kept ready: one or two for each pool in use."""


class MessageSigner:
    """Signs SAML messages with RSA-SHA256 in the name of one key and its certificate."""

    def __init__(self, key: CertifiedKey) -> None:
        self._key = key
        self._private = rsa_private_key(key.private_pem)

    def sign(self, data: bytes) -> bytes:
        """A detached signature (SAML bindings 3.4.4.1)."""
        return self._private.sign(data, _PKCS1, _SHA256)

    def enveloped(self, xml: str) -> bytes:
        """``xml`` with a signature over its root, which has an ID.

        It stands right after the Issuer, where the schema wants it, or first when there is none.
        """
        root = parse(xml.encode())
        template = xmlsec.template.create(
            root, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256
        )
        root.insert(1 if root[0].tag == name(SAML, "Issuer") else 0, template)
        reference = xmlsec.template.add_reference(
            template, xmlsec.constants.TransformSha256, uri=f"#{root.get('ID')}"
        )
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        key_info = xmlsec.template.ensure_key_info(template)
        xmlsec.template.x509_data_add_certificate(xmlsec.template.add_x509_data(key_info))
        context = xmlsec.SignatureContext()
        context.register_id(root, "ID")
        context.key = self._adopted
        context.sign(template)
        return etree.tostring(root)

    @cached_property
    def _adopted(self) -> xmlsec.Key:
        """The same key inside xmlsec; most pools never post a message and never pay for it."""
        key = xmlsec.Key.from_memory(self._key.private_pem, xmlsec.constants.KeyDataFormatPem)
        key.load_cert_from_memory(self._key.certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
        return key


@lru_cache(maxsize=_SIGNERS)
def signer_of(key: CertifiedKey) -> MessageSigner:
    """The one signer of ``key``."""
    return MessageSigner(key)


@lru_cache(maxsize=_SIGNERS)
def rsa_private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """A private key from its PEM. Raises ``ValueError`` or ``TypeError`` when it is no RSA key."""
    # The key store has read this key, and checked it; once more would take 14 ms.
    key = serialization.load_pem_private_key(
        pem, password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("SAML keys of this installation are RSA keys")
    return key
