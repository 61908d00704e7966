"""Signatures of the wrong shape: too many parts or too few, other references, other transforms.

CVE-2025-29774 and CVE-2025-29775 (several SignedInfo, comments in DigestValue), CVE-2025-66567 and
CVE-2025-66568 (canonicalization that fails and yields nothing) are the models. XML Signature allows
far more than SAML core 5.4 needs; everything beyond that is refused.
"""

from __future__ import annotations

import base64
import hashlib

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_crypto import DSIG
from tests.kit.saml_document import PROTOCOL
from tests.saml.attacks.case import (
    VICTIM,
    Cases,
    Category,
    Scene,
    assertion_of,
    detached,
    one,
    signature_of,
)
from tests.saml.attacks.forge import (
    Level,
    at_both_levels,
    digest_of,
    name_victim,
    resign,
    rsa_signature,
    sign_oddly,
    signed_for_attacker,
    signed_for_victim,
    unsigned_for_victim,
)

CASES = Cases(Category.STRUCTURE)

INFO = "d:SignedInfo"
REFERENCE = "d:SignedInfo/d:Reference"
DIGEST_VALUE = f"{REFERENCE}/d:DigestValue"
VALUE = "d:SignatureValue"
EMPTY_DIGEST = base64.b64encode(hashlib.sha256(b"").digest()).decode()


# -- parts that are there twice ---------------------------------------------------------------


def _forged_info(element: etree._Element) -> etree._Element:
    """Change the name; return a SignedInfo with the digest of what stands there now."""
    name_victim(element)
    info = detached(one(signature_of(element), INFO))
    one(info, "d:Reference/d:DigestValue").text = digest_of(element)
    return info


@at_both_levels(CASES, "CVE-2025-29775")
def forged_info_before_the_genuine(scene: Scene, level: Level) -> etree._Element:
    """Two SignedInfo, the forged one first."""
    response, element = signed_for_attacker(scene, level)
    signature_of(element).insert(0, _forged_info(element))
    return response


@at_both_levels(CASES, "CVE-2025-29775")
def forged_info_after_the_genuine(scene: Scene, level: Level) -> etree._Element:
    """Two SignedInfo, the forged one last."""
    response, element = signed_for_attacker(scene, level)
    one(signature_of(element), INFO).addnext(_forged_info(element))
    return response


@at_both_levels(CASES, "CVE-2025-29775")
def genuine_info_in_an_object(scene: Scene, level: Level) -> etree._Element:
    """The genuine SignedInfo in an Object, a forged one in its place."""
    response, element = signed_for_attacker(scene, level)
    signature = signature_of(element)
    genuine = one(signature, INFO)
    signature.replace(genuine, _forged_info(element))
    etree.SubElement(signature, f"{{{DSIG}}}Object").append(genuine)
    return response


@at_both_levels(CASES, "XML Signature 4.3")
def two_signature_values(scene: Scene, level: Level) -> etree._Element:
    """Two SignatureValue, the genuine one first."""
    response, element = signed_for_victim(scene, level)
    value = one(signature_of(element), VALUE)
    twin = detached(value)
    twin.text = base64.b64encode(bytes(256)).decode()
    value.addnext(twin)
    return response


@at_both_levels(CASES, "XML Signature 4.3.3")
def two_digest_values(scene: Scene, level: Level) -> etree._Element:
    """Two DigestValue, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    value = one(signature_of(element), DIGEST_VALUE)
    value.addnext(detached(value))
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "SAML core 5.4.2")
def two_references(scene: Scene, level: Level) -> etree._Element:
    """Two references, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    reference = one(signature_of(element), REFERENCE)
    reference.addnext(detached(reference))
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "SAML core 5.4.1")
def two_signatures(scene: Scene, level: Level) -> etree._Element:
    """Two Signatures in one element, the attacker's behind the genuine one."""
    response, element = signed_for_victim(scene, level)
    twin = detached(signature_of(element))
    one(twin, VALUE).text = rsa_signature(scene.attacker, b"anything")
    signature_of(element).addnext(twin)
    return response


# -- parts that are empty or missing ----------------------------------------------------------


@at_both_levels(CASES, "CVE-2025-29774")
def comment_in_digest_value(scene: Scene, level: Level) -> etree._Element:
    """The forged digest in a comment in front of the genuine one."""
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    value = one(signature_of(element), DIGEST_VALUE)
    comment = etree.Comment(digest_of(element))
    comment.tail, value.text = value.text, None
    value.append(comment)
    return response


