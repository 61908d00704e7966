"""How a message travels: deflated in a query, or as a field of a form (SAML bindings 3.4, 3.5).

Owns the redirect binding's detached signature in both directions. It covers the parameters as
they stand in the URL, so what is verified is the raw query and never a re-encoding of it.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote, unquote_plus

from broker.saml.algorithms import RSA_SHA256, PublicKey, SignatureError, verify_detached
from broker.saml.xml import XmlError

MAX_RELAY_STATE = 80
"""Bytes (bindings 3.4.3). Some identity providers cut longer ones off."""

MAX_INFLATED = 100_000
"""A few hundred bytes of deflate can stand for gigabytes."""

_SIG_ALG = "SigAlg=" + quote(RSA_SHA256, safe="")
_RAW_DEFLATE = -zlib.MAX_WBITS


class QuerySigner(Protocol):
    """A private key in use for one purpose: RSA with SHA-256."""

    def sign(self, data: bytes) -> bytes: ...


def redirect_url(
    endpoint: str, field: str, xml: str, relay_state: str, signer: QuerySigner | None
) -> str:
    """The endpoint with ``xml`` as its ``field``, signed when there is a signer (3.4.4.1)."""
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


def verify_query(
    query: str, field: str, keys: Sequence[PublicKey], *, allow_sha1: bool = False
) -> None:
    """Verify the signature of a raw query string (3.4.4.1). Raises ``SignatureError``."""
    raw = _raw_parameters(query)
    signed = [f"{name}={raw[name]}" for name in (field, "RelayState", "SigAlg") if name in raw]
    if not {field, "SigAlg", "Signature"} <= raw.keys():
        raise SignatureError("a signed query", "one without signature")
    try:
        signature = b64decode(unquote_plus(raw["Signature"]), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise SignatureError("base64 in Signature", "something else") from fault
    verify_detached(
        "&".join(signed).encode(),
        signature,
        unquote_plus(raw["SigAlg"]),
        keys,
        allow_sha1=allow_sha1,
    )


def inflated(value: str) -> bytes:
    """The message in a redirect parameter, at most ``MAX_INFLATED`` bytes of it."""
    try:
        inflater = zlib.decompressobj(_RAW_DEFLATE)
        data = inflater.decompress(b64decode(value, validate=True), MAX_INFLATED)
    except (zlib.error, binascii.Error, ValueError) as fault:
        raise XmlError("a deflated message", "something else") from fault
    if inflater.unconsumed_tail or not inflater.eof:
        raise XmlError(f"at most {MAX_INFLATED} bytes, complete", "more, or less than all")
    return data


def _raw_parameters(query: str) -> dict[str, str]:
    raw: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in raw:
            raise SignatureError("each parameter once", "a repeated one")
        raw[name] = value
    return raw


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=_RAW_DEFLATE)
    return deflater.compress(data) + deflater.flush()


def _in_query(data: bytes) -> str:
    """Base64, percent-encoded. ``quote`` would look at every character to find these three."""
    text = b64encode(data).decode()
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
