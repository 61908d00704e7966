"""The pool's own metadata as an identity provider fetches it: what people are shown there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from lxml import etree
from saml2 import extension_elements_to_elements, md
from saml2.extension import mdui

from broker.saml.signature import signed_view
from broker.saml.xml import parse
from tests.kit.world import World

MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
LOGO = {"URL": "https://cdn.example/logo.png?a=1&b=2", "Width": 120, "Height": "60"}


@pytest.fixture
def role(new_world: Callable[..., World]) -> Callable[..., etree._Element]:
    """The SPSSODescriptor of a pool with these members, as signed."""

    def fetch(pool: Mapping[str, Any]) -> etree._Element:
        world = new_world(pool=pool)
        document = parse(world.browser().get("/saml2/metadata").data)
        entity = signed_view(document, [world.certificate().public_key()])
        (found,) = entity.iterchildren(f"{MD}SPSSODescriptor")
        return found

    return fetch


def shown(role: etree._Element) -> mdui.UIInfo:
    """What pysaml2 reads of it."""
    read = md.spsso_descriptor_from_string(etree.tostring(role))
    (info,) = extension_elements_to_elements(read.extensions.extension_elements, [mdui])
    return info


@pytest.mark.parametrize(
    ("pool", "name"),
    [
        ({"Name": "staff"}, "staff"),
        ({"Name": "staff", "DisplayName": "Staff & <Co>"}, "Staff & <Co>"),
    ],
)
def test_the_pool_has_a_name_for_people(
    role: Callable[..., etree._Element], pool: dict[str, str], name: str
) -> None:
    info = shown(role(pool))
    assert [(each.text, each.lang) for each in info.display_name] == [(name, "en")]
    assert info.logo == []


def test_the_pool_has_a_logo_if_it_is_configured(role: Callable[..., etree._Element]) -> None:
    (logo,) = shown(role({"Logo": LOGO})).logo
    assert (logo.text, logo.width, logo.height) == (LOGO["URL"], "120", "60")


def test_it_stands_where_the_schema_wants_it(role: Callable[..., etree._Element]) -> None:
    """SAML metadata 2.4.1: Extensions are the first child of a role."""
    children = [child.tag for child in role({"DisplayName": "A", "Logo": LOGO})]
    assert children.index(f"{MD}Extensions") == 0
    assert children.count(f"{MD}Extensions") == 1


def test_a_pool_that_is_called_nothing_shows_nothing(role: Callable[..., etree._Element]) -> None:
    assert role({"Name": ""}).find(f"{MD}Extensions") is None
