"""External identity -> the user of the pool it belongs to, created or brought up to date.

A user is found by (provider, subject), never by e-mail: the same NameID or address at two providers
is two users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from broker.login.attributes import flattened, mapped_attributes, username_of
from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.identifiers import new_uuid
from broker.model.login import ExternalIdentity, LinkedIdentity, UserProfile
from broker.model.pool import AppClient, IdentityProvider, UserPool
from broker.ports import Clock, ExpectedLinks, UserDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """First and later sign-ins of federated users."""

    directory: UserDirectory
    links: ExpectedLinks
    clock: Clock

    def signed_in(
        self,
        pool: UserPool,
        client: AppClient,
        provider: IdentityProvider,
        identity: ExternalIdentity,
    ) -> UserProfile:
        """The user behind ``identity``. Raises ``UpstreamError`` when there may be none."""
        user = self.directory.find(pool.id, provider.name, identity.subject)
        if user is None:
            user = self._newcomer(pool, client, provider, identity)
        if not user.enabled:
            raise UpstreamError(
                Reason.USER_DISABLED,
                "User is disabled.",
                code=ErrorCode.INVALID_REQUEST,
                expected="an enabled user",
                received="disabled",
            )
        return self._updated(pool, client, provider, identity, user)

    def _newcomer(
        self,
        pool: UserPool,
        client: AppClient,
        provider: IdentityProvider,
        identity: ExternalIdentity,
    ) -> UserProfile:
        """The name is made first: nothing is kept under a subject that could not be part of one."""
        username = username_of(identity.subject, provider, pool)
        expected = self._expected(pool, provider, identity)
        if expected is not None:
            return expected
        attributes = mapped_attributes(identity.claims, provider, client, pool, {})
        return self._created(pool, provider, identity, username=username, attributes=attributes)

    def _expected(
        self, pool: UserPool, provider: IdentityProvider, identity: ExternalIdentity
    ) -> UserProfile | None:
        """The user an administrator linked this person to by an attribute; from now on by subject."""
        for name in sorted(self.links.attributes_of(pool.id, provider.name)):
            claim = provider.attribute_mapping.get(name, "")
            value = flattened(identity.claims.get(claim, ()))
            if value and self.links.redeem(pool.id, name, value, self._link(provider, identity)):
                return self.directory.find(pool.id, provider.name, identity.subject)
        return None

    def _link(self, provider: IdentityProvider, identity: ExternalIdentity) -> LinkedIdentity:
        return LinkedIdentity.at(
            provider,
            identity.subject,
            issuer=identity.issuer,
            created_at=int(self.clock.now() * 1000),
        )

    def _created(
        self,
        pool: UserPool,
        provider: IdentityProvider,
        identity: ExternalIdentity,
        *,
        username: str,
        attributes: Mapping[str, str],
    ) -> UserProfile:
        now = self.clock.now()
        profile = UserProfile(
            pool_id=pool.id,
            sub=new_uuid(),
            username=username,
            attributes=attributes,
            identities=(replace(self._link(provider, identity), primary=True),),
            groups=(pool.group_of(provider),),
            created_at=int(now),
            modified_at=int(now),
        )
        created = self.directory.create(profile)
        if created is None:
            # In a pool that ignores case, a NameID in another case would be a twin.
            raise UpstreamError(
                Reason.USERNAME_TAKEN,
                "Already found an entry for this username",
                code=ErrorCode.INVALID_REQUEST,
                expected="a user name nobody has",
                received="the user name of another user, perhaps in other case",
            )
        return created

    def _updated(
        self,
        pool: UserPool,
        client: AppClient,
        provider: IdentityProvider,
        identity: ExternalIdentity,
        user: UserProfile,
    ) -> UserProfile:
        """Write only what changed: most sign-ins change nothing and cost no write."""
        mapped = mapped_attributes(identity.claims, provider, client, pool, user.attributes)
        changed = {n: v for n, v in mapped.items() if user.attributes.get(n) != v}
        if not changed:
            return user
        self.directory.write_attributes(pool.id, user.sub, changed, now=int(self.clock.now()))
        return replace(user, attributes={**user.attributes, **changed})
