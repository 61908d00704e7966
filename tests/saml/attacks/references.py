"""Signatures of something else: references beyond the parent, transforms that leave content out.

XML Signature lets a signer say what is signed in a language of its own; SAML core 5.4 needs one
sentence of it, and everything else is refused. Canonicalization that fails and yields nothing is
after CVE-2025-66567 and CVE-2025-66568.
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


# -- references to something else -------------------------------------------------------------


def _referring(uri: str) -> None:
    """A case in which the provider's own signature is of ``uri``, and holds for it."""

    def build(scene: Scene, level: Level) -> etree._Element:
        response, element = unsigned_for_victim(scene, level)
        target = uri.format(id=element.get("ID"))
        sign_oddly(element, scene.idp.keys[0], uri=target)
        return response

    at_both_levels(
        CASES, "SAML core 5.4.2", name=f"A reference to {uri or 'the whole document'!r}"
    )(build)


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

    at_both_levels(CASES, "SAML core 5.4.4", name=name)(build)


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
