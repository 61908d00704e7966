"""The broker as seen by SAML identity providers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from broker.model.errors import StoreUnavailableError
from broker.model.pool import ProviderType, UserPool
from broker.model.tokens import CertifiedKey
from broker.ports import KeyStore
from broker.saml.signing import signer_of
from broker.saml.sp_metadata import ServiceProvider, sp_metadata

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProviderDocuments:
    """The metadata documents of the pools, signed with the pool's key."""

    keys: KeyStore

    def __call__(self, pool: UserPool, *, provider: str | None) -> bytes:
        """``provider`` names one that shall have an encryption certificate of its own."""
        keys = self.keys.pool_keys(pool)
        own = () if provider is None else self._own(pool, provider)
        facts = ServiceProvider(
            entity_id=pool.sp_entity_id,
            base_urls=pool.domains,
            signing=[pair.certificate_pem for pair in keys.saml_signing],
            encryption=[pair.certificate_pem for pair in (*own, *keys.saml_encryption)],
            organization=pool.organization,
            display_name=pool.display_name,
            logo=pool.logo,
        )
        return sp_metadata(facts, signer_of(keys.saml_signing[0]))

    def _own(self, pool: UserPool, provider: str) -> Sequence[CertifiedKey]:
        """The provider's own pairs. Where none can be made, as on a read-only disk, the pool's
        serve: they decrypt for every provider."""
        if pool.providers[provider].type is not ProviderType.SAML:
            return ()
        try:
            return self.keys.make_provider_encryption(pool, provider)
        except StoreUnavailableError as error:
            _log.warning("provider_key_not_made", extra={"pool": pool.id, "fault": str(error)})
            return ()
