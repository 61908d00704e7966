"""Signatures by the wrong key, and algorithms that are none.

A key is the stored record's or it does not exist (CVE-2021-21239, CVE-2018-7644): what KeyInfo says
is never read. Which algorithms are fit is not the message's choice either: no HMAC with a public key
as its secret, no SHA-1 or MD5, nothing unknown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from tests.kit.saml_crypto import DSIG
from tests.kit.saml_idp import Signing
from tests.kit.saml_keys import KeyPair, key_pair
from tests.saml.attacks.case import VICTIM, Cases, Category, Scene, one, signature_of
from tests.saml.attacks.forge import (
    Level,
    at_both_levels,
    canonical,
    element_of,
    resign,
    signed_for_victim,
)

CASES = Cases(Category.KEYS)

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
METHOD = "d:SignedInfo/d:SignatureMethod"
DIGEST_METHOD = "d:SignedInfo/d:Reference/d:DigestMethod"
VALUE = "d:SignatureValue"


# -- whose key --------------------------------------------------------------------------------


def _signed_by(
    scene: Scene, level: Level, pair: KeyPair, key_info: KeyPair | None = None
) -> etree._Element:
    signing = Signing(pair=pair, key_info=key_info)
    return scene.idp.document(scene.request, name_id=VICTIM, sign=level, signing=signing)


@at_both_levels(CASES, "CVE-2021-21239")
def attacker_certificate(scene: Scene, level: Level) -> etree._Element:
    """Signed by the attacker, whose certificate is in KeyInfo."""
    return _signed_by(scene, level, scene.attacker, scene.attacker)


@at_both_levels(CASES, "CVE-2018-7644")
def certificate_with_the_same_names(scene: Scene, level: Level) -> etree._Element:
    """Signed by the attacker, whose certificate has the provider's subject and issuer."""
    double = KeyPair(scene.attacker.private, _namesake(scene))
    return _signed_by(scene, level, double, double)


def _namesake(scene: Scene) -> x509.Certificate:
    genuine = scene.idp.keys[0].certificate
    return (
        x509.CertificateBuilder()
        .subject_name(genuine.subject)
        .issuer_name(genuine.issuer)
        .public_key(scene.attacker.private.public_key())
        .serial_number(genuine.serial_number)
        .not_valid_before(genuine.not_valid_before_utc)
        .not_valid_after(genuine.not_valid_after_utc)
        .sign(scene.attacker.private, hashes.SHA256())
    )


@at_both_levels(CASES, "CVE-2026-27962")
def bare_key(scene: Scene, level: Level) -> etree._Element:
    """Signed by the attacker, whose bare key is in KeyInfo."""
    response = _signed_by(scene, level, scene.attacker)
    public = scene.attacker.private.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    signature_of(element_of(response, level)).append(
        etree.fromstring(
            f'<ds:KeyInfo xmlns:ds="{DSIG}"><ds:KeyValue><ds:RSAKeyValue>'
            f"<ds:Modulus>{_big_endian(numbers.n)}</ds:Modulus>"
            f"<ds:Exponent>{_big_endian(numbers.e)}</ds:Exponent>"
            "</ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
        )
    )
    return response


