"""Answers of one identity provider where another was asked, and names that are nearly the right one.

The sign-in was begun with ``Scene.idp``. ``Scene.other`` is trusted as well, for its own users, and
run by the attacker (CVE-2026-49284, CVE-2026-56223: a tenant signs in as another tenant's user).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lxml import etree

from broker.model.errors import Reason
from tests.kit.saml_idp import SamlIdp
from tests.saml.attacks.case import VICTIM, Cases, Category, Scene, assertion_of
from tests.saml.attacks.forge import Level, at_both_levels, sign_oddly

CASES = Cases(Category.CONFUSION)

CROSS_TENANT = "CVE-2026-49284, CVE-2026-56223"


def _answer(idp: SamlIdp, scene: Scene, **how: Any) -> etree._Element:
    return idp.document(scene.request, name_id=VICTIM, **how)


@at_both_levels(CASES, CROSS_TENANT, Reason.SAML_ISSUER, Reason.SAML_RESPONSE_SIGNATURE)
def answer_of_the_other(scene: Scene, level: Level) -> etree._Element:
    """The other provider answers, under its own name and key."""
    return _answer(scene.other, scene, sign=level)


@at_both_levels(CASES, CROSS_TENANT)
def other_key_under_the_right_name(scene: Scene, level: Level) -> etree._Element:
    """The other provider answers with its own key, under the name of the one that was asked."""
    impostor = replace(scene.other, entity_id=scene.idp.entity_id)
    return _answer(impostor, scene, sign=level)


@at_both_levels(CASES, CROSS_TENANT, Reason.SAML_ISSUER)
def right_key_under_the_other_name(scene: Scene, level: Level) -> etree._Element:
    """Two providers share a key: the answer is in the other's name."""
    twin = replace(scene.idp, entity_id=scene.other.entity_id)
    return _answer(twin, scene, sign=level)


@at_both_levels(CASES, CROSS_TENANT, Reason.SAML_ISSUER)
def assertion_of_the_other(scene: Scene, level: Level) -> etree._Element:
    """The Response is in the right name, the assertion in the other's."""
    return _answer(scene.idp, scene, sign=level, assertion_issuer=scene.other.entity_id)


@at_both_levels(CASES, CROSS_TENANT, Reason.SAML_ISSUER)
def response_of_the_other(scene: Scene, level: Level) -> etree._Element:
    """The assertion is in the right name, the Response in the other's."""
    return _answer(scene.idp, scene, sign=level, response_issuer=scene.other.entity_id)


@CASES(CROSS_TENANT, Reason.SAML_ASSERTION_SIGNATURE)
def both_signed_by_two(scene: Scene) -> etree._Element:
    """The Response signed by the right provider, the assertion in it by the other one."""

    def sign_as_other(response: etree._Element) -> None:
        sign_oddly(assertion_of(response), scene.other.keys[0])

    return _answer(scene.idp, scene, sign="response", edit=sign_as_other)


@CASES(CROSS_TENANT, Reason.SAML_RESPONSE_SIGNATURE)
def both_signed_by_two_the_other_way(scene: Scene) -> etree._Element:
    """The assertion signed by the right provider, the Response by the other one."""
    response = _answer(scene.idp, scene)
    sign_oddly(response, scene.other.keys[0])
    return response


@CASES(CROSS_TENANT, Reason.SAML_ASSERTION_SIGNATURE)
def encrypted_by_the_other(scene: Scene) -> etree._Element:
    """The other provider's assertion, encrypted, in a Response of the right name."""
    impostor = replace(scene.other, entity_id=scene.idp.entity_id)
    return _answer(impostor, scene, encryption=scene.encryption)


def _nearly(name: str, change: Callable[[str], str | None]) -> None:
    """The assertion's Issuer is nearly the right one."""

    def build(scene: Scene, level: Level) -> etree._Element:
        issuer = change(scene.idp.entity_id)
        return _answer(scene.idp, scene, sign=level, assertion_issuer=issuer)

    at_both_levels(CASES, "SAML core 8.3.6", Reason.SAML_ISSUER, name=name)(build)


_nearly("Issuer in capitals", str.upper)
_nearly("Issuer with a slash at its end", lambda name: f"{name}/")
_nearly("Issuer with something behind it", lambda name: f"{name}.evil.test")
_nearly("Issuer cut short", lambda name: name[:-1])
_nearly("Issuer with a space inside", lambda name: f"{name[:8]} {name[8:]}")
_nearly("Issuer empty", lambda name: "")
_nearly("No Issuer in the assertion", lambda name: None)
