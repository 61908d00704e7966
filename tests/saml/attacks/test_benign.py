"""The broker's reader accepts every honest spelling, for the name that was signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.saml.response import read_response
from tests.saml.attacks.benign import HONEST, HonestCase
from tests.saml.attacks.case import Scene
from tests.saml.attacks.naive_signature import RefusedError
from tests.saml.attacks.rewritings import REWRITTEN
from tests.saml.attacks.scene import expectations, make_scene
from tests.saml.attacks.summary import CATEGORY
from tests.saml.attacks.weakened import NaiveReader

ALL = (*HONEST, *REWRITTEN)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_broker_accepts(case: HonestCase, record_property: Callable[[str, object], None]) -> None:
    """With the provider's other certificates beside the one that signed. So does libxmlsec."""
    record_property(CATEGORY, "honest")
    scene = make_scene()
    if case.signer:
        keys = (*scene.idp.keys, case.signer.pair)
        scene = replace(scene, idp=replace(scene.idp, keys=keys))
    document = case.build(scene)
    assert read_response(document, expectations(scene)).name_id.value == case.reads
    assert case.reads in {_second_opinion(document, scene, early) for early in (False, True)}


def _second_opinion(document: str, scene: Scene, early: bool) -> str | None:
    """libxmlsec's; an assertion signed below its encryption it sees only when decrypted first."""
    try:
        return NaiveReader("nothing that matters here", decrypts_first=early).read(document, scene)
    except RefusedError:
        return None


def test_names_are_unique() -> None:
    assert len({case.name for case in ALL}) == len(ALL)
