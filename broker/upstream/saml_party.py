"""What every SAML exchange with one provider has in common: who both parties are, and their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from broker.model.errors import Reason, UpstreamError
from broker.model.login import CLOCK_SKEW_SECONDS, UpstreamRequest
from broker.model.pool import IdentityProvider, SamlSettings, UserPool
from broker.ports import Clock, KeyStore, ReplayGuard
from broker.saml.bindings import post_form, redirect_url
from broker.saml.metadata import IdpDescriptor
from broker.saml.refusal import refused
from broker.saml.signing import MessageSigner, rsa_private_key, signer_of
from broker.saml.xml import XmlError

REQUEST = "SAMLRequest"
RESPONSE = "SAMLResponse"
REQUEST_ID = "request_id"
"""What is remembered of an exchange: the ID of our request, which the answer must name."""

LONGEST_MEMORY = 365 * 86400
"""Of a message's ID. Some are dated to the year 9999; no request or transaction that such a message
could answer a second time lives even a day."""


@contextmanager
def writing() -> Iterator[None]:
    """A message of ours that would be no XML is not sent. Raises ``UpstreamError``."""
    try:
        yield
    except XmlError as fault:
        raise refused(Reason.SAML_MESSAGE_TEXT, fault.expected, fault.received) from fault


class Metadata(Protocol):
    """Where the descriptors of identity providers come from."""

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        """Raises ``UpstreamError`` when there is no usable metadata."""

    def failure(self, provider: IdentityProvider) -> UpstreamError | None:
        """Why the last fetch brought nothing; None when it did, or nothing is fetched."""

    def newer(
        self, pool_id: str, provider: IdentityProvider, seen: IdpDescriptor
    ) -> IdpDescriptor | None:
        """One with keys that ``seen`` has not, after a message was signed with none of those; None
        when there is none, or it is too soon to ask the provider again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message of ours before it is sent: ``field`` says whether it asks or answers."""

    field: str
    xml: str
    relay_state: str
    signer: MessageSigner | None
    remember: Mapping[str, str]

    def by_redirect(self, endpoint: str) -> UpstreamRequest:
        url = redirect_url(endpoint, self.field, self.xml, self.relay_state, self.signer)
        return UpstreamRequest(url=url, remember=self.remember)

    def by_post(self, endpoint: str) -> UpstreamRequest:
        message = self.signer.enveloped(self.xml) if self.signer else self.xml
        form = post_form(self.field, message, self.relay_state)
        return UpstreamRequest(url=endpoint, form=form, remember=self.remember)


@dataclass(frozen=True, kw_only=True)
class SamlParty:
    """One identity provider of one pool."""

    pool: UserPool
    provider: IdentityProvider
    metadata: Metadata
    keys: KeyStore
    replay: ReplayGuard
    clock: Clock
    skew: int = CLOCK_SKEW_SECONDS

    @cached_property
    def settings(self) -> SamlSettings:
        return self.provider.saml

    @cached_property
    def authn_contexts(self) -> tuple[str, ...]:
        """Those of which one must be how a person signed in; none: any will do."""
        return tuple((self.settings.requested_authn_context or "").split())

    def descriptor(self) -> IdpDescriptor:
        """Raises ``UpstreamError`` when there is no usable metadata."""
        return self.metadata.of(self.pool.id, self.provider)

    def signer(self) -> MessageSigner:
        return signer_of(self.keys.pool_keys(self.pool).saml_signing[0])

    def decryption_keys(self) -> Sequence[rsa.RSAPrivateKey]:
        """The provider's own, and those of the pool, which it may use as well."""
        own = self.keys.provider_encryption(self.pool, self.provider.name)
        pairs = (*own, *self.keys.pool_keys(self.pool).saml_encryption)
        return [rsa_private_key(pair.private_pem) for pair in pairs]

    def claim(self, kind: str, message_id: str, *, until: float) -> None:
        """SAML profiles 4.1.4.5: a message works once. Raises ``UpstreamError``.

        To be called last, so that a message refused for another reason uses nothing up.
        """
        until = min(until, self.clock.now() + LONGEST_MEMORY)
        if not self.replay.first_time(self.pool.id, self._scope(kind), message_id, until=until):
            raise _replayed()

    def require_unclaimed(self, kind: str, message_id: str) -> None:
        """The same question without the claim. Raises ``UpstreamError``."""
        if self.replay.seen(self.pool.id, self._scope(kind), message_id):
            raise _replayed()

    def _scope(self, kind: str) -> str:
        return f"{kind}:{self.provider.name}"


def _replayed() -> UpstreamError:
    return refused(Reason.SAML_REPLAY, "an ID not seen before", "one seen before")
