"""The descriptors of SAML identity providers, as sign-ins ask for them.

A configured text or file is read when its provider is first used. What a URL leads to is fetched
before that, if there is time, and renewed behind the back of the sign-ins, which go on with the last
good copy. Only so many descriptors are kept in memory, the latest used; the copies on disk, which all
processes of the machine share, are the memory behind it.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, ProviderType, UserPool
from broker.ports import Clock
from broker.saml.metadata import IdpDescriptor, parse_idp_metadata
from broker.saml.refusal import refused
from broker.upstream import saml_expiry, saml_file
from broker.upstream.saml_copies import MetadataCopies, Source
from broker.upstream.saml_flights import Flights, in_background, in_parallel
from broker.upstream.saml_names import ProviderNames
from broker.upstream.saml_renewal import Catalogue, Fetch, MetadataRenewal, User
from broker.upstream.saml_sharing import Machines, NoOtherMachines

CAPACITY = 2_000

LOOK_SECONDS = 60
"""How long a process does not look whether another one has a newer copy."""
REPORT_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class _Kept:
    descriptor: IdpDescriptor
    provider: IdentityProvider
    digest: str
    """Of the copy it was read from; empty when it was configured."""
    look_at: float
    """When to see whether it still is the newest."""


@dataclass(kw_only=True)
class SamlMetadata:
    """The descriptors of all SAML providers of this installation."""

    fetch: Fetch
    directory: Path
    """Where copies of fetched documents stay."""
    clock: Clock
    since: float = 0.0
    """Copies that were fetched before are due: when the configuration was last read again."""
    capacity: int = CAPACITY
    later: Callable[[Callable[[], None]], object] = in_background
    chance: Callable[[], float] = random.random
    machines: Machines = field(default_factory=NoOtherMachines)
    _kept: OrderedDict[User, _Kept] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _next: dict[str, float] = field(default_factory=dict, init=False)
    """By URL: when to see whether it is due."""

    def __post_init__(self) -> None:
        self._copies = MetadataCopies(directory=self.directory)
        self._catalogue = Catalogue()
        self._rounds = saml_expiry.Rounds()
        self._names = ProviderNames(document=self._document, clock=self.clock)
        self._renewal = MetadataRenewal(
            fetch=self.fetch,
            copies=self._copies,
            catalogue=self._catalogue,
            clock=self.clock,
            since=self.since,
            chance=self.chance,
            machines=self.machines,
        )
        self._flights = Flights(renewal=self._renewal, landed=self._stale, later=self.later)

    # What sign-ins ask.

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        """The provider's descriptor. Raises ``UpstreamError`` when there is none to be had."""
        user = User(pool_id, provider.name)
        kept = self._find(user)
        if kept is None:
            kept = self._first(user, provider)
        elif kept.look_at <= self.clock.now():
            kept = self._looked_again(user, kept)
        return kept.descriptor

    def held(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor | None:
        """The descriptor if it is here already: in memory, configured, or as a copy. Asks nobody."""
        user, source = User(pool_id, provider.name), Source.of(provider)
        kept = self._find(user)
        if source is not None:
            kept = self._newest(user, provider, source, kept)
        elif kept is None:
            with suppress(UpstreamError):
                kept = self._configured(user, provider)
        return None if kept is None else kept.descriptor

    def failure(self, provider: IdentityProvider) -> UpstreamError | None:
        """Why the last fetch brought nothing, so that a copy has to do; None when it did."""
        source = Source.of(provider)
        if source is None:
            return None
        note = self._copies.note(source)
        has_answered = note is not None and not note.failures and not self._renewal.is_due(source)
        return None if has_answered else self._failure(source)

    def called(self, pool: UserPool, entity_id: str) -> Iterator[IdentityProvider]:
        """The pool's providers of this name that can be used, as far as is known here. Asks nobody."""
        if not entity_id:
            return
        for provider in pool.providers.values():
            if provider.type is not ProviderType.SAML:
                continue
            user = User(pool.id, provider.name)
            if self._names.of(user, provider) != entity_id:
                continue
            descriptor = self.held(pool.id, provider)
            if descriptor is None:
                self._names.miss(user)
            elif descriptor.entity_id == entity_id:
                yield provider

    def _document(self, provider: IdentityProvider) -> bytes | None:
        """The metadata as configured, or as a copy. Asks nobody."""
        source = Source.of(provider)
        if source is not None:
            copy = self._copies.find(source)
            return None if copy is None else copy.document
        with suppress(UpstreamError):
            return saml_file.document(provider.saml)
        return None

    def newer(
        self, pool_id: str, provider: IdentityProvider, seen: IdpDescriptor
    ) -> IdpDescriptor | None:
        """One with other keys than ``seen``, after a message was signed with none of those.

        Whoever meets such a key while a fetch is under way waits for that one. Otherwise it is fetched now
        if the last fetch is a while ago; None if that is too soon or brings nothing.
        """
        source = Source.of(provider)
        if source is None:
            return None
        user = User(pool_id, provider.name)
        self._catalogue.add(source, user)
        # Asked first: what a fetch that ends in between has brought is found then.
        may_begin = self._renewal.may_hurry(source)
        found = self._copied(user, provider, source)
        is_new = _has_new_keys(found, seen)
        if not is_new and self._flights.hurry(source.url, may_begin=may_begin):
            found = self._copied(user, provider, source)
        return found.descriptor if found and _has_new_keys(found, seen) else None

    # What happens behind the back of the sign-ins.

    def watch(self, pools: Iterable[UserPool]) -> None:
        """Look after these pools' providers, used or not: see ``upkeep``."""
        for pool in pools:
            for provider in pool.providers.values():
                if provider.type is not ProviderType.SAML:
                    continue
                user, source = User(pool.id, provider.name), Source.of(provider)
                self._rounds.add(partial(self._report_on, user, provider))
                if source is not None:
                    self._catalogue.add(source, user)

    def upkeep(self) -> None:
        """Fetch what is due, a few at a time, and tell of certificates that expire. To be called about
        once a minute."""
        now = self.clock.now()
        urls = [url for url in self._catalogue.urls() if self._next.get(url, 0) <= now]
        in_parallel(self._keep_up, urls)
        self._rounds.go_on(now)

    def _keep_up(self, url: str) -> None:
        self._renewal.renew(url, wait=False)
        notes = [self._copies.note(source) for source in self._catalogue.at(url)]
        soon = self.clock.now() + LOOK_SECONDS  # for those that another process has in hand
        self._next[url] = min((note.next_at if note else soon for note in notes), default=soon)
        self._stale(url)

    def _report_on(self, user: User, provider: IdentityProvider) -> int:
        """Without a place in memory for a provider that perhaps nobody uses. The bytes that were read."""
        document = self._document(provider)
        if document is None:
            return 0
        with suppress(UpstreamError):  # told to whoever signs in
            descriptor = saml_file.read(document, provider.saml.entity_id)
            saml_expiry.report(
                self._copies, user.pool_id, user.provider, descriptor, self.clock.now()
            )
        return len(document)

    # How a descriptor comes into memory.

    def _find(self, user: User) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(user)
            if kept is not None:
                self._kept.move_to_end(user)
            return kept

    def _keep(self, user: User, kept: _Kept) -> _Kept:
        with self._lock:
            self._kept[user] = kept
            self._kept.move_to_end(user)
            self._names.learn(user, kept.descriptor.entity_id)
            if len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return kept

    def _stale(self, url: str) -> None:
        """Have the copies looked at when their providers are next used."""
        with self._lock:
            for source in self._catalogue.at(url):
                for user in self._catalogue.users_of(source):
                    self._names.forget(user)
                    if (kept := self._kept.get(user)) is not None:
                        self._kept[user] = replace(kept, look_at=0.0)

    def _first(self, user: User, provider: IdentityProvider) -> _Kept:
        source = Source.of(provider)
        if source is None:
            return self._configured(user, provider)
        self._catalogue.add(source, user)
        found = self._copied(user, provider, source)
        if self._renewal.is_due(source):
            self._flights.wait(source.url, has_copy=found is not None)
            found = self._copied(user, provider, source) or found
        if found is None:
            raise self._failure(source)
        return found

    def _configured(self, user: User, provider: IdentityProvider) -> _Kept:
        descriptor = saml_file.descriptor(provider.saml)
        return self._keep(user, self._reported(user, _Kept(descriptor, provider, "", 0.0)))

    def _copied(self, user: User, provider: IdentityProvider, source: Source) -> _Kept | None:
        copy = self._copies.find(source)
        if copy is None:
            return None
        try:
            descriptor = parse_idp_metadata(copy.document, source.entity_id)
        except UpstreamError:
            return None
        kept = _Kept(descriptor, provider, copy.note.digest, self.clock.now() + LOOK_SECONDS)
        return self._keep(user, kept)

    def _looked_again(self, user: User, kept: _Kept) -> _Kept:
        """What there is serves this sign-in, unless there already is something newer."""
        source = Source.of(kept.provider)
        if source is None:
            return self._keep(user, self._reported(user, kept))
        newest = self._newest(user, kept.provider, source, kept) or kept
        if self._renewal.is_due(source):
            self._flights.begin(source.url)
        return newest

    def _newest(
        self, user: User, provider: IdentityProvider, source: Source, kept: _Kept | None
    ) -> _Kept | None:
        """``kept``, or what there is on disk if it is time to look there."""
        now = self.clock.now()
        if kept is None:
            return self._copied(user, provider, source)
        if kept.look_at > now:
            return kept
        note = self._copies.note(source)
        if note is not None and note.digest != kept.digest:
            kept = self._copied(user, provider, source) or kept
        return self._keep(user, replace(kept, look_at=now + LOOK_SECONDS))

    def _reported(self, user: User, kept: _Kept) -> _Kept:
        now = self.clock.now()
        saml_expiry.report(self._copies, user.pool_id, user.provider, kept.descriptor, now)
        return replace(kept, look_at=now + REPORT_SECONDS)

    def _failure(self, source: Source) -> UpstreamError:
        note = self._copies.note(source)
        return (note and note.refusal()) or refused(
            Reason.SAML_METADATA_UNAVAILABLE, "metadata at the MetadataURL", "no answer yet"
        )


def _has_new_keys(found: _Kept | None, seen: IdpDescriptor) -> bool:
    return found is not None and any(key not in seen.keys for key in found.descriptor.keys)
