"""Documents that cost more than they say: entities, depth, width, and work that is asked for.

A naive reader signs the victim in at the end of all that work; the broker refuses before most of it
is done. What external entities could fetch is fetched by nobody here: the readers that load DTDs
have no network, and the files are our own.
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_crypto import DSIG
from tests.saml.attacks.case import (
    ATTACKER,
    VICTIM,
    Cases,
    Category,
    Scene,
    assertion_of,
    detached,
    one,
    signature_of,
)
from tests.saml.attacks.forge import name_victim

CASES = Cases(Category.BOMBS)

NOT_XML = Reason.SAML_RESPONSE_NOT_XML


def _document(scene: Scene) -> str:
    return etree.tostring(scene.idp.document(scene.request, name_id=VICTIM), encoding="unicode")


def _with_extensions(document: str, content: str) -> str:
    """``content`` in Extensions, outside of what is signed."""
    before, issuer_end, behind = document.partition("</saml:Issuer>")
    return f"{before}{issuer_end}<samlp:Extensions>{content}</samlp:Extensions>{behind}"


def _encode(document: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(document.encode(encoding)).decode()


# -- document types and entities --------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 5))
QUADRATIC = f'<!ENTITY q "{"q" * 3000}">'
HERE = Path(__file__).with_name("__init__.py").as_uri()

_DOCUMENT_TYPES = {
    "A document type without content": ("<!DOCTYPE r>", ""),
    "Entities in entities": (f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>', "<x>&l4;</x>"),
    "A long entity many times over": (f"<!DOCTYPE r [{QUADRATIC}]>", f"<x>{'&q;' * 50}</x>"),
    "Entities in an attribute": (f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>', '<x y="&l4;"/>'),
    "A file as an entity": (f'<!DOCTYPE r [<!ENTITY f SYSTEM "{HERE}">]>', ""),
    "A network address as an entity": (
        '<!DOCTYPE r [<!ENTITY f SYSTEM "http://127.0.0.1:9/">]>',
        "",
    ),
    "A parameter entity": (
        "<!DOCTYPE r [<!ENTITY % p \"<!ENTITY e 'e'>\"> %p;]>",
        "<x>&e;</x>",
    ),
    "Attributes by default": (
        '<!DOCTYPE r [<!ATTLIST samlp:Response Consent CDATA "urn:evil">]>',
        "",
    ),
}


def _typed(name: str, document_type: str, content: str) -> None:
    def build(scene: Scene) -> str:
        return _encode(document_type + _with_extensions(_document(scene), content))

    CASES.add(name, "CVE-2024-52596; CVE-2025-25291", build, NOT_XML)


for _name, (_type, _content) in _DOCUMENT_TYPES.items():
    _typed(_name, _type, _content)


@CASES("CVE-2025-25291", NOT_XML)
def document_type_behind_a_prolog(scene: Scene) -> str:
    """A document type behind comments and instructions."""
    prolog = '<?xml version="1.0"?>\n<!-- <x> --><?y <z>?>\n<!DOCTYPE r [<!ENTITY e "e">]>'
    return _encode(prolog + _document(scene))


@CASES("XML 4.3.3", NOT_XML)
def document_type_in_utf16(scene: Scene) -> str:
    """A document type in UTF-16, where its bytes look otherwise."""
    typed = f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>'
    return _encode(typed + _with_extensions(_document(scene), '<x y="&l4;"/>'), "utf-16")


@CASES("XML 4.3.3", NOT_XML)
def document_type_behind_a_declaration_in_utf16(scene: Scene) -> str:
    """A document type in UTF-16 behind its XML declaration."""
    typed = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r [<!ENTITY e "e">]>'
    return _encode(typed + _document(scene), "utf-16")


# -- depth, width, numbers --------------------------------------------------------------------


def _crowded(name: str, content: str, encoding: str = "utf-8", reason: Reason = NOT_XML) -> None:
    def build(scene: Scene) -> str:
        return _encode(_with_extensions(_document(scene), content), encoding)

    CASES.add(name, "CVE-2025-25293, CVE-2026-49289", build, reason)


ATTRIBUTE = 'a{:x}=""'
NAMESPACE = 'xmlns:n{}="u"'


def _numbered(form: str, count: int) -> str:
    return " ".join(form.format(number) for number in range(count))


_crowded("A hundred levels", "<x>" * 100 + "</x>" * 100)
_crowded("Two thousand levels", "<x>" * 2000 + "</x>" * 2000)
_crowded("15,000 elements", "<x/>" * 15_000)
_crowded("6,000 attributes at one element", f"<x {_numbered(ATTRIBUTE, 6000)}/>")
_crowded("3,000 namespaces at one element", f"<x {_numbered(NAMESPACE, 3000)}/>")
_crowded(
    "1,500 namespaces in UTF-16, where they are not seen in the bytes",
    f"<x {_numbered(NAMESPACE, 1500)}>{'<y/>' * 500}</x>",
    "utf-16",
)
_crowded(
    "5,800 elements with IDs of each spelling, one and the same",
    '<a ID=""/><a Id=""/><a xml:id=""/>' * 1940,
    reason=Reason.SAML_ASSERTION_SIGNATURE,
)
_crowded(
    "4,200 elements with IDs of each spelling, all different until the last",
    "".join(f'<a ID="{n}"/><a Id="b{n}"/><a xml:id="c{n}"/>' for n in range(1400)) + '<a ID="0"/>',
    reason=Reason.SAML_ASSERTION_SIGNATURE,
)
_crowded("9,000 comments", "<!---->" * 9_000)
_crowded("12,000 instructions", "<?x?>" * 12_000)


# -- work that is asked for -------------------------------------------------------------------


@CASES("Exclusive C14N 3, rule 3", Reason.SAML_RESPONSE_SIGNATURE)
def namespace_written_out_everywhere(scene: Scene) -> str:
    """A long namespace that canonicalization writes out at each of 5,900 elements.

    The attacker's own signed Response; its SignedInfo verifies before the content is looked at.
    """
    genuine = scene.idp.document(scene.request, name_id=ATTACKER, sign="response")
    name_victim(genuine)
    swollen = f'<x xmlns:p="u:{"n" * 34_000}">{"<p:a/>" * 5_900}</x>'
    return _encode(_with_extensions(etree.tostring(genuine, encoding="unicode"), swollen))


@CASES("CVE-2025-54572", Reason.SAML_ASSERTION_SIGNATURE)
def many_signatures(scene: Scene) -> etree._Element:
    """Thirty Signatures of the assertion, of which only the last is good."""
    response = scene.idp.document(scene.request, name_id=VICTIM)
    genuine = signature_of(assertion_of(response))
    for _ in range(29):
        bad = detached(genuine)
        one(bad, "d:SignatureValue").text = base64.b64encode(bytes(256)).decode()
        genuine.addprevious(bad)
    return response


@CASES("CVE-2025-54572", Reason.SAML_ASSERTION_SIGNATURE)
def many_certificates(scene: Scene) -> etree._Element:
    """Thirty certificates in an Object of the Signature."""
    response = scene.idp.document(scene.request, name_id=VICTIM)
    signature = signature_of(assertion_of(response))
    holder = etree.SubElement(signature, f"{{{DSIG}}}Object")
    for _ in range(30):
        data = etree.SubElement(holder, f"{{{DSIG}}}X509Data")
        text = scene.attacker.certificate_base64
        etree.SubElement(data, f"{{{DSIG}}}X509Certificate").text = text
    return response


@CASES("CVE-2026-49289", Reason.SAML_DECRYPTION)
def many_encrypted_keys(scene: Scene) -> etree._Element:
    """A hundred encrypted keys, each of which costs a private-key operation."""
    response = scene.idp.document(scene.request, name_id=VICTIM, encryption=scene.encryption)
    holder = one(response, "s:EncryptedAssertion")
    info = one(holder, ".//d:KeyInfo")
    for _ in range(99):
        info.append(detached(info[0]))
    return response


@CASES("CVE-2025-25293", NOT_XML)
def inflated(scene: Scene) -> str:
    """A document that is deflated, as in the redirect binding, and grows a hundredfold."""
    padding = "<!-- " + " " * 2_000_000 + "-->"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress((_document(scene) + padding).encode()) + packer.flush()
    return base64.b64encode(packed).decode()
