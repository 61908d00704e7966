"""The SAML connector: one identity provider of one pool, as ``ports.Upstream``.

Joins the SAML library with what it deliberately lacks: the provider's metadata, the pool's keys,
the clock and the memory of assertions seen. What makes a Response good is said in
``broker.saml``; here it is only said what this provider and this sign-in are.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import Reason, UpstreamError
from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ExternalIdentity,
    LoginSession,
    PendingSignOut,
    ProviderLogout,
    Transaction,
    UpstreamRequest,
)
from broker.saml.assertion import Assertion, claims_of
from broker.saml.expectations import Expectations
from broker.saml.metadata import IdpDescriptor
from broker.saml.refusal import refused
from broker.saml.request import AuthnRequest, new_id
from broker.saml.response import read_response
from broker.upstream import saml_logout
from broker.upstream.saml_party import REQUEST, REQUEST_ID, RESPONSE, Letter, SamlParty, writing

ACS_PATH = "/saml2/idpresponse"

_SIGNATURES = (Reason.SAML_RESPONSE_SIGNATURE, Reason.SAML_ASSERTION_SIGNATURE)


@dataclass(frozen=True, kw_only=True)
class SamlUpstream(SamlParty):
    """Sign-in and sign-out with one SAML identity provider."""

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        """An AuthnRequest by redirect, or by POST when the provider takes nothing else."""
        descriptor = self.descriptor()
        endpoint = descriptor.sso_redirect or descriptor.sso_post or ""
        request_id = new_id()
        with writing():
            xml = self._authn_request(endpoint, base_url, request).xml(
                request_id=request_id,
                now=self.clock.now(),
                subject=self._hint(request),
            )
        letter = Letter(
            field=REQUEST,
            xml=xml,
            relay_state=transaction_id,
            signer=self.signer() if self.settings.sign_requests else None,
            remember={REQUEST_ID: request_id},
        )
        send = letter.by_redirect if descriptor.sso_redirect else letter.by_post
        return send(endpoint)

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        """Who the Response proves the person to be. Its assertion is good for this once."""
        encoded = callback.params.get(RESPONSE)
        if not encoded:
            raise refused(Reason.PARAMETER_MISSING, RESPONSE, "none")
        assertion = self._read(encoded, transaction)
        self.claim("saml", assertion.id, until=assertion.usable_until)
        return self._identity(assertion)

    def begin_logout(
        self,
        sign_out_id: str,
        session: LoginSession,
        base_url: str,  # noqa: ARG002  # the port's: no URL of ours stands in a LogoutRequest
    ) -> UpstreamRequest | None:
        return saml_logout.ask(self, sign_out_id, session)

    def complete_logout(self, callback: Callback, pending: PendingSignOut) -> bool:
        return saml_logout.check_answer(self, callback, pending)

    def accept_logout(self, callback: Callback) -> ProviderLogout:
        """A LogoutRequest of the provider's own. Raises ``UpstreamError``."""
        return saml_logout.accept(self, callback)

    def answer_logout(self, callback: Callback, wish: ProviderLogout) -> UpstreamRequest | None:
        """It is done: the LogoutResponse, once. Raises ``UpstreamError``."""
        return saml_logout.answer(self, callback, wish)

    def _authn_request(
        self, endpoint: str, base_url: str, request: AuthorizationRequest
    ) -> AuthnRequest:
        return AuthnRequest(
            issuer=self.pool.sp_entity_id,
            destination=endpoint,
            acs_url=base_url + ACS_PATH,
            force_authn=self._oldest_sign_in(request) is not None,
            name_id_format=self.settings.name_id_format,
            authn_contexts=self.authn_contexts,
        )

    def _hint(self, request: AuthorizationRequest) -> str | None:
        """``login_hint`` (OIDC Core 3.1.2.1), where the provider is known to make use of it: others
        refuse a request for a person they do not know by that name."""
        return request.login_hint if self.settings.send_login_hint else None

    def _oldest_sign_in(self, request: AuthorizationRequest) -> int | None:
        """How many seconds old a sign-in at the provider may be; None: nobody minds."""
        return 0 if self.settings.force_authn else request.oldest_sign_in

    def _signed_in_since(self, transaction: Transaction) -> float | None:
        """Of a sign-in that nobody asked for, only its RelayState can have asked that it be new."""
        request = transaction.request
        age = self._oldest_sign_in(request) if transaction.solicited else request.oldest_sign_in
        return None if age is None else transaction.created_at - age

    def _read(self, encoded: str, transaction: Transaction) -> Assertion:
        """A signature with an unknown key may be the first with a new one: the metadata is asked
        once more, as far as it bears being asked, before the message is refused."""
        descriptor = self.descriptor()
        try:
            return read_response(encoded, self._expectations(transaction, descriptor))
        except UpstreamError as refusal:
            if refusal.reason not in _SIGNATURES:
                raise
            newer = self.metadata.newer(self.pool.id, self.provider, descriptor)
            if newer is None:
                raise
        return read_response(encoded, self._expectations(transaction, newer))

    def _expectations(self, transaction: Transaction, descriptor: IdpDescriptor) -> Expectations:
        """Fixed before a byte of the message is read; its keys are this provider's, no other's."""
        return Expectations(
            acs_url=transaction.base_url + ACS_PATH,
            audience=self.pool.sp_entity_id,
            issuer=descriptor.entity_id,
            keys=descriptor.keys,
            request_id=self._request_id(transaction),
            now=self.clock.now(),
            skew=self.skew,
            signed_in_since=self._signed_in_since(transaction),
            authn_contexts=self.authn_contexts,
            require_encryption=self.settings.encrypted_responses,
            decryption_keys=self.decryption_keys,
            allow_sha1=self.settings.allow_sha1,
        )

    def _request_id(self, transaction: Transaction) -> str | None:
        """The ID to be answered; None only where sign-in without a request was switched on."""
        if transaction.solicited:
            if request_id := transaction.remembered.get(REQUEST_ID):
                return request_id
            raise refused(Reason.SAML_UNSOLICITED, "a request to answer", "none was sent")
        if not self.settings.idp_init:
            raise refused(Reason.SAML_UNSOLICITED, "an answer to a request", "IDPInit is off")
        return None

    def _identity(self, assertion: Assertion) -> ExternalIdentity:
        name_id, end = assertion.name_id, assertion.session_not_on_or_after
        return ExternalIdentity(
            provider=self.provider.name,
            subject=name_id.value,
            issuer=assertion.issuer,
            claims=claims_of(assertion.attributes, name_id),
            session_expires_at=None if end is None else int(end),
            logout=saml_logout.logout_facts(name_id, assertion.session_index),
        )
