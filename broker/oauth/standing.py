"""Whether a user may have tokens at all: asked wherever one is given out or comes back, and before a
browser session answers for its user.

What a browser session is worth beyond that (its provider, its age) is the business of
``login/sessions.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from broker.model.errors import OAuthError, RequestReason
from broker.model.login import UserProfile
from broker.model.pool import UserPool


class Refuse(Protocol):
    """How the asking endpoint says no; ``reason`` is for the log."""

    def __call__(self, reason: RequestReason) -> OAuthError: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A code or a token that speaks for a user: when it was issued (epoch seconds), and why it is
    refused when the user was signed out after that, everywhere or by the provider it came by."""

    at: int
    reason: RequestReason
    provider: str | None = ""
    """None: it may be any. Empty, of access tokens: that is for their families to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What there is against a user."""

    reason: RequestReason


def in_good_standing(
    user: UserProfile | None, pool: UserPool, refuse: Refuse, *, shown: Issued | None = None
) -> UserProfile:
    """The user, when there is nothing against it, nor against what is ``shown`` for it. Raises what
    ``refuse`` makes of the reason."""
    if user is None:
        raise refuse(reason=RequestReason.USER_UNKNOWN)
    fault = fault_of(user, pool)
    if fault is not None:
        raise refuse(fault.reason)
    if shown is not None and shown.at < user.signed_out_at(shown.provider):
        raise refuse(shown.reason)
    return user


def fault_of(user: UserProfile, pool: UserPool) -> Fault | None:
    """Disabled, or come by providers that are not configured any more.

    Which of several identities somebody came by is not always known, so one of them has to be left.
    """
    if not user.enabled:
        return Fault(reason=RequestReason.USER_DISABLED)
    providers = {identity.provider_name for identity in user.identities}
    if providers and providers.isdisjoint(pool.providers):
        return Fault(reason=RequestReason.PROVIDER_GONE)
    return None
