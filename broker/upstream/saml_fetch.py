"""Fetching a metadata document over HTTP. When, and what for, is said in ``saml_renewal.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.model.errors import Reason, UpstreamError
from broker.saml.refusal import refused
from broker.upstream.http import Answer, HttpClient, HttpError
from broker.upstream.saml_renewal import Fetched, Validators

MAX_BYTES = 64 << 20
"""The aggregate of a large federation; a provider's own document has a few thousandths of that."""
SECONDS = 30.0

_OK, _NOT_MODIFIED = 200, 304
_ACCEPT = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFetch:
    """``saml_renewal.Fetch`` over HTTP."""

    http: HttpClient
    max_bytes: int = MAX_BYTES
    seconds: float = SECONDS

    def __call__(self, url: str, known: Validators) -> Fetched:
        """Raises ``UpstreamError``: ``saml_metadata_unavailable``."""
        client = self.http.patient(max_bytes=self.max_bytes, seconds=self.seconds)
        try:
            answer = client.get(url, headers={"Accept": _ACCEPT, **_conditions(known)})
        except HttpError as error:
            raise _unavailable(str(error)) from error
        if answer.status == _NOT_MODIFIED and known != Validators():
            return Fetched(None)
        if answer.status != _OK:
            raise _unavailable(f"HTTP status {answer.status}")
        return Fetched(answer.body, _validators(answer))


def _conditions(known: Validators) -> Mapping[str, str]:
    """RFC 9110 13.1: the date only where there is no tag, which says more."""
    if known.etag:
        return {"If-None-Match": known.etag}
    return {"If-Modified-Since": known.last_modified} if known.last_modified else {}


def _validators(answer: Answer) -> Validators:
    """What is not ASCII cannot be sent back."""
    etag, last_modified = (answer.headers.get(n, "") for n in ("etag", "last-modified"))
    return Validators(
        etag if etag.isascii() else "", last_modified if last_modified.isascii() else ""
    )


def _unavailable(received: str) -> UpstreamError:
    return refused(Reason.SAML_METADATA_UNAVAILABLE, "metadata at the MetadataURL", received)
