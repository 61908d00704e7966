"""One test for each rule a Response must keep, over a message that is good but for that rule."""

from __future__ import annotations

import inspect
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import Reason, UpstreamError
from broker.saml import rules
from broker.saml.assertion import Assertion
from broker.saml.expectations import Expectations
from broker.saml.refusal import refused
from broker.saml.response import read_response
from tests.saml import builders
from tests.saml.builders import (
    ACS,
    BEARER,
    IDP,
    NOW,
    REQUEST,
    SAML,
    SAMLP,
    SP,
    SUCCESS,
    Confirmation,
    Message,
    at,
    encoded,
    sign,
    unsolicited,
)

GOOD = Message()
LATE = at(-600)
A_MINUTE_LATE = at(-60)


def expecting(**changes: object) -> Expectations:
    expected = Expectations(
        acs_url=ACS,
        audience=SP,
        issuer=IDP,
        keys=(builders.rsa_key("idp").public_key(),),
        request_id=REQUEST,
        now=NOW,
    )
    return replace(expected, **changes)  # type: ignore[arg-type]  # names and values are the test's


def signed(message: Message, *ids: str) -> str:
    """The message, signed at these elements: the assertion when none is named."""
    xml = message.response()
    for element_id in ids or ("_a1",):
        xml = sign(xml, element_id, builders.rsa_key("idp"))
    return encoded(xml)


def read(message: Message, *ids: str, **changes: object) -> Assertion:
    return read_response(signed(message, *ids), expecting(**changes))


def refusal_of(encoded_response: str, **changes: object) -> UpstreamError:
    with pytest.raises(UpstreamError) as refusal:
        read_response(encoded_response, expecting(**changes))
    return refusal.value


def refuses(message: Message, *ids: str, **changes: object) -> Reason:
    return refusal_of(signed(message, *ids), **changes).reason


# What is read.


@pytest.mark.parametrize("ids", [("_a1",), ("_r1",), ("_a1", "_r1")])
def test_a_signed_response_or_assertion_or_both(ids: tuple[str, ...]) -> None:
    assertion = read(GOOD, *ids)
    assert assertion.id == "_a1"
    assert assertion.issuer == IDP
    assert assertion.name_id.value == "alice"
    assert assertion.attributes == {"mail": ("alice@example.com",)}
    assert assertion.session_index == "_s1"
    assert assertion.session_not_on_or_after is None


def test_the_id_is_to_be_remembered_until_the_confirmation_ends() -> None:
    longer = (Confirmation(), Confirmation(not_on_or_after=at(900)))
    assert read(GOOD).usable_until == NOW + 300 + 120
    assert read(GOOD.but(confirmations=longer)).usable_until == NOW + 900 + 120


def test_line_breaks_in_base64_are_fine() -> None:
    lines = signed(GOOD)
    wrapped = "\r\n".join(lines[i : i + 76] for i in range(0, len(lines), 76)) + " \n\t"
    assert read_response(wrapped, expecting()).name_id.value == "alice"


def test_a_large_valid_response_is_read() -> None:
    value = "<saml:AttributeValue>group</saml:AttributeValue>"
    many = f'<saml:Attribute Name="g">{value * 1400}</saml:Attribute>'
    statement = f"<saml:AttributeStatement>{many}</saml:AttributeStatement>"
    message = signed(GOOD.but(attributes=statement))
    assert 90_000 < len(message) <= 100_000
    assert len(read_response(message, expecting()).attributes["g"]) == 1400


def test_a_large_valid_response_of_typed_values_is_read() -> None:
    """Its canonical form repeats the declaration of xsi at every value."""
    declared = f'xmlns:xsi="{builders.XSI}" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    value = '<saml:AttributeValue xsi:type="xs:string">g</saml:AttributeValue>'
    many = f'<saml:Attribute Name="g">{value * 1060}</saml:Attribute>'
    statement = f"<saml:AttributeStatement {declared}>{many}</saml:AttributeStatement>"
    for element in ("_a1", "_r1"):
        assertion = read(GOOD.but(attributes=statement), element)
        assert len(assertion.attributes["g"]) == 1060


# The document.


def test_a_hundred_thousand_characters_are_the_end() -> None:
    assert refusal_of("A" * 100_004).reason == Reason.SAML_RESPONSE_TOO_LARGE
    assert refusal_of("A" * 100_000 + "\n" * 5000).reason != Reason.SAML_RESPONSE_TOO_LARGE


