"""Logout messages: each thing that makes one good, spoiled in turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from broker.model.errors import Reason, UpstreamError
from broker.saml.assertion import NameId
from broker.saml.logout import (
    LogoutExpectations,
    LogoutRequest,
    Sender,
    claimed_issuer,
    logout_request,
    logout_response,
    read_logout_request,
    read_logout_response,
)
from tests.saml import builders
from tests.saml.builders import IDP, NOW, SAML, SAMLP, SP, SUCCESS, at, encoded, optional, sign

Make = Callable[..., str]
Refuse = Callable[[str], Reason]

OURS = "https://auth.example.com/saml2/logout"
THEIRS = "https://idp.example.com/slo?a=b&c"
EXPECTED = LogoutExpectations(
    destination=OURS, issuer=IDP, keys=(builders.rsa_key("idp").public_key(),), now=NOW
)
STATUS = f'<samlp:Status><samlp:StatusCode Value="{SUCCESS}"/></samlp:Status>'
ALICE = "<saml:NameID>alice</saml:NameID>"


def message(
    kind: str,
    content: str,
    *,
    issuer: str = f"<saml:Issuer>{IDP}</saml:Issuer>",
    destination: str | None = OURS,
    version: str = "2.0",
    issued: str | None = at(-5),
    **more: str | None,
) -> str:
    others = "".join(optional(attribute, value) for attribute, value in more.items())
    return (
        f'<samlp:{kind} xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_l1" Version="{version}"'
        f"{optional('IssueInstant', issued)}{optional('Destination', destination)}{others}>"
        f"{issuer}{content}</samlp:{kind}>"
    )


def signed(xml: str, owner: str = "idp") -> str:
    return encoded(sign(xml, "_l1", builders.rsa_key(owner)))


def request(content: str = ALICE, **parts: str | None) -> str:
    return message("LogoutRequest", content, **parts)  # type: ignore[arg-type]  # parts by name


def response(**parts: str | None) -> str:
    return message("LogoutResponse", STATUS, **{"InResponseTo": "_q1", **parts})  # type: ignore[arg-type]  # parts by name


def taken(xml: str) -> LogoutRequest:
    return read_logout_request(signed(xml), EXPECTED)


def refused_request(value: str) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        read_logout_request(value, EXPECTED)
    return refusal.value.reason


def refused_response(value: str) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        read_logout_response(value, EXPECTED, "_q1")
    return refusal.value.reason


# What we send.


def test_a_request_repeats_the_name_id_as_received() -> None:
    name_id = NameId(value="a&b", format="f", name_qualifier='"n"', sp_name_qualifier="<s>")
    sender = Sender(issuer=SP, destination=THEIRS)
    root = etree.fromstring(logout_request(sender, name_id, "_s&1", request_id="_q1", now=NOW))
    assert root.tag == f"{{{SAMLP}}}LogoutRequest"
    assert dict(root.attrib) == {
        "ID": "_q1",
        "Version": "2.0",
        "IssueInstant": at(0),
        "Destination": THEIRS,
    }
    issuer, named, index = root
    assert (issuer.text, named.text, index.text) == (SP, "a&b", "_s&1")
    assert dict(named.attrib) == {
        "Format": "f",
        "NameQualifier": '"n"',
        "SPNameQualifier": "<s>",
    }


def test_what_was_not_received_is_not_sent() -> None:
    sender = Sender(issuer=SP, destination=THEIRS)
    xml = logout_request(sender, NameId(value="alice"), None, request_id="_q1", now=NOW)
    root = etree.fromstring(xml)
    assert len(root) == 2
    assert not root[1].attrib


def test_a_response_answers_with_success() -> None:
    sender = Sender(issuer=SP, destination=THEIRS)
    root = etree.fromstring(
        logout_response(sender, in_response_to="_q&1", response_id="_p1", now=NOW)
    )
    assert root.tag == f"{{{SAMLP}}}LogoutResponse"
    assert root.get("InResponseTo") == "_q&1"
    assert root[1][0].get("Value") == SUCCESS


# What we take.


def test_a_signed_answer_to_our_request() -> None:
    assert read_logout_response(signed(response()), EXPECTED, "_q1") == [SUCCESS]


@pytest.mark.parametrize("answered", [None, "", "_other"])
def test_an_answer_to_another_request_refuses(answered: str | None) -> None:
    value = signed(response(InResponseTo=answered))
    assert refused_response(value) == Reason.SAML_LOGOUT_UNEXPECTED


def test_a_signed_request_names_the_person() -> None:
    indexes = "<samlp:SessionIndex>_s1</samlp:SessionIndex>"
    taken_request = taken(request(ALICE + indexes))
    assert taken_request.id == "_l1"
    assert taken_request.name_id == NameId(value="alice")


@pytest.mark.parametrize("name_id", ["", ALICE * 2, "<saml:NameID/>", "<saml:EncryptedID/>"])
def test_a_request_names_one_person(name_id: str) -> None:
    assert refused_request(signed(request(name_id))) == Reason.SAML_NAME_ID


@pytest.mark.parametrize(
    ("make", "refuse"), [(request, refused_request), (response, refused_response)]
)
class TestWhateverItIs:
    def test_unsigned_refuses(self, make: Make, refuse: Refuse) -> None:
        assert refuse(encoded(make())) == Reason.SAML_LOGOUT_SIGNATURE

    def test_signed_by_somebody_else_refuses(self, make: Make, refuse: Refuse) -> None:
        assert refuse(signed(make(), "other")) == Reason.SAML_LOGOUT_SIGNATURE

    def test_changed_after_signing_refuses(self, make: Make, refuse: Refuse) -> None:
        xml = sign(make(), "_l1", builders.rsa_key("idp"))
        changed = encoded(xml.replace(f">{IDP}<", f"> {IDP}<"))
        assert refuse(changed) == Reason.SAML_LOGOUT_SIGNATURE

    @pytest.mark.parametrize(
        "parts",
        [
            {"issuer": ""},
            {"issuer": "<saml:Issuer>urn:other</saml:Issuer>"},
            {"issuer": f"<saml:Issuer>{IDP}</saml:Issuer>" * 2},
            {"destination": None},
            {"destination": OURS + "/"},
            {"version": "1.1"},
        ],
    )
    def test_another_envelope_refuses(
        self, make: Make, refuse: Refuse, parts: dict[str, str | None]
    ) -> None:
        assert refuse(signed(make(**parts))) == Reason.SAML_LOGOUT_UNEXPECTED

    @pytest.mark.parametrize("value", ["", "!", "A" * 100_004, encoded("<a>"), encoded("<a/>")])
    def test_something_else_refuses(self, make: Make, refuse: Refuse, value: str) -> None:
        assert refuse(value) == Reason.SAML_LOGOUT_MALFORMED


def test_one_kind_is_not_taken_for_the_other() -> None:
    assert refused_request(signed(response())) == Reason.SAML_LOGOUT_MALFORMED
    assert refused_response(signed(request())) == Reason.SAML_LOGOUT_MALFORMED


def test_a_request_ends_with_its_time() -> None:
    assert taken(request(NotOnOrAfter=at(60))).usable_until == NOW + 60 + 120
    assert taken(request(NotOnOrAfter=at(-60))).id == "_l1"
    old = request(NotOnOrAfter=at(-120))
    assert refused_request(signed(old)) == Reason.SAML_LOGOUT_UNEXPECTED


def test_a_request_without_end_is_good_for_minutes() -> None:
    assert taken(request()).usable_until == NOW - 5 + 360 + 120
    for issued in (at(-600), at(600), None):
        value = signed(request(issued=issued))
        assert refused_request(value) == Reason.SAML_LOGOUT_UNEXPECTED
    far = request(issued=at(-600), NotOnOrAfter=at(86_400))
    assert refused_request(signed(far)) == Reason.SAML_LOGOUT_UNEXPECTED


def test_who_a_message_says_it_is_from() -> None:
    assert claimed_issuer(encoded(request())) == IDP
    longest = "urn:" + "x" * 1020
    assert claimed_issuer(encoded(request().replace(IDP, longest))) == longest
    too_long = encoded(request().replace(IDP, longest + "x"))
    for value in ("", "!", encoded("<a/>"), encoded(request(issuer="")), too_long):
        assert claimed_issuer(value) is None


@given(st.text(max_size=100))
def test_any_text_refuses(text: str) -> None:
    assert refused_request(text) == Reason.SAML_LOGOUT_MALFORMED
    assert claimed_issuer(text) is None
