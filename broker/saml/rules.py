"""The rules of the Web Browser SSO profile that a Response must keep (SAML profiles 4.1.4).

One rule, one short function. A rule gets the message as verified and what is expected of it, and
raises ``UpstreamError`` or says nothing. Which rules there are is said at the end, once, for the
reader and for ``broker saml explain``; ``response.py`` decides what is verified and when they run.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.model.errors import Reason, UpstreamError
from broker.saml.assertion import (
    authn_context,
    authn_instant,
    instant,
    name_id_in,
    only_subject,
    session_end,
    simple_text,
)
from broker.saml.expectations import Expectations
from broker.saml.node import Node
from broker.saml.refusal import refused
from broker.saml.xml import SAML, SAMLP, name

AUDIENCE = name(SAML, "Audience")
AUDIENCE_RESTRICTION = name(SAML, "AudienceRestriction")
CONDITIONS = name(SAML, "Conditions")
ISSUER = name(SAML, "Issuer")
STATUS = name(SAMLP, "Status")
STATUS_CODE = name(SAMLP, "StatusCode")
SUBJECT_CONFIRMATION = name(SAML, "SubjectConfirmation")
SUBJECT_CONFIRMATION_DATA = name(SAML, "SubjectConfirmationData")

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

_UNDERSTOOD = {AUDIENCE_RESTRICTION, name(SAML, "OneTimeUse"), name(SAML, "ProxyRestriction")}
"""OneTimeUse is kept by the replay check; ProxyRestriction binds who issues further assertions."""


def status_is_success(response: Node, _expected: Expectations) -> None:
    """SAML core 3.2.2.2: only a top-level status of Success brings assertions to act on.

    One status, that is: of several, nobody knows which one another reader takes.
    """
    statuses = response.children(STATUS)
    top = [code.get("Value", "") for s in statuses for code in s.children(STATUS_CODE)]
    if len(statuses) != 1 or top != [SUCCESS]:
        all_codes = [
            code.get("Value", "") for s in statuses for code in s.element.iter(STATUS_CODE)
        ]
        raise refused(Reason.SAML_STATUS, SUCCESS, ", ".join(all_codes) or "no status")


def version_is_2_0(element: Node, _expected: Expectations) -> None:
    """SAML core 4.1: a message or assertion of another version is not processed."""
    if element.get("Version") != "2.0":
        raise refused(Reason.SAML_VERSION, "2.0", str(element.get("Version")))


def response_issuer_is_provider(response: Node, expected: Expectations) -> None:
    """Profiles 4.1.4.2: may be left out, must be the provider when it is there."""
    issuers = response.children(ISSUER)
    if issuers:
        _issuer_is_provider(issuers, expected)


def assertion_issuer_is_provider(assertion: Node, expected: Expectations) -> None:
    """Profiles 4.1.4.2: the Issuer is the entity this sign-in was begun with, nobody else."""
    _issuer_is_provider(assertion.children(ISSUER), expected)


def _issuer_is_provider(issuers: list[Node], expected: Expectations) -> None:
    names = [simple_text(issuer) for issuer in issuers]
    if names != [expected.issuer]:
        raise refused(Reason.SAML_ISSUER, expected.issuer, ", ".join(names) or "no Issuer")


def destination_is_acs(response: Node, expected: Expectations) -> None:
    """SAML core 3.2.2: may be left out, must be where the message arrived when it is there."""
    destination = response.get("Destination", expected.acs_url)
    if destination != expected.acs_url:
        raise refused(Reason.SAML_DESTINATION, expected.acs_url, destination)


def has_a_destination(response: Node, expected: Expectations) -> None:
    """Bindings 3.5.5.2: a signed message names where it is to be delivered."""
    if response.get("Destination") is None:
        raise refused(Reason.SAML_DESTINATION, expected.acs_url, "no Destination")


def response_answers_request(response: Node, expected: Expectations) -> None:
    """Profiles 4.1.4.3 and 4.1.5: InResponseTo is the request's ID, or absent without request."""
    if response.get("InResponseTo") != expected.request_id:
        raise refused(
            Reason.SAML_IN_RESPONSE_TO,
            str(expected.request_id),
            str(response.get("InResponseTo")),
        )


