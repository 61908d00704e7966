"""What may be done to a user from outside a sign-in: sign out everywhere, disable, enable, delete, link.

Each verb is complete: the directory forgets or marks, and the tokens die with it, so that a user who is
out is out at every door. Browser sessions end with a user that is disabled or deleted, and outlive a mere
sign-out everywhere, as at Cognito. Who may ask is decided by the caller (the command line, the token API).
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.login import UserProfile
from broker.model.pool import UserPool
from broker.ports import Clock, RefreshTokenStore, SessionStore, UserDirectory


class AccountError(Exception):
    """A refusal, by the name Cognito has for it (``AliasExistsException``) and a sentence."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Users as an administrator sees them."""

    directory: UserDirectory
    refresh_tokens: RefreshTokenStore
    sessions: SessionStore
    clock: Clock

    def named(self, pool: UserPool, username: str) -> UserProfile:
        """Raises ``AccountError`` when there is no such user."""
        user = self.directory.by_username(pool.id, pool.as_kept(username))
        if user is None:
            raise AccountError("UserNotFoundException", "User does not exist.")
        return user

    def sign_out_everywhere(self, pool: UserPool, user: UserProfile) -> None:
        """Kill every token of the user. A later sign-in is a new start."""
        self.directory.sign_out_everywhere(pool.id, user.sub, now=self._now())
        self.refresh_tokens.revoke_user(pool.id, user.sub)

    def sign_out_from(self, pool: UserPool, user: UserProfile, provider: str) -> None:
        """Kill the tokens of sign-ins by ``provider``; whoever has no other identity has no others.

        An access token does not say by whom its user came. It dies with its family; one that has none
        (implicit flow) lives on when the user has identities at other providers.
        """
        if all(identity.provider_name == provider for identity in user.identities):
            self.sign_out_everywhere(pool, user)
            return
        self.directory.sign_out_from(pool.id, user.sub, provider, now=self._now())
        self.refresh_tokens.revoke_user(pool.id, user.sub, provider)

    def disable(self, pool: UserPool, user: UserProfile) -> None:
        """No sign-in, no session, no token, until enabled; what is from before stays dead even then."""
        self.directory.set_enabled(pool.id, user.sub, enabled=False, now=self._now())
        self.refresh_tokens.revoke_user(pool.id, user.sub)
        self._end_sessions(pool, user)

    def enable(self, pool: UserPool, user: UserProfile) -> None:
        """Sessions end here too: one may have begun in the very moment of disabling."""
        if not user.enabled:
            self._end_sessions(pool, user)
        self.directory.set_enabled(pool.id, user.sub, enabled=True, now=self._now())

    def delete(self, pool: UserPool, user: UserProfile) -> None:
        """Forget the user; the next sign-in of the same person makes a new one, with a new ``sub``."""
        self.directory.delete(pool.id, user.sub)
        self.refresh_tokens.revoke_user(pool.id, user.sub)
        self._end_sessions(pool, user)

    def _end_sessions(self, pool: UserPool, user: UserProfile) -> None:
        for identity in user.identities:
            self.sessions.end_for(pool.id, identity.provider_name, identity.user_id)

    def _now(self) -> int:
        return int(self.clock.now())
