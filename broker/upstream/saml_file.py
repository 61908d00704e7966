"""Metadata that stands in the configuration, or in a file that it names."""

from __future__ import annotations

import re
from pathlib import Path

from broker.model.errors import Reason
from broker.model.pool import SamlSettings
from broker.saml.aggregate import excerpts
from broker.saml.metadata import IdpDescriptor, parse_idp_metadata
from broker.saml.refusal import refused

_DECLARATION = re.compile(r"\A\ufeff?\s*(<\?xml\s.*?\?>)?\s*", re.DOTALL)
_LARGE = 1 << 20


def descriptor(settings: SamlSettings) -> IdpDescriptor:
    """Raises ``UpstreamError``."""
    return read(document(settings), settings.entity_id)


def read(whole: bytes, entity_id: str | None) -> IdpDescriptor:
    """A large aggregate is read as a stream. Raises ``UpstreamError``."""
    if entity_id is None or len(whole) < _LARGE:
        return parse_idp_metadata(whole, entity_id)
    excerpt = excerpts(whole, {entity_id}).get(entity_id)
    if excerpt is None:
        raise refused(Reason.SAML_METADATA_ENTITY, entity_id, "other entities")
    return parse_idp_metadata(excerpt, entity_id)


def document(settings: SamlSettings) -> bytes:
    """The text. An encoding that a pasted one declares is the one it had once; blank lines before
    it are pasted too. Raises ``UpstreamError``."""
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
