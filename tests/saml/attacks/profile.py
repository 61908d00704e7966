"""Answers the provider signed, each with one fault: not for us, not now, not what was asked.

Every document is good but for one value, so the reason of the refusal is exactly that value's rule
(SAML profiles 4.1.4.3; CVE-2026-41577, CVE-2026-55669). Most are tried on a signed assertion and on
a signed Response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_document import ASSERTION, PROTOCOL, Answer
from tests.saml.attacks.case import VICTIM, Cases, Category, Scene, assertion_of, detached, one
from tests.saml.attacks.forge import SIGNATURE_REASON, Level

CASES = Cases(Category.PROFILE)

Change = Callable[[Answer], dict[str, Any]]
Edit = Callable[[etree._Element], None]

MINUTE = 60


def fault(
    name: str, reason: Reason, change: Change | None = None, edit: Edit | None = None, **how: Any
) -> None:
    """A case for each level of signing: ``change`` replaces values, ``edit`` changes the tree."""
    for level in SIGNATURE_REASON:

        def build(scene: Scene, level: Level = level) -> etree._Element:
            good = scene.idp.answer(scene.request)
            said = {"name_id": VICTIM, **(change(good) if change else {})}
            return scene.idp.document(scene.request, sign=level, edit=edit, **said)

        CASES.add(f"{name} ({level} signed)", "SAML profiles 4.1.4", build, reason, **how)


# -- the Response -----------------------------------------------------------------------------

STATUS = "urn:oasis:names:tc:SAML:2.0:status:"

fault("Status Requester", Reason.SAML_STATUS, lambda a: {"status": f"{STATUS}Requester"})
fault("Status Responder", Reason.SAML_STATUS, lambda a: {"status": f"{STATUS}Responder"})
fault(
    "Success only below another status",
    Reason.SAML_STATUS,
    lambda a: {"status": f"{STATUS}Responder", "sub_status": f"{STATUS}Success"},
)
fault("Status nearly Success", Reason.SAML_STATUS, lambda a: {"status": f"{STATUS}Success2"})
fault("Status in other capitals", Reason.SAML_STATUS, lambda a: {"status": f"{STATUS}success"})
fault("Status empty", Reason.SAML_STATUS, lambda a: {"status": ""})
fault("Version 1.1", Reason.SAML_VERSION, lambda a: {"version": "1.1"})
fault("Version 2.1", Reason.SAML_VERSION, lambda a: {"version": "2.1"})
fault("Version empty", Reason.SAML_VERSION, lambda a: {"version": ""})


def _remove(path: str) -> Edit:
    def edit(response: etree._Element) -> None:
        found = one(response, path)
        found.getparent().remove(found)

    return edit


def _drop(path: str, attribute: str) -> Edit:
    return lambda response: one(response, path).attrib.pop(attribute) and None


fault("No Status", Reason.SAML_STATUS, edit=_remove("p:Status"))
fault("No StatusCode", Reason.SAML_STATUS, edit=_remove("p:Status/p:StatusCode"))
fault("No Version", Reason.SAML_VERSION, edit=_drop(".", "Version"))
fault("Assertion without Version", Reason.SAML_VERSION, edit=_drop("s:Assertion", "Version"))
fault(
    "Assertion of version 1.1",
    Reason.SAML_VERSION,
    edit=lambda response: assertion_of(response).set("Version", "1.1"),
)

# -- where it is delivered --------------------------------------------------------------------

_NEARLY: dict[str, Callable[[str], str | None]] = {
    "another host": lambda url: url.replace("://", "://evil."),
    "another path": lambda url: f"{url}2",
    "a path below": lambda url: f"{url}/evil",
    "a slash at its end": lambda url: f"{url}/",
    "a query": lambda url: f"{url}?x=y",
    "a fragment": lambda url: f"{url}#x",
    "other capitals": lambda url: url.upper(),
    "a user": lambda url: url.replace("://", "://evil@"),
    "white space around it": lambda url: f" {url} ",
    "nothing in it": lambda url: "",
}

for _what, _change in _NEARLY.items():
    fault(
        f"Destination with {_what}",
        Reason.SAML_DESTINATION,
        lambda a, change=_change: {"destination": change(a.destination)},
    )
    fault(
        f"Recipient with {_what}",
        Reason.SAML_SUBJECT_CONFIRMATION,
        lambda a, change=_change: {"recipient": change(a.recipient)},
    )
fault("No Recipient", Reason.SAML_SUBJECT_CONFIRMATION, lambda a: {"recipient": None})


@CASES("SAML bindings 3.5.5.2", Reason.SAML_DESTINATION)
def no_destination(scene: Scene) -> etree._Element:
    """A signed Response without Destination."""
    return scene.idp.document(scene.request, name_id=VICTIM, sign="response", destination=None)


# -- what it answers --------------------------------------------------------------------------

for _field, _what in (("in_response_to", "Response"), ("confirmation_in_response_to", "Subject")):
    for _value, _how in (("_another", "another request"), (None, "no request"), ("", "nothing")):
        fault(
            f"{_what} in response to {_how}",
            Reason.SAML_IN_RESPONSE_TO,
            lambda a, field=_field, value=_value: {field: value},
        )

# -- whom it is for ---------------------------------------------------------------------------

_AUDIENCES: dict[str, Callable[[str], tuple[str, ...] | None]] = {
    "another service": lambda us: ("urn:amazon:cognito:sp:other_1",),
    "a name that begins like ours": lambda us: (f"{us}0",),
    "a name that ours begins like": lambda us: (us[:-1],),
    "our name in capitals": lambda us: (us.upper(),),
    "our name among others in one Audience": lambda us: (f"{us} urn:other",),
    "nobody": lambda us: (),
    "an empty name": lambda us: ("",),
    "everybody": lambda us: ("*",),
    "no restriction": lambda us: None,
}
for _what, _audience in _AUDIENCES.items():
    fault(
        f"Audience: {_what}",
        Reason.SAML_AUDIENCE,
        lambda a, audience=_audience: {"audiences": audience(a.audiences[0])},
    )


def _second_restriction(response: etree._Element) -> None:
    restriction = one(assertion_of(response), "s:Conditions/s:AudienceRestriction")
    second = detached(restriction)
    one(second, "s:Audience").text = "urn:other"
    restriction.addnext(second)


def _audience_of_a_proxy(response: etree._Element) -> None:
    one(
        assertion_of(response), "s:Conditions/s:AudienceRestriction"
    ).tag = f"{{{ASSERTION}}}ProxyRestriction"


fault("A second restriction without us", Reason.SAML_AUDIENCE, edit=_second_restriction)
fault("We are only a proxy's audience", Reason.SAML_AUDIENCE, edit=_audience_of_a_proxy)

# -- when -------------------------------------------------------------------------------------

fault(
    "Conditions over for ten minutes",
    Reason.SAML_EXPIRED,
    lambda a: {"not_before": a.issue_instant - 3600, "not_on_or_after": a.issue_instant - 600},
)
fault(
    "Conditions over for longer than any skew",
    Reason.SAML_EXPIRED,
    lambda a: {"not_on_or_after": a.issue_instant - 181},
)
fault(
    "Conditions that begin in ten minutes",
    Reason.SAML_NOT_YET_VALID,
    lambda a: {"not_before": a.issue_instant + 600, "not_on_or_after": a.issue_instant + 1200},
)
fault(
    "Confirmation over for ten minutes",
    Reason.SAML_EXPIRED,
    lambda a: {"confirmation_not_on_or_after": a.issue_instant - 600},
)
fault(
    "Confirmation that begins in ten minutes",
    Reason.SAML_NOT_YET_VALID,
    lambda a: {
        "confirmation_not_before": a.issue_instant + 600,
        "confirmation_not_on_or_after": a.issue_instant + 1200,
    },
)
fault(
    "Confirmation without an end",
    Reason.SAML_SUBJECT_CONFIRMATION,
    lambda a: {"confirmation_not_on_or_after": None},
)
fault(
    "A session that is over",
    Reason.SAML_SESSION_EXPIRED,
    lambda a: {"session_not_on_or_after": a.issue_instant - 600},
)

for _text in (
    "",
    "tomorrow",
    "99999-01-01T00:00:00Z",
    "2099-13-01T00:00:00Z",
    "2099-02-30T00:00:00Z",
    "2099-01-01T25:00:00Z",
    "2099-01-01",
    "2099-01-01T00:00:00+99:99",
    "4102444800",
    "-2099-01-01T00:00:00Z",
    "\u0662\u0660\u0669\u0669-01-01T00:00:00Z",
):
    fault(
        f"A time that is none: {_text!a}",
        Reason.SAML_ASSERTION_MALFORMED,
        lambda a, text=_text: {"not_on_or_after": text},
    )

# -- conditions and confirmations -------------------------------------------------------------


def _unknown_condition(markup: str) -> Edit:
    def edit(response: etree._Element) -> None:
        condition = etree.fromstring(markup)
        one(assertion_of(response), "s:Conditions").append(condition)

    return edit


XSI = "http://www.w3.org/2001/XMLSchema-instance"

fault("No Conditions", Reason.SAML_CONDITIONS, edit=_remove("s:Assertion/s:Conditions"))
fault(
    "An unknown Condition",
    Reason.SAML_CONDITIONS,
    edit=_unknown_condition(
        f'<s:Condition xmlns:s="{ASSERTION}" xmlns:xsi="{XSI}" xmlns:e="urn:e" xsi:type="e:Moon"/>'
    ),
)
fault(
    "A Condition of another namespace",
    Reason.SAML_CONDITIONS,
    edit=_unknown_condition('<e:OnlyAtFullMoon xmlns:e="urn:example"/>'),
)
fault(
    "OneTimeUse of another namespace",
    Reason.SAML_CONDITIONS,
    edit=_unknown_condition('<e:OneTimeUse xmlns:e="urn:example"/>'),
)


def _second(path: str, **changes: str) -> Edit:
    """Two of what there must be one of, the second one changed."""

    def edit(response: etree._Element) -> None:
        first = one(response, path)
        twin = detached(first)
        for attribute, value in changes.items():
            twin.set(attribute, value)
        first.addnext(twin)

    return edit


fault("Two Conditions", Reason.SAML_CONDITIONS, edit=_second("s:Assertion/s:Conditions"))
fault("Two Issuers in the assertion", Reason.SAML_ISSUER, edit=_second("s:Assertion/s:Issuer"))
fault("Two Issuers in the Response", Reason.SAML_ISSUER, edit=_second("s:Issuer"))
fault("Two Subjects", Reason.SAML_ASSERTION_MALFORMED, edit=_second("s:Assertion/s:Subject"))
fault(
    "Two StatusCodes of which the second fails",
    Reason.SAML_STATUS,
    edit=_second("p:Status/p:StatusCode", Value=f"{STATUS}Responder"),
)
fault(
    "Two Status of which the second fails",
    Reason.SAML_STATUS,
    edit=lambda response: one(response, "p:Status").addnext(
        etree.fromstring(
            f'<p:Status xmlns:p="{PROTOCOL}"><p:StatusCode Value="{STATUS}Responder"/></p:Status>'
        )
    ),
)

for _method in ("holder-of-key", "sender-vouches"):
    fault(
        f"Confirmation by {_method}",
        Reason.SAML_SUBJECT_CONFIRMATION,
        lambda a, method=_method: {
            "confirmation_method": f"urn:oasis:names:tc:SAML:2.0:cm:{method}"
        },
    )
CONFIRMATION = "s:Assertion/s:Subject/s:SubjectConfirmation"
fault("No confirmation", Reason.SAML_SUBJECT_CONFIRMATION, edit=_remove(CONFIRMATION))
fault(
    "A confirmation without data",
    Reason.SAML_SUBJECT_CONFIRMATION,
    edit=_remove(f"{CONFIRMATION}/s:SubjectConfirmationData"),
)
fault(
    "A confirmation with two data",
    Reason.SAML_SUBJECT_CONFIRMATION,
    edit=_second(f"{CONFIRMATION}/s:SubjectConfirmationData"),
)
fault(
    "The good confirmation is of another method",
    Reason.SAML_SUBJECT_CONFIRMATION,
    lambda a: {"recipient": "https://evil.test/acs"},
    _second(CONFIRMATION, Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
)

# -- whose assertion, of what id --------------------------------------------------------------

fault(
    "No Subject",
    Reason.SAML_ASSERTION_MALFORMED,
    edit=_remove("s:Assertion/s:Subject"),
    gains="",
)
for _name, _what in (
    (None, "No NameID"),
    ("", "An empty NameID"),
    (" \t\n", "A NameID of white space"),
    (f"{VICTIM}\n", "A line break in the NameID"),
    (f"{VICTIM}\x85", "A C1 control in the NameID"),
):
    fault(
        _what,
        Reason.SAML_NAME_ID,
        lambda a, name=_name: {"name_id": name},
        gains=_name or "",
    )


@CASES("SAML core 2.3.3", Reason.SAML_ASSERTION_MALFORMED)
def no_assertion_id(scene: Scene) -> etree._Element:
    """An assertion without ID, in a signed Response."""
    return scene.idp.document(scene.request, name_id=VICTIM, sign="response", assertion_id=None)


@CASES("SAML profiles 4.1.4.2", Reason.SAML_ASSERTION_PLACEMENT)
def two_genuine_assertions(scene: Scene) -> etree._Element:
    """Two assertions, both signed by the provider, in one Response."""
    response = scene.idp.document(scene.request, name_id="mallory@example.com")
    second = assertion_of(scene.idp.document(scene.request, name_id=VICTIM))
    assertion_of(response).addnext(second)
    return response


# -- unasked ----------------------------------------------------------------------------------

fault(
    "Unasked, issued seven minutes ago",
    Reason.SAML_ISSUED_TOO_LONG_AGO,
    lambda a: {"issue_instant": a.issue_instant - 7 * MINUTE},
    solicited=False,
)
fault(
    "Unasked, issued in ten minutes",
    Reason.SAML_ISSUED_TOO_LONG_AGO,
    lambda a: {"issue_instant": a.issue_instant + 10 * MINUTE},
    solicited=False,
)
fault(
    "Unasked, without the time of issue",
    Reason.SAML_ISSUED_TOO_LONG_AGO,
    lambda a: {"issue_instant": None},
    solicited=False,
)
fault(
    "Unasked, but in response to something",
    Reason.SAML_IN_RESPONSE_TO,
    lambda a: {"in_response_to": "_stolen"},
    solicited=False,
)
fault(
    "Unasked, confirmed in response to something",
    Reason.SAML_IN_RESPONSE_TO,
    lambda a: {"confirmation_in_response_to": "_stolen"},
    solicited=False,
)
