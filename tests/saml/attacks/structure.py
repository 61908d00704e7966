"""Signatures of the wrong shape: too many parts or too few, other references, other transforms.

CVE-2025-29774 and CVE-2025-29775 (several SignedInfo, comments in DigestValue), CVE-2025-66567 and
CVE-2025-66568 (canonicalization that fails and yields nothing) are the models. XML Signature allows
far more than SAML core 5.4 needs; everything beyond that is refused.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_crypto import DSIG
from tests.kit.saml_document import ASSERTION, PROTOCOL
from tests.saml.attacks.case import (
    ATTACKER,
    VICTIM,
    Cases,
    Category,
    Scene,
    assertion_of,
    detached,
    forged,
    one,
    signature_of,
)
from tests.saml.attacks.forge import (
    ENVELOPED,
    EXCLUSIVE,
    Level,
    at_both_levels,
    digest_of,
    element_of,
    name_victim,
    resign,
    rsa_signature,
    sign_oddly,
    signed_for_attacker,
    signed_for_victim,
    transform,
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


# -- references to something else -------------------------------------------------------------


def _referring(uri: str) -> None:
    """A case in which the provider's own signature is of ``uri`` and holds for it."""

    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = unsigned_for_victim(scene, level)
        target = uri.format(id=element.get("ID"))
        sign_oddly(element, scene.idp.keys[0], uri=target)
        return response

    build.__doc__ = f"A reference to {uri.partition('://')[0] or 'the whole document'!r}"
    at_both_levels(CASES, "SAML core 5.4.2")(build)


for _uri in ("", "#xpointer(/)", "#xpointer(id('{id}'))"):
    _referring(_uri)


@at_both_levels(CASES, "SAML core 5.4.2; CVE-2025-54419")
def reference_to_a_file(scene: Scene, level: Level) -> etree._Element:
    """A reference to a file, which is as it was signed."""
    response, element = unsigned_for_victim(scene, level)
    file = Path(__file__).with_name("__init__.py").as_uri()
    sign_oddly(element, scene.idp.keys[0], uri=file, transforms=())
    return response


@at_both_levels(CASES, "SAML core 5.4.2")
def reference_to_a_harmless_element(scene: Scene, level: Level) -> etree._Element:
    """A good signature of some other element of the message."""
    response, element = unsigned_for_victim(scene, level)
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions", ID="_harmless")
    one(response, "s:Issuer").addnext(extensions)
    sign_oddly(element, scene.idp.keys[0], uri="#_harmless")
    return response


@at_both_levels(CASES, "SAML core 5.4.2")
def reference_without_number_sign(scene: Scene, level: Level) -> etree._Element:
    """A reference whose first character is no number sign, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    one(signature_of(element), REFERENCE).set("URI", f"?{element.get('ID')}")
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "XML Signature 5.1; CVE-2025-47949")
def reference_to_a_manifest(scene: Scene, level: Level) -> etree._Element:
    """A reference to a Manifest, whose own references core validation does not check."""
    response, element = unsigned_for_victim(scene, level)
    signature = sign_oddly(element, scene.idp.keys[0])
    one(signature, "d:SignedInfo/d:Reference").set("Type", f"{DSIG}Manifest")
    holder = etree.SubElement(signature, f"{{{DSIG}}}Object")
    etree.SubElement(holder, f"{{{DSIG}}}Manifest")
    resign(element, scene.idp.keys[0])
    return response


# -- transforms and canonicalizations ---------------------------------------------------------

XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XPATH_FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

_IS_NAME = "local-name() = 'NameID'"
_WITHOUT_NAME = f'<ds:XPath xmlns:ds="{DSIG}">not(ancestor-or-self::*[{_IS_NAME}])</ds:XPath>'
_NAME_SUBTRACTED = f'<f:XPath xmlns:f="{XPATH_FILTER}" Filter="subtract">//*[{_IS_NAME}]</f:XPath>'
_CONSTANT = (
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    '<xsl:template match="/"><constant/></xsl:template></xsl:stylesheet>'
)

_TRANSFORMS: dict[str, tuple[str, ...]] = {
    "An XPath transform that leaves the name out": (
        transform(ENVELOPED),
        transform(XPATH, _WITHOUT_NAME),
        transform(EXCLUSIVE),
    ),
    "An XPath filter that subtracts the name": (
        transform(ENVELOPED),
        transform(XPATH_FILTER, _NAME_SUBTRACTED),
        transform(EXCLUSIVE),
    ),
    "A stylesheet that makes everything the same": (
        transform(ENVELOPED),
        transform(EXCLUSIVE),
        transform(XSLT, _CONSTANT),
        transform(EXCLUSIVE),
    ),
    "Inclusive canonicalization": (transform(ENVELOPED), transform(INCLUSIVE)),
    "Canonicalization with comments": (
        transform(ENVELOPED),
        transform(f"{EXCLUSIVE}WithComments"),
    ),
    "No canonicalization": (transform(ENVELOPED),),
    "Two enveloped-signature transforms": (
        transform(ENVELOPED),
        transform(ENVELOPED),
        transform(EXCLUSIVE),
    ),
}


def _transformed(name: str, chain: tuple[str, ...]) -> None:
    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = unsigned_for_victim(scene, level)
        sign_oddly(element, scene.idp.keys[0], transforms=chain)
        return response

    build.__doc__ = name
    at_both_levels(CASES, "SAML core 5.4.4")(build)


for _name, _chain in _TRANSFORMS.items():
    _transformed(_name, _chain)


@at_both_levels(CASES, "SAML core 5.4.4")
def base64_transform(scene: Scene, level: Level) -> etree._Element:
    """A base64 transform, which leaves out all markup, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    transforms = one(signature_of(element), f"{REFERENCE}/d:Transforms")
    transforms[-1].set("Algorithm", f"{DSIG}base64")
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "SAML core 5.4.4")
def no_transforms(scene: Scene, level: Level) -> etree._Element:
    """No transforms, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    reference = one(signature_of(element), REFERENCE)
    reference.remove(one(reference, "d:Transforms"))
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "SAML core 5.4.4")
def transforms_in_the_other_order(scene: Scene, level: Level) -> etree._Element:
    """Canonicalization before the enveloped-signature transform, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    transforms = one(signature_of(element), f"{REFERENCE}/d:Transforms")
    transforms.append(transforms[0])
    resign(element, scene.idp.keys[0])
    return response


