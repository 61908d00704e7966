"""Signature wrapping: the signed element is kept somewhere, and a forged one stands in its place.

Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012) name the
permutations XSW1 to XSW8. Here they are generated: where the genuine element goes, where its
signature goes, and whether the forged one takes its ID as well; for signed Responses, signed
assertions and both, in plain and encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_crypto import DSIG
from tests.kit.saml_document import ASSERTION, PROTOCOL
from tests.kit.saml_idp import Signed
from tests.saml.attacks.case import (
    ATTACKER,
    Cases,
    Category,
    Scene,
    assertion_of,
    detached,
    forged,
    one,
    signature_of,
    without_signature,
)

CASES = Cases(Category.WRAPPING)

Place = Callable[[etree._Element, etree._Element], None]
"""Puts a guest somewhere near or in a host element."""


# -- places -----------------------------------------------------------------------------------


def before(host: etree._Element, guest: etree._Element) -> None:
    host.addprevious(guest)


def after(host: etree._Element, guest: etree._Element) -> None:
    host.addnext(guest)


def as_first_child(host: etree._Element, guest: etree._Element) -> None:
    host.insert(0, guest)


def as_last_child(host: etree._Element, guest: etree._Element) -> None:
    host.append(guest)


def in_signature(host: etree._Element, guest: etree._Element) -> None:
    signature_of(host).append(guest)


def in_object(host: etree._Element, guest: etree._Element) -> None:
    etree.SubElement(signature_of(host), f"{{{DSIG}}}Object").append(guest)


def in_key_info(host: etree._Element, guest: etree._Element) -> None:
    etree.SubElement(signature_of(host), f"{{{DSIG}}}KeyInfo").append(guest)


def in_extensions(host: etree._Element, guest: etree._Element) -> None:
    """Of the Response, which allows any content there (SAML core 3.2.2)."""
    extensions = etree.Element(f"{{{PROTOCOL}}}Extensions")
    extensions.append(guest)
    one(_response(host), "s:Issuer").addnext(extensions)


def in_status_detail(host: etree._Element, guest: etree._Element) -> None:
    status = one(_response(host), "p:Status")
    etree.SubElement(status, f"{{{PROTOCOL}}}StatusDetail").append(guest)


def in_advice(host: etree._Element, guest: etree._Element) -> None:
    """Of the assertion, which may quote other assertions (SAML core 2.6)."""
    advice = etree.Element(f"{{{ASSERTION}}}Advice")
    advice.append(guest)
    one(_assertion(host), "s:Conditions").addnext(advice)


def in_confirmation_data(host: etree._Element, guest: etree._Element) -> None:
    path = "s:Subject/s:SubjectConfirmation/s:SubjectConfirmationData"
    one(_assertion(host), path).append(guest)


def in_attribute_value(host: etree._Element, guest: etree._Element) -> None:
    statement = etree.SubElement(_assertion(host), f"{{{ASSERTION}}}AttributeStatement")
    attribute = etree.SubElement(statement, f"{{{ASSERTION}}}Attribute", Name="photo")
    etree.SubElement(attribute, f"{{{ASSERTION}}}AttributeValue").append(guest)


def in_wrapper_before(host: etree._Element, guest: etree._Element) -> None:
    wrapper = etree.Element("{urn:example:wrapper}Wrapper")
    wrapper.append(guest)
    host.addprevious(wrapper)


def in_wrapper_after(host: etree._Element, guest: etree._Element) -> None:
    wrapper = etree.Element("{urn:example:wrapper}Wrapper")
    wrapper.append(guest)
    host.addnext(wrapper)


def _response(host: etree._Element) -> etree._Element:
    return host if host.tag == f"{{{PROTOCOL}}}Response" else next(host.iterancestors())


def _assertion(host: etree._Element) -> etree._Element:
    return host if host.tag == f"{{{ASSERTION}}}Assertion" else assertion_of(host)


IN_SIGNATURE: tuple[Place, ...] = (in_signature, in_object, in_key_info)
INSIDE: tuple[Place, ...] = (as_first_child, as_last_child)
IN_RESPONSE: tuple[Place, ...] = (in_extensions, in_status_detail)
IN_ASSERTION: tuple[Place, ...] = (in_advice, in_confirmation_data, in_attribute_value)
NEAR_ASSERTION: tuple[Place, ...] = (
    before,
    after,
    in_wrapper_before,
    in_wrapper_after,
    *IN_RESPONSE,
)


# -- the permutations -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Wrapping:
    """One permutation: how the genuine document was signed, and what was moved where."""

    sign: Signed
    place: Place
    signature_moves: bool = False
    """The genuine Signature goes to the forged element; otherwise it stays where it was."""
    same_id: bool = False
    encrypted: bool = False

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Usually that an assertion is out of its place.

        A signature of the Response is found to be bad before two assertions are counted, and what
        is encrypted shows only when its plaintext is parsed.
        """
        return (
            Reason.SAML_ASSERTION_PLACEMENT,
            Reason.SAML_RESPONSE_SIGNATURE,
            *([Reason.SAML_DECRYPTION] if self.encrypted else []),
        )

    def __str__(self) -> str:
        place = self.place.__name__.replace("_", " ")
        kind = "encrypted, " if self.encrypted else ""
        signature = ", signature moved" if self.signature_moves else ""
        return f"{kind}{self.sign} signed, {place}{signature}{', same ID' * self.same_id}"


