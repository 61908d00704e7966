"""Whether a user may have tokens at all: asked wherever one is given out or comes back."""

from __future__ import annotations

from typing import Protocol

from broker.model.errors import OAuthError
from broker.model.login import UserProfile
from broker.model.pool import UserPool


class Refuse(Protocol):
    """How the asking endpoint says no; ``reason`` is for the log."""

    def __call__(self, reason: str) -> OAuthError: ...


def in_good_standing(user: UserProfile | None, pool: UserPool, refuse: Refuse) -> UserProfile:
    """The user, when it exists, is enabled, and came by a provider that is still configured.

    Which of several identities a token came by is not known, so one of them has to be left.
    """
    if user is None:
        raise refuse(reason="user_unknown")
    if not user.enabled:
        raise refuse(reason="user_disabled")
    providers = {identity.provider_name for identity in user.identities}
    if providers and providers.isdisjoint(pool.providers):
        raise refuse(reason="provider_gone")
    return user
