"""What one machine has fetched, the others find."""

from __future__ import annotations

import gc

import psycopg
import pytest

from broker.model.stored import SharedDocument
from broker.stores.documents import SqlDocuments
from broker.stores.engine import SqlEngine

ONE = SharedDocument(document=b"<one/>", note=b"1")
TWO = SharedDocument(document=b"<two/>", note=b"2")
FAILED = SharedDocument(document=None, note=b"timeout")


@pytest.fixture
def documents(sql: SqlEngine) -> SqlDocuments:
    return SqlDocuments(sql)


def test_what_is_put_is_found_by_its_key(documents: SqlDocuments, sql: SqlEngine) -> None:
    documents.put("a", ONE, at=10)
    documents.put("b", FAILED, at=10)
    other_machine = SqlDocuments(sql)
    assert other_machine.find("a", after=0) == ONE
    assert other_machine.find("b", after=0) == FAILED
    assert other_machine.find("c", after=0) is None


def test_only_what_is_newer_is_found(documents: SqlDocuments) -> None:
    documents.put("a", ONE, at=10)
    assert documents.find("a", after=9.5) == ONE
    assert documents.find("a", after=10) is None


def test_a_later_one_takes_its_place_and_an_earlier_one_does_not(documents: SqlDocuments) -> None:
    documents.put("a", ONE, at=10)
    documents.put("a", TWO, at=20)
    assert documents.find("a", after=0) == TWO
    for late_comer in (10, 20):
        documents.put("a", ONE, at=late_comer)
    assert documents.find("a", after=0) == TWO


def cursors() -> set[int]:
    return {id(each) for each in gc.get_objects() if type(each) is psycopg.Cursor}


def test_no_cursor_stays_behind_with_a_document(postgresql: SqlEngine) -> None:
    """psycopg's holds what it was given and what it read, and a document may have 64 MB."""
    postgresql.dispose()  # other tests have left cursors
    postgresql.ping()
    before = cursors()
    documents = SqlDocuments(postgresql)
    documents.put("a", ONE, at=10)
    documents.find("a", after=0)
    assert cursors() <= before
