"""Encrypted assertions: encryption hides, it proves nothing.

The broker's certificate is public, so anybody can encrypt for it; what comes out of a decryption is
as unproven as the Response was (CVE-2026-2092). Old key transport and ciphers are padding oracles
(Bleichenbacher 1998; Jager and Somorovsky 2011). The wrappings of encrypted assertions are with the
others, in ``wrapping``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_document import ASSERTION, PROTOCOL
from tests.kit.saml_idp import Signed
from tests.saml.attacks.case import (
    ATTACKER,
    VICTIM,
    Cases,
    Category,
    Scene,
    assertion_of,
    forged,
    one,
)
from tests.saml.attacks.forge import sign_oddly

CASES = Cases(Category.ENCRYPTION)
OLD_NAMES = "urn:idp.example:former-names"

DECRYPTION = Reason.SAML_DECRYPTION


def _plaintext(element: etree._Element) -> bytes:
    return etree.tostring(element, with_tail=False)


def _with_plaintext(scene: Scene, plaintext: bytes) -> etree._Element:
    """A Response whose one child is an encryption of ``plaintext``."""
    response = scene.idp.document(scene.request, sign="none")
    response.replace(assertion_of(response), scene.encryption.encrypt(plaintext))
    return response


def _genuine(scene: Scene, name: str = VICTIM) -> etree._Element:
    """An assertion that the provider signed."""
    return assertion_of(scene.idp.document(scene.request, name_id=name))


def _forged(scene: Scene) -> etree._Element:
    """An assertion that nobody signed."""
    return forged(assertion_of(scene.idp.document(scene.request, sign="none")))


# -- nobody signed it -------------------------------------------------------------------------


@CASES("CVE-2026-2092", Reason.SAML_UNSIGNED)
def unsigned(scene: Scene) -> etree._Element:
    """An encrypted assertion that nobody signed."""
    return _with_plaintext(scene, _plaintext(_forged(scene)))


@CASES("CVE-2026-2092", Reason.SAML_ASSERTION_SIGNATURE)
def signed_by_the_attacker(scene: Scene) -> etree._Element:
    """An encrypted assertion that the attacker signed."""
    assertion = _forged(scene)
    sign_oddly(assertion, scene.attacker)
    return _with_plaintext(scene, _plaintext(assertion))


@CASES("SAML core 6.2", Reason.SAML_RESPONSE_SIGNATURE)
def exchanged_under_the_signature(scene: Scene) -> etree._Element:
    """The ciphertext under the Response's signature exchanged for the attacker's."""
    response = scene.idp.document(
        scene.request, name_id=ATTACKER, sign="response", encryption=scene.encryption
    )
    evil = scene.encryption.encrypt(_plaintext(_forged(scene)))
    response.replace(one(response, "s:EncryptedAssertion"), evil)
    return response


# -- more than one ----------------------------------------------------------------------------


def _pair(name: str, make: Callable[[Scene], list[etree._Element]]) -> None:
    def build(scene: Scene) -> etree._Element:
        response = scene.idp.document(scene.request, sign="none")
        response.remove(assertion_of(response))
        response.extend(make(scene))
        return response

    CASES.add(name, "CVE-2020-5390", build, Reason.SAML_ASSERTION_PLACEMENT)


def _encrypted(scene: Scene, assertion: etree._Element) -> etree._Element:
    return scene.encryption.encrypt(_plaintext(assertion))


_pair(
    "A forged encrypted assertion before a genuine plain one",
    lambda s: [_encrypted(s, _forged(s)), _genuine(s, ATTACKER)],
)
_pair(
    "A forged encrypted assertion behind a genuine plain one",
    lambda s: [_genuine(s, ATTACKER), _encrypted(s, _forged(s))],
)
_pair(
    "A forged plain assertion before a genuine encrypted one",
    lambda s: [_forged(s), _encrypted(s, _genuine(s, ATTACKER))],
)
_pair(
    "A forged plain assertion behind a genuine encrypted one",
    lambda s: [_encrypted(s, _genuine(s, ATTACKER)), _forged(s)],
)
_pair(
    "Two encrypted assertions, the forged one first",
    lambda s: [_encrypted(s, _forged(s)), _encrypted(s, _genuine(s, ATTACKER))],
)
_pair(
    "Two encrypted assertions, the forged one last",
    lambda s: [_encrypted(s, _genuine(s, ATTACKER)), _encrypted(s, _forged(s))],
)


# -- something else in the plaintext ----------------------------------------------------------


@CASES("SAML core 2.3.4", DECRYPTION)
def response_inside(scene: Scene) -> etree._Element:
    """A whole signed Response as the plaintext."""
    inner = scene.idp.document(scene.request, name_id=VICTIM, sign="both")
    return _with_plaintext(scene, _plaintext(inner))


@CASES("SAML core 2.3.4", DECRYPTION)
def encrypted_twice(scene: Scene) -> etree._Element:
    """An EncryptedAssertion as the plaintext."""
    inner = _encrypted(scene, _genuine(scene))
    return _with_plaintext(scene, _plaintext(inner))


@CASES("XML Encryption 4.4", DECRYPTION)
def two_in_one(scene: Scene) -> etree._Element:
    """Two assertions in one plaintext, the genuine one first."""
    both = _plaintext(_genuine(scene, ATTACKER)) + _plaintext(_forged(scene))
    return _with_plaintext(scene, both)


@CASES("XML Encryption 4.4", DECRYPTION)
def text_before_the_assertion(scene: Scene) -> etree._Element:
    """Text before the assertion in the plaintext."""
    return _with_plaintext(scene, b"text" + _plaintext(_genuine(scene)))


@CASES("SAML core 2.3.4", DECRYPTION)
def plaintext_that_closes_its_context(scene: Scene) -> etree._Element:
    """A plaintext that closes the element it is parsed in, and opens it again."""
    genuine = _plaintext(_genuine(scene))
    return _with_plaintext(scene, genuine + b"</context><context>")


@CASES("SAML core 2.3.4; XML 2.8", DECRYPTION)
def document_type_inside(scene: Scene) -> etree._Element:
    """A document type declaration in the plaintext, which names the victim by an entity."""
    genuine = _plaintext(_genuine(scene))
    return _with_plaintext(scene, b'<!DOCTYPE x [<!ENTITY e "x">]>' + genuine)


# -- prefixes from outside --------------------------------------------------------------------

OLD, REBOUND = f' xmlns:old="{OLD_NAMES}"', f' xmlns:old="{ASSERTION}"'


def _with_a_former_name(scene: Scene, sign: Signed) -> etree._Element:
    """An answer for the attacker that the provider encrypted in place, with a name of somebody else in
    a namespace of its own; the prefix for it is declared on the Response, and nothing there uses it."""

    def remember(response: etree._Element) -> None:
        former = f"<old:Subject{OLD}><old:NameID>{VICTIM}</old:NameID></old:Subject>"
        one(assertion_of(response), "s:Subject").addprevious(etree.fromstring(former))

    plain = scene.idp.document(scene.request, name_id=ATTACKER, sign="none", edit=remember)
    declared = etree.tostring(plain, encoding="unicode").replace(OLD, "").replace(" ", OLD + " ", 1)
    response = etree.fromstring(declared)
    assertion = assertion_of(response)
    if sign == "both":
        sign_oddly(assertion, scene.idp.keys[0])
    plaintext = _plaintext(assertion).replace(OLD.encode(), b"")
    response.replace(assertion, scene.encryption.encrypt(plaintext))
    sign_oddly(response, scene.idp.keys[0])
    return etree.fromstring(etree.tostring(response))


def _rebound(name: str, sign: Signed, reason: Reason) -> None:
    def build(scene: Scene) -> str:
        genuine = etree.tostring(_with_a_former_name(scene, sign)).decode()
        assert genuine.count(OLD) == 1
        return base64.b64encode(genuine.replace(OLD, REBOUND).encode()).decode()

    CASES.add(name, "XML Encryption 4.4; Exclusive C14N 1.2", build, reason)


_rebound(
    "A prefix of the plaintext declared anew on the Response, which alone is signed",
    "response",
    Reason.SAML_ENCRYPTED_PREFIX,
)
_rebound(
    "A prefix of the plaintext declared anew on the Response, both being signed",
    "both",
    Reason.SAML_ASSERTION_SIGNATURE,
)


# -- ciphers nobody should use ----------------------------------------------------------------


def _by_algorithm(name: str, reference: str, **changes: str) -> None:
    def build(scene: Scene) -> etree._Element:
        encryption = replace(scene.encryption, **changes)
        return scene.idp.document(scene.request, name_id=VICTIM, encryption=encryption)

    CASES.add(name, reference, build, DECRYPTION)


_by_algorithm("Key transport by PKCS#1 v1.5", "Bleichenbacher 1998", transport="rsa-1_5")
_by_algorithm(
    "Key transport by PKCS#1 v1.5, content in CBC",
    "Jager and Somorovsky 2011",
    transport="rsa-1_5",
    content="aes128-cbc",
)


_by_algorithm("Content in triple DES", "CVE-2016-2183", content="tripledes-cbc")


# -- in the wrong place -----------------------------------------------------------------------


@CASES("CVE-2020-5390", Reason.SAML_ASSERTION_PLACEMENT)
def encrypted_in_extensions(scene: Scene) -> etree._Element:
    """A forged encrypted assertion in Extensions, before a genuine plain one."""
    response = scene.idp.document(scene.request, name_id=ATTACKER)
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
    extensions.append(_encrypted(scene, _forged(scene)))
    one(response, "s:Issuer").addnext(extensions)
    return response


@CASES("SAML core 2.6", Reason.SAML_ASSERTION_PLACEMENT)
def encrypted_in_advice(scene: Scene) -> etree._Element:
    """A forged encrypted assertion in the Advice of a genuine one, put there by the provider."""

    def advise(response: etree._Element) -> None:
        advice = etree.Element(f"{{{ASSERTION}}}Advice")
        advice.append(_encrypted(scene, _forged(scene)))
        one(assertion_of(response), "s:Conditions").addnext(advice)

    return scene.idp.document(scene.request, name_id=ATTACKER, edit=advise)


@CASES("SAML core 2.2.4", Reason.SAML_NAME_ID)
def encrypted_name(scene: Scene) -> etree._Element:
    """An EncryptedID in place of the NameID, signed by the provider."""

    def hide(response: etree._Element) -> None:
        name_id = one(assertion_of(response), "s:Subject/s:NameID")
        plaintext = f'<NameID xmlns="{ASSERTION}">{VICTIM}</NameID>'.encode()
        holder = scene.encryption.encrypt(plaintext)
        holder.tag = f"{{{ASSERTION}}}EncryptedID"
        name_id.getparent().replace(name_id, holder)

    return scene.idp.document(scene.request, edit=hide)
