"""The broker as seen by SAML identity providers."""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.pool import UserPool
from broker.ports import KeyStore
from broker.saml.signing import signer_of
from broker.saml.sp_metadata import ServiceProvider, sp_metadata


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
