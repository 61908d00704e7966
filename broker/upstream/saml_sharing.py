"""One machine fetches the metadata of SAML providers for all of them, through a store they share.

Owns what is passed on: the copy of a source with its note, as they are on the disk of the machine that
fetched. Each machine keeps copies of its own, and goes on alone while the store is away. When to fetch
is said in ``saml_renewal.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import msgspec

from broker.model.errors import StoreUnavailableError
from broker.model.stored import SharedDocument
from broker.ports import Clock, ReplayGuard, SharedDocuments
from broker.upstream.saml_copies import MetadataCopies, Note, Source

LEASE_SECONDS = 45
"""How long the others leave a fetch to the machine that began it: it takes 30 at most."""

_log = logging.getLogger(__name__)


class Machines(Protocol):
    """The other machines of this installation."""

    def adopt(self, copies: MetadataCopies, sources: Collection[Source]) -> None:
        """Bring ``copies`` up to what another machine has fetched since."""

    def publish(self, copies: MetadataCopies, sources: Collection[Source]) -> None:
        """Let the others have what this one has fetched."""

    def leads(self, url: str) -> bool:
        """Whether this machine is the one to fetch ``url`` now."""


class NoOtherMachines:
    """``Machines`` where there is this one alone."""

    def adopt(self, copies: MetadataCopies, sources: Collection[Source]) -> None: ...

    def publish(self, copies: MetadataCopies, sources: Collection[Source]) -> None: ...

    def leads(self, url: str) -> bool:  # noqa: ARG002  # the port's
        return True


@dataclass(frozen=True, kw_only=True)
class SharingMachines:
    """``Machines`` that share a store."""

    documents: SharedDocuments
    replay: ReplayGuard
    clock: Clock

    def adopt(self, copies: MetadataCopies, sources: Collection[Source]) -> None:
        with _unless_away():
            for source in sources:
                self._adopt(copies, source)

    def publish(self, copies: MetadataCopies, sources: Collection[Source]) -> None:
        with _unless_away():
            for source in sources:
                self._publish(copies, source)

    def leads(self, url: str) -> bool:
        until = self.clock.now() + LEASE_SECONDS
        try:
            return self.replay.first_time("", "saml-metadata", url, until=until)
        except StoreUnavailableError as error:
            _tell(error)
            return True

    def _adopt(self, copies: MetadataCopies, source: Source) -> None:
        ours = copies.note(source)
        shared = self.documents.find(_key(source), after=ours.tried_at if ours else 0)
        if shared is None:
            return
        try:
            note = msgspec.json.decode(shared.note, type=Note)
        except msgspec.MsgspecError:  # of a version of the broker that writes other notes
            return
        if shared.document is None:
            copies.remark(source, note)
        else:
            copies.keep(source, shared.document, note)

    def _publish(self, copies: MetadataCopies, source: Source) -> None:
        note, copy = copies.note(source), copies.find(source)
        if note is not None:
            shared = SharedDocument(
                document=copy.document if copy else None, note=msgspec.json.encode(note)
            )
            self.documents.put(_key(source), shared, at=note.tried_at)


def _key(source: Source) -> str:
    return f"{source.url}\0{source.entity_id or ''}"


@contextmanager
def _unless_away() -> Iterator[None]:
    try:
        yield
    except StoreUnavailableError as error:
        _tell(error)


def _tell(error: StoreUnavailableError) -> None:
    _log.warning("saml_metadata_not_shared", extra={"fault": str(error)})
