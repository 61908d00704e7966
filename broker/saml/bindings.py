"""How a message travels: deflated in a query, or as a field of a form (SAML bindings 3.4, 3.5).

Owns what we send. Nobody sends us anything by redirect, and what comes in a form is read where its
kind is known.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Protocol
from urllib.parse import quote

from broker.saml.algorithms import RSA_SHA256

_SIG_ALG = "SigAlg=" + quote(RSA_SHA256, safe="")
_RAW_DEFLATE = -zlib.MAX_WBITS


class QuerySigner(Protocol):
    """A private key in use for one purpose: RSA with SHA-256."""

    def sign(self, data: bytes) -> bytes: ...


def redirect_url(
    endpoint: str, field: str, xml: str, relay_state: str, signer: QuerySigner | None
) -> str:
    """The endpoint with ``xml`` as its ``field``, signed when there is a signer (3.4.4.1): the signature
    covers the parameters as they stand in the URL."""
    query = f"{field}={_in_query(_deflated(xml.encode()))}"
    if relay_state:
        query = f"{query}&RelayState={quote(relay_state, safe='')}"
    if signer is not None:
        query = f"{query}&{_SIG_ALG}"
        query = f"{query}&Signature={_in_query(signer.sign(query.encode()))}"
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def post_form(field: str, xml: str | bytes, relay_state: str) -> dict[str, str]:
    """The form fields of the POST binding (3.5.4)."""
    data = xml.encode() if isinstance(xml, str) else xml
    form = {field: b64encode(data).decode()}
    return {**form, "RelayState": relay_state} if relay_state else form


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=_RAW_DEFLATE)
    return deflater.compress(data) + deflater.flush()


def _in_query(data: bytes) -> str:
    """Base64, percent-encoded. ``quote`` would look at every character to find these three."""
    text = b64encode(data).decode()
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