def has_an_id(assertion: Node, _expected: Expectations) -> None:
    """SAML core 2.3.3. Without an ID a second use could not be told from the first."""
    if not assertion.get("ID"):
        raise refused(Reason.SAML_ASSERTION_MALFORMED, "an assertion ID", "none")


def conditions_hold(assertion: Node, expected: Expectations) -> None:
    """SAML core 2.5.1: present, every condition understood, and now within their time."""
    conditions = _conditions(assertion)
    for condition in conditions.elements():
        if condition.tag not in _UNDERSTOOD:
            raise refused(Reason.SAML_CONDITIONS, "known conditions", condition.local_name)
    _is_within_time(conditions, expected)


def _conditions(assertion: Node) -> Node:
    found = assertion.children(CONDITIONS)
    if len(found) != 1:
        raise refused(Reason.SAML_CONDITIONS, "one Conditions element", str(len(found)))
    return found[0]


def _is_within_time(element: Node, expected: Expectations) -> None:
    start, end = instant(element, "NotBefore"), instant(element, "NotOnOrAfter")
    if start is not None and expected.is_future(start):
        raise refused(Reason.SAML_NOT_YET_VALID, _now(expected), f"{element.get('NotBefore')}")
    if end is not None and expected.is_past(end):
        raise refused(Reason.SAML_EXPIRED, _now(expected), f"{element.get('NotOnOrAfter')}")


def _now(expected: Expectations) -> str:
    return f"a time that holds at {expected.now:.0f} give or take {expected.skew} s"


def audience_is_us(assertion: Node, expected: Expectations) -> None:
    """SAML core 2.5.1.4: at least one restriction, and each of them names us."""
    restrictions = _conditions(assertion).children(AUDIENCE_RESTRICTION)
    audiences = [[simple_text(a) for a in r.children(AUDIENCE)] for r in restrictions]
    if not audiences or not all(expected.audience in named for named in audiences):
        received = "; ".join(", ".join(named) for named in audiences)
        raise refused(Reason.SAML_AUDIENCE, expected.audience, received or "no AudienceRestriction")


def is_confirmed(assertion: Node, expected: Expectations) -> None:
    """Profiles 4.1.4.3: there is a good bearer confirmation."""
    confirmed_until(assertion, expected)


def confirmed_until(assertion: Node, expected: Expectations) -> float:
    """Profiles 4.1.4.3: one good bearer confirmation is enough.

    Returns the latest end of the good ones, skew included: until then the same assertion could
    come a second time.
    """
    ends: list[float] = []
    refusal: UpstreamError | None = None
    for confirmation in only_subject(assertion).children(SUBJECT_CONFIRMATION):
        if confirmation.get("Method") != BEARER:
            continue
        try:
            ends.append(_confirmed_until(confirmation, expected))
        except UpstreamError as fault:
            refusal = fault
    if not ends:
        raise refusal or _unconfirmed("a bearer confirmation", "none")
    return max(ends) + expected.skew


def _confirmed_until(confirmation: Node, expected: Expectations) -> float:
    """Profiles 4.1.4.2: delivered to us, in time, in answer to the request if there was one."""
    found = confirmation.children(SUBJECT_CONFIRMATION_DATA)
    if len(found) != 1:
        raise _unconfirmed("one SubjectConfirmationData", str(len(found)))
    data = found[0]
    if data.get("Recipient") != expected.acs_url:
        raise _unconfirmed(f"Recipient {expected.acs_url}", str(data.get("Recipient")))
    if data.get("InResponseTo") != expected.request_id:
        raise refused(
            Reason.SAML_IN_RESPONSE_TO, str(expected.request_id), str(data.get("InResponseTo"))
        )
    end = instant(data, "NotOnOrAfter")
    if end is None:
        raise _unconfirmed("NotOnOrAfter", "none")
    _is_within_time(data, expected)
    return end


