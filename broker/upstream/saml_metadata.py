"""Where the metadata of SAML identity providers comes from, and how long it is kept.

A configured text or file is read when its provider is first used. A URL is fetched then, and again
every few hours behind the back of the sign-ins, which go on with what is there. The last good copy
stays on disk, so that a provider that is down, or answers nonsense, stops nobody and survives a
restart. Only so many descriptors are kept in memory, the latest used.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, SamlSettings
from broker.ports import Clock
from broker.saml.metadata import IdpDescriptor, parse_idp_metadata
from broker.saml.refusal import refused
from broker.upstream.saml_copies import MetadataCopies

Fetch = Callable[[str], bytes]
"""The document behind a URL. Raises ``UpstreamError``."""

REFRESH_SECONDS = 6 * 3600
SOONEST_SECONDS = 300
"""However short a document's own cacheDuration: nobody's metadata is fetched all the time."""
RETRY_SECONDS = 30
"""How long a provider that has no copy is not asked again, so that sign-ins fail fast."""
CAPACITY = 2_000

_DECLARATION = re.compile(r"\A\ufeff?\s*(<\?xml\s.*?\?>)?\s*", re.DOTALL)
_log = logging.getLogger(__name__)
_Key = tuple[str, str]


def in_background(work: Callable[[], None]) -> None:
    """On a thread of its own, which keeps no process alive."""
    threading.Thread(target=work, name="saml-metadata", daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Kept:
    descriptor: IdpDescriptor
    provider: IdentityProvider
    due: float


@dataclass(kw_only=True)
class SamlMetadata:
    """The descriptors of all SAML providers of this installation."""

    fetch: Fetch
    directory: Path
    """Where copies of fetched documents stay."""
    clock: Clock
    capacity: int = CAPACITY
    later: Callable[[Callable[[], None]], None] = in_background
    _kept: OrderedDict[_Key, _Kept] = field(default_factory=OrderedDict, init=False)
    _failed: dict[_Key, tuple[UpstreamError, float]] = field(default_factory=dict, init=False)
    _loading: dict[_Key, threading.Lock] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        """The provider's descriptor. Raises ``UpstreamError`` when there is none to be had."""
        key = (pool_id, provider.name)
        kept = self._find(key)
        if kept is None:
            return self._first(key, provider).descriptor
        if kept.due <= self.clock.now():
            self._postpone(key, kept)
            self.later(lambda: self._renew(key, provider))
        return kept.descriptor

    def held(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor | None:
        """The descriptor if it is here already: in memory, configured, or as a copy. Asks nobody."""
        key = (pool_id, provider.name)
        kept = self._find(key)
        if kept is None and _settings(provider).metadata_url is not None:
            copied = self._copied(key, provider)
            kept = None if copied is None else self._keep(key, copied)
        elif kept is None:
            with suppress(UpstreamError):
                kept = self._first(key, provider)
        return None if kept is None else kept.descriptor

    def refresh(self, now: float) -> None:
        """Fetch again, here and now, what is due; what cannot be fetched stays as it is."""
        with self._lock:
            due = [(key, kept) for key, kept in self._kept.items() if kept.due <= now]
        for key, kept in due:
            self._postpone(key, kept)
            self._renew(key, kept.provider)

    def _find(self, key: _Key) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept

    def _keep(self, key: _Key, kept: _Kept) -> _Kept:
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return kept

    def _postpone(self, key: _Key, kept: _Kept) -> None:
        """One renewal at a time, and after one that fails a while until the next."""
        self._keep(key, replace(kept, due=self.clock.now() + SOONEST_SECONDS))

    def _renew(self, key: _Key, provider: IdentityProvider) -> None:
        try:
            self._keep(key, self._fetched(key, provider))
        except UpstreamError as error:
            _log.warning("metadata of %s/%s is not renewed: %s", *key, error)

    def _first(self, key: _Key, provider: IdentityProvider) -> _Kept:
        """Load it once, however many ask at the same time; a recent failure is told again."""
        with self._loading.setdefault(key, threading.Lock()):
            kept = self._find(key)
            if kept is not None:
                return kept
            self._tell_recent_failure(key)
            try:
                return self._keep(key, self._load(key, provider))
            except UpstreamError as error:
                self._failed[key] = (error, self.clock.now() + RETRY_SECONDS)
                raise

    def _tell_recent_failure(self, key: _Key) -> None:
        error, until = self._failed.get(key, (None, 0.0))
        if error is not None and self.clock.now() < until:
            raise refused(error.reason, error.expected, error.received)

    def _load(self, key: _Key, provider: IdentityProvider) -> _Kept:
        settings = _settings(provider)
        if settings.metadata_url is None:
            descriptor = parse_idp_metadata(_configured(settings), settings.entity_id)
            self._report(key, descriptor)
            return _Kept(descriptor, provider, due=float("inf"))
        copied = self._copied(key, provider)
        if copied is not None and self.clock.now() < copied.due:
            return copied
        try:
            return self._fetched(key, provider)
        except UpstreamError as error:
            if copied is None:
                raise
            _log.warning("metadata of %s/%s is the last good copy: %s", *key, error)
            return replace(copied, due=self.clock.now() + SOONEST_SECONDS)

    def _fetched(self, key: _Key, provider: IdentityProvider) -> _Kept:
        """The document of now. One that has expired already is no answer (metadata 2.3.2)."""
        settings, now = _settings(provider), self.clock.now()
        url = settings.metadata_url or ""
        document = self.fetch(url)
        descriptor = parse_idp_metadata(document, settings.entity_id)
        if descriptor.valid_until is not None and descriptor.valid_until <= now:
            raise refused(
                Reason.SAML_METADATA_INVALID,
                "metadata that is valid now",
                f"validUntil {descriptor.valid_until:.0f}",
            )
        self._copies.keep(document, now, *key, url)
        self._report(key, descriptor)
        return _Kept(descriptor, provider, due=_due(descriptor, now))

    def _copied(self, key: _Key, provider: IdentityProvider) -> _Kept | None:
        settings = _settings(provider)
        copy = self._copies.find(*key, settings.metadata_url or "")
        if copy is None:
            return None
        try:
            descriptor = parse_idp_metadata(copy.document, settings.entity_id)
        except UpstreamError:
            return None
        return _Kept(descriptor, provider, due=_due(descriptor, copy.fetched_at))

    @property
    def _copies(self) -> MetadataCopies:
        return MetadataCopies(self.directory)

    def _report(self, key: _Key, descriptor: IdpDescriptor) -> None:
        """Expiry is told, not enforced: the administrator vouches for the keys, not the dates."""
        now = self.clock.now()
        if all(verification.expires_at <= now for verification in descriptor.signing):
            _log.warning("every signing certificate of %s/%s has expired", *key)
        if descriptor.valid_until is not None and descriptor.valid_until <= now:
            _log.warning("the metadata of %s/%s is past its validUntil", *key)


def _settings(provider: IdentityProvider) -> SamlSettings:
    if not isinstance(provider.settings, SamlSettings):
        raise TypeError("SAML metadata of a provider of another type")
    return provider.settings


def _configured(settings: SamlSettings) -> bytes:
    """The document that stands in the configuration, or in the file it names. An encoding that a
    pasted document declares is the one it had once; blank lines before it are pasted too."""
    if settings.metadata_xml is not None:
        return _DECLARATION.sub("", settings.metadata_xml).encode()
    try:
        return Path(settings.metadata_path or "").read_bytes().lstrip()
    except OSError as fault:
        raise refused(
            Reason.SAML_METADATA_UNAVAILABLE,
            "a readable metadata file",
            fault.strerror or type(fault).__name__,
        ) from fault


def _due(descriptor: IdpDescriptor, fetched_at: float) -> float:
    """When to fetch again: after some hours, or sooner if the document says so (metadata 2.3.2)."""
    wait: float = min(REFRESH_SECONDS, descriptor.cache_duration or REFRESH_SECONDS)
    if descriptor.valid_until is not None:
        wait = min(wait, descriptor.valid_until - fetched_at)
    return fetched_at + max(wait, SOONEST_SECONDS)
