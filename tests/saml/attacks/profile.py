"""Answers the provider signed, each with one fault: not for us, not now, not what was asked.

Every document is good but for one value, so the reason of the refusal is exactly that value's rule
(SAML profiles 4.1.4.3; CVE-2026-41577, CVE-2026-55669). Most are tried on a signed assertion and on
a signed Response.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_document import ASSERTION
from tests.saml.attacks.case import VICTIM, Category, Scene, assertion_of, detached, one
from tests.saml.attacks.fault import Faults, drop, remove

CASES = Faults(Category.PROFILE)
fault = CASES.fault

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


fault("No Status", Reason.SAML_STATUS, edit=remove("p:Status"))
fault("No StatusCode", Reason.SAML_STATUS, edit=remove("p:Status/p:StatusCode"))
fault("No Version", Reason.SAML_VERSION, edit=drop(".", "Version"))
fault("Assertion without Version", Reason.SAML_VERSION, edit=drop("s:Assertion", "Version"))
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
