"""SAML single logout with one provider (profiles 4.4), from both ends.

Every message is signed, ours and theirs. Which sessions a message is about is left to the caller:
here it is only established that it comes from the provider, is meant for us, and is not old.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from broker.model.errors import Reason
from broker.model.login import (
    Callback,
    LoginSession,
    PendingSignOut,
    ProviderLogout,
    UpstreamRequest,
)
from broker.saml.assertion import NameId
from broker.saml.logout import (
    LogoutExpectations,
    Sender,
    logout_request,
    logout_response,
    read_logout_request,
    read_logout_response,
)
from broker.saml.refusal import refused
from broker.saml.request import new_id
from broker.saml.rules import SUCCESS
from broker.upstream.saml_party import REQUEST, REQUEST_ID, RESPONSE, Letter, SamlParty, writing

LOGOUT_PATH = "/saml2/logout"

MAX_ECHOED = 1024
"""Bytes of RelayState. The standard allows 80 (bindings 3.5.3), and some providers send more."""

_KIND = "saml-logout"

_log = logging.getLogger(__name__)


def logout_facts(name_id: NameId, session_index: str | None) -> dict[str, str]:
    """What a session keeps, because a LogoutRequest repeats it as received (SAML core 3.7.1)."""
    facts = {
        "name_id": name_id.value,
        "format": name_id.format,
        "name_qualifier": name_id.name_qualifier,
        "sp_name_qualifier": name_id.sp_name_qualifier,
        "session_index": session_index,
    }
    return {fact: value for fact, value in facts.items() if value is not None}


def ask(party: SamlParty, sign_out_id: str, session: LoginSession) -> UpstreamRequest | None:
    """A LogoutRequest for the person's session at the provider; None when there is no use in it."""
    descriptor = party.descriptor()
    endpoint = descriptor.slo_redirect or descriptor.slo_post
    name_id = _name_id(session.logout)
    if not party.settings.idp_signout or endpoint is None or name_id is None:
        return None
    request_id = new_id()
    with writing():
        xml = logout_request(
            Sender(issuer=party.pool.sp_entity_id, destination=endpoint.location),
            name_id,
            session.logout.get("session_index"),
            request_id=request_id,
            now=party.clock.now(),
        )
    letter = Letter(
        field=REQUEST,
        xml=xml,
        relay_state=sign_out_id,
        signer=party.signer(),
        remember={REQUEST_ID: request_id},
    )
    send = letter.by_redirect if descriptor.slo_redirect else letter.by_post
    return send(endpoint.location)


def check_answer(party: SamlParty, callback: Callback, pending: PendingSignOut) -> bool:
    """Whether the provider, in its answer to our request, ended every session of its own.

    One that could not has answered too: the person is signed out here, and the browser goes on.
    """
    request_id = pending.remembered.get(REQUEST_ID)
    if request_id is None:
        raise refused(Reason.SAML_LOGOUT_UNEXPECTED, "a request to answer", "none was sent")
    encoded = callback.params.get(RESPONSE, "")
    codes = read_logout_response(encoded, _expected(party, pending.base_url), request_id)
    if codes == [SUCCESS]:
        return True
    # Success may come with PartialLogout below it (SAML core 3.7.3.2).
    _log.warning(
        "provider_sign_out_partial",
        extra={"pool": party.pool.id, "provider": party.provider.name, "status": codes[:2]},
    )
    return False


def accept(party: SamlParty, callback: Callback) -> ProviderLogout:
    """The provider's own wish to end sessions, unless it was granted before."""
    encoded = callback.params.get(REQUEST, "")
    request = read_logout_request(encoded, _expected(party, callback.base_url))
    party.require_unclaimed(_KIND, request.id)
    return ProviderLogout(
        provider=party.provider.name,
        subject=request.name_id.value,
        message_id=request.id,
        usable_until=request.usable_until,
    )


def answer(party: SamlParty, callback: Callback, wish: ProviderLogout) -> UpstreamRequest | None:
    """That the wish was granted, which it is once; None when the provider has no place for it."""
    response = _response(party, wish, _echoed(callback.params.get("RelayState", "")))
    party.claim(_KIND, wish.message_id, until=wish.usable_until)
    return response


def _echoed(relay_state: str) -> str:
    """RelayState goes back as it came (bindings 3.5.3), unless it is no text, or so long that no
    provider can mean it: whoever delivers a message chooses what stands beside it."""
    try:
        size = len(relay_state.encode())
    except UnicodeEncodeError:
        return ""
    return relay_state if size <= MAX_ECHOED else ""


def _response(party: SamlParty, wish: ProviderLogout, relay_state: str) -> UpstreamRequest | None:
    descriptor = party.descriptor()
    endpoint = descriptor.slo_redirect or descriptor.slo_post
    if endpoint is None:
        return None
    with writing():
        xml = logout_response(
            Sender(issuer=party.pool.sp_entity_id, destination=endpoint.response_location),
            in_response_to=wish.message_id,
            response_id=new_id(),
            now=party.clock.now(),
        )
    letter = Letter(
        field=RESPONSE, xml=xml, relay_state=relay_state, signer=party.signer(), remember={}
    )
    send = letter.by_redirect if descriptor.slo_redirect else letter.by_post
    return send(endpoint.response_location)


def _expected(party: SamlParty, base_url: str) -> LogoutExpectations:
    descriptor = party.descriptor()
    return LogoutExpectations(
        destination=base_url + LOGOUT_PATH,
        issuer=descriptor.entity_id,
        keys=descriptor.keys,
        now=party.clock.now(),
        skew=party.skew,
        allow_sha1=party.settings.allow_sha1,
    )


def _name_id(facts: Mapping[str, str]) -> NameId | None:
    """The way back from ``logout_facts``; None when there are none."""
    value = facts.get("name_id")
    if value is None:
        return None
    return NameId(
        value=value,
        format=facts.get("format"),
        name_qualifier=facts.get("name_qualifier"),
        sp_name_qualifier=facts.get("sp_name_qualifier"),
    )
