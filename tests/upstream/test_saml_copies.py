"""Copies of metadata on disk: shared by processes, whole or not there, never lost to a bad disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.model.errors import Reason
from broker.upstream.saml_copies import MetadataCopies, Note, Source, digest_of

NOW = 1_800_000_000.0
SOURCE = Source("https://idp.example.com/metadata?key=k")
NOTE = Note(tried_at=NOW, next_at=NOW + 1, etag='"1"', last_modified="Thu", size=3)


@pytest.fixture
def copies(tmp_path: Path) -> MetadataCopies:
    return MetadataCopies(directory=tmp_path / "deep" / "er")


def names(copies: MetadataCopies, kind: str) -> list[Path]:
    return list(copies.directory.glob(f"*.{kind}"))


def test_the_newest_copy_is_found_by_any_process(copies: MetadataCopies) -> None:
    assert copies.find(SOURCE) is None
    copies.keep(SOURCE, b"one", NOTE)
    copies.keep(SOURCE, b"two", NOTE)
    found = MetadataCopies(directory=copies.directory).find(SOURCE)
    assert found is not None
    assert found.document == b"two"
    assert found.note.digest == digest_of(b"two")
    assert (found.note.etag, found.note.last_modified) == ('"1"', "Thu")
    assert len(list(copies.directory.iterdir())) == 2


def test_another_address_or_entity_is_another_copy(copies: MetadataCopies) -> None:
    copies.keep(SOURCE, b"one", NOTE)
    assert copies.find(Source(SOURCE.url, "urn:idp")) is None
    assert copies.find(Source(SOURCE.url + "2")) is None


def test_a_failure_is_remembered_beside_the_copy(copies: MetadataCopies) -> None:
    copies.keep(SOURCE, b"one", NOTE)
    failure = (Reason.SAML_METADATA_INVALID, "metadata", "<html>")
    copies.remark(SOURCE, Note(tried_at=NOW, next_at=NOW, failures=2, failure=failure))
    note = copies.note(SOURCE)
    assert note is not None
    refusal = note.refusal()
    assert refusal is not None
    assert (refusal.reason, refusal.expected, refusal.received) == failure
    assert NOTE.refusal() is None


@pytest.mark.parametrize(
    "damage", [b"", b"<half", b'{"tried_at": 1}', b'{"failure": ["new", "", ""]}']
)
def test_a_copy_without_a_readable_note_is_as_good_and_due(
    copies: MetadataCopies, damage: bytes
) -> None:
    copies.keep(SOURCE, b"one", NOTE)
    (note,) = names(copies, "json")
    note.write_bytes(damage)
    assert copies.note(SOURCE) is None
    found = copies.find(SOURCE)
    assert found is not None
    assert (found.document, found.note) == (b"one", Note(tried_at=0, next_at=0))


def test_validators_of_another_document_are_forgotten(copies: MetadataCopies) -> None:
    """Or a crash between the two writes would have us told forever that nothing has changed."""
    copies.keep(SOURCE, b"one", NOTE)
    (document,) = names(copies, "xml")
    document.write_bytes(b"another")
    found = copies.find(SOURCE)
    assert found is not None
    assert (found.note.etag, found.note.last_modified) == ("", "")


def test_one_has_the_turn(copies: MetadataCopies) -> None:
    with copies.turn(SOURCE.url, wait=True) as ours:
        assert ours
        with copies.turn(SOURCE.url, wait=False) as ours_too:
            assert not ours_too
        with copies.turn(SOURCE.url + "2", wait=False) as another:
            assert another
    with copies.turn(SOURCE.url, wait=False) as again:
        assert again


def test_once_a_day_for_all_processes(copies: MetadataCopies) -> None:
    assert copies.first_today(NOW, "a", "b")
    other = MetadataCopies(directory=copies.directory)
    assert not other.first_today(NOW + 86399, "a", "b")
    assert other.first_today(NOW, "ab")
    assert other.first_today(NOW + 86400, "a", "b")
    assert other.first_today(NOW, "a", "b")  # the clock was set back


def test_where_the_disk_fails_memory_serves(
    copies: MetadataCopies, caplog: pytest.LogCaptureFixture
) -> None:
    copies.directory.parent.write_text("not a directory")
    copies.keep(SOURCE, b"one", NOTE)
    found = copies.find(SOURCE)
    assert found is not None
    assert (found.document, found.note.etag) == (b"one", '"1"')
    assert copies.first_today(NOW, "a")
    assert not copies.first_today(NOW + 1, "a")
    assert copies.first_today(NOW + 86400, "a")
    with copies.turn(SOURCE.url, wait=False) as ours:
        assert ours
    assert caplog.messages == ["saml_metadata_not_kept"]
    copies.directory.parent.unlink()
    copies.keep(SOURCE, b"two", NOTE)
    assert copies.find(SOURCE) == MetadataCopies(directory=copies.directory).find(SOURCE)


def test_no_half_written_file_is_left(
    copies: MetadataCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    copies.keep(SOURCE, b"one", NOTE)
    assert list(copies.directory.iterdir()) == []


def test_an_address_is_not_shown() -> None:
    assert "key" not in repr(SOURCE)
