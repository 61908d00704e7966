"""Entities out of an aggregate: the right ones, as they were, with the validity they had."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import Reason, UpstreamError
from broker.saml import aggregate
from broker.saml.aggregate import _entities, excerpts
from broker.saml.metadata import parse_idp_metadata
from tests.saml import builders

MD = "urn:oasis:names:tc:SAML:2.0:metadata"


def entity(name: str, more: str = "") -> str:
    body = builders.certificate(builders.rsa_key("idp"))
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{builders.DS}" entityID="{name}"{more}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{builders.SAMLP}"><md:KeyDescriptor>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data>"
        '</ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Location="https://idp.example.com"'
        ' Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"/></md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    )


def group(*content: str, more: str = "") -> str:
    return (
        f'<md:EntitiesDescriptor xmlns:md="{MD}"{more}>{"".join(content)}</md:EntitiesDescriptor>'
    )


def refusal(document: bytes) -> Reason:
    with pytest.raises(UpstreamError) as error:
        excerpts(document, {"urn:a"})
    return error.value.reason


def test_the_named_ones_are_taken_from_any_depth() -> None:
    whole = group(
        entity("urn:a"), "\n text ", group(entity("urn:b"), entity("urn:c")), entity("urn:d")
    )
    found = excerpts(whole.encode(), {"urn:b", "urn:d", "urn:nobody"})
    assert set(found) == {"urn:b", "urn:d"}
    for name, document in found.items():
        assert parse_idp_metadata(document, name) == parse_idp_metadata(whole.encode(), name)
        assert document.count(b"<md:EntityDescriptor") == 1


def test_groups_lend_their_validity() -> None:
    inner = group(entity("urn:a"), more=f' validUntil="{builders.at(500)}"')
    whole = group(inner, more=f' validUntil="{builders.at(900)}" cacheDuration="PT1H"').encode()
    descriptor = parse_idp_metadata(excerpts(whole, {"urn:a"})["urn:a"], "urn:a")
    assert (descriptor.valid_until, descriptor.cache_duration) == (builders.NOW + 500, 3600)
    assert descriptor == parse_idp_metadata(whole, "urn:a")


def test_one_that_stands_twice_stays_ambiguous() -> None:
    whole = group(entity("urn:a"), entity("urn:a")).encode()
    with pytest.raises(UpstreamError) as error:
        parse_idp_metadata(excerpts(whole, {"urn:a"})["urn:a"], "urn:a")
    assert error.value.reason == Reason.SAML_METADATA_ENTITY


def test_one_that_stands_often_is_not_taken_as_often() -> None:
    found = excerpts(group(*[entity("urn:a")] * 50).encode(), {"urn:a"})
    assert found["urn:a"].count(b"<md:EntityDescriptor") == 2


@pytest.mark.parametrize("padding", ["<a/>", "<!--b-->", '<a b="" c="" d=""/>'])
def test_one_huge_entity_is_refused_before_its_tree_stands_in_memory(
    padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is filled with. Reading stops there: the end of the document is no XML any more."""
    monkeypatch.setattr(aggregate, "MAX_ENTITY_BYTES", 200_000)
    fitting, huge = (
        entity(name).replace("</md:IDPSSODescriptor>", f"{padding * times}</md:IDPSSODescriptor>")
        for name, times in (("urn:a", 150_000 // len(padding)), ("urn:b", 300_000 // len(padding)))
    )
    assert set(excerpts(group(*[fitting] * 4).encode(), {"urn:a"})) == {"urn:a"}
    with pytest.raises(UpstreamError) as refusal:
        excerpts(group(fitting, huge, "<half").encode(), {"urn:a"})
    assert refusal.value.reason == Reason.SAML_METADATA_INVALID
    assert refusal.value.expected == "entities of at most 200000 bytes"


def test_metadata_of_one_entity_is_itself() -> None:
    alone = entity("urn:a").encode()
    assert excerpts(alone, {"urn:b"}) == {"urn:b": alone}


@pytest.mark.parametrize(
    "document",
    [b"", b"<half", b"\xff\xfe", group(entity("urn:a")).encode()[:-1], b"<!DOCTYPE a><a/>"],
)
def test_what_is_no_xml_refuses(document: bytes) -> None:
    assert refusal(document) == Reason.SAML_METADATA_INVALID


def test_groups_in_groups_end_somewhere() -> None:
    deep = entity("urn:a")
    for _ in range(40):
        deep = group(deep)
    assert refusal(deep.encode()) == Reason.SAML_METADATA_INVALID


def test_other_xml_holds_nobody() -> None:
    assert excerpts(b"<html><body/></html>", {"urn:a"}) == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_hold_nobody(data: bytes) -> None:
    found = {}
    with suppress(UpstreamError):
        found = excerpts(data, {"urn:a"})
    assert found == {}


def test_what_was_read_is_forgotten() -> None:
    """The tree of an aggregate has ten times its size: it never stands in memory as a whole."""
    many = [entity("urn:other")] * 300
    for each in _entities(group(group(*many), *many).encode()):
        assert len(each.getparent()) < 100  # what the parser has read ahead, no more
