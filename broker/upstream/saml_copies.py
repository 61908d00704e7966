"""The last good copy of fetched metadata, one file per provider, below the state directory."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """A document and when it was fetched, in epoch seconds."""

    document: bytes
    fetched_at: float


@dataclass(frozen=True, slots=True)
class MetadataCopies:
    """Copies in a directory. Losing one costs a fetch, so a disk that fails stops nobody."""

    directory: Path

    def find(self, *names: str) -> Copy | None:
        """The copy kept under ``names``; None when there is none that can be read."""
        path = self._path(names)
        try:
            return Copy(path.read_bytes(), path.stat().st_mtime)
        except OSError:
            return None

    def keep(self, document: bytes, now: float, *names: str) -> None:
        """Replace the copy in one step: a crash leaves the old one or the new one, never half."""
        path = self._path(names)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.directory, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(document)
            os.utime(temporary, (now, now))
            Path(temporary).replace(path)
        except OSError:
            _log.warning("no copy of SAML metadata can be kept in %s", self.directory)

    def _path(self, names: tuple[str, ...]) -> Path:
        """A hash, since names and URLs may hold what a file name may not. The URL is part of it:
        another URL is another document."""
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()
        return self.directory / f"{digest[:40]}.xml"
