"""Single entities out of the metadata of a federation.

An aggregate has tens of megabytes, of which a provider needs one entity. It is read as a stream and
forgotten as it goes, so that its tree, ten times as large, never stands in memory. What is kept is a
document of its own, with the validity that the aggregate gave it; reading that is ``metadata.py``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import deepcopy
from io import BytesIO
from typing import cast

from lxml import etree

from broker.model.errors import Reason
from broker.saml.metadata import ENTITIES, ENTITY
from broker.saml.refusal import refused
from broker.saml.xml import MAX_DEPTH, MD, METADATA, Element

MAX_ENTITY_BYTES = 4 * METADATA.elements
"""Of one entity, or of what stands between two. An element takes four bytes at least, so the tree of
such an entity is one that may be read."""

_AMBIGUOUS = 2
"""So many entities of one name are as bad as more."""

_INHERITED = ("validUntil", "cacheDuration")


def excerpts(document: bytes, entity_ids: Collection[str]) -> dict[str, bytes]:
    """Of an aggregate, a document for each of ``entity_ids`` that is in it. Metadata of one entity
    is no aggregate: there it is the document itself, whatever its name.

    Raises ``UpstreamError`` when it is no XML, or has an entity of megabytes.
    """
    if b"<!DOCTYPE" in document:
        raise refused(Reason.SAML_METADATA_INVALID, "no DTD", "a DTD")
    found: dict[str, Element] = {}
    try:
        for entity in _entities(document):
            if entity.getparent() is None:
                return dict.fromkeys(entity_ids, document)
            name = entity.get("entityID", "")
            if name in entity_ids:
                holder = found.setdefault(name, etree.Element(ENTITIES, nsmap={"md": MD}))
                if len(holder) < _AMBIGUOUS:
                    _copy(entity, into=holder)
    except (etree.XMLSyntaxError, ValueError) as fault:
        raise refused(
            Reason.SAML_METADATA_INVALID, "a well-formed XML document", str(fault)[:120]
        ) from fault
    return {name: etree.tostring(holder) for name, holder in found.items()}


def stated_entity_id(document: bytes) -> str | None:
    """What the one entity of ``document`` is called, without reading on. None: it is no such document."""
    try:
        _, root = next(_events(BytesIO(document), "start"))
    except (StopIteration, etree.XMLSyntaxError, ValueError):
        return None
    return root.get("entityID") if root.tag == ENTITY else None


def _entities(document: bytes) -> Iterator[Element]:
    """Each entity, complete; the one before is forgotten by then."""
    source = _Source(document)
    for _, element in _events(source, "end", tag=(ENTITY, ENTITIES)):
        source.done = source.tell()
        if element.tag == ENTITY:
            yield element
        _forget(element)


class _Source(BytesIO):
    """Hands out the document as long as its entities end in time: before they do, nothing is forgotten."""

    done = 0
    """As far it was read when the last entity had ended."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() - self.done > MAX_ENTITY_BYTES:
            expected = f"entities of at most {MAX_ENTITY_BYTES} bytes"
            raise refused(Reason.SAML_METADATA_INVALID, expected, "a larger one")
        return super().read(size)


def _events(
    source: BytesIO, event: str, *, tag: tuple[str, ...] | None = None
) -> Iterator[tuple[str, Element]]:
    parser = etree.iterparse(
        source,
        events=(event,),
        tag=tag,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        collect_ids=False,
    )
    return cast("Iterator[tuple[str, Element]]", parser)


def _forget(element: Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and parent[0] is not element:
        del parent[0]


def _copy(entity: Element, *, into: Element) -> None:
    """The entity, inside groups that say as long as theirs did how long it is good for."""
    groups = list(entity.iterancestors(ENTITIES))
    if len(groups) > MAX_DEPTH // 2:
        raise refused(Reason.SAML_METADATA_INVALID, "groups in a few levels", str(len(groups)))
    for group in reversed(groups):
        limits = {name: value for name in _INHERITED if (value := group.get(name))}
        into = etree.SubElement(into, ENTITIES, limits)
    copy = deepcopy(entity)
    copy.tail = None
    into.append(copy)
