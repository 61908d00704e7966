"""Fetching the metadata of SAML providers anew, one process of an installation for all of them.

Owns what an answer does to the copies: a good document replaces the last one, anything else leaves
it in use and is tried again later, less and less often. When that is, is said in
``saml_schedule.py``; who waits for it, in ``saml_metadata.py``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from broker.model.errors import Reason, UpstreamError
from broker.ports import Clock
from broker.saml.aggregate import excerpts
from broker.saml.metadata import IdpDescriptor, parse_idp_metadata
from broker.saml.refusal import refused
from broker.upstream import saml_expiry
from broker.upstream.saml_copies import Copy, MetadataCopies, Note, Source
from broker.upstream.saml_schedule import is_due, may_hurry, refresh_wait, retry_wait
from broker.upstream.saml_sharing import Machines, NoOtherMachines

_log = logging.getLogger(__name__)


class Validators(NamedTuple):
    """What the server said about a document, to ask whether it still stands (RFC 9110 8.8)."""

    etag: str = ""
    last_modified: str = ""


class Fetched(NamedTuple):
    """An answer. ``body`` None: the document that the validators are of still stands."""

    body: bytes | None
    validators: Validators = Validators()


class Fetch(Protocol):
    """The document behind a URL. Raises ``UpstreamError``."""

    def __call__(self, url: str, known: Validators) -> Fetched: ...


class User(NamedTuple):
    """A provider that is configured with a source."""

    pool_id: str
    provider: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Which sources there are, and whose they are. What stands behind one URL is fetched once for
    all of its sources, which are entities of one aggregate, or one provider in several pools."""

    _by_url: dict[str, dict[Source, set[User]]] = field(default_factory=dict)

    def add(self, source: Source, user: User) -> None:
        self._by_url.setdefault(source.url, {}).setdefault(source, set()).add(user)

    def at(self, url: str) -> list[Source]:
        return list(self._by_url.get(url, ()))

    def users_of(self, source: Source) -> list[User]:
        return sorted(self._by_url.get(source.url, {}).get(source, ()))

    def urls(self) -> list[str]:
        return list(self._by_url)