def _big_endian(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode()


@at_both_levels(CASES, "CVE-2018-7644")
def trusted_certificate_second(scene: Scene, level: Level) -> etree._Element:
    """Signed by the attacker; KeyInfo has their certificate first, then the provider's."""
    response = _signed_by(scene, level, scene.attacker, scene.attacker)
    data = one(signature_of(element_of(response, level)), "d:KeyInfo/d:X509Data")
    second = etree.SubElement(data, f"{{{DSIG}}}X509Certificate")
    second.text = scene.idp.keys[0].certificate_base64
    return response


@at_both_levels(CASES, "SAML core 5.4")
def certificate_of_the_provider_only_shown(scene: Scene, level: Level) -> etree._Element:
    """Signed by the attacker, with the provider's certificate in KeyInfo."""
    return _signed_by(scene, level, scene.attacker, scene.idp.keys[0])


@at_both_levels(CASES, "SAML core 5.4")
def key_of_the_broker(scene: Scene, level: Level) -> etree._Element:
    """Signed by the broker's own key."""
    return _signed_by(scene, level, scene.broker)


# -- which algorithm --------------------------------------------------------------------------


def _secret_of(form: str, pair: KeyPair) -> bytes:
    """A public key in one of the spellings in which software holds it."""
    certificate = pair.certificate
    spki = (PublicFormat.SubjectPublicKeyInfo,)
    return {
        "certificate, PEM": certificate.public_bytes(Encoding.PEM),
        "certificate, DER": certificate.public_bytes(Encoding.DER),
        "certificate, base64": pair.certificate_base64.encode(),
        "public key, PEM": certificate.public_key().public_bytes(Encoding.PEM, *spki),
        "public key, DER": certificate.public_key().public_bytes(Encoding.DER, *spki),
    }[form]


def _hmac_with(form: str, hash_name: str, method: str) -> None:
    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = signed_for_victim(scene, level)
        signature = signature_of(element)
        one(signature, METHOD).set("Algorithm", method)
        signed = canonical(one(signature, "d:SignedInfo"))
        secret = _secret_of(form, scene.idp.keys[0])
        value = hmac.digest(secret, signed, hash_name)
        one(signature, VALUE).text = base64.b64encode(value).decode()
        return response

    at_both_levels(
        CASES,
        "CVE-2022-39299; RFC 8725 2.1",
        name=f"HMAC with {hash_name}, the provider's {form} as the secret",
    )(build)


for _form in (
    "certificate, PEM",
    "certificate, DER",
    "certificate, base64",
    "public key, PEM",
    "public key, DER",
):
    _hmac_with(_form, "sha256", f"{MORE}hmac-sha256")
for _hash, _uri in (("sha1", f"{DSIG}hmac-sha1"), ("sha512", f"{MORE}hmac-sha512")):
    _hmac_with("certificate, PEM", _hash, _uri)


@at_both_levels(CASES, "CVE-2009-0217")
def hmac_cut_short(scene: Scene, level: Level) -> etree._Element:
    """HMAC cut to one byte by HMACOutputLength."""
    response, element = signed_for_victim(scene, level)
    signature = signature_of(element)
    method = one(signature, METHOD)
    method.set("Algorithm", f"{MORE}hmac-sha256")
    etree.SubElement(method, f"{{{DSIG}}}HMACOutputLength").text = "8"
    signed = canonical(one(signature, "d:SignedInfo"))
    secret = _secret_of("certificate, PEM", scene.idp.keys[0])
    value = hmac.digest(secret, signed, "sha256")[:1]
    one(signature, VALUE).text = base64.b64encode(value).decode()
    return response


def _unknown_method(name: str, algorithm: str, value: bytes) -> None:
    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = signed_for_victim(scene, level)
        signature = signature_of(element)
        one(signature, METHOD).set("Algorithm", algorithm)
        one(signature, VALUE).text = base64.b64encode(value).decode()
        return response

    at_both_levels(CASES, "SAML core 5.4; CVE-2017-1000246", name=name)(build)


_unknown_method("Signature algorithm 'none'", "none", b"x")
_unknown_method("An empty signature algorithm", "", b"x")
_unknown_method("An unknown signature algorithm", f"{MORE}rot13", b"x")
_unknown_method("DSA, which no key of the provider is for", f"{DSIG}dsa-sha1", bytes(40))


def _hash_is(name: str, hash_name: str, method: str) -> None:
    """RSA as usual, by the provider itself, over a hash that is broken or unknown."""

    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = signed_for_victim(scene, level)
        signature = signature_of(element)
        one(signature, METHOD).set("Algorithm", method)
        signed = canonical(one(signature, "d:SignedInfo"))
        hash_type = getattr(hashes, hash_name.upper())
        value = scene.idp.keys[0].private.sign(signed, padding.PKCS1v15(), hash_type())
        one(signature, VALUE).text = base64.b64encode(value).decode()
        return response

    at_both_levels(CASES, "CVE-2017-1000246; SHAttered", name=name)(build)


_hash_is("RSA with SHA-1", "sha1", f"{DSIG}rsa-sha1")
_hash_is("RSA with MD5", "md5", f"{MORE}rsa-md5")
_hash_is("RSA with SHA-224", "sha224", f"{MORE}rsa-sha224")


def _digest_is(name: str, hash_name: str, method: str) -> None:
    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = signed_for_victim(scene, level)
        signature = signature_of(element)
        one(signature, DIGEST_METHOD).set("Algorithm", method)
        element.remove(signature)
        digest = hashlib.new(hash_name, canonical(element)).digest()
        one(element, "s:Issuer").addnext(signature)
        value = one(signature, "d:SignedInfo/d:Reference/d:DigestValue")
        value.text = base64.b64encode(digest).decode()
        resign(element, scene.idp.keys[0])
        return response

    at_both_levels(CASES, "CVE-2017-1000246; SHAttered", name=name)(build)


_digest_is("A SHA-1 digest", "sha1", f"{DSIG}sha1")
_digest_is("An MD5 digest", "md5", f"{MORE}md5")


@at_both_levels(CASES, "RFC 8017 8.2.2")
def short_key(scene: Scene, level: Level) -> etree._Element:
    """Signed by an RSA key of 1024 bits that nobody trusts, with its certificate."""
    weak = key_pair("short", "rsa-1024")
    return _signed_by(scene, level, weak, weak)


@at_both_levels(CASES, "XML Signature 6.4.3")
def elliptic_key_of_the_attacker(scene: Scene, level: Level) -> etree._Element:
    """Signed by an elliptic-curve key of the attacker, with its certificate."""
    pair = key_pair("attacker on a curve", "ec-256")
    return _signed_by(scene, level, pair, pair)
