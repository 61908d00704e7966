"""What this machine knows of fetched metadata: the last good copies and what became of each fetch.

A source has two files below the state directory: the document, and a note about it. All processes
of the machine read and write them, so one fetch serves them all and a restart forgets nothing.
Where the disk fails, this process goes on from memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider
from broker.saml.refusal import refused

_DAY = 86400
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """What is fetched: the document behind a URL, or one entity of the aggregate that is there."""

    url: str = field(repr=False)  # people put keys into query strings
    entity_id: str | None = None

    @classmethod
    def of(cls, provider: IdentityProvider) -> Self | None:
        """Where the provider's metadata is fetched from; None when it is configured."""
        url = provider.saml.metadata_url
        return None if url is None else cls(url, provider.saml.entity_id)


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the fetches of a source so far. Times are epoch seconds."""

    tried_at: float
    next_at: float
    failures: int = 0
    """In a row, up to now."""
    failure: tuple[Reason, str, str] | None = None
    """The last one, if the last try was one: reason, expected, received."""
    digest: str = ""
    """Of the document this note is about."""
    etag: str = ""
    last_modified: str = ""
    size: int = 0
    """Bytes of what was fetched, which may be much more than what was kept."""

    def refusal(self) -> UpstreamError | None:
        """The last failure, to be told again."""
        if self.failure is None:
            return None
        reason, expected, received = self.failure
        return refused(reason, expected, received)


@dataclass(frozen=True, slots=True)
class Copy:
    """A document that was good when it was fetched, and the note about it."""

    document: bytes
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataCopies:
    """The files of one directory."""

    directory: Path
    _unwritten: dict[Path, bytes] = field(default_factory=dict)
    """What the disk did not take."""

    def note(self, source: Source) -> Note | None:
        """None: never tried, or not readable."""
        try:
            return msgspec.json.decode(self._read(self._path(source, "json")), type=Note)
        except (OSError, msgspec.MsgspecError):
            return None

    def find(self, source: Source) -> Copy | None:
        """The last good copy. One whose note is lost is as good, only of unknown age."""
        try:
            document = self._read(self._path(source, "xml"))
        except OSError:
            return None
        note = self.note(source) or Note(tried_at=0, next_at=0)
        if note.digest != digest_of(document):  # a crash came between the two files
            note = msgspec.structs.replace(note, etag="", last_modified="")
        return Copy(document, note)

    def keep(self, source: Source, document: bytes, note: Note) -> None:
        """Replace both."""
        self._write(self._path(source, "xml"), document)
        self.remark(source, msgspec.structs.replace(note, digest=digest_of(document)))

    def remark(self, source: Source, note: Note) -> None:
        """Replace the note alone."""
        self._write(self._path(source, "json"), msgspec.json.encode(note))

    @contextmanager
    def turn(self, url: str, *, wait: bool) -> Iterator[bool]:
        """Be the one process, and the one thread, that fetches ``url``. False: another one is, and
        ``wait`` says not to wait for it. The lock file stays: one that is removed can be held by two."""
        try:
            file = self._made(self._named("lock", url)).open("ab")
        except OSError:
            yield True  # two may fetch then, which is better than none
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def first_today(self, now: float, *names: str) -> bool:
        """Whether nobody on this machine has asked this within a day."""
        path = self._named("told", *names)
        try:
            if 0 <= now - path.stat().st_mtime < _DAY:
                return False
        except OSError:
            if 0 <= now - float(self._unwritten.get(path, b"-inf")) < _DAY:
                return False
        self._write(path, repr(now).encode(), at=now)
        return True

    def _read(self, path: Path) -> bytes:
        unwritten = self._unwritten.get(path)
        return path.read_bytes() if unwritten is None else unwritten

    def _write(self, path: Path, content: bytes, *, at: float | None = None) -> None:
        """In one step: a crash leaves the old file or the new one, never half of it."""
        try:
            _replace(self._made(path), content, at)
        except OSError as fault:
            if not self._unwritten:
                _log.warning("saml_metadata_not_kept", extra={"fault": str(fault)})
            self._unwritten[path] = content
        else:
            self._unwritten.pop(path, None)

    def _made(self, path: Path) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        return path

    def _path(self, source: Source, kind: str) -> Path:
        return self._named(kind, source.url, source.entity_id or "")

    def _named(self, kind: str, *names: str) -> Path:
        """A hash, since names and URLs may hold what a file name may not."""
        return self.directory / f"{digest_of(chr(0).join(names).encode())}.{kind}"


def _replace(path: Path, content: bytes, at: float | None) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if at is not None:
            os.utime(temporary, (at, at))
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]