def _unconfirmed(expected: str, received: str) -> UpstreamError:
    return refused(Reason.SAML_SUBJECT_CONFIRMATION, expected, received)


def has_an_authn_statement(assertion: Node, _expected: Expectations) -> None:
    """Profiles 4.1.4.2: what proves a sign-in says when it was. Without it nobody could tell a new
    sign-in from an old one, and ``prompt=login`` would be anybody's to leave out."""
    authn_instant(assertion)


def sign_in_is_recent(assertion: Node, expected: Expectations) -> None:
    """SAML core 3.4.1: ForceAuthn wants the person asked anew. A provider may pass over it, or never
    see it, since a browser carries the request: an old sign-in must not pass for a new one."""
    since, at = expected.signed_in_since, authn_instant(assertion)
    if since is not None and at < since - expected.skew:
        raise refused(Reason.SAML_AUTHN_TOO_OLD, f"a sign-in since {since:.0f}", f"{at:.0f}")


def authn_context_is_as_asked(assertion: Node, expected: Expectations) -> None:
    """SAML core 3.3.2.2.1: asked with Comparison ``exact``, the context is one of those named."""
    context = authn_context(assertion)
    if expected.authn_contexts and context not in expected.authn_contexts:
        asked = " or ".join(expected.authn_contexts)
        raise refused(Reason.SAML_AUTHN_CONTEXT, asked, context or "no AuthnContextClassRef")


def session_is_not_over(assertion: Node, expected: Expectations) -> None:
    """SAML core 2.7.2: no session is begun that the provider has ended already."""
    end = session_end(assertion)
    if end is not None and expected.is_past(end):
        raise refused(Reason.SAML_SESSION_EXPIRED, _now(expected), f"{end:.0f}")


def unsolicited_is_fresh(assertion: Node, expected: Expectations) -> None:
    """An assertion nobody asked for has no request to age with, so it ages by itself."""
    if expected.request_id is not None:
        return
    issued = instant(assertion, "IssueInstant")
    if issued is None or expected.is_future(issued) or expected.now - issued > expected.max_age:
        raise refused(
            Reason.SAML_ISSUED_TOO_LONG_AGO,
            f"issued within {expected.max_age} s of {expected.now:.0f}",
            str(assertion.get("IssueInstant")),
        )


def names_somebody(assertion: Node, _expected: Expectations) -> None:
    """SAML core 2.4.1: a Subject with one NameID."""
    name_id_in(only_subject(assertion))


Rule = Callable[[Node, Expectations], None]

RESPONSE_RULES: tuple[tuple[str, Rule], ...] = (
    ("The Response is of SAML 2.0", version_is_2_0),
    ("Its Issuer is the provider", response_issuer_is_provider),
    ("Its Destination is the ACS", destination_is_acs),
    ("Its InResponseTo is the request", response_answers_request),
    ("Its status is Success", status_is_success),
)
"""Each with its name for people, in the order in which they are kept."""

SIGNED_RESPONSE_RULES = (*RESPONSE_RULES, ("Signed, it has a Destination", has_a_destination))

ASSERTION_RULES: tuple[tuple[str, Rule], ...] = (
    ("The assertion has an ID", has_an_id),
    ("The assertion is of SAML 2.0", version_is_2_0),
    ("Its Issuer is the provider", assertion_issuer_is_provider),
    ("Its Conditions hold now", conditions_hold),
    ("Its audience is this pool", audience_is_us),
    ("A bearer confirmation is for the ACS", is_confirmed),
    ("It says when the person signed in", has_an_authn_statement),
    ("They signed in anew, if that was asked for", sign_in_is_recent),
    ("They signed in the way that was asked for", authn_context_is_as_asked),
    ("The provider's session is not over", session_is_not_over),
    ("Unasked, it was issued just now", unsolicited_is_fresh),
    ("It names somebody", names_somebody),
)


def response_rules(*, signed: bool) -> tuple[tuple[str, Rule], ...]:
    """The rules of a Response that carried a signature, or of one that did not."""
    return SIGNED_RESPONSE_RULES if signed else RESPONSE_RULES