@dataclass(frozen=True, kw_only=True)
class MetadataRenewal:
    """Brings the copies up to date, URL by URL."""

    fetch: Fetch
    copies: MetadataCopies
    catalogue: Catalogue
    clock: Clock
    since: float = 0.0
    """What was tried before is due at once: when the configuration was last read again."""
    chance: Callable[[], float] = random.random
    machines: Machines = field(default_factory=NoOtherMachines)

    def is_due(self, source: Source) -> bool:
        return is_due(self.copies.note(source), self.clock.now(), self.since)

    def may_hurry(self, source: Source) -> bool:
        return may_hurry(self.copies.note(source), self.clock.now())

    def renew(self, url: str, *, hurried: bool = False, wait: bool = True) -> None:
        """Fetch ``url`` unless nothing behind it is due, or was just fetched by somebody else.

        What failed is in the notes. ``hurried`` is for a message signed with an unknown key. Without
        ``wait`` nobody is waiting for the document.
        """
        with self.copies.turn(url, wait=wait) as is_ours:
            if not is_ours:
                return
            sources = self.catalogue.at(url)
            self.machines.adopt(self.copies, sources)
            if self._is_wanted(url, hurried=hurried) and (
                self.machines.leads(url) or hurried or (wait and self._is_missing(sources))
            ):
                self._renew_all(url)
                self.machines.publish(self.copies, sources)

    def _is_missing(self, sources: Collection[Source]) -> bool:
        """Whoever waits for metadata there is no copy of does not wait for another machine."""
        return any(self.copies.find(source) is None for source in sources)

    def _is_wanted(self, url: str, *, hurried: bool) -> bool:
        """To be asked again when it is our turn: the one before us may have done it."""
        now, notes = self.clock.now(), [self.copies.note(s) for s in self.catalogue.at(url)]
        if hurried:
            return all(may_hurry(note, now) for note in notes)
        return any(is_due(note, now, self.since) for note in notes)

    def _renew_all(self, url: str) -> None:
        """``tried_at`` is when it began: what is read again after that is not answered by this."""
        sources, began = self.catalogue.at(url), self.clock.now()
        try:
            answer = self.fetch(url, self._validators(sources))
            documents = None if answer.body is None else _documents(answer.body, sources)
        except Exception as fault:  # noqa: BLE001  # whatever it is, it is tried again later
            for source in sources:
                self._failed(source, _as_refusal(fault), began)
            return
        for source in sources:
            try:
                self._renewed(source, documents, answer, began)
            except Exception as fault:  # noqa: BLE001  # of this source: the others are renewed
                self._failed(source, _as_refusal(fault), began)

    def _renewed(
        self,
        source: Source,
        documents: Mapping[Source, bytes | None] | None,
        answer: Fetched,
        began: float,
    ) -> None:
        """Raises ``UpstreamError`` when the answer is no good for ``source``."""
        if documents is None:
            self._still_stands(source, began)
        elif (document := documents[source]) is None:
            raise refused(Reason.SAML_METADATA_ENTITY, source.entity_id or "", "other entities")
        else:
            self._came(source, document, answer, began)

    def _validators(self, sources: Collection[Source]) -> Validators:
        """Of the document that all the copies are from, if they are and all can be read."""
        copies = [copy for source in sources if (copy := self.good_copy(source))]
        known = {Validators(copy.note.etag, copy.note.last_modified) for copy in copies}
        return known.pop() if len(copies) == len(sources) and len(known) == 1 else Validators()

    def good_copy(self, source: Source) -> Copy | None:
        """The last good copy, if it can still be read."""
        copy = self.copies.find(source)
        if copy is not None:
            try:
                parse_idp_metadata(copy.document, source.entity_id)
            except Exception:  # noqa: BLE001  # what cannot be read is no copy, whatever it raises
                return None
        return copy

    def _came(self, source: Source, document: bytes, answer: Fetched, began: float) -> None:
        now = self.clock.now()
        descriptor = parse_idp_metadata(document, source.entity_id)
        _holds(descriptor, now)
        note = Note(
            tried_at=began,
            next_at=now + refresh_wait(descriptor, now, self.chance()),
            etag=answer.validators.etag,
            last_modified=answer.validators.last_modified,
            size=len(answer.body or b""),
        )
        self.copies.keep(source, document, note)
        self._report(source, descriptor)

    def _still_stands(self, source: Source, began: float) -> None:
        copy, now = self.good_copy(source), self.clock.now()
        if copy is None:  # somebody removed it meanwhile
            return
        descriptor = parse_idp_metadata(copy.document, source.entity_id)
        next_at = now + refresh_wait(descriptor, now, self.chance())
        note = msgspec.structs.replace(
            copy.note, tried_at=began, next_at=next_at, failures=0, failure=None
        )
        self.copies.remark(source, note)
        self._report(source, descriptor)

    def _failed(self, source: Source, error: UpstreamError, began: float) -> None:
        """What there is stays in use, and the note remembers whose it is."""
        copy, now = self.good_copy(source), self.clock.now()
        note = self.copies.note(source) or Note(tried_at=began, next_at=now)
        failures = note.failures + 1
        wait = retry_wait(failures, self.chance(), has_copy=copy is not None)
        self.copies.remark(
            source,
            msgspec.structs.replace(
                note,
                tried_at=began,
                next_at=now + wait,
                failures=failures,
                failure=(error.reason, error.expected, error.received),
            ),
        )
        for user in self.catalogue.users_of(source):
            _log.warning(
                "saml_metadata_not_renewed",
                extra={
                    "pool": user.pool_id,
                    "provider": user.provider,
                    "reason": error.reason,
                    "expected": error.expected,
                    "received": error.received,
                    "in_use": "the last good copy" if copy else "nothing",
                    "retry_in": round(wait),
                },
            )

    def _report(self, source: Source, descriptor: IdpDescriptor) -> None:
        for user in self.catalogue.users_of(source):
            saml_expiry.report(
                self.copies, user.pool_id, user.provider, descriptor, self.clock.now()
            )


def _documents(body: bytes, sources: Collection[Source]) -> Mapping[Source, bytes | None]:
    """For each source what is to be read: the whole, or the entity it names. None: not in there."""
    named = {source.entity_id for source in sources if source.entity_id is not None}
    found = excerpts(body, named) if named else {}
    return {s: body if s.entity_id is None else found.get(s.entity_id) for s in sources}


def _as_refusal(fault: Exception) -> UpstreamError:
    """A fault of ours is told with its trace, and counts as an answer that could not be read."""
    if isinstance(fault, UpstreamError):
        return fault
    _log.error("unexpected_error", exc_info=fault)
    return refused(Reason.SAML_METADATA_INVALID, "metadata", type(fault).__name__)


def _holds(descriptor: IdpDescriptor, now: float) -> None:
    """A document that has expired already is no answer (metadata 2.3.2)."""
    if descriptor.valid_until is not None and descriptor.valid_until <= now:
        raise refused(
            Reason.SAML_METADATA_INVALID,
            "metadata that is valid now",
            f"validUntil {descriptor.valid_until:.0f}",
        )