@pytest.mark.parametrize(
    "junk", ["=", "A", "A" * 5, "PGEvPg==PGEvPg==", "PGEvPg==!", "PGEv-Pg", "PGEvPg\u00e9", "\0"]
)
def test_junk_in_base64_refuses(junk: str) -> None:
    assert refusal_of(junk).reason == Reason.SAML_RESPONSE_NOT_BASE64


@pytest.mark.parametrize("document", ["", "alice", "<a>", "<!DOCTYPE a><a/>", "<a>" * 65])
def test_what_is_not_xml_refuses(document: str) -> None:
    assert refusal_of(encoded(document)).reason == Reason.SAML_RESPONSE_NOT_XML


@pytest.mark.parametrize(
    "document",
    [
        "<Response/>",
        f'<samlp:LogoutResponse xmlns:samlp="{SAMLP}"/>',
        f'<samlp:Response xmlns:samlp="{SAML}"/>',
        GOOD.assertion(),
    ],
)
def test_what_is_no_response_refuses(document: str) -> None:
    assert refusal_of(encoded(document)).reason == Reason.SAML_RESPONSE_UNEXPECTED


@pytest.mark.parametrize(
    "content",
    ["", GOOD.assertion() + GOOD.but(assertion_id="_a2").assertion()],
)
def test_exactly_one_assertion(content: str) -> None:
    xml = sign(GOOD.response(content), "_r1", builders.rsa_key("idp"))
    assert refusal_of(encoded(xml)).reason == Reason.SAML_ASSERTION_PLACEMENT


@pytest.mark.parametrize(
    "hidden", [GOOD.but(assertion_id="_a2").assertion(), "<saml:EncryptedAssertion/>"]
)
@pytest.mark.parametrize("place", ["saml:Advice", "samlp:Extensions", "saml:AttributeStatement"])
def test_an_assertion_elsewhere_refuses(hidden: str, place: str) -> None:
    wrapped = f"<{place}>{hidden}</{place}>"
    inside = GOOD.but(more=wrapped)
    beside = GOOD.but(status=wrapped + GOOD.status)
    for message in (inside, beside):
        assert refuses(message, "_r1") == Reason.SAML_ASSERTION_PLACEMENT


def test_an_advice_without_an_assertion_is_ignored() -> None:
    advice = "<saml:Advice><saml:AssertionURIRef>urn:x</saml:AssertionURIRef></saml:Advice>"
    assert read(GOOD.but(more=advice)).name_id.value == "alice"


# Signatures.


def test_an_unsigned_response_refuses() -> None:
    assert refusal_of(encoded(GOOD.response())).reason == Reason.SAML_UNSIGNED


@pytest.mark.parametrize(
    ("element", "reason"),
    [("_a1", Reason.SAML_ASSERTION_SIGNATURE), ("_r1", Reason.SAML_RESPONSE_SIGNATURE)],
)
def test_a_signature_by_somebody_else_refuses(element: str, reason: Reason) -> None:
    xml = sign(GOOD.response(), element, builders.rsa_key("other"))
    assert refusal_of(encoded(xml)).reason == reason


def test_the_log_tells_who_a_badly_signed_message_says_it_is_from() -> None:
    issuer = "<saml:Issuer>https://other.example.com</saml:Issuer>"
    xml = sign(GOOD.but(assertion_issuer=issuer).response(), "_a1", builders.rsa_key("other"))
    assert "https://other.example.com" in refusal_of(encoded(xml)).received
    same = sign(GOOD.response(), "_a1", builders.rsa_key("other"))
    assert refusal_of(encoded(same)).received == "another one"


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ("_r1", "_a1", Reason.SAML_ASSERTION_SIGNATURE),
        ("_a1", "_r1", Reason.SAML_RESPONSE_SIGNATURE),
    ],
)
def test_one_good_signature_does_not_make_up_for_a_bad_one(
    good: str, bad: str, reason: Reason
) -> None:
    ids = {"_a1": "other", "_r1": "idp"} if bad == "_a1" else {"_a1": "idp", "_r1": "other"}
    xml = GOOD.response()
    for element, owner in ids.items():
        xml = sign(xml, element, builders.rsa_key(owner))
    assert refusal_of(encoded(xml)).reason == reason