@at_both_levels(CASES, "SAML core 5.4.4")
def name_not_under_the_signature(scene: Scene, level: Level) -> etree._Element:
    """An XPath transform signed for one name, used for another."""
    response = scene.idp.document(scene.request, name_id=ATTACKER, sign="none")
    element = element_of(response, level)
    chain = _TRANSFORMS["An XPath transform that leaves the name out"]
    sign_oddly(element, scene.idp.keys[0], transforms=chain)
    name_victim(element)
    return response


@at_both_levels(CASES, "SAML core 5.4.3")
def signed_info_canonicalized_inclusively(scene: Scene, level: Level) -> etree._Element:
    """Inclusive canonicalization of SignedInfo."""
    response, element = unsigned_for_victim(scene, level)
    sign_oddly(element, scene.idp.keys[0], canonicalization=INCLUSIVE)
    return response


@at_both_levels(CASES, "SAML core 5.4.3")
def signed_info_canonicalized_with_comments(scene: Scene, level: Level) -> etree._Element:
    """Canonicalization of SignedInfo with comments."""
    response, element = unsigned_for_victim(scene, level)
    sign_oddly(element, scene.idp.keys[0], canonicalization=f"{EXCLUSIVE}WithComments")
    return response


@at_both_levels(CASES, "CVE-2025-66568")
def canonicalization_of_signed_info_fails(scene: Scene, level: Level) -> etree._Element:
    """A relative namespace in SignedInfo: its canonical form is an error, or nothing at all.

    The value is the provider's signature of nothing, as a signing oracle gives it.
    """
    response, element = signed_for_attacker(scene, level)
    name_victim(element)
    signature = signature_of(element)
    one(signature, DIGEST_VALUE).text = digest_of(element)
    one(signature, VALUE).text = rsa_signature(scene.idp.keys[0], b"")
    info = etree.tostring(one(signature, INFO), with_tail=False).decode()
    relative = info.replace("<ds:SignedInfo ", '<ds:SignedInfo xmlns:r="1" r:a="" ', 1)
    signature.replace(one(signature, INFO), etree.fromstring(relative))
    return response


@at_both_levels(CASES, "CVE-2025-66568")
def canonicalization_of_content_fails(scene: Scene, level: Level) -> etree._Element:
    """A relative namespace in the content, and the digest of nothing, signed by the provider."""
    response, element = signed_for_victim(scene, level)
    one(signature_of(element), DIGEST_VALUE).text = EMPTY_DIGEST
    resign(element, scene.idp.keys[0])
    name_id = one(assertion_of(response), "s:Subject/s:NameID")
    name_id.getparent().replace(
        name_id,
        etree.fromstring(f'<NameID xmlns="{ASSERTION}" xmlns:r="1" r:a="">{VICTIM}</NameID>'),
    )
    return response


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


# -- attributes that look like an ID ----------------------------------------------------------


def _looks_like_id(attribute: str) -> None:
    def build(scene: Scene) -> etree._Element:
        response, genuine = signed_for_attacker(scene, "assertion")
        evil = forged(genuine)
        evil.set(attribute, genuine.get("ID"))
        genuine.addprevious(evil)
        return response

    CASES.add(
        f"A forged assertion with the genuine one's ID in {attribute.rpartition('}')[2]!r}"
        f"{' of a namespace' * ('}' in attribute)}",
        "CVE-2025-25292; The Fragile Lock (2025), attribute pollution",
        build,
        Reason.SAML_ASSERTION_PLACEMENT,
        Reason.SAML_ASSERTION_SIGNATURE,
    )


for _attribute in (
    "Id",
    "id",
    "AssertionID",
    "{http://www.w3.org/XML/1998/namespace}id",
    f"{{{PROTOCOL}}}ID",
):
    _looks_like_id(_attribute)
