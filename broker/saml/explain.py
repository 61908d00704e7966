"""What the broker would check of a captured Response, step by step: for ``broker saml explain``.

Runs the very functions of ``response.py`` and ``rules.py``, one by one, and goes on after a failure where
there is something left to look at. It decides nothing: an explanation is never a verification. Findings
name rules, algorithms, names of attributes and times; no value of an attribute, no NameID, no key.
What becomes of the person in the user pool is left to the caller's ``Sequel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.model.errors import Reason, UpstreamError
from broker.saml.assertion import NameId, attributes, claims_of, name_id_in, only_subject
from broker.saml.expectations import Expectations
from broker.saml.node import Node
from broker.saml.response import ENCRYPTED_ASSERTION, one_assertion, sent_response, verified
from broker.saml.rules import ASSERTION_RULES, Rule, response_rules
from broker.saml.signature import is_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step. ``passed`` None: nothing was checked, ``note`` says what was seen."""

    step: str
    passed: bool | None
    reason: Reason | None = None
    expected: str = ""
    received: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the message says of the person. It may all be forged."""

    subject: str = field(repr=False)
    claims: Mapping[str, tuple[str, ...]] = field(repr=False)


Sequel = Callable[[Said], Iterator[Finding]]
"""The steps that come after those of SAML."""


def explain(encoded: str, expected: Expectations, sequel: Sequel) -> Iterator[Finding]:
    """Every step for ``encoded``, and those of ``sequel`` when it names somebody."""
    finding, sent = attempt("The message is a SAML Response", partial(sent_response, encoded))
    yield finding
    if not isinstance(sent, Node):
        return
    signed = is_signed(sent)  # verifying takes the signature out
    finding, response = _signature("Response", sent, expected, Reason.SAML_RESPONSE_SIGNATURE)
    yield finding
    is_proven = finding.passed is True
    yield from _all(response_rules(signed=signed), response, expected)
    yield _encryption(response)
    finding, assertion = attempt(
        "It has one assertion that can be read", partial(one_assertion, response, sent, expected)
    )
    yield finding
    if not isinstance(assertion, Node):
        return
    finding, seen = _signature("Assertion", assertion, expected, Reason.SAML_ASSERTION_SIGNATURE)
    yield finding
    yield _something_is_signed(is_proven or finding.passed is True)
    yield from _all(ASSERTION_RULES, seen, expected)
    yield from _person(seen, sequel)


def attempt(step: str, check: Callable[[], object]) -> tuple[Finding, object]:
    """Whether ``check`` passes, and what it returns; None when it raises ``UpstreamError``."""
    try:
        result = check()
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


def _all(
    rules: Sequence[tuple[str, Rule]], element: Node, expected: Expectations
) -> Iterator[Finding]:
    for step, rule in rules:
        yield attempt(step, partial(rule, element, expected))[0]


def _signature(
    what: str, element: Node, expected: Expectations, reason: Reason
) -> tuple[Finding, Node]:
    """The signature's finding and the tree to go on with: the verified one, else what is there."""
    step = f"The signature of the {what} is the provider's"
    if not is_signed(element):
        return Finding(step=step, passed=None, note=f"the {what} has no signature"), element
    finding, result = attempt(step, partial(verified, element, expected, reason))
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


def _encryption(response: Node) -> Finding:
    encrypted = bool(response.children(ENCRYPTED_ASSERTION))
    note = "the assertion is encrypted" if encrypted else "the assertion is not encrypted"
    return Finding(step="Encryption", passed=None, note=note)


def _person(assertion: Node, sequel: Sequel) -> Iterator[Finding]:
    """What is there to map, by name; and what becomes of it."""
    finding, found = attempt("Its attributes can be read", partial(attributes, assertion))
    yield finding
    sent = found if isinstance(found, dict) else {}
    names = ", ".join(sorted({*sent, "NameID"}))
    yield Finding(step="Attributes", passed=None, note=f"the assertion has: {names}")
    _, name_id = attempt("It names somebody", partial(_name_id, assertion))  # found by the rule
    if isinstance(name_id, NameId):
        yield from sequel(Said(subject=name_id.value, claims=claims_of(sent, name_id)))


def _name_id(assertion: Node) -> NameId:
    return name_id_in(only_subject(assertion))
