"""What an attack case is, and what every case is built from.

The plot is the same in all of them: ``ATTACKER`` has an account at the identity provider and wants
to be signed in as ``VICTIM``. A reader falls for a case when it answers ``VICTIM``. Where the fault
is not whose name is read but that the document is read at all (expired, meant for somebody else),
the provider itself names ``VICTIM`` and the reader must refuse.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lxml import etree

from tests.kit.saml_crypto import DSIG, Encryption
from tests.kit.saml_document import ASSERTION, PROTOCOL
from tests.kit.saml_idp import AuthnRequest, SamlIdp, encode, fresh_id
from tests.kit.saml_keys import KeyPair, key_pair

VICTIM = "admin@example.com"
ATTACKER = "mallory@example.com"

PREFIXES = {"p": PROTOCOL, "s": ASSERTION, "d": DSIG}


class Category(StrEnum):
    """The classes of published weaknesses the cases are counted by."""

    WRAPPING = "signature wrapping"
    ENCRYPTION = "encryption"
    PARSING = "parser and canonicalization"
    STRUCTURE = "signature structure"
    KEYS = "keys and algorithms"
    CONFUSION = "identity provider confusion"
    PROFILE = "conditions, audience, time"
    BOMBS = "bombs and external entities"
    ENVELOPE = "base64 and size"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One sign-in under attack: who is trusted, what was asked, and the attacker's own means."""

    idp: SamlIdp
    other: SamlIdp
    """Another provider the pool trusts, for its own users; the attacker runs it."""
    request: AuthnRequest
    broker: KeyPair
    """Its certificate is public: anybody can encrypt for the broker."""

    @property
    def attacker(self) -> KeyPair:
        return key_pair("attacker")

    @property
    def encryption(self) -> Encryption:
        return Encryption(certificate=self.broker.certificate)


@dataclass(frozen=True, kw_only=True)
class AttackCase:
    """One hostile document.

    ``reasons``: why the broker may refuse it, normally one. ``reads`` is for the few documents that
    are harmless to a reader that takes all of what was signed: the name it must then read.
    """

    name: str
    category: Category
    reference: str
    build: Callable[[Scene], str]
    reasons: frozenset[str]
    reads: str | None = None
    gains: str = VICTIM
    """What a reader that falls for it answers."""
    solicited: bool = True
    """False: the document comes unasked, at a provider that may begin a sign-in itself."""

    def __str__(self) -> str:
        return f"{self.category.name.lower()}: {self.name}"


Build = Callable[[Scene], etree._Element | str]


def first_line(function: Callable[..., object]) -> str:
    """The first line of a docstring, without its full stop."""
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")


class Cases(list[AttackCase]):
    """The cases of one category's module; called, it is a decorator for build functions.

    The first line of the function's docstring becomes the case's name.
    """

    def __init__(self, category: Category) -> None:
        super().__init__()
        self._category = category

    def __call__(self, reference: str, *reasons: str, **rest: Any) -> Callable[[Build], Build]:
        def decorate(build: Build) -> Build:
            self.add(first_line(build), reference, build, *reasons, **rest)
            return build

        return decorate

    def add(
        self,
        name: str,
        reference: str,
        build: Build,
        *reasons: str,
        **rest: Any,
    ) -> None:
        """Add a case; ``rest`` are further fields of it. A tree that is built is encoded."""

        def encoded(scene: Scene) -> str:
            built = build(scene)
            return built if isinstance(built, str) else encode(built)

        self.append(
            AttackCase(
                name=name,
                category=self._category,
                reference=reference,
                build=encoded,
                reasons=frozenset(reasons),
                **rest,
            )
        )


def one(element: etree._Element, path: str) -> etree._Element:
    """The first element at ``path``, which must exist (prefixes p, s and d)."""
    found = element.find(path, PREFIXES)
    assert found is not None, path
    return found


def assertion_of(response: etree._Element) -> etree._Element:
    return one(response, "s:Assertion")


def signature_of(element: etree._Element) -> etree._Element:
    return one(element, "d:Signature")


def without_signature(element: etree._Element) -> etree._Element:
    """``element`` with its own Signature taken out, in place."""
    element.remove(signature_of(element))
    return element


def forged(element: etree._Element, *, fresh: bool = True) -> etree._Element:
    """A copy that names ``VICTIM``, without Signatures, under new IDs unless not ``fresh``."""
    evil = detached(element)
    for name_id in evil.iter(f"{{{ASSERTION}}}NameID"):
        name_id.text = VICTIM
    for signature in list(evil.iter(f"{{{DSIG}}}Signature")):
        signature.getparent().remove(signature)
    for each in evil.iter(f"{{{PROTOCOL}}}Response", f"{{{ASSERTION}}}Assertion"):
        if fresh:
            each.set("ID", fresh_id())
    return evil


def detached(element: etree._Element) -> etree._Element:
    """A deep copy with nothing behind it."""
    twin = copy.deepcopy(element)
    twin.tail = None
    return twin
