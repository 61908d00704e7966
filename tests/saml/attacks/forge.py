"""Tools for spoiling signatures: re-signing what was changed, and signing what nobody should sign.

Some cases need the provider's key for a document no provider would sign. The attack then is not on
the provider but on the rule that such a document is refused: what it would let through is forged
elsewhere (by an oracle, by a collision, by a bug in the provider).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_crypto import DSIG
from tests.kit.saml_document import ASSERTION
from tests.kit.saml_keys import KeyPair
from tests.saml.attacks.case import (
    ATTACKER,
    PREFIXES,
    VICTIM,
    Cases,
    Scene,
    assertion_of,
    first_line,
    one,
    signature_of,
)

Level = Literal["assertion", "response"]

SIGNATURE_REASON = {
    "assertion": Reason.SAML_ASSERTION_SIGNATURE,
    "response": Reason.SAML_RESPONSE_SIGNATURE,
}

LevelBuild = Callable[[Scene, Level], etree._Element | str]


def at_both_levels(
    cases: Cases, reference: str, *reasons: str, name: str = ""
) -> Callable[[LevelBuild], LevelBuild]:
    """Like ``cases(...)``, for attacks that work on a signed assertion and a signed Response alike.

    The reason is that the signature at that level is bad, unless ``reasons`` says otherwise; the name
    is the docstring's first line, unless ``name`` does.
    """

    def decorate(build: LevelBuild) -> LevelBuild:
        called = name or first_line(build)
        for level, reason in SIGNATURE_REASON.items():
            bound = partial(build, level=level)
            cases.add(f"{called} ({level} signed)", reference, bound, *(reasons or (reason,)))
        return build

    return decorate


def signed_for_attacker(scene: Scene, level: Level) -> tuple[etree._Element, etree._Element]:
    """A genuine Response for ``ATTACKER`` and the element of it that is signed."""
    return _signed(scene, level, ATTACKER)


def signed_for_victim(scene: Scene, level: Level) -> tuple[etree._Element, etree._Element]:
    """A Response the provider itself signed for ``VICTIM``, and the element that is signed."""
    return _signed(scene, level, VICTIM)


def unsigned_for_victim(scene: Scene, level: Level) -> tuple[etree._Element, etree._Element]:
    response = scene.idp.document(scene.request, name_id=VICTIM, sign="none")
    return response, element_of(response, level)


def _signed(scene: Scene, level: Level, name: str) -> tuple[etree._Element, etree._Element]:
    response = scene.idp.document(scene.request, name_id=name, sign=level)
    return response, element_of(response, level)


def element_of(response: etree._Element, level: Level) -> etree._Element:
    return response if level == "response" else assertion_of(response)


def name_victim(element: etree._Element) -> None:
    """Change the name under the signature, and nothing else."""
    for name_id in element.iter(f"{{{ASSERTION}}}NameID"):
        name_id.text = VICTIM


def digest_of(element: etree._Element) -> str:
    """The SHA-256 digest of ``element`` without its Signature, as DigestValue holds it."""
    twin = etree.fromstring(etree.tostring(element, with_tail=False))
    for signature in twin.findall("d:Signature", PREFIXES):
        twin.remove(signature)
    return base64.b64encode(hashlib.sha256(canonical(twin)).digest()).decode()


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def rsa_signature(pair: KeyPair, signed: bytes) -> str:
    """RSA with SHA-256 over ``signed``, as SignatureValue holds it."""
    value = pair.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(value).decode()


def resign(element: etree._Element, pair: KeyPair) -> None:
    """Sign the SignedInfo of ``element`` anew, as it stands, with ``pair``."""
    signature = signature_of(element)
    value = rsa_signature(pair, canonical(one(signature, "d:SignedInfo")))
    one(signature, "d:SignatureValue").text = value


EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DSIG + "enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def transform(algorithm: str, content: str = "") -> str:
    """A ds:Transform as text."""
    return f'<ds:Transform xmlns:ds="{DSIG}" Algorithm="{algorithm}">{content}</ds:Transform>'


PRESCRIBED = (transform(ENVELOPED), transform(EXCLUSIVE))


def sign_oddly(
    element: etree._Element,
    pair: KeyPair,
    *,
    uri: str | None = None,
    transforms: Sequence[str] = PRESCRIBED,
    method: str = RSA_SHA256,
    digest: str = SHA256,
    canonicalization: str = EXCLUSIVE,
    holder: etree._Element | None = None,
) -> etree._Element:
    """Let libxmlsec sign ``element`` with any parts; the Signature goes to the end of ``holder``.

    ``transforms`` are Transform elements as text.
    """
    target = f"#{element.get('ID')}" if uri is None else uri
    chain = f"<ds:Transforms>{''.join(transforms)}</ds:Transforms>" if transforms else ""
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{canonicalization}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI="{target}">{chain}'
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference>'
        "</ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    )
    if holder is None:
        one(element, "s:Issuer").addnext(signature)
    else:
        holder.append(signature)
    context = xmlsec.SignatureContext()
    xmlsec.tree.add_ids(element.getroottree().getroot(), ["ID"])
    context.key = pair.xmlsec_key
    context.sign(signature)
    return signature
