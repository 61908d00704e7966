"""Answers the provider signed, each with one fault: over, not begun, not confirmed, of nobody.

The second half of ``profile``, and built like it: one value is wrong, and its rule is the reason.
"""

from __future__ import annotations

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_document import ASSERTION, PROTOCOL
from tests.saml.attacks.case import VICTIM, Category, Scene, assertion_of, one
from tests.saml.attacks.fault import Edit, Faults, remove, second
from tests.saml.attacks.profile import STATUS

CASES = Faults(Category.PROFILE)
fault = CASES.fault
MINUTE = 60

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
    "Nothing about a sign-in",
    Reason.SAML_AUTHN_STATEMENT,
    edit=remove("s:Assertion/s:AuthnStatement"),
)
fault(
    "A sign-in at no time",
    Reason.SAML_AUTHN_STATEMENT,
    lambda a: {"authn_instant": None},
)
fault(
    "An old sign-in, where a new one was asked for",
    Reason.SAML_AUTHN_TOO_OLD,
    lambda a: {"authn_instant": a.authn_instant - 3600},
)
fault(
    "A weaker sign-in than was asked for",
    Reason.SAML_AUTHN_CONTEXT,
    lambda a: {"authn_context": "urn:oasis:names:tc:SAML:2.0:ac:classes:PreviousSession"},
)
fault(
    "A sign-in of no class",
    Reason.SAML_AUTHN_CONTEXT,
    lambda a: {"authn_context": None},
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

fault("No Conditions", Reason.SAML_CONDITIONS, edit=remove("s:Assertion/s:Conditions"))
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


fault("Two Conditions", Reason.SAML_CONDITIONS, edit=second("s:Assertion/s:Conditions"))
fault("Two Issuers in the assertion", Reason.SAML_ISSUER, edit=second("s:Assertion/s:Issuer"))
fault("Two Issuers in the Response", Reason.SAML_ISSUER, edit=second("s:Issuer"))
fault("Two Subjects", Reason.SAML_ASSERTION_MALFORMED, edit=second("s:Assertion/s:Subject"))
fault(
    "Two StatusCodes of which the second fails",
    Reason.SAML_STATUS,
    edit=second("p:Status/p:StatusCode", Value=f"{STATUS}Responder"),
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
fault("No confirmation", Reason.SAML_SUBJECT_CONFIRMATION, edit=remove(CONFIRMATION))
fault(
    "A confirmation without data",
    Reason.SAML_SUBJECT_CONFIRMATION,
    edit=remove(f"{CONFIRMATION}/s:SubjectConfirmationData"),
)
fault(
    "A confirmation with two data",
    Reason.SAML_SUBJECT_CONFIRMATION,
    edit=second(f"{CONFIRMATION}/s:SubjectConfirmationData"),
)
fault(
    "The good confirmation is of another method",
    Reason.SAML_SUBJECT_CONFIRMATION,
    lambda a: {"recipient": "https://evil.test/acs"},
    second(CONFIRMATION, Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
)


# -- whose assertion, of what id --------------------------------------------------------------

fault(
    "No Subject",
    Reason.SAML_ASSERTION_MALFORMED,
    edit=remove("s:Assertion/s:Subject"),
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
