"""The values of an assertion. Reads trees that were verified before, and checks only that a value
can be read at all; whether it is acceptable is said in ``rules.py``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.model.errors import Reason
from broker.saml.instant import read_instant
from broker.saml.node import Node
from broker.saml.refusal import refused
from broker.saml.xml import SAML, XSI, XmlError, name

ATTRIBUTE = name(SAML, "Attribute")
ATTRIBUTE_STATEMENT = name(SAML, "AttributeStatement")
ATTRIBUTE_VALUE = name(SAML, "AttributeValue")
AUTHN_CONTEXT = name(SAML, "AuthnContext")
AUTHN_STATEMENT = name(SAML, "AuthnStatement")
CONTEXT_CLASS = name(SAML, "AuthnContextClassRef")
NAME_ID = name(SAML, "NameID")
SUBJECT = name(SAML, "Subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameId:
    """The subject's name, code point for code point. The rest is kept for single logout."""

    value: str
    format: str | None = None
    name_qualifier: str | None = None
    sp_name_qualifier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an identity provider asserts, after every check. Times are epoch seconds.

    ``usable_until`` is when its last acceptable subject confirmation runs out, skew included: as
    long must its id be remembered. Of several AuthnStatements the first one counts.
    """

    id: str
    issuer: str
    name_id: NameId = field(repr=False)
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    usable_until: float
    session_index: str | None = None
    session_not_on_or_after: float | None = None


def instant(element: Node, attribute: str) -> float | None:
    """A time attribute; None when absent. One that cannot be read is refused, not ignored."""
    value = element.get(attribute)
    if value is None:
        return None
    try:
        return read_instant(value.strip())
    except ValueError as fault:
        raise refused(Reason.SAML_ASSERTION_MALFORMED, f"a time in {attribute}", value) from fault


def simple_text(element: Node) -> str:
    """The value of an element that holds text only, white space around it left out."""
    try:
        return element.plain_text().strip()
    except XmlError as fault:
        raise refused(Reason.SAML_ASSERTION_MALFORMED, fault.expected, fault.received) from fault


def only_subject(assertion: Node) -> Node:
    """The one Subject (SAML core 2.3.3)."""
    found = assertion.children(SUBJECT)
    if len(found) != 1:
        raise refused(Reason.SAML_ASSERTION_MALFORMED, "one Subject", str(len(found)))
    return found[0]


def name_id_in(parent: Node) -> NameId:
    """The one NameID of a Subject, or of a LogoutRequest (SAML core 2.2.3).

    Compared by everybody downstream code point for code point, so nothing is trimmed or folded.
    """
    found = parent.children(NAME_ID)
    if len(found) != 1:
        raise refused(Reason.SAML_NAME_ID, "one NameID", str(len(found)))
    element = found[0]
    try:
        value = element.plain_text()
    except XmlError as fault:
        raise refused(Reason.SAML_NAME_ID, fault.expected, fault.received) from fault
    if not value.strip():
        raise refused(Reason.SAML_NAME_ID, "a NameID", "an empty one")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise refused(Reason.SAML_NAME_ID, "no control characters", "some")
    return NameId(
        value=value,
        format=element.get("Format"),
        name_qualifier=element.get("NameQualifier"),
        sp_name_qualifier=element.get("SPNameQualifier"),
    )


def attributes(assertion: Node) -> dict[str, tuple[str, ...]]:
    """Attribute name -> values in order, several Attribute elements of one name joined.

    A FriendlyName works as well where it can mean one attribute only and is nobody's Name.
    """
    named: dict[str, tuple[str, ...]] = {}
    friendly: dict[str, set[str]] = {}
    for attribute in _attributes(assertion):
        formal = attribute.get("Name")
        if not formal:
            continue
        named[formal] = named.get(formal, ()) + _values(attribute)
        if nickname := attribute.get("FriendlyName"):
            friendly.setdefault(nickname, set()).add(formal)
    for nickname, meant in friendly.items():
        if nickname not in named and len(meant) == 1:
            named[nickname] = named[next(iter(meant))]
    return named


def claims_of(
    attributes: Mapping[str, tuple[str, ...]], name_id: NameId
) -> Mapping[str, tuple[str, ...]]:
    """What can be mapped. ``NameID`` comes last: no attribute of that name stands in for the subject."""
    return {**attributes, "NameID": (name_id.value,)}


def _attributes(assertion: Node) -> Iterator[Node]:
    for statement in assertion.children(ATTRIBUTE_STATEMENT):
        yield from statement.children(ATTRIBUTE)


def _values(attribute: Node) -> tuple[str, ...]:
    """All values but the nil ones (SAML core 2.7.3.1.1); an element inside counts by its text."""
    return tuple(
        value.text().strip() if value.elements() else value.text()
        for value in attribute.children(ATTRIBUTE_VALUE)
        if value.get(name(XSI, "nil")) not in ("true", "1")
    )


def authn_statement(assertion: Node) -> Node:
    """The first AuthnStatement; there is at least one (SAML profiles 4.1.4.2)."""
    statements = assertion.children(AUTHN_STATEMENT)
    if not statements:
        raise refused(Reason.SAML_AUTHN_STATEMENT, "an AuthnStatement", "none")
    return statements[0]


def authn_instant(assertion: Node) -> float:
    """When the person signed in, which an AuthnStatement must say (SAML core 2.7.2)."""
    at = instant(authn_statement(assertion), "AuthnInstant")
    if at is None:
        raise refused(Reason.SAML_AUTHN_STATEMENT, "an AuthnInstant", "none")
    return at


def authn_context(assertion: Node) -> str | None:
    """How the person signed in, as far as it is a class (SAML core 2.7.2.2)."""
    for context in authn_statement(assertion).children(AUTHN_CONTEXT):
        for reference in context.children(CONTEXT_CLASS):
            return simple_text(reference)
    return None


def session_end(assertion: Node) -> float | None:
    """The earliest SessionNotOnOrAfter of the AuthnStatements (SAML core 2.7.2)."""
    ends = [instant(s, "SessionNotOnOrAfter") for s in assertion.children(AUTHN_STATEMENT)]
    return min((end for end in ends if end is not None), default=None)


def read_assertion(assertion: Node, *, issuer: str, usable_until: float) -> Assertion:
    """The values of a verified assertion that passed every rule."""
    return Assertion(
        id=assertion.get("ID", ""),
        issuer=issuer,
        name_id=name_id_in(only_subject(assertion)),
        attributes=attributes(assertion),
        usable_until=usable_until,
        session_index=authn_statement(assertion).get("SessionIndex"),
        session_not_on_or_after=session_end(assertion),
    )
