"""Tells in time that the certificates of a SAML provider will expire.

Told, not enforced: the administrator vouches for the keys, not for the dates. But a provider that
lets its last certificate run out is about to change it, and that wants preparing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.saml.instant import write_instant
from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_copies import MetadataCopies

WARNING_DAYS = 30
AT_ONCE_BYTES = 1 << 20
"""So much metadata is read in one go of the rounds: that of thousands of providers takes seconds."""

_DAY = 86400
_LEAST_BYTES = 1024
"""What one look counts for at least."""

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


@dataclass(frozen=True)
class Rounds:
    """Looks at every provider once a day, used or not: a little at a time, and nobody waits for it."""

    _waiting: deque[tuple[float, Callable[[], int]]] = field(default_factory=deque)
    """Each with the time from which it is due, the longest waiting first."""

    def add(self, look: Callable[[], int]) -> None:
        """``look`` answers how many bytes it read. It is due at once."""
        self._waiting.append((0.0, look))

    def go_on(self, now: float) -> None:
        """To be called about once a minute. What fails is told of, and stops nothing."""
        left = AT_ONCE_BYTES
        while left > 0 and self._waiting and self._waiting[0][0] <= now:
            _, look = self._waiting.popleft()
            self._waiting.append((now + _DAY, look))
            left -= max(_attempt(look), _LEAST_BYTES)


def _attempt(look: Callable[[], int]) -> int:
    try:
        return look()
    except Exception:  # noqa: BLE001  # of one provider, whatever it is
        _log.exception("unexpected_error")
        return 0
