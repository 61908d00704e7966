"""The SAML connector: one identity provider of one pool, as ``ports.Upstream``.

Joins the SAML library with what it deliberately lacks: the provider's metadata, the pool's keys,
the clock and the memory of assertions seen. What makes a Response good is said in
``broker.saml``; here it is only said what this provider and this sign-in are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from broker.model.errors import Reason
from broker.model.login import (
    CLOCK_SKEW_SECONDS,
    AuthorizationRequest,
    Callback,
    ExternalIdentity,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import IdentityProvider, SamlSettings, UserPool
from broker.ports import Clock, KeyStore, ReplayGuard
from broker.saml.bindings import post_form, redirect_url
from broker.saml.metadata import IdpDescriptor
from broker.saml.refusal import refused
from broker.saml.request import AuthnRequest, new_id
from broker.saml.response import Assertion, Expectations, NameId, read_response
from broker.saml.signing import MessageSigner, rsa_private_key, signer_of

ACS_PATH = "/saml2/idpresponse"
REQUEST_ID = "request_id"
"""What a transaction remembers: the ID of the AuthnRequest that the Response must answer."""


class Metadata(Protocol):
    """Where the descriptors of identity providers come from."""

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        """Raises ``UpstreamError`` when there is no usable metadata."""


@dataclass(frozen=True, kw_only=True)
class SamlUpstream:
    """One SAML identity provider of one pool."""

    pool: UserPool
    provider: IdentityProvider
    metadata: Metadata
    keys: KeyStore
    replay: ReplayGuard
    clock: Clock
    skew: int = CLOCK_SKEW_SECONDS

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        """An AuthnRequest by redirect, or by POST when the provider takes nothing else."""
        descriptor = self.metadata.of(self.pool.id, self.provider)
        request_id = new_id()
        endpoint = descriptor.sso_redirect or descriptor.sso_post or ""
        xml = AuthnRequest(
            issuer=self.pool.sp_entity_id,
            destination=endpoint,
            acs_url=base_url + ACS_PATH,
            force_authn=self._must_authenticate(request),
            name_id_format=self._settings.name_id_format,
            authn_context=self._settings.requested_authn_context,
        ).xml(request_id=request_id, now=self.clock.now())
        signer = self._signer() if self._settings.sign_requests else None
        remember = {REQUEST_ID: request_id}
        if descriptor.sso_redirect is not None:
            url = redirect_url(endpoint, "SAMLRequest", xml, transaction_id, signer)
            return UpstreamRequest(url=url, remember=remember)
        message = signer.enveloped(xml) if signer else xml
        form = post_form("SAMLRequest", message, transaction_id)
        return UpstreamRequest(url=endpoint, form=form, remember=remember)

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        """Who the Response proves the person to be. Its assertion is good for this once."""
        encoded = callback.params.get("SAMLResponse")
        if not encoded:
            raise refused(Reason.PARAMETER_MISSING, "SAMLResponse", "none")
        assertion = read_response(encoded, self._expectations(transaction))
        self._claim(assertion)
        return self._identity(assertion)

    @property
    def _settings(self) -> SamlSettings:
        settings = self.provider.settings
        if not isinstance(settings, SamlSettings):
            raise TypeError("the SAML connector got a provider of another type")
        return settings

    def _must_authenticate(self, request: AuthorizationRequest) -> bool:
        """OIDC Core 3.1.2.1: ``prompt=login`` and ``max_age=0`` want the person asked again."""
        return self._settings.force_authn or "login" in request.prompt or request.max_age == 0

    def _signer(self) -> MessageSigner:
        return signer_of(self.keys.pool_keys(self.pool).saml_signing[0])

    def _expectations(self, transaction: Transaction) -> Expectations:
        """Fixed before a byte of the message is read; its keys are this provider's and no other's."""
        descriptor = self.metadata.of(self.pool.id, self.provider)
        return Expectations(
            acs_url=transaction.base_url + ACS_PATH,
            audience=self.pool.sp_entity_id,
            issuer=descriptor.entity_id,
            keys=descriptor.keys,
            request_id=self._request_id(transaction),
            now=self.clock.now(),
            skew=self.skew,
            require_encryption=self._settings.encrypted_responses,
            decryption_keys=self._decryption_keys(),
            allow_sha1=self._settings.allow_sha1,
        )

    def _request_id(self, transaction: Transaction) -> str | None:
        """The ID to be answered; None only where sign-in without a request was switched on."""
        if transaction.solicited:
            if request_id := transaction.remembered.get(REQUEST_ID):
                return request_id
            raise refused(Reason.SAML_UNSOLICITED, "a request to answer", "none was sent")
        if not self._settings.idp_init:
            raise refused(Reason.SAML_UNSOLICITED, "an answer to a request", "IDPInit is off")
        return None

    def _decryption_keys(self) -> Sequence[rsa.RSAPrivateKey]:
        pairs = self.keys.pool_keys(self.pool).saml_encryption
        return [rsa_private_key(pair.private_pem) for pair in pairs]

    def _claim(self, assertion: Assertion) -> None:
        """SAML profiles 4.1.4.5. Last of all, so that a refused message uses nothing up."""
        scope = f"saml:{self.provider.name}"
        if not self.replay.first_time(
            self.pool.id, scope, assertion.id, until=assertion.usable_until
        ):
            raise refused(Reason.SAML_REPLAY, "an assertion not seen before", "one seen before")

    def _identity(self, assertion: Assertion) -> ExternalIdentity:
        name_id, end = assertion.name_id, assertion.session_not_on_or_after
        return ExternalIdentity(
            provider=self.provider.name,
            subject=name_id.value,
            issuer=assertion.issuer,
            # Last, so that no attribute of that name can stand in for the subject.
            claims={**assertion.attributes, "NameID": (name_id.value,)},
            session_expires_at=None if end is None else int(end),
            logout=_logout(name_id, assertion.session_index),
        )


def _logout(name_id: NameId, session_index: str | None) -> dict[str, str]:
    """What a LogoutRequest must repeat as it was received (SAML core 3.7.1)."""
    parts = {
        "name_id": name_id.value,
        "format": name_id.format,
        "name_qualifier": name_id.name_qualifier,
        "sp_name_qualifier": name_id.sp_name_qualifier,
        "session_index": session_index,
    }
    return {part: value for part, value in parts.items() if value is not None}
