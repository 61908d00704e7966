"""The Response an identity provider writes, before it is signed: what it says and how it is spelt.

``Answer`` holds every value the Web SSO profile speaks of (SAML profiles 4.1); None leaves one out,
so a faulty document is an ``Answer`` with one field replaced. ``Markup`` is the spelling: prefixes
and white space, which a reader must not care about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
URI_NAME = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


def instant(epoch: float) -> str:
    """``epoch`` as xs:dateTime in UTC (SAML core 1.3.3)."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Everything a Response says. Times are epoch seconds, or text to be written as it is."""

    response_id: str | None
    assertion_id: str | None
    response_issuer: str | None
    assertion_issuer: str | None
    destination: str | None
    recipient: str | None
    in_response_to: str | None
    confirmation_in_response_to: str | None
    audiences: Sequence[str] | None
    issue_instant: float | str | None
    response_issue_instant: float | str | None
    not_before: float | str | None
    not_on_or_after: float | str | None
    confirmation_not_before: float | str | None = None
    confirmation_not_on_or_after: float | str | None
    session_not_on_or_after: float | str | None = None
    authn_instant: float | str | None
    authn_context: str | None = PASSWORD
    session_index: str | None = "_session-1"
    name_id: str | None = "alice@example.com"
    name_id_format: str | None = PERSISTENT
    confirmation_method: str = BEARER
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    status: str = SUCCESS
    sub_status: str | None = None
    version: str = "2.0"


@dataclass(frozen=True, kw_only=True)
class Markup:
    """Prefixes (empty: the default namespace) and white space between elements."""

    protocol: str = "samlp"
    assertion: str = "saml"
    signature: str = "ds"
    indent: bool = False


def render(answer: Answer, markup: Markup) -> etree._Element:
    """The Response of ``answer`` with its assertion, unsigned."""
    root = etree.fromstring(_Writer(markup).response(answer))
    if markup.indent:
        etree.indent(root, space="   ")
    return root


class _Writer:
    """Writes elements as text: the one way to have a say in every prefix and declaration."""

    def __init__(self, markup: Markup) -> None:
        self._p = f"{markup.protocol}:" if markup.protocol else ""
        self._s = f"{markup.assertion}:" if markup.assertion else ""
        self._p_ns = _declaration(markup.protocol, PROTOCOL)
        self._s_ns = _declaration(markup.assertion, ASSERTION)

    def response(self, answer: Answer) -> str:
        attributes = _attributes(
            ID=answer.response_id,
            Version=answer.version,
            IssueInstant=answer.response_issue_instant,
            Destination=answer.destination,
            InResponseTo=answer.in_response_to,
        )
        return (
            f"<{self._p}Response {self._p_ns}{attributes}>"
            f"{self._issuer(answer.response_issuer)}{self._status(answer)}"
            f"{self._assertion(answer)}</{self._p}Response>"
        )

    def _status(self, answer: Answer) -> str:
        p, below = self._p, ""
        if answer.sub_status:
            below = f"<{p}StatusCode Value={quoteattr(answer.sub_status)}/>"
        code = f"<{p}StatusCode Value={quoteattr(answer.status)}>{below}</{p}StatusCode>"
        return f"<{p}Status>{code}</{p}Status>"

    def _assertion(self, answer: Answer) -> str:
        attributes = _attributes(
            ID=answer.assertion_id, Version="2.0", IssueInstant=answer.issue_instant
        )
        return (
            f"<{self._s}Assertion {self._s_ns}{attributes}>"
            f"{self._issuer(answer.assertion_issuer)}{self._subject(answer)}"
            f"{self._conditions(answer)}{self._authn_statement(answer)}"
            f"{self._attribute_statement(answer)}</{self._s}Assertion>"
        )

    def _issuer(self, entity_id: str | None) -> str:
        if entity_id is None:
            return ""
        return f"<{self._s}Issuer {self._s_ns}>{escape(entity_id)}</{self._s}Issuer>"

    def _subject(self, answer: Answer) -> str:
        s, name_id = self._s, ""
        if answer.name_id is not None:
            form = _attributes(Format=answer.name_id_format)
            name_id = f"<{s}NameID{form}>{escape(answer.name_id)}</{s}NameID>"
        data = _attributes(
            InResponseTo=answer.confirmation_in_response_to,
            Recipient=answer.recipient,
            NotBefore=answer.confirmation_not_before,
            NotOnOrAfter=answer.confirmation_not_on_or_after,
        )
        return (
            f"<{s}Subject>{name_id}<{s}SubjectConfirmation "
            f"Method={quoteattr(answer.confirmation_method)}>"
            f"<{s}SubjectConfirmationData{data}/></{s}SubjectConfirmation></{s}Subject>"
        )

    def _conditions(self, answer: Answer) -> str:
        s, restriction = self._s, ""
        if answer.audiences is not None:
            names = "".join(f"<{s}Audience>{escape(one)}</{s}Audience>" for one in answer.audiences)
            restriction = f"<{s}AudienceRestriction>{names}</{s}AudienceRestriction>"
        times = _attributes(NotBefore=answer.not_before, NotOnOrAfter=answer.not_on_or_after)
        return f"<{s}Conditions{times}>{restriction}</{s}Conditions>"

    def _authn_statement(self, answer: Answer) -> str:
        s = self._s
        attributes = _attributes(
            AuthnInstant=answer.authn_instant,
            SessionIndex=answer.session_index,
            SessionNotOnOrAfter=answer.session_not_on_or_after,
        )
        context = ""
        if answer.authn_context is not None:
            how = escape(answer.authn_context)
            context = f"<{s}AuthnContextClassRef>{how}</{s}AuthnContextClassRef>"
        return (
            f"<{s}AuthnStatement{attributes}><{s}AuthnContext>{context}</{s}AuthnContext>"
            f"</{s}AuthnStatement>"
        )

    def _attribute_statement(self, answer: Answer) -> str:
        if not answer.attributes:
            return ""
        body = "".join(self._attribute(name, values) for name, values in answer.attributes.items())
        return f"<{self._s}AttributeStatement>{body}</{self._s}AttributeStatement>"

    def _attribute(self, name: str, values: Sequence[str]) -> str:
        s = self._s
        body = "".join(f"<{s}AttributeValue>{escape(v)}</{s}AttributeValue>" for v in values)
        form = _attributes(Name=name, NameFormat=URI_NAME)
        return f"<{s}Attribute{form}>{body}</{s}Attribute>"


def _declaration(prefix: str, namespace: str) -> str:
    return f'xmlns:{prefix}="{namespace}"' if prefix else f'xmlns="{namespace}"'


def _attributes(**values: float | str | None) -> str:
    """The given attributes, those that are None left out."""
    spelt = {
        name: value if isinstance(value, str) else instant(value)
        for name, value in values.items()
        if value is not None
    }
    return "".join(f" {name}={quoteattr(text)}" for name, text in spelt.items())
