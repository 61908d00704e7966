"""The broker as seen by SAML identity providers, and how it fetches their metadata."""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import Reason
from broker.model.pool import UserPool
from broker.ports import KeyStore
from broker.saml.refusal import refused
from broker.saml.signing import signer_of
from broker.saml.sp_metadata import ServiceProvider, sp_metadata
from broker.upstream.http import HttpClient, HttpError

_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProviderDocuments:
    """The metadata documents of the pools, signed with the pool's key."""

    keys: KeyStore

    def __call__(self, pool: UserPool, *, provider: str | None) -> bytes:  # noqa: ARG002  # one key pair serves all
        """``provider`` names the identity provider that asks; one key pair serves them all."""
        keys = self.keys.pool_keys(pool)
        facts = ServiceProvider(
            entity_id=pool.sp_entity_id,
            base_urls=pool.domains,
            signing=[pair.certificate_pem for pair in keys.saml_signing],
            encryption=[pair.certificate_pem for pair in keys.saml_encryption],
        )
        return sp_metadata(facts, signer_of(keys.saml_signing[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFetch:
    """``saml_metadata.Fetch`` over HTTP."""

    http: HttpClient

    def __call__(self, url: str) -> bytes:
        """Raises ``UpstreamError``: ``saml_metadata_unavailable``."""
        try:
            answer = self.http.get(url)
        except HttpError as error:
            raise refused(
                Reason.SAML_METADATA_UNAVAILABLE, "metadata at the MetadataURL", str(error)
            ) from error
        if answer.status != _OK:
            received = f"HTTP status {answer.status}"
            raise refused(Reason.SAML_METADATA_UNAVAILABLE, "metadata at the MetadataURL", received)
        return answer.body
