"""Single logout messages (SAML core 3.7, profiles 4.4): what we send, what we take.

What is taken comes by POST and is signed by the provider, without exception: whoever can end a
session of somebody else can lock people out. Whose session it is, and whether an answer was waited
for, is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker.model.errors import Reason, UpstreamError
from broker.saml.algorithms import PublicKey, SignatureError
from broker.saml.assertion import NameId, instant, name_id_in, simple_text
from broker.saml.instant import write_instant
from broker.saml.node import Node
from broker.saml.refusal import refused
from broker.saml.response import decoded
from broker.saml.rules import ISSUER, STATUS_CODE, SUCCESS
from broker.saml.signature import signed_view
from broker.saml.xml import SAML, SAMLP, XmlError, escaped, name, parse

LOGOUT_REQUEST = name(SAMLP, "LogoutRequest")
LOGOUT_RESPONSE = name(SAMLP, "LogoutResponse")

MAX_AGE = 360
"""How long ago a request without NotOnOrAfter may have been issued."""

MAX_ENTITY_ID = 1024
"""Characters (core 8.3.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends a message, and to which endpoint of whom."""

    issuer: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutExpectations:
    """What is known before a message is read: our endpoint, and the provider it must come from."""

    destination: str
    issuer: str
    keys: Sequence[PublicKey]
    now: float
    skew: int = 120
    allow_sha1: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """Whose sessions the provider wants ended. A SessionIndex in it is not looked at: see
    ``ProviderLogout``.

    ``usable_until``: as long must ``id`` be remembered, since the message could come again.
    """

    id: str
    name_id: NameId
    usable_until: float


def logout_request(
    sender: Sender, name_id: NameId, session_index: str | None, *, request_id: str, now: float
) -> str:
    """A LogoutRequest that repeats the NameID as it was received (core 3.7.1)."""
    index = (
        ""
        if session_index is None
        else f"<samlp:SessionIndex>{escaped(session_index)}</samlp:SessionIndex>"
    )
    content = f"{_name_id(name_id)}{index}"
    return _message("LogoutRequest", sender, content, message_id=request_id, now=now)


def logout_response(sender: Sender, *, in_response_to: str, response_id: str, now: float) -> str:
    """A LogoutResponse that says Success (core 3.7.2)."""
    content = f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
    answers = f' InResponseTo="{escaped(in_response_to)}"'
    return _message(
        "LogoutResponse", sender, content, message_id=response_id, now=now, more=answers
    )


def read_logout_response(encoded: str, expected: LogoutExpectations, request_id: str) -> list[str]:
    """The status codes, outermost first, of the provider's answer to ``request_id``.

    Raises ``UpstreamError``.
    """
    response = _verified(encoded, LOGOUT_RESPONSE, expected)
    if response.get("InResponseTo") != request_id:
        raise _unexpected(f"an answer to {request_id}", str(response.get("InResponseTo")))
    return [code.get("Value", "") for code in response.element.iter(STATUS_CODE)]


def read_logout_request(encoded: str, expected: LogoutExpectations) -> LogoutRequest:
    """The provider's wish to end sessions. Raises ``UpstreamError``."""
    request = _verified(encoded, LOGOUT_REQUEST, expected)
    return LogoutRequest(
        id=request.get("ID", ""),
        name_id=name_id_in(request),
        usable_until=_end(request, expected),
    )


def claimed_issuer(encoded: str) -> str | None:
    """Who a message says it is from, to choose the keys it has to verify with; not to be believed.

    None: nobody, or a name that is longer than an entity's may be (core 8.3.6).
    """
    try:
        issuers = Node(parse(decoded(encoded))).children(ISSUER)
        issuer = simple_text(issuers[0]) if len(issuers) == 1 else ""
    except (UpstreamError, XmlError):
        return None
    return issuer if 0 < len(issuer) <= MAX_ENTITY_ID else None


def _verified(encoded: str, tag: str, expected: LogoutExpectations) -> Node:
    """The message as its signer saw it, of the wanted kind, from the provider, to this endpoint."""
    try:
        root = parse(decoded(encoded))
    except (UpstreamError, XmlError) as fault:
        raise refused(Reason.SAML_LOGOUT_MALFORMED, fault.expected, fault.received) from fault
    if root.tag != tag:
        raise refused(Reason.SAML_LOGOUT_MALFORMED, tag, str(root.tag))
    try:
        message = Node(signed_view(root, expected.keys, allow_sha1=expected.allow_sha1))
    except SignatureError as fault:
        raise refused(Reason.SAML_LOGOUT_SIGNATURE, fault.expected, fault.received) from fault
    _check_envelope(message, expected)
    return message


def _check_envelope(message: Node, expected: LogoutExpectations) -> None:
    """Profiles 4.4.4: Issuer is the provider; bindings 3.5.5.2: a signed message is addressed."""
    issuers = [simple_text(issuer) for issuer in message.children(ISSUER)]
    if issuers != [expected.issuer]:
        raise _unexpected(expected.issuer, ", ".join(issuers) or "no Issuer")
    if message.get("Destination") != expected.destination:
        raise _unexpected(expected.destination, str(message.get("Destination")))
    if message.get("Version") != "2.0":
        raise _unexpected("Version 2.0", str(message.get("Version")))


def _end(request: Node, expected: LogoutExpectations) -> float:
    """When the request is over (core 3.7.1), at the latest some minutes after it was issued."""
    issued = instant(request, "IssueInstant")
    if issued is None or issued > expected.now + expected.skew:
        raise _unexpected("issued in the past", str(request.get("IssueInstant")))
    stated = instant(request, "NotOnOrAfter")
    end = issued + MAX_AGE if stated is None else min(stated, issued + MAX_AGE)
    if expected.now - expected.skew >= end:
        raise _unexpected(f"a request of now, {expected.now:.0f}", f"one that ended {end:.0f}")
    return end + expected.skew


def _unexpected(expected: str, received: str) -> UpstreamError:
    return refused(Reason.SAML_LOGOUT_UNEXPECTED, expected, received)


def _message(
    kind: str, sender: Sender, content: str, *, message_id: str, now: float, more: str = ""
) -> str:
    return (
        f'<samlp:{kind} xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{message_id}"'
        f' Version="2.0" IssueInstant="{write_instant(now)}"'
        f' Destination="{escaped(sender.destination)}"{more}>'
        f"<saml:Issuer>{escaped(sender.issuer)}</saml:Issuer>{content}</samlp:{kind}>"
    )


def _name_id(name_id: NameId) -> str:
    stated = {
        "Format": name_id.format,
        "NameQualifier": name_id.name_qualifier,
        "SPNameQualifier": name_id.sp_name_qualifier,
    }
    attributes = "".join(
        f' {attribute}="{escaped(value)}"'
        for attribute, value in stated.items()
        if value is not None
    )
    return f"<saml:NameID{attributes}>{escaped(name_id.value)}</saml:NameID>"
