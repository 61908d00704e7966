"""A captured Response against one provider as configured: for ``broker saml explain``."""

from __future__ import annotations

import base64
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from broker.model.errors import Reason, UpstreamError
from broker.model.login import SIGN_IN_SECONDS
from broker.saml.expectations import Expectations
from broker.saml.explain import Finding, Sequel, explain
from broker.saml.instant import read_instant
from broker.saml.response import sent_response
from broker.upstream.saml import ACS_PATH
from broker.upstream.saml_party import RESPONSE, SamlParty

_FORM_FIELD = re.compile(rf"(^|&){RESPONSE}=")


_UNASKED = Finding(
    step="The provider may sign people in unasked",
    passed=False,
    reason=Reason.SAML_UNSOLICITED,
    expected="an answer to a request, or IDPInit",
    received="a message nobody asked for, and IDPInit is off",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What somebody saved: ``request_id`` None takes the one that the message answers, ``at`` None
    the time at which it was issued, since an old message would fail every rule of time."""

    encoded: str
    base_url: str
    request_id: str | None = None
    at: float | None = None


def captured_response(saved: bytes) -> str:
    """The base64 in what was saved: a form body, the field alone, or the XML itself, byte for byte.

    Some editors begin a file with a byte order mark, which XML may have and base64 may not.
    """
    saved = saved.strip()
    if saved.removeprefix(BOM_UTF8).startswith(b"<"):
        return base64.b64encode(saved).decode()
    text = saved.decode("utf-8-sig", errors="replace")
    if _FORM_FIELD.search(text):
        return parse_qs(text).get(RESPONSE, [""])[0]
    return text


def explained(party: SamlParty, captured: Captured, sequel: Sequel) -> Iterator[Finding]:
    """Every step, those of ``sequel`` at the end.

    Raises ``UpstreamError`` when the provider itself cannot be used, and ``StoreUnavailableError``
    when there is something to decrypt and no key to be had.
    """
    descriptor = party.descriptor()
    stated = _stated(captured.encoded)
    request_id = captured.request_id or stated.get("InResponseTo")
    now = _issued(stated, party.clock.now()) if captured.at is None else captured.at
    # When it was asked for is not known, but no sign-in takes longer than this.
    is_forced = party.settings.force_authn and request_id is not None
    expected = Expectations(
        acs_url=captured.base_url + ACS_PATH,
        audience=party.pool.sp_entity_id,
        issuer=descriptor.entity_id,
        keys=descriptor.keys,
        request_id=request_id,
        now=now,
        skew=party.skew,
        signed_in_since=now - SIGN_IN_SECONDS if is_forced else None,
        authn_contexts=party.authn_contexts,
        require_encryption=party.settings.encrypted_responses,
        decryption_keys=party.decryption_keys,
        allow_sha1=party.settings.allow_sha1,
    )
    if stated and request_id is None and not party.settings.idp_init:
        yield _UNASKED
    yield from explain(captured.encoded, expected, sequel)


def _stated(encoded: str) -> Mapping[str, str]:
    """The attributes of the message, which say what it is; none when it is no message at all."""
    try:
        return {
            str(name): str(value) for name, value in sent_response(encoded).element.attrib.items()
        }
    except UpstreamError:
        return {}


def _issued(stated: Mapping[str, str], otherwise: float) -> float:
    try:
        return read_instant(stated.get("IssueInstant", ""))
    except ValueError:
        return otherwise