def test_an_assertion_may_cover_declarations_that_its_response_does_not() -> None:
    key, covering = builders.rsa_key("idp"), builders.Recipe(prefixes="xs")
    outside = GOOD.response().replace("ID=", 'xmlns:xs="urn:xs" ID=', 1)
    xml = sign(sign(outside, "_a1", key, covering), "_r1", key)
    assert read_response(encoded(xml), expecting()).id == "_a1"


def test_sha_1_is_for_providers_that_opt_in() -> None:
    recipe = builders.Recipe(method=f"{builders.DS}rsa-sha1", digest=f"{builders.DS}sha1")
    xml = encoded(sign(GOOD.response(), "_a1", builders.rsa_key("idp"), recipe))
    assert refusal_of(xml).reason == Reason.SAML_ASSERTION_SIGNATURE
    assert read_response(xml, expecting(allow_sha1=True)).name_id.value == "alice"


def test_the_public_sentence_is_what_apps_know() -> None:
    wrong = sign(GOOD.response(), "_a1", builders.rsa_key("other"))
    expected = "Invalid SAML response received: SAML Assertion signature is invalid. "
    assert refusal_of(encoded(wrong)).public == expected


def test_every_reason_of_a_response_has_a_public_sentence() -> None:
    for reason in Reason:
        if reason.startswith("saml_") and not reason.startswith("saml_logout"):
            assert refused(reason, "", "").public


# The Response.

RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
AUTHN_FAILED = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"


def code(value: str, inner: str = "") -> str:
    return f'<samlp:StatusCode Value="{value}">{inner}</samlp:StatusCode>'


@pytest.mark.parametrize(
    "status",
    [
        "",
        "<samlp:Status/>",
        "<samlp:Status><samlp:StatusCode/></samlp:Status>",
        f"<samlp:Status>{code(RESPONDER, code(SUCCESS))}</samlp:Status>",
        f"<samlp:Status>{code(SUCCESS + 'x')}</samlp:Status>",
        f"<samlp:Status>{code(SUCCESS)}{code(RESPONDER)}</samlp:Status>",
        f"<samlp:Status>{code(SUCCESS)}</samlp:Status><samlp:Status>{code(SUCCESS)}</samlp:Status>",
        f"<samlp:Status/><samlp:Status>{code(SUCCESS)}</samlp:Status>",
        f"<samlp:Extensions>{code(SUCCESS)}</samlp:Extensions>",
    ],
)
@pytest.mark.parametrize("element", ["_a1", "_r1"])
def test_status_is_success(status: str, element: str) -> None:
    assert refuses(GOOD.but(status=status), element) == Reason.SAML_STATUS


def test_a_failure_has_no_assertion_and_is_still_understood() -> None:
    denied = f"<samlp:Status>{code(RESPONDER, code(AUTHN_FAILED))}</samlp:Status>"
    refusal = refusal_of(encoded(GOOD.but(status=denied).response("")))
    assert refusal.reason == Reason.SAML_STATUS
    assert "AuthnFailed" in refusal.received


@pytest.mark.parametrize("part", ["response_version", "assertion_version"])
@pytest.mark.parametrize("version", ["1.1", "2.1", "", "2"])
def test_version_is_2_0(part: str, version: str) -> None:
    assert refuses(GOOD.but(**{part: version})) == Reason.SAML_VERSION


WRONG_ISSUERS = [
    "<saml:Issuer>https://other.example.com</saml:Issuer>",
    f"<saml:Issuer>{IDP}/</saml:Issuer>",
    f"<saml:Issuer>{IDP.upper()}</saml:Issuer>",
    "<saml:Issuer/>",
    f"<saml:Issuer>{IDP}</saml:Issuer><saml:Issuer>{IDP}</saml:Issuer>",
    f"<saml:Issuer>https://other.example.com</saml:Issuer><saml:Issuer>{IDP}</saml:Issuer>",
]


@pytest.mark.parametrize("issuer", [*WRONG_ISSUERS, ""])
def test_the_assertion_issuer_is_the_provider(issuer: str) -> None:
    assert refuses(GOOD.but(assertion_issuer=issuer)) == Reason.SAML_ISSUER


