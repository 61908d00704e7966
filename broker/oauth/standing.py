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
    """A token that speaks for a user: when it was issued (epoch seconds), and why it is refused when
    the user was signed out after that.

    Everywhere, that is: by which provider an access token's user came is for its family to know.
    """

    at: int
    reason: RequestReason

    def is_over(self, user: UserProfile) -> bool:
        return self.at < user.tokens_valid_after


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedThrough(Issued):
    """A code or a refresh token: a sign-out by the provider that its user came by ends it too."""

    provider: str | None
    """None: not known, so it may be any."""

    def is_over(self, user: UserProfile) -> bool:
        return self.at < user.signed_out_at(self.provider)


def in_good_standing(
    user: UserProfile | None, pool: UserPool, refuse: Refuse, *, shown: Issued | None = None
) -> UserProfile:
    """The user, when there is nothing against it, nor against what is ``shown`` for it. Raises what
    ``refuse`` makes of the reason."""
    if user is None:
        raise refuse(RequestReason.USER_UNKNOWN)
    fault = fault_of(user, pool)
    if fault is not None:
        raise refuse(fault)
    if shown is not None and shown.is_over(user):
        raise refuse(shown.reason)
    return user


def fault_of(user: UserProfile, pool: UserPool) -> RequestReason | None:
    """What there is against a user: disabled, or come by providers that are not configured any more.

    Which of several identities somebody came by is not always known, so one of them has to be left.
    """
    if not user.enabled:
        return RequestReason.USER_DISABLED
    providers = {identity.provider_name for identity in user.identities}
    if providers and providers.isdisjoint(pool.providers):
        return RequestReason.PROVIDER_GONE
    return None
