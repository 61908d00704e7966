"""Exchanges the keys of a pool for others without a moment in which anybody is refused.

A rotation adds a key to each role and takes none away; retiring takes away the oldest one of each
role that has several. A token is verified by looking up its key, so a new token key signs at once.
A SAML certificate is known to others because somebody gave it to them, so a new one is only
published, and used when the old one is retired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from broker.model.errors import StoreUnavailableError
from broker.model.pool import UserPool
from broker.ports import Clock
from broker.stores.key_files import (
    SAML_ENCRYPTION,
    SAML_ROLES,
    TOKEN_ROLES,
    Files,
    files_in,
    next_name,
    provider_of,
    token_role,
)
from broker.stores.key_making import certified_pem, sole_maker, token_key_pem, write_key
from broker.stores.key_reading import UnusableFileError, certified_key, signing_key, token_files


class KeyState(StrEnum):
    """What a key is good for."""

    CURRENT = "current"
    NEXT = "next"
    """Published, for those who must know it before it is used."""
    OLD = "old"
    """Still verifies what it has signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One key. ``id`` is a token key's ``kid``, or the SHA-256 fingerprint of a certificate."""

    role: str
    provider: str | None = None
    """Whose own encryption key it is."""
    state: KeyState
    id: str
    created: datetime
    expires: datetime | None = None
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """The keys below one directory. Everything raises ``StoreUnavailableError``."""

    directory: Path
    clock: Clock

    def entries(self, pool: UserPool) -> Sequence[KeyEntry]:
        """Role by role, the one in use first. A pool that was never used has none."""
        directory = self.directory / pool.id
        try:
            return list(_entries(files_in(directory), pool)) if directory.is_dir() else []
        except (OSError, UnusableFileError) as error:
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error

    def rotate(self, pool: UserPool) -> Sequence[KeyEntry]:
        """Add a key to each role; a SAML role of which one waits to be used needs no other. Those
        that were made."""
        directory = self.directory / pool.id
        try:
            with sole_maker(directory):
                before = files_in(directory)
                for role, make in self._wanted(pool, before):
                    write_key(directory / next_name(role, before), make())
        except OSError as error:
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error
        known = {path for paths in before.values() for path in paths}
        return [entry for entry in self.entries(pool) if entry.path not in known]

    def retirable(self, pool: UserPool) -> Sequence[KeyEntry]:
        """The oldest of each role that has several."""
        oldest: dict[tuple[str, str | None], list[KeyEntry]] = {}
        for entry in self.entries(pool):
            oldest.setdefault((entry.role, entry.provider), []).append(entry)
        return [
            entries[0] if entries[-1].state is KeyState.NEXT else entries[-1]
            for entries in oldest.values()
            if len(entries) > 1
        ]

    def retire(self, entries: Iterable[KeyEntry]) -> None:
        """Remove them, for good."""
        try:
            for entry in entries:
                entry.path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"keys: {error}") from error

    def _wanted(self, pool: UserPool, files: Files) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for role in TOKEN_ROLES:
            algorithm = pool.signing_algorithm
            yield token_role(role, algorithm), partial(token_key_pem, algorithm)
        certified = partial(certified_pem, common_name=pool.id, now=self.clock.now())
        of_providers = [role for role in files if provider_of(role) is not None]
        for role in (*SAML_ROLES, *of_providers):
            if len(files.get(role, ())) <= 1:
                yield role, certified


def _entries(files: Files, pool: UserPool) -> Iterator[KeyEntry]:
    for role in TOKEN_ROLES:
        for index, (path, algorithm) in enumerate(token_files(files, role, pool.signing_algorithm)):
            yield KeyEntry(
                role=role,
                state=KeyState.OLD if index else KeyState.CURRENT,
                id=signing_key(path, algorithm).kid,
                created=datetime.fromtimestamp(path.stat().st_mtime, UTC),
                path=path,
            )
    for role in (*SAML_ROLES, *sorted(role for role in files if provider_of(role) is not None)):
        for index, path in enumerate(files.get(role, ())):
            certificate = x509.load_pem_x509_certificate(certified_key(path).certificate_pem)
            yield KeyEntry(
                role=SAML_ENCRYPTION if provider_of(role) is not None else role,
                provider=provider_of(role),
                state=KeyState.NEXT if index else KeyState.CURRENT,
                id=certificate.fingerprint(SHA256()).hex(":").upper(),
                created=datetime.fromtimestamp(path.stat().st_mtime, UTC),
                expires=certificate.not_valid_after_utc,
                path=path,
            )