@pytest.mark.parametrize("issuer", WRONG_ISSUERS)
@pytest.mark.parametrize("element", ["_a1", "_r1"])
def test_the_response_issuer_is_the_provider(issuer: str, element: str) -> None:
    assert refuses(GOOD.but(response_issuer=issuer), element) == Reason.SAML_ISSUER


def test_the_response_issuer_may_be_absent() -> None:
    assert read(GOOD.but(response_issuer=""), "_r1").issuer == IDP


def test_an_issuer_of_elements_refuses() -> None:
    nested = f"<saml:Issuer><saml:x>{IDP}</saml:x></saml:Issuer>"
    assert refuses(GOOD.but(assertion_issuer=nested)) == Reason.SAML_ASSERTION_MALFORMED


@pytest.mark.parametrize("destination", ["", ACS + "/", "https://evil.example.com", ACS.upper()])
@pytest.mark.parametrize("element", ["_a1", "_r1"])
def test_destination_is_the_acs(destination: str, element: str) -> None:
    assert refuses(GOOD.but(destination=destination), element) == Reason.SAML_DESTINATION


def test_destination_may_be_absent_when_the_response_is_not_signed() -> None:
    assert read(GOOD.but(destination=None), "_a1").id == "_a1"
    assert refuses(GOOD.but(destination=None), "_r1") == Reason.SAML_DESTINATION


@pytest.mark.parametrize("request_id", [None, "", "_other"])
@pytest.mark.parametrize("element", ["_a1", "_r1"])
def test_the_response_answers_the_request(request_id: str | None, element: str) -> None:
    assert refuses(GOOD.but(in_response_to=request_id), element) == Reason.SAML_IN_RESPONSE_TO


# The assertion.


def test_an_assertion_has_an_id() -> None:
    for missing in (None, ""):
        assert refuses(GOOD.but(assertion_id=missing), "_r1") == Reason.SAML_ASSERTION_MALFORMED


def test_conditions_are_there_once() -> None:
    xml = GOOD.response().replace("saml:Conditions", "saml:conditions")
    missing = encoded(sign(xml, "_a1", builders.rsa_key("idp")))
    assert refusal_of(missing).reason == Reason.SAML_CONDITIONS
    assert refuses(GOOD.but(more="<saml:Conditions/>")) == Reason.SAML_CONDITIONS


@pytest.mark.parametrize(
    "condition",
    ["<saml:Condition/>", "<saml:Other/>", "<AudienceRestriction/>", "<saml:Audience/>"],
)
def test_an_unknown_condition_refuses(condition: str) -> None:
    message = GOOD.but(conditions=GOOD.conditions + condition)
    assert refuses(message) == Reason.SAML_CONDITIONS


def test_the_known_conditions_are_fine() -> None:
    known = '<saml:OneTimeUse/><!-- c --><saml:ProxyRestriction Count="0"/>'
    assert read(GOOD.but(conditions=known + GOOD.conditions)).id == "_a1"


def restriction(*audiences: str) -> str:
    named = "".join(f"<saml:Audience>{audience}</saml:Audience>" for audience in audiences)
    return f"<saml:AudienceRestriction>{named}</saml:AudienceRestriction>"


@pytest.mark.parametrize(
    "conditions",
    [
        "",
        restriction(),
        restriction("urn:other"),
        restriction(SP.lower()),
        restriction(SP + "x"),
        restriction(f"{SP} urn:other"),
        restriction(SP) + restriction("urn:other"),
    ],
)
def test_every_audience_restriction_names_us(conditions: str) -> None:
    assert refuses(GOOD.but(conditions=conditions)) == Reason.SAML_AUDIENCE


@pytest.mark.parametrize(
    "conditions",
    [
        restriction("urn:other", SP),
        restriction(SP) + restriction("urn:other", SP),
        restriction(f"\n  {SP}\n"),
        restriction(SP.replace("amazon", "ama<!-- c -->zon")),
    ],
)
def test_one_of_several_audiences_is_enough(conditions: str) -> None:
    assert read(GOOD.but(conditions=conditions)).id == "_a1"


def test_not_before_with_skew() -> None:
    assert read(GOOD.but(not_before=at(60))).id == "_a1"
    assert read(GOOD.but(not_before=at(120))).id == "_a1"
    assert refuses(GOOD.but(not_before=at(121))) == Reason.SAML_NOT_YET_VALID
    assert refuses(GOOD.but(not_before=at(1)), skew=0) == Reason.SAML_NOT_YET_VALID


