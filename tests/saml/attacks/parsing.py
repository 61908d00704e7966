"""Documents that two parsers, or a parser and a canonicalizer, understand differently.

Comments that cut a name short (CVE-2017-11427 and its kin of 2018), namespaces and attributes that
only look right, and XML that is none. Where the whole text of an element is what was signed, the
document is harmless to a reader that takes all of it: such cases say what must then be read.
"""

from __future__ import annotations

import base64
from typing import Any

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
from tests.saml.attacks.forge import SIGNATURE_REASON, Level, sign_oddly

CASES = Cases(Category.PARSING)

COMMENTS = "CVE-2017-11427, CVE-2017-11428, CVE-2018-0489"


def _text(response: etree._Element) -> str:
    return etree.tostring(response, encoding="unicode")


def _encode(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode()


# -- names in pieces --------------------------------------------------------------------------


def _split(name: str, signed: str, sent: str, reference: str = COMMENTS) -> None:
    """A case in which the provider signed the name ``signed`` and ``sent`` is delivered.

    Canonicalization makes the two the same, so every signature is good.
    """
    for level in SIGNATURE_REASON:

        def build(scene: Scene, level: Level = level) -> str:
            response = scene.idp.document(scene.request, name_id=signed, sign=level)
            return _encode(_text(response).replace(f">{signed}<", f">{sent}<"))

        CASES.add(f"{name} ({level} signed)", reference, build, reads=signed)


_split(
    "A comment inside the name, which is cut at it",
    f"{VICTIM}.evil.test",
    f"{VICTIM}<!-- -->.evil.test",
)
_split(
    "An empty comment inside the name",
    f"{VICTIM}.evil.test",
    f"{VICTIM}<!---->.evil.test",
)
_split(
    "A comment inside the name, of which the end is read",
    f"evil.test/{VICTIM}",
    f"evil.test/<!-- -->{VICTIM}",
)
_split(
    "Comments around the middle of the name",
    f"evil.test/{VICTIM}",
    f"evil<!-- -->.test/<!-- -->{VICTIM}",
)
_split(
    "A comment that completes the name",
    "admin@example",
    "admin@example<!--.com-->",
)
_split(
    "A CDATA section that ends inside the name",
    f"{VICTIM}.evil.test",
    f"<![CDATA[{VICTIM}]]>.evil.test",
    "CVE-2025-25291",
)
_split(
    "A CDATA section and a comment",
    f"{VICTIM}.evil.test",
    f"<![CDATA[{VICTIM}]]><!-- -->.evil.test",
    "CVE-2025-25291",
)


def _signed_with(name: str, markup: str, *reasons: Reason, reads: str | None = None) -> None:
    """A case in which the provider signed the markup too: canonicalization keeps it."""
    for level in SIGNATURE_REASON:

        def build(scene: Scene, level: Level = level) -> etree._Element:
            def insert(response: etree._Element) -> None:
                name_id = one(assertion_of(response), "s:Subject/s:NameID")
                name_id.text = None
                for node in etree.fromstring(f"<x>{markup}</x>").xpath("node()"):
                    _append(name_id, node)

            return scene.idp.document(scene.request, sign=level, edit=insert)

        CASES.add(f"{name} ({level} signed)", "SAML core 2.2.3", build, *reasons, reads=reads)


def _append(parent: etree._Element, node: Any) -> None:
    if isinstance(node, str):
        if len(parent):
            parent[-1].tail = node
        else:
            parent.text = node
    else:
        node.tail = None
        parent.append(node)


_signed_with(
    "A processing instruction inside the name",
    f"{VICTIM}<?cut here?>.evil.test",
    reads=f"{VICTIM}.evil.test",
)
_signed_with(
    "An element inside the name",
    f"{VICTIM}<cut/>.evil.test",
    Reason.SAML_NAME_ID,
)


# -- two of what there is one of --------------------------------------------------------------


def _doubled(path: str, level: Level, *reasons: Reason, last: bool) -> None:
    """The provider signs an element twice over, the other one naming somebody else."""
    tag = path.rpartition(":")[2]

    def build(scene: Scene) -> etree._Element:
        def double(response: etree._Element) -> None:
            genuine = one(assertion_of(response), path)
            evil = forged(genuine)
            if evil.tag.endswith("NameID"):
                evil.text = VICTIM
            if last:
                genuine.addnext(evil)
            else:
                genuine.addprevious(evil)

        return scene.idp.document(scene.request, name_id=ATTACKER, sign=level, edit=double)

    CASES.add(
        f"Two {tag}, {'the last' if last else 'the first'} for the victim ({level} signed)",
        "SAML core 2.4",
        build,
        *reasons,
    )


for _level in SIGNATURE_REASON:
    _doubled("s:Subject", _level, Reason.SAML_ASSERTION_MALFORMED, last=False)
    _doubled("s:Subject/s:NameID", _level, Reason.SAML_NAME_ID, last=False)


# -- namespaces -------------------------------------------------------------------------------


@CASES("CVE-2025-66567", reads=ATTACKER)
def assertion_of_another_namespace(scene: Scene) -> etree._Element:
    """An Assertion in a namespace of its own, in Extensions, before the genuine one."""
    response = scene.idp.document(scene.request, name_id=ATTACKER)
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
    extensions.append(_renamed(forged(assertion_of(response)), "urn:example:evil"))
    one(response, "s:Issuer").addnext(extensions)
    return response


@CASES("CVE-2025-66567", reads=ATTACKER)
def assertion_without_namespace(scene: Scene) -> etree._Element:
    """An Assertion in no namespace, beside the genuine one."""
    response = scene.idp.document(scene.request, name_id=ATTACKER)
    assertion_of(response).addprevious(_renamed(forged(assertion_of(response)), ""))
    return response


@CASES("SAML core 4.1", Reason.SAML_ASSERTION_PLACEMENT)
def assertion_of_saml_1(scene: Scene) -> etree._Element:
    """The only Assertion in the namespace of SAML 1.1, signed by the provider."""
    response = scene.idp.document(scene.request, name_id=VICTIM, sign="none")
    _renamed(assertion_of(response), "urn:oasis:names:tc:SAML:1.0:assertion")
    sign_oddly(response, scene.idp.keys[0])
    return response


@CASES("SAML core 3.2.2", Reason.SAML_RESPONSE_UNEXPECTED)
def response_of_saml_1(scene: Scene) -> etree._Element:
    """A Response in the namespace of SAML 1.1 around a signed assertion."""
    response = scene.idp.document(scene.request, name_id=VICTIM)
    response.tag = "{urn:oasis:names:tc:SAML:1.0:protocol}Response"
    return response


@CASES("SAML core 3.5", Reason.SAML_RESPONSE_UNEXPECTED)
def artifact_response(scene: Scene) -> etree._Element:
    """A good Response in an ArtifactResponse."""
    response = scene.idp.document(scene.request, name_id=VICTIM, sign="both")
    envelope = etree.Element(f"{{{PROTOCOL}}}ArtifactResponse")
    envelope.append(response)
    return envelope


@CASES("SAML bindings 3.2", Reason.SAML_RESPONSE_UNEXPECTED)
def soap_envelope(scene: Scene) -> etree._Element:
    """A good Response in a SOAP envelope."""
    response = scene.idp.document(scene.request, name_id=VICTIM, sign="both")
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    envelope = etree.Element(f"{{{soap}}}Envelope")
    etree.SubElement(envelope, f"{{{soap}}}Body").append(response)
    return envelope


@CASES("SAML core 2.3.3", Reason.SAML_RESPONSE_UNEXPECTED)
def bare_assertion(scene: Scene) -> etree._Element:
    """A good assertion without a Response around it."""
    return assertion_of(scene.idp.document(scene.request, name_id=VICTIM))


@CASES("SAML core 3.2.2", Reason.SAML_RESPONSE_UNEXPECTED)
def another_root(scene: Scene) -> etree._Element:
    """A root that is no SAML element, with a signed Response and a forged one inside."""
    genuine = scene.idp.document(scene.request, name_id=ATTACKER, sign="response")
    root = etree.Element("Responses")
    root.extend([forged(genuine), genuine])
    return root


@CASES("CVE-2025-25292", Reason.SAML_UNSIGNED)
def prefix_that_means_something_else(scene: Scene) -> str:
    """The prefix of the Signature bound to another namespace, so that it is none."""
    text = _text(scene.idp.document(scene.request, name_id=VICTIM))
    return _encode(text.replace(f'xmlns:ds="{DSIG}"', 'xmlns:ds="urn:example:evil"', 1))


def _renamed(element: etree._Element, namespace: str) -> etree._Element:
    """``element`` and all below it, moved to another namespace."""
    for each in element.iter():
        if each.tag.startswith(f"{{{ASSERTION}}}"):
            local = etree.QName(each).localname
            each.tag = f"{{{namespace}}}{local}" if namespace else local
    return element


# -- relative namespaces ----------------------------------------------------------------------


@CASES("CVE-2025-66568", Reason.SAML_ASSERTION_SIGNATURE)
def relative_namespace_outside_the_signature(scene: Scene) -> str:
    """A relative namespace on the Response, in scope of the signed assertion."""
    text = _text(scene.idp.document(scene.request, name_id=VICTIM))
    return _encode(text.replace("<samlp:Response ", '<samlp:Response xmlns:r="1" ', 1))


@CASES("Canonical XML 1.0 1.3", Reason.SAML_ASSERTION_SIGNATURE)
def relative_namespace_beside_the_signature(scene: Scene) -> str:
    """A relative namespace where the assertion does not reach: on the Signature of the Response, which
    is none any more. A document with one has no canonical form, though the assertion's can be written."""
    text = _text(scene.idp.document(scene.request, name_id=VICTIM, sign="both"))
    return _encode(text.replace(f'xmlns:ds="{DSIG}"', 'xmlns:ds="evil//x"', 1))


@CASES("CVE-2025-66568", Reason.SAML_ASSERTION_SIGNATURE)
def digest_of_nothing(scene: Scene) -> etree._Element:
    """An assertion whose canonical form is an error, over a Signature moved from a genuine one."""
    response = scene.idp.document(scene.request, name_id=ATTACKER)
    genuine = assertion_of(response)
    evil = forged(genuine, fresh=False)
    one(evil, "s:Issuer").addnext(signature_of(genuine))
    text = etree.tostring(evil, encoding="unicode").replace(
        "<saml:Subject>", '<saml:Subject xmlns:r="1" r:a="">'
    )
    response.replace(genuine, etree.fromstring(text))
    return response
