"""Metadata that stands in the configuration or in files, looked at when the configuration is read again.

A document that became unusable must not take the place of a good one. Only those are read that are not
what they were: thousands of providers cost a look at the date of each file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import SamlSettings, UserPool
from broker.saml.aggregate import excerpts
from broker.saml.metadata import parse_idp_metadata
from broker.saml.refusal import refused
from broker.upstream import saml_file

Stamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Document:
    """One provider's, as it is now."""

    source: str
    """The text itself, or the path."""
    entity_id: str | None
    stamp: Stamp
    """Of the file; None when there is none."""


Documents = Mapping[tuple[str, str], Document]
"""Pool and provider -> its document, for those that have one."""


def documents(pools: Iterable[UserPool]) -> Documents:
    """What there is. Nothing is read."""
    return {
        (pool.id, provider.name): _document(provider.settings)
        for pool in pools
        for provider in pool.providers.values()
        if isinstance(provider.settings, SamlSettings) and provider.settings.metadata_url is None
    }


def faults(pools: Iterable[UserPool], now: Documents, before: Documents) -> Iterator[str]:
    """Why documents cannot be used that are not what they were."""
    changed: dict[tuple[str, Stamp], list[tuple[str, SamlSettings]]] = {}
    for pool in pools:
        for name, provider in pool.providers.items():
            found = now.get((pool.id, name))
            if found is None or found == before.get((pool.id, name)):
                continue
            user = (f"{pool.id} {name}", provider.saml)
            changed.setdefault((found.source, found.stamp), []).append(user)
    for users in changed.values():
        yield from _faults_of(users)


def _document(settings: SamlSettings) -> Document:
    if settings.metadata_xml is not None:
        return Document(settings.metadata_xml, settings.entity_id, None)
    path = settings.metadata_path or ""
    return Document(path, settings.entity_id, _stamp(Path(path)))


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _faults_of(users: Sequence[tuple[str, SamlSettings]]) -> Iterator[str]:
    """All who go by one document: a federation's is large, and read once for its members."""
    entity_ids = {each.entity_id for _, each in users if each.entity_id is not None}
    try:
        whole = saml_file.document(users[0][1])
        found = excerpts(whole, entity_ids) if entity_ids else {}
    except UpstreamError as error:
        yield from (_fault(place, error) for place, _ in users)
        return
    for place, settings in users:
        named = settings.entity_id
        try:
            _read(whole if named is None else found.get(named), named)
        except UpstreamError as error:
            yield _fault(place, error)


def _read(document: bytes | None, entity_id: str | None) -> None:
    if document is None:
        raise refused(Reason.SAML_METADATA_ENTITY, entity_id or "", "other entities")
    parse_idp_metadata(document, entity_id)


def _fault(place: str, error: UpstreamError) -> str:
    return f"{place}: {error.reason}: expected {error.expected}, received {error.received}"
