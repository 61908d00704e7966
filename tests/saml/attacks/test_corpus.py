"""The broker's reader refuses every hostile document, and each of them is hostile indeed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from broker.model.errors import UpstreamError
from broker.saml import response as reader
from broker.saml.response import read_response
from tests.saml.attacks.case import ATTACKER, VICTIM, AttackCase, Category, Scene
from tests.saml.attacks.corpus import CORPUS
from tests.saml.attacks.naive_signature import RefusedError
from tests.saml.attacks.scene import document_of, expectations, scene_of
from tests.saml.attacks.summary import CATEGORY, MILLISECONDS
from tests.saml.attacks.weakened import READERS, NaiveReader

every_case = pytest.mark.parametrize("case", CORPUS, ids=str)


def test_names_are_unique() -> None:
    names = [str(case) for case in CORPUS]
    assert sorted(names) == sorted(set(names))


@every_case
def test_broker_refuses(case: AttackCase, record_property: Callable[[str, object], None]) -> None:
    """For the reason the case is about; or reads the name that was signed, all of it."""
    scene = scene_of(case)
    document = document_of(case)
    record_property(CATEGORY, str(case.category))
    with _timed(record_property):
        _refuses(case, document, scene)


def _refuses(case: AttackCase, document: str, scene: Scene) -> None:
    if case.reads is not None:
        assert read_response(document, expectations(scene)).name_id.value == case.reads
        assert case.reads != case.gains
        return
    with pytest.raises(UpstreamError) as refusal:
        read_response(document, expectations(scene))
    assert refusal.value.reason in case.reasons


@contextmanager
def _timed(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Processor time is noted for the summary, and decides nothing."""
    start = time.process_time()
    yield
    record_property(MILLISECONDS, (time.process_time() - start) * 1000)


@every_case
def test_some_naive_reader_is_deceived(case: AttackCase) -> None:
    """A case that deceives nobody would prove nothing about the broker."""
    assert any(_deceived(naive, case) for naive in READERS)


def _deceived(naive: NaiveReader, case: AttackCase) -> bool:
    try:
        return naive.read(document_of(case), scene_of(case)) == case.gains
    except RefusedError:
        return False


@pytest.mark.parametrize("naive", READERS, ids=lambda naive: naive.forgets)
def test_every_naive_reader_is_deceived(naive: NaiveReader) -> None:
    """A naive reader that nothing deceives stands for no mistake."""
    assert any(_deceived(naive, case) for case in CORPUS)


WRAPPED = tuple(case for case in CORPUS if case.category is Category.WRAPPING)


@pytest.mark.parametrize("case", WRAPPED, ids=str)
def test_wrapping_fails_without_the_placement_rule_as_well(
    case: AttackCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That assertions stand in their place is the first defence; that only signed bytes are read
    is the second, and holds alone: nobody but the owner of the genuine assertion is signed in.
    """
    monkeypatch.setattr(reader, "_assertions_are_in_place", lambda response: None)
    scene = scene_of(case)
    try:
        name = read_response(document_of(case), expectations(scene)).name_id.value
    except UpstreamError:
        return
    assert name == ATTACKER != VICTIM