def test_not_on_or_after_with_skew() -> None:
    assert read(GOOD.but(not_on_or_after=A_MINUTE_LATE)).id == "_a1"
    assert read(GOOD.but(not_on_or_after=at(-119))).id == "_a1"
    assert refuses(GOOD.but(not_on_or_after=at(-120))) == Reason.SAML_EXPIRED
    assert refuses(GOOD.but(not_on_or_after=LATE)) == Reason.SAML_EXPIRED
    assert refuses(GOOD.but(not_on_or_after=at(0)), skew=0) == Reason.SAML_EXPIRED


def test_conditions_without_times_are_fine() -> None:
    assert read(GOOD.but(not_before=None, not_on_or_after=None)).id == "_a1"


@pytest.mark.parametrize("part", ["not_before", "not_on_or_after"])
def test_a_time_that_cannot_be_read_refuses(part: str) -> None:
    assert refuses(GOOD.but(**{part: "soon"})) == Reason.SAML_ASSERTION_MALFORMED


@pytest.mark.parametrize(
    ("confirmation", "reason"),
    [
        (Confirmation(method=f"{BEARER}x"), Reason.SAML_SUBJECT_CONFIRMATION),
        (
            Confirmation(method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"),
            Reason.SAML_SUBJECT_CONFIRMATION,
        ),
        (Confirmation(recipient=None), Reason.SAML_SUBJECT_CONFIRMATION),
        (Confirmation(recipient=ACS + "/"), Reason.SAML_SUBJECT_CONFIRMATION),
        (Confirmation(in_response_to=None), Reason.SAML_IN_RESPONSE_TO),
        (Confirmation(in_response_to="_other"), Reason.SAML_IN_RESPONSE_TO),
        (Confirmation(not_on_or_after=None), Reason.SAML_SUBJECT_CONFIRMATION),
        (Confirmation(not_on_or_after=LATE), Reason.SAML_EXPIRED),
        (Confirmation(not_on_or_after="soon"), Reason.SAML_ASSERTION_MALFORMED),
        (Confirmation(not_before=at(600)), Reason.SAML_NOT_YET_VALID),
    ],
)
def test_a_bearer_confirmation_is_good(confirmation: Confirmation, reason: Reason) -> None:
    assert refuses(GOOD.but(confirmations=(confirmation,))) == reason
    assert read(GOOD.but(confirmations=(confirmation, Confirmation()))).id == "_a1"


def test_a_confirmation_may_be_a_minute_late() -> None:
    late = Confirmation(not_on_or_after=A_MINUTE_LATE)
    assert read(GOOD.but(confirmations=(late,))).id == "_a1"


def test_no_confirmation_refuses() -> None:
    assert refuses(GOOD.but(confirmations=())) == Reason.SAML_SUBJECT_CONFIRMATION


def test_a_confirmation_without_data_refuses() -> None:
    bare = f'<saml:SubjectConfirmation Method="{BEARER}"/>'
    message = GOOD.but(name_id=GOOD.name_id + bare, confirmations=())
    assert refuses(message) == Reason.SAML_SUBJECT_CONFIRMATION


def test_one_subject() -> None:
    assert refuses(GOOD.but(more=GOOD.subject())) == Reason.SAML_ASSERTION_MALFORMED


def authn(end: str | None, index: str = "_s1") -> str:
    optional = builders.optional("SessionNotOnOrAfter", end)
    return f'<saml:AuthnStatement AuthnInstant="{at()}" SessionIndex="{index}"{optional}/>'


def test_an_assertion_says_when_the_person_signed_in() -> None:
    assert refuses(GOOD.but(authn="")) == Reason.SAML_AUTHN_STATEMENT
    silent = '<saml:AuthnStatement SessionIndex="_s1"/>'
    assert refuses(GOOD.but(authn=silent)) == Reason.SAML_AUTHN_STATEMENT
    vague = '<saml:AuthnStatement AuthnInstant="today"/>'
    assert refuses(GOOD.but(authn=vague)) == Reason.SAML_ASSERTION_MALFORMED


def test_a_session_that_is_over_refuses() -> None:
    assert refuses(GOOD.but(authn=authn(LATE))) == Reason.SAML_SESSION_EXPIRED
    assert refuses(GOOD.but(authn=authn(at(900)) + authn(LATE))) == Reason.SAML_SESSION_EXPIRED
    assert read(GOOD.but(authn=authn(A_MINUTE_LATE))).id == "_a1"


def test_the_first_session_index_and_the_earliest_end() -> None:
    assertion = read(GOOD.but(authn=authn(at(900), "_s1") + authn(at(600), "_s2")))
    assert assertion.session_index == "_s1"
    assert assertion.session_not_on_or_after == NOW + 600


def test_skew_is_bounded() -> None:
    for skew in (-1, 181):
        with pytest.raises(ValueError, match="skew"):
            expecting(skew=skew)


# Sign-in that begins at the provider.


def test_an_unsolicited_assertion_answers_nothing() -> None:
    assert read(unsolicited(), request_id=None).name_id.value == "alice"
    assert refuses(GOOD, request_id=None) == Reason.SAML_IN_RESPONSE_TO
    assert refuses(unsolicited()) == Reason.SAML_IN_RESPONSE_TO


@pytest.mark.parametrize(
    "half", [{"in_response_to": REQUEST}, {"confirmations": (Confirmation(),)}]
)
def test_an_unsolicited_assertion_answers_nothing_in_either_place(half: dict[str, object]) -> None:
    assert refuses(unsolicited().but(**half), request_id=None) == Reason.SAML_IN_RESPONSE_TO


def test_an_unsolicited_assertion_is_fresh() -> None:
    def issued(offset: float) -> Message:
        return unsolicited().but(issue_instant=at(offset))

    assert read(issued(-360), request_id=None).id == "_a1"
    assert read(issued(60), request_id=None).id == "_a1"
    for offset in (-361, -3600, 600):
        assert refuses(issued(offset), request_id=None) == Reason.SAML_ISSUED_TOO_LONG_AGO
    assert read(GOOD.but(issue_instant=at(-3600))).id == "_a1"


# NameID and attributes.


def named(content: str, attributes: str = "") -> Message:
    return GOOD.but(name_id=f"<saml:NameID{attributes}>{content}</saml:NameID>")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("Alice", "Alice"),
        ("alice@example.com<!---->.evil.com", "alice@example.com.evil.com"),
        ("ad<?pi?>min", "admin"),
        ("<![CDATA[a&b]]>", "a&b"),
        ("a|b c", "a|b c"),
        (" alice ", " alice "),
        ("e\u0301", "e\u0301"),
        ("\u00e9", "\u00e9"),
        ("\U0001f600\U00020bb7", "\U0001f600\U00020bb7"),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_a_name_id_is_its_full_text(content: str, value: str) -> None:
    assert read(named(content)).name_id.value == value


@pytest.mark.parametrize(
    "content",
    ["", " ", "<!-- c -->", "a\nb", "a\tb", "a&#13;b", "a\x85b", "<saml:x>alice</saml:x>"],
)
def test_a_name_id_without_a_usable_value_refuses(content: str) -> None:
    assert refuses(named(content)) == Reason.SAML_NAME_ID


@pytest.mark.parametrize("name_id", ["", GOOD.name_id * 2, "<saml:BaseID/>", "<saml:EncryptedID/>"])
def test_there_is_one_name_id(name_id: str) -> None:
    assert refuses(GOOD.but(name_id=name_id)) == Reason.SAML_NAME_ID


def test_the_rest_of_the_name_id_is_kept() -> None:
    message = named("alice", ' Format="f" NameQualifier="n" SPNameQualifier="s"')
    name_id = read(message).name_id
    assert (name_id.format, name_id.name_qualifier, name_id.sp_name_qualifier) == ("f", "n", "s")


def attributes_of(*attributes: str) -> dict[str, tuple[str, ...]]:
    statement = f"<saml:AttributeStatement>{''.join(attributes)}</saml:AttributeStatement>"
    return dict(read(GOOD.but(attributes=statement)).attributes)


def attribute(name: str, *values: str, friendly: str | None = None) -> str:
    inner = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    nickname = builders.optional("FriendlyName", friendly)
    return f'<saml:Attribute Name="{name}"{nickname}>{inner}</saml:Attribute>'


def test_attribute_values_in_their_order() -> None:
    assert attributes_of(attribute("g", "b", "a", "b"), attribute("m", "x &amp; y")) == {
        "g": ("b", "a", "b"),
        "m": ("x & y",),
    }


def test_attributes_of_one_name_are_joined() -> None:
    assert attributes_of(attribute("g", "a"), attribute("g", "b")) == {"g": ("a", "b")}


def test_empty_nested_nil_and_absent_values() -> None:
    nil = (
        '<saml:Attribute Name="nil"><saml:AttributeValue xsi:nil="true"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/></saml:Attribute>'
    )
    nested = "\n <saml:NameID>tar<!-- c -->geted</saml:NameID>\n"
    assert attributes_of(attribute("e", ""), attribute("n", nested), attribute("a"), nil) == {
        "e": ("",),
        "n": ("targeted",),
        "a": (),
        "nil": (),
    }


def test_a_comment_does_not_cut_a_value() -> None:
    assert attributes_of(attribute("m", "admin<!-- c -->@example.com")) == {
        "m": ("admin@example.com",)
    }


def test_white_space_is_left_out_around_elements_alone() -> None:
    """What else stands in a value, and does not reach another reader, makes no difference to it."""
    assert attributes_of(attribute("m", " a ", " a <?p?>", " a <!-- c -->", " <b>a</b> ")) == {
        "m": (" a ", " a ", " a ", "a")
    }


def test_a_friendly_name_works_where_it_is_clear() -> None:
    clear = attributes_of(attribute("urn:oid:1", "a", friendly="mail"))
    assert clear == {"urn:oid:1": ("a",), "mail": ("a",)}
    twice = attributes_of(
        attribute("urn:oid:1", "a", friendly="mail"), attribute("urn:oid:2", "b", friendly="mail")
    )
    assert "mail" not in twice
    taken = attributes_of(attribute("mail", "b"), attribute("urn:oid:1", "a", friendly="mail"))
    assert taken["mail"] == ("b",)


# Anything at all.


@given(st.text(max_size=200))
def test_any_text_refuses(text: str) -> None:
    assert refusal_of(text).reason.startswith("saml_")


SIGNED = signed(GOOD)


@given(st.integers(0, len(b64decode(SIGNED)) - 1), st.integers(0, 255))
def test_a_changed_byte_refuses_or_changes_nothing_that_is_read(position: int, byte: int) -> None:
    data = bytearray(b64decode(SIGNED))
    data[position] = byte
    try:
        assertion = read_response(encoded(bytes(data)), expecting())
    except UpstreamError:
        return
    assert assertion == read_response(SIGNED, expecting())


def hostile() -> dict[str, str]:
    """Documents that carry a good SignedInfo, replayed, over expensive content."""
    good = sign(GOOD.response(), "_a1", builders.rsa_key("idp"), builders.Recipe(prefixes="a b c"))
    declared = " ".join(f'xmlns:n{i}="urn:n"' for i in range(1000))
    inner = [
        f"<x {declared}>" + "<y/>" * 1900 + "</x>",
        "<x " + " ".join(f'a{i}=""' for i in range(128)) + "/>",
        ("<x>" * 55 + "</x>" * 55) * 80,
    ]
    return {
        str(i): good.replace("<saml:AttributeStatement>", f"<saml:AttributeStatement>{content}")
        for i, content in enumerate(inner)
    }


@pytest.mark.parametrize("kind", hostile())
def test_expensive_content_under_a_replayed_signature_refuses(kind: str) -> None:
    """These keep every limit, and so are canonicalised: the dearest way to be refused."""
    message = encoded(hostile()[kind])
    assert len(message) <= 100_000
    assert refusal_of(message).reason == Reason.SAML_ASSERTION_SIGNATURE


def test_every_rule_is_in_the_list_that_is_kept_and_explained() -> None:
    written = {
        rule
        for _, rule in inspect.getmembers(rules, inspect.isfunction)
        if rule.__module__ == rules.__name__
        and not rule.__name__.startswith("_")
        and rule.__annotations__["return"] == "None"
    }
    listed = (*rules.SIGNED_RESPONSE_RULES, *rules.ASSERTION_RULES)
    assert written == {rule for _, rule in listed}
    assert len({title for title, _ in rules.ASSERTION_RULES}) == len(rules.ASSERTION_RULES)
