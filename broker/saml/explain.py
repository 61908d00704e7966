"""What the broker would check of a captured Response, step by step: for ``broker saml explain``.

Runs the very functions of ``response.py`` and ``rules.py``, one by one, and goes on after a failure where
there is something left to look at. It decides nothing: an explanation is never a verification. Findings
name rules, algorithms, names of attributes and times; no value of an attribute, no NameID, no key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from broker.model.errors import Reason, UpstreamError
from broker.saml.assertion import attributes, name_id_in, only_subject
from broker.saml.response import ENCRYPTED_ASSERTION, one_assertion, sent_response, verified
from broker.saml.rules import (
    Expectations,
    assertion_issuer_is_provider,
    audience_is_us,
    authn_context_is_as_asked,
    conditions_hold,
    confirmed_until,
    destination_is_acs,
    has_an_authn_statement,
    has_an_id,
    response_answers_request,
    response_issuer_is_provider,
    session_is_not_over,
    sign_in_is_recent,
    status_is_success,
    unsolicited_is_fresh,
    version_is_2_0,
)
from broker.saml.signature import is_signed
from broker.saml.xml import Element, children

Rule = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step. ``passed`` None: nothing was checked, ``note`` says what was seen."""

    step: str
    passed: bool | None
    reason: Reason | None = None
    expected: str = ""
    received: str = ""
    note: str = ""


def explain(encoded: str, expected: Expectations, mapping: Mapping[str, str]) -> Iterator[Finding]:
    """Every step for ``encoded``; ``mapping`` is the provider's (pool attribute -> claim)."""
    finding, sent = _run("The message is a SAML Response", partial(sent_response, encoded))
    yield finding
    if not isinstance(sent, Element):
        return
    finding, response = _signature("Response", sent, expected, Reason.SAML_RESPONSE_SIGNATURE)
    yield finding
    is_proven = finding.passed is True
    yield from _all(_response_rules(response, expected, signed=is_signed(sent) or is_proven))
    yield _encryption(response)
    finding, assertion = _run(
        "It has one assertion that can be read", partial(one_assertion, response, sent, expected)
    )
    yield finding
    if not isinstance(assertion, Element):
        return
    finding, seen = _signature("Assertion", assertion, expected, Reason.SAML_ASSERTION_SIGNATURE)
    yield finding
    yield _something_is_signed(is_proven or finding.passed is True)
    yield from _all(_assertion_rules(seen, expected))
    yield from _attributes(seen, mapping)


def _run(step: str, rule: Rule) -> tuple[Finding, object]:
    try:
        result = rule()
    except UpstreamError as error:
        finding = Finding(
            step=step,
            passed=False,
            reason=error.reason,
            expected=error.expected,
            received=error.received,
        )
        return finding, None
    return Finding(step=step, passed=True), result


def _all(rules: Mapping[str, Rule]) -> Iterator[Finding]:
    for step, rule in rules.items():
        yield _run(step, rule)[0]


def _signature(
    what: str, element: Element, expected: Expectations, reason: Reason
) -> tuple[Finding, Element]:
    """The signature's finding and the tree to go on with: the verified one, else what is there."""
    step = f"The signature of the {what} is the provider's"
    if not is_signed(element):
        return Finding(step=step, passed=None, note=f"the {what} has no signature"), element
    finding, result = _run(step, partial(verified, element, expected, reason))
    if isinstance(result, tuple):
        return finding, result[0]
    return finding, element


def _something_is_signed(is_proven: bool) -> Finding:  # noqa: FBT001  # a fact, not a switch
    step = "The Response, the assertion or both are signed"
    if is_proven:
        return Finding(step=step, passed=True)
    return Finding(
        step=step,
        passed=False,
        reason=Reason.SAML_UNSIGNED,
        expected="a good signature on one of them",
        received="none",
    )


def _encryption(response: Element) -> Finding:
    encrypted = bool(children(response, ENCRYPTED_ASSERTION))
    note = "the assertion is encrypted" if encrypted else "the assertion is not encrypted"
    return Finding(step="Encryption", passed=None, note=note)


def _response_rules(response: Element, expected: Expectations, *, signed: bool) -> dict[str, Rule]:
    return {
        "The Response is of SAML 2.0": partial(version_is_2_0, response),
        "Its Issuer is the provider": partial(response_issuer_is_provider, response, expected),
        "Its Destination is the ACS": partial(
            destination_is_acs, response, expected, signed=signed
        ),
        "Its InResponseTo is the request": partial(response_answers_request, response, expected),
        "Its status is Success": partial(status_is_success, response),
    }


def _assertion_rules(assertion: Element, expected: Expectations) -> dict[str, Rule]:
    return {
        "The assertion has an ID": partial(has_an_id, assertion),
        "The assertion is of SAML 2.0": partial(version_is_2_0, assertion),
        "Its Issuer is the provider": partial(assertion_issuer_is_provider, assertion, expected),
        "Its Conditions hold now": partial(conditions_hold, assertion, expected),
        "Its audience is this pool": partial(audience_is_us, assertion, expected),
        "A bearer confirmation is for the ACS": partial(confirmed_until, assertion, expected),
        "It says when the person signed in": partial(has_an_authn_statement, assertion),
        "It was a new sign-in, if one was asked for": partial(
            sign_in_is_recent, assertion, expected
        ),
        "They signed in as was asked for": partial(authn_context_is_as_asked, assertion, expected),
        "The provider's session is not over": partial(session_is_not_over, assertion, expected),
        "Unasked, it was issued just now": partial(unsolicited_is_fresh, assertion, expected),
        "It names somebody": lambda: name_id_in(only_subject(assertion)),
    }


def _attributes(assertion: Element, mapping: Mapping[str, str]) -> Iterator[Finding]:
    """What is there to map, by name; and what is mapped and not there."""
    finding, found = _run("Its attributes can be read", partial(attributes, assertion))
    yield finding
    sent = {**found, "NameID": ()} if isinstance(found, dict) else {}
    names = ", ".join(sorted(sent)) or "none"
    yield Finding(step="Attributes", passed=None, note=f"the assertion has: {names}")
    for name, claim in mapping.items():
        step = f"{name} is mapped from {claim}"
        note = "sent" if claim in sent else "not in this assertion; an old value stays"
        yield Finding(step=step, passed=None, note=note)
