"""Key material of this installation: a directory for each pool, made when the pool is first used.

Owns what is read, and when: files that appear or go are noticed at the next use, without a restart,
so that all processes of a machine change over in the same moment. A file is never changed and never
made anew. Names of files are in ``key_files.py``, single files are read in ``key_reading.py``,
made in ``key_making.py``, and exchanged for others in ``key_rotation.py``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from broker.model.errors import StoreUnavailableError
from broker.model.pool import SigningAlgorithm, UserPool
from broker.model.tokens import CertifiedKey, PoolKeys
from broker.ports import Clock
from broker.stores.key_files import (
    SAML_ENCRYPTION,
    SAML_ROLES,
    SAML_SIGNING,
    TOKEN_ROLES,
    Files,
    files_in,
    provider_role,
    token_role,
)
from broker.stores.key_making import (
    certified_pem,
    make_missing,
    token_key_pem,
)
from broker.stores.key_reading import (
    UnusableFileError,
    certified_key,
    signing_key,
    token_files,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read from a directory as it was at that moment."""

    stamp: int
    files: Files
    keys: PoolKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFault:
    """Why keys cannot be used. ``is_content``: for what is in a file, not for who tries to read it."""

    place: str
    text: str
    is_content: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class FileKeyStore:
    """``ports.KeyStore`` below one directory. With ``read_only`` it makes nothing. What it has read
    goes along when a process forks."""

    def __init__(self, directory: Path, *, clock: Clock, read_only: bool = False) -> None:
        self._directory = directory
        self._directory_text = str(directory)
        self._clock = clock
        self._read_only = read_only
        self._read: dict[tuple[str, SigningAlgorithm], _Read] = {}
        self._failed: dict[tuple[str, SigningAlgorithm], UserPool] = {}
        self._certified: dict[Path, CertifiedKey] = {}

    def pool_keys(self, pool: UserPool) -> PoolKeys:
        """Raises ``StoreUnavailableError`` for a directory or a file that cannot be used."""
        return self._current(pool).keys

    def provider_encryption(self, pool: UserPool, provider: str) -> Sequence[CertifiedKey]:
        """Raises ``StoreUnavailableError`` for a file that cannot be used."""
        paths = self._current(pool).files.get(provider_role(provider), ())
        try:
            return tuple(self._certified_key(path) for path in paths)
        except (OSError, UnusableFileError) as error:
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error

    def make_provider_encryption(self, pool: UserPool, provider: str) -> Sequence[CertifiedKey]:
        """Raises ``StoreUnavailableError`` also where nothing can be written."""
        certified = partial(certified_pem, common_name=pool.id, now=self._clock.now())
        try:
            self._make(self._directory / pool.id, {provider_role(provider): certified})
        except (OSError, UnusableFileError) as error:
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error
        return self.provider_encryption(pool, provider)

    def read(self, pools: Iterable[UserPool]) -> Iterator[KeyFault]:
        """Read what these pools have, whole or in part, and make nothing. Every fault."""
        for pool in pools:
            directory = self._directory / pool.id
            try:
                self._read_existing(pool, directory)
            except (OSError, UnusableFileError) as error:
                yield KeyFault(
                    place=f"keys of pool {pool.id}",
                    text=f"{directory}: {error}",
                    is_content=isinstance(error, UnusableFileError),
                )

    def ping(self) -> None:
        """Raises ``StoreUnavailableError`` while keys that were asked for can be neither read nor
        made. What was read once counts; what failed is tried again."""
        for pool in tuple(self._failed.values()):
            self.pool_keys(pool)

    def _current(self, pool: UserPool) -> _Read:
        """What was read last, unless the directory has changed since."""
        name = (pool.id, pool.signing_algorithm)
        last = self._read.get(name)
        if last is None:
            return self._read.setdefault(name, self._first(pool, self._directory / pool.id))
        # Asked for by every request: text, since a Path costs more to put together than to look at.
        stamp = _stamp(f"{self._directory_text}/{pool.id}")
        if stamp != last.stamp:
            last = self._read[name] = self._again(pool, self._directory / pool.id, last, stamp)
        return last

    def _first(self, pool: UserPool, directory: Path) -> _Read:
        name = (pool.id, pool.signing_algorithm)
        try:
            self._make(directory, self._recipes(pool))
            stamp, files = _stamp(directory), files_in(directory)
            keys = self._load(files, pool.signing_algorithm)
        except (OSError, UnusableFileError) as error:
            self._failed[name] = pool
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error
        self._failed.pop(name, None)
        return _Read(stamp, files, keys)

    def _read_existing(self, pool: UserPool, directory: Path) -> None:
        if not directory.is_dir():
            return
        stamp, files = _stamp(directory), files_in(directory)
        for provider in pool.providers:
            for path in files.get(provider_role(provider), ()):
                self._certified_key(path)
        keys = self._keys(files, pool.signing_algorithm)
        if _is_complete(keys):
            self._read[pool.id, pool.signing_algorithm] = _Read(stamp, files, keys)

    def _again(self, pool: UserPool, directory: Path, last: _Read, stamp: int) -> _Read:
        """Files that are being copied may be read by halves: what is in use stays so until all is
        well. Equal keys stay the same object, as what is made of them is kept with it."""
        try:
            files = files_in(directory)
            keys = self._load(files, pool.signing_algorithm)
        except (OSError, UnusableFileError) as error:
            _log.error("keys_kept", extra={"pool": pool.id, "fault": str(error)})
            return _Read(stamp, last.files, last.keys)
        return _Read(stamp, files, last.keys if keys == last.keys else keys)

    def _make(self, directory: Path, recipes: Mapping[str, Callable[[], bytes]]) -> None:
        """Whatever is missing. Raises ``OSError``, and ``UnusableFileError`` where it may not."""
        if not self._read_only:
            make_missing(directory, recipes)
        elif not recipes.keys() <= (files_in(directory) if directory.is_dir() else {}).keys():
            raise UnusableFileError(
                f"there are none in {directory}: a broker makes them at its start"
            )

    def _recipes(self, pool: UserPool) -> Mapping[str, Callable[[], bytes]]:
        """Role -> what makes its first file."""
        token_key = partial(token_key_pem, pool.signing_algorithm)
        certified = partial(certified_pem, common_name=pool.id, now=self._clock.now())
        return {
            **{token_role(role, pool.signing_algorithm): token_key for role in TOKEN_ROLES},
            **dict.fromkeys(SAML_ROLES, certified),
        }

    def _load(self, files: Files, signing: SigningAlgorithm) -> PoolKeys:
        keys = self._keys(files, signing)
        if not _is_complete(keys):
            raise UnusableFileError("a role has no file")
        return keys

    def _keys(self, files: Files, signing: SigningAlgorithm) -> PoolKeys:
        """Keys of the algorithm the pool has left behind come last: they only verify."""
        id_token, access_token = (
            tuple(
                signing_key(path, algorithm)
                for path, algorithm in token_files(files, role, signing)
            )
            for role in TOKEN_ROLES
        )
        saml_signing, saml_encryption = (
            tuple(self._certified_key(path) for path in files.get(role, ()))
            for role in (SAML_SIGNING, SAML_ENCRYPTION)
        )
        return PoolKeys(
            id_token=id_token,
            access_token=access_token,
            saml_signing=saml_signing,
            saml_encryption=saml_encryption,
        )

    def _certified_key(self, path: Path) -> CertifiedKey:
        found = self._certified.get(path)
        return found or self._certified.setdefault(path, certified_key(path))


def _is_complete(keys: PoolKeys) -> bool:
    return all((keys.id_token, keys.access_token, keys.saml_signing, keys.saml_encryption))


def _stamp(directory: Path | str) -> int:
    """Changes when a file comes or goes; 0 where nothing can be seen."""
    try:
        return os.stat(directory).st_mtime_ns  # noqa: PTH116  # takes text as well
    except OSError:
        return 0