@dataclass(frozen=True, kw_only=True)
class OfResponse(Wrapping):
    """The forged Response is the root, the genuine one goes somewhere inside it."""

    def __str__(self) -> str:
        return f"Response: {super().__str__()}"

    def build(self, scene: Scene) -> etree._Element:
        encryption = scene.encryption if self.encrypted else None
        how = {"name_id": ATTACKER, "response_id": "_r", "assertion_id": "_a"}
        genuine = scene.idp.document(scene.request, sign=self.sign, encryption=encryption, **how)
        plain = scene.idp.document(scene.request, sign="none", **how)
        evil = forged(plain, fresh=not self.same_id)
        if self.signature_moves:
            _move_signature(genuine, evil)
        self.place(evil, genuine)
        if self.encrypted:
            _encrypt_children(evil, scene)
        return evil


@dataclass(frozen=True, kw_only=True)
class OfAssertion(Wrapping):
    """The forged assertion takes the place of the genuine one, which goes somewhere near or in it."""

    def __str__(self) -> str:
        return f"Assertion: {super().__str__()}"

    def build(self, scene: Scene) -> etree._Element:
        response = scene.idp.document(scene.request, sign=self.sign, name_id=ATTACKER)
        genuine = assertion_of(response)
        evil = forged(genuine, fresh=not self.same_id)
        response.replace(genuine, evil)
        if self.signature_moves:
            _move_signature(genuine, evil)
        self.place(evil, genuine)
        if self.encrypted:
            _encrypt_children(response, scene)
        return response


@dataclass(frozen=True, kw_only=True)
class Smuggled(Wrapping):
    """The genuine assertion stays, signed, and the forged one is put where a reader may find it."""

    def __str__(self) -> str:
        return f"forged assertion: {super().__str__()}"

    def build(self, scene: Scene) -> etree._Element:
        response = scene.idp.document(scene.request, sign=self.sign, name_id=ATTACKER)
        genuine = assertion_of(response)
        evil = forged(genuine, fresh=not self.same_id)
        if self.signature_moves:
            one(response, "s:Issuer").addnext(signature_of(genuine))
        self.place(genuine, evil)
        if self.encrypted:
            _encrypt_children(response, scene)
        return response


def _move_signature(source: etree._Element, target: etree._Element) -> None:
    one(target, "s:Issuer").addnext(detached(signature_of(source)))
    without_signature(source)


def _encrypt_children(response: etree._Element, scene: Scene) -> None:
    for assertion in response.findall(f"{{{ASSERTION}}}Assertion"):
        plaintext = etree.tostring(assertion, with_tail=False)
        response.replace(assertion, scene.encryption.encrypt(plaintext))


def permutations() -> Iterator[Wrapping]:
    """Every combination of a place with a way of signing."""
    for kind, signed, moves, places in (
        (OfResponse, "response", False, (*INSIDE, *IN_RESPONSE, *IN_ASSERTION)),
        (OfResponse, "response", True, (*INSIDE, *IN_RESPONSE, *IN_ASSERTION, *IN_SIGNATURE)),
        (OfAssertion, "assertion", False, (*NEAR_ASSERTION, *INSIDE, *IN_ASSERTION)),
        (OfAssertion, "assertion", True, (*NEAR_ASSERTION, *INSIDE, *IN_ASSERTION, *IN_SIGNATURE)),
        (Smuggled, "assertion", False, (*NEAR_ASSERTION, *IN_SIGNATURE)),
        (Smuggled, "assertion", True, NEAR_ASSERTION),
    ):
        for how, place in product(_ways(signed), places):
            yield kind(place=place, signature_moves=moves, **how)


def _ways(signed: str) -> tuple[dict[str, Any], ...]:
    return (
        {"sign": signed},
        {"sign": signed, "same_id": True},
        {"sign": signed, "encrypted": True},
        {"sign": "both"},
    )


for wrapping in permutations():
    CASES.add(str(wrapping), "Somorovsky 2012; CVE-2024-45409", wrapping.build, *wrapping.reasons)
