"""A browser's session as bytes, without the id that would let its reader be that browser."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from broker.model.login import LoginSession
from broker.stores.digests import digest

_decoder = msgspec.json.Decoder(LoginSession)
_encoder = msgspec.json.Encoder()


def encode_session(session: LoginSession) -> bytes:
    return _encoder.encode(replace(session, id=""))


def decode_session(value: bytes, session_id: str = "") -> LoginSession:
    """``session_id`` is known to whoever asks by it; sessions found otherwise have none."""
    session = _decoder.decode(value)
    return replace(session, id=session_id) if session_id else session


def person_of(provider: str, subject: str) -> str:
    """The index under which a person's sessions are found; subjects may be long."""
    return digest(provider, subject)