@at_both_levels(CASES, "XML Signature 4.3.3.6")
def empty_digest_value(scene: Scene, level: Level) -> etree._Element:
    """An empty DigestValue, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    one(signature_of(element), DIGEST_VALUE).text = None
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "XML Signature 4.3.3.6")
def no_digest_value(scene: Scene, level: Level) -> etree._Element:
    """No DigestValue, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    value = one(signature_of(element), DIGEST_VALUE)
    one(signature_of(element), REFERENCE).remove(value)
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "XML Signature 4.3.3")
def no_reference(scene: Scene, level: Level) -> etree._Element:
    """No reference, so that nothing is signed; the value is the provider's."""
    response, element = signed_for_victim(scene, level)
    one(signature_of(element), INFO).remove(one(signature_of(element), REFERENCE))
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "XML Signature 4.2")
def empty_signature_value(scene: Scene, level: Level) -> etree._Element:
    """An empty SignatureValue."""
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    one(signature_of(element), DIGEST_VALUE).text = digest_of(element)
    one(signature_of(element), VALUE).text = None
    return response


@at_both_levels(CASES, "XML Signature 4.2")
def no_signature_value(scene: Scene, level: Level) -> etree._Element:
    """No SignatureValue."""
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    one(signature_of(element), DIGEST_VALUE).text = digest_of(element)
    signature_of(element).remove(one(signature_of(element), VALUE))
    return response


@at_both_levels(CASES, "CVE-2026-16443")
def empty_signature(scene: Scene, level: Level) -> etree._Element:
    """A Signature with nothing in it."""
    response, element = unsigned_for_victim(scene, level)
    one(element, "s:Issuer").addnext(etree.Element(f"{{{DSIG}}}Signature"))
    return response


@CASES("SAML core 5.4", Reason.SAML_UNSIGNED)
def no_signature(scene: Scene) -> etree._Element:
    """No Signature at all."""
    return scene.idp.document(scene.request, name_id=VICTIM, sign="none")


@CASES("SAML core 5.4", Reason.SAML_UNSIGNED)
def signature_in_another_namespace(scene: Scene) -> etree._Element:
    """A Signature that only looks like one, in a namespace without its last character."""
    response = scene.idp.document(scene.request, name_id=VICTIM)
    text = etree.tostring(response).decode().replace(DSIG, DSIG[:-1])
    return etree.fromstring(text)


# -- signatures that are good, and of changed content -----------------------------------------


@at_both_levels(CASES, "XML Signature 3.2")
def changed_after_signing(scene: Scene, level: Level) -> etree._Element:
    """The name changed after signing."""
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    return response


@at_both_levels(CASES, "XML Signature 3.2.1")
def changed_with_its_digest(scene: Scene, level: Level) -> etree._Element:
    """The name changed after signing, and the digest with it."""
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    one(signature_of(element), DIGEST_VALUE).text = digest_of(element)
    return response


@CASES("SAML core 5.4", Reason.SAML_RESPONSE_SIGNATURE)
def bad_response_signature_over_a_good_assertion(scene: Scene) -> etree._Element:
    """A good signature of the assertion in a Response whose own is bad."""
    response = scene.idp.document(scene.request, name_id=VICTIM, sign="both")
    one(signature_of(response), VALUE).text = rsa_signature(scene.attacker, b"anything")
    return response


@CASES("SAML core 5.4", Reason.SAML_ASSERTION_SIGNATURE)
def bad_assertion_signature_in_a_good_response(scene: Scene) -> etree._Element:
    """A good signature of a Response whose assertion was signed by somebody else."""

    def sign_as_attacker(response: etree._Element) -> None:
        sign_oddly(assertion_of(response), scene.attacker)

    return scene.idp.document(scene.request, name_id=VICTIM, sign="response", edit=sign_as_attacker)


# -- signatures in the wrong place ------------------------------------------------------------

_PLACES = {
    "Extensions": "p:Extensions",
    "Status": "p:Status",
    "Subject": "s:Assertion/s:Subject",
    "Conditions": "s:Assertion/s:Conditions",
    "AuthnStatement": "s:Assertion/s:AuthnStatement",
}


def _misplaced(name: str, path: str) -> None:
    def build(scene: Scene) -> etree._Element:
        response, element = unsigned_for_victim(scene, "assertion")
        one(response, "s:Issuer").addnext(etree.Element(f"{{{PROTOCOL}}}Extensions"))
        sign_oddly(element, scene.idp.keys[0], holder=one(response, path))
        return response

    CASES.add(
        f"A good signature of the assertion in {name}",
        "SAML core 5.4.1",
        build,
        Reason.SAML_UNSIGNED,
    )


for _name, _path in _PLACES.items():
    _misplaced(_name, _path)


@CASES("SAML core 5.4.2", Reason.SAML_RESPONSE_SIGNATURE)
def signature_of_the_assertion_at_the_response(scene: Scene) -> etree._Element:
    """A good signature of the assertion as a child of the Response."""
    response, element = unsigned_for_victim(scene, "assertion")
    sign_oddly(element, scene.idp.keys[0], holder=response)
    return response


@CASES("SAML core 5.4.2", Reason.SAML_ASSERTION_SIGNATURE)
def signature_of_the_response_at_the_assertion(scene: Scene) -> etree._Element:
    """A good signature of the Response as a child of the assertion."""
    response, _ = unsigned_for_victim(scene, "assertion")
    sign_oddly(response, scene.idp.keys[0], holder=assertion_of(response))
    return response
