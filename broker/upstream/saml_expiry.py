"""Tells in time that the certificates of a SAML provider will expire.

Told, not enforced: the administrator vouches for the keys, not for the dates. But a provider that
lets its last certificate run out is about to change it, and that wants preparing.
"""

from __future__ import annotations

import logging

from broker.saml.instant import write_instant
from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_copies import MetadataCopies

WARNING_DAYS = 30
_DAY = 86400
_log = logging.getLogger(__name__)


def report(
    copies: MetadataCopies, pool_id: str, provider: str, descriptor: IdpDescriptor, now: float
) -> None:
    """One line a day, on this machine, about a provider that will need new certificates."""
    # For the metrics, which want to know it of everybody and all the time.
    last = max(key.expires_at for key in descriptor.signing)
    days_left = int((last - now) // _DAY)
    _log.debug(
        "saml_certificate", extra={"pool": pool_id, "provider": provider, "days_left": days_left}
    )
    told = _news(descriptor, now)
    if told is not None and copies.first_today(now, told[0], pool_id, provider):
        event, at = told
        _log.warning(
            event,
            extra={
                "pool": pool_id,
                "provider": provider,
                "at": write_instant(at),
                "days_left": max(0, int((at - now) // _DAY)),
            },
        )


def _news(descriptor: IdpDescriptor, now: float) -> tuple[str, float] | None:
    """The event and its time: the end of the *last* certificate, as any of them is good."""
    last = max(key.expires_at for key in descriptor.signing)
    if last <= now:
        return "saml_certificates_expired", last
    if descriptor.valid_until is not None and descriptor.valid_until <= now:
        return "saml_metadata_expired", descriptor.valid_until
    if last <= now + WARNING_DAYS * _DAY:
        return "saml_certificates_expire", last
    return None
