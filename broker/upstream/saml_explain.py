"""A captured Response against one provider as configured: for ``broker saml explain``."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from broker.model.errors import Reason, UpstreamError
from broker.model.login import SIGN_IN_SECONDS
from broker.saml.expectations import Expectations
from broker.saml.explain import Finding, explain
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


def captured_response(text: str) -> str:
    """The base64 in what was saved: a form body, the field alone, or the XML itself."""
    text = text.strip()
    if _FORM_FIELD.search(text):
        return parse_qs(text).get(RESPONSE, [""])[0]
    if text.startswith("<"):
        return base64.b64encode(text.encode()).decode()
    return text


def explained(party: SamlParty, captured: Captured) -> Iterator[Finding]:
    """Every step. Raises ``UpstreamError`` when the provider itself cannot be used, and
    ``StoreUnavailableError`` when there is something to decrypt and no key to be had."""
    descriptor = party.descriptor()
    request_id = captured.request_id or _stated(captured.encoded, "InResponseTo")
    now = _issued(captured.encoded, party.clock.now()) if captured.at is None else captured.at
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
    if request_id is None and not party.settings.idp_init:
        yield _UNASKED
    yield from explain(captured.encoded, expected, party.provider.attribute_mapping)


def _stated(encoded: str, attribute: str) -> str | None:
    """What the message says of itself; None when it says nothing, or is none."""
    try:
        return sent_response(encoded).get(attribute)
    except UpstreamError:
        return None


def _issued(encoded: str, otherwise: float) -> float:
    try:
        return read_instant(_stated(encoded, "IssueInstant") or "")
    except ValueError:
        return otherwise
