"""Linking an identity at a provider to a user who is there already, and undoing it.

The rules of ``AdminLinkProviderForUser`` and ``AdminDisableProviderForUser``. By subject a link is an
identity at once; by an attribute it waits for the first sign-in, which makes it one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker.login.accounts import AccountError, Accounts
from broker.login.attributes import subject_fault, username_of, value_fault
from broker.model.errors import UpstreamError
from broker.model.login import ExpectedLink, LinkedIdentity, UserProfile
from broker.model.pool import IdentityProvider, ProviderType, UserPool
from broker.ports import Clock, ExpectedLinks, SessionStore, UserDirectory

SUBJECT = "Cognito_Subject"
"""``ProviderAttributeName`` for the provider's own name of a person: NameID, ``sub``, ``id``."""

MAX_LINKS = 5
MAX_ATTRIBUTES = 5
MAX_EXPECTED = 512
"""Characters of a value that is waited for. It is part of a key, and PostgreSQL takes no key of more
than 2,704 bytes."""

_LINK_BY_ATTRIBUTE = frozenset({ProviderType.SAML, ProviderType.OIDC})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``SourceUser``: who is to be linked, by subject or by the value of a mapped attribute."""

    provider: IdentityProvider
    value: str
    attribute: str = SUBJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links of users. Every refusal is an ``AccountError`` with the name Cognito has for it."""

    directory: UserDirectory
    expected: ExpectedLinks
    sessions: SessionStore
    accounts: Accounts
    clock: Clock

    def link(self, pool: UserPool, user: UserProfile, source: Source) -> None:
        """From the source's next sign-in on it is ``user`` who signs in."""
        _check_value(pool, source)
        _check_mutable(pool, source.provider)
        self._check_count(pool, user)
        if source.attribute == SUBJECT:
            self._link_subject(pool, user, source)
        else:
            self._expect(pool, user, source)

    def unlink(self, pool: UserPool, source: Source) -> UserProfile | None:
        """The source's next sign-in makes a user of its own. The user it was linked to, or None when
        it was still expected.

        That user's tokens die, by whichever identity they came.
        """
        if source.attribute != SUBJECT:
            name, attribute = source.provider.name, source.attribute
            if not self.expected.remove(pool.id, name, attribute, source.value):
                raise _not_linked()
            return None
        user = self.directory.find(pool.id, source.provider.name, source.value)
        if user is None:
            raise _not_linked()
        _check_not_own(user, source)
        self.directory.unlink(pool.id, source.provider.name, source.value)
        self.sessions.end_for(pool.id, source.provider.name, source.value)
        self.accounts.sign_out_everywhere(pool, user)
        return user

    def expected_of(self, pool: UserPool, user: UserProfile) -> Sequence[ExpectedLink]:
        """The user's links that still wait for a first sign-in, oldest first."""
        return self.expected.of_user(pool.id, user.sub)

    def _check_count(self, pool: UserPool, user: UserProfile) -> None:
        linked = sum(not identity.primary for identity in user.identities)
        if linked + len(self.expected_of(pool, user)) >= MAX_LINKS:
            raise AccountError(
                "LimitExceededException", f"A user has at most {MAX_LINKS} linked identities."
            )

    def _link_subject(self, pool: UserPool, user: UserProfile, source: Source) -> None:
        identity = LinkedIdentity.at(source.provider, source.value, created_at=self._now())
        if not self.directory.link(pool.id, user.sub, identity):
            owner = self.directory.find(pool.id, source.provider.name, source.value)
            raise _already_linked(owner, user)

    def _expect(self, pool: UserPool, user: UserProfile, source: Source) -> None:
        _check_attribute(source)
        used = self.expected.attributes_of(pool.id, source.provider.name)
        if len(used | {source.attribute}) > MAX_ATTRIBUTES:
            raise AccountError(
                "LimitExceededException",
                f"At most {MAX_ATTRIBUTES} attributes of one provider can be linked by.",
            )
        link = ExpectedLink(
            provider_name=source.provider.name,
            attribute=source.attribute,
            value=source.value,
            sub=user.sub,
            created_at=self._now(),
        )
        if not self.expected.add(pool.id, link):
            mine = any(_is_same(link, each) for each in self.expected_of(pool, user))
            raise _already_linked(user if mine else None, user)

    def _now(self) -> int:
        """Milliseconds, as in ``identities``."""
        return int(self.clock.now() * 1000)


def _check_value(pool: UserPool, source: Source) -> None:
    """What no sign-in could ever bring would wait for ever."""
    is_subject = source.attribute == SUBJECT
    fault = _subject_fault(pool, source) if is_subject else _expected_fault(pool, source)
    if fault is not None:
        raise AccountError("InvalidParameterException", f"ProviderAttributeValue: {fault}")


def _subject_fault(pool: UserPool, source: Source) -> str | None:
    """The same rules as for somebody who comes unlinked."""
    if fault := subject_fault(source.value):
        return fault
    try:
        username_of(source.value, source.provider, pool)
    except UpstreamError as error:
        return f"with {source.provider.name}_ before it, it must have {error.expected}"
    return None


def _expected_fault(pool: UserPool, source: Source) -> str | None:
    if not source.value:
        return "it is empty"
    if len(source.value) > MAX_EXPECTED:
        return f"it has more than {MAX_EXPECTED} characters"
    attribute = pool.schema.get(source.attribute)
    return None if attribute is None else value_fault(attribute, source.value)


def _check_mutable(pool: UserPool, provider: IdentityProvider) -> None:
    """The source's claims overwrite the user's attributes at each sign-in: all must be mutable."""
    for name in provider.attribute_mapping:
        attribute = pool.schema.get(name)
        if attribute is not None and not attribute.mutable:
            raise AccountError(
                "InvalidParameterException",
                f"{name} is in the AttributeMapping of {provider.name} and cannot be changed "
                "(Mutable: false); the first sign-in through the link would fail.",
            )


def _check_attribute(source: Source) -> None:
    """A pool attribute that a claim is mapped to; of social providers only the subject is known."""
    provider = source.provider
    if provider.type not in _LINK_BY_ATTRIBUTE:
        raise AccountError(
            "InvalidParameterException", f"{provider.name} can be linked by {SUBJECT} only."
        )
    if source.attribute not in provider.attribute_mapping:
        raise AccountError(
            "InvalidParameterException",
            f"{source.attribute} is not in the AttributeMapping of {provider.name}; "
            f"use {SUBJECT} or a mapped attribute.",
        )


def _check_not_own(user: UserProfile, source: Source) -> None:
    """A user's own identity cannot go: its next sign-in would find the user name taken, for ever."""
    for identity in user.identities:
        is_it = (identity.provider_name, identity.user_id) == (source.provider.name, source.value)
        if is_it and identity.primary:
            raise AccountError(
                "InvalidParameterException",
                "This identity is the user itself, not a link; disable or delete the user instead.",
            )


def _is_same(first: ExpectedLink, second: ExpectedLink) -> bool:
    return (first.provider_name, first.attribute, first.value) == (
        second.provider_name,
        second.attribute,
        second.value,
    )


def _already_linked(owner: UserProfile | None, user: UserProfile) -> AccountError:
    if owner is not None and owner.sub == user.sub:
        return AccountError(
            "InvalidParameterException", "SourceUser is already linked to DestinationUser"
        )
    return AccountError(
        "AliasExistsException",
        "The source is a user of its own or linked to another user; delete that user or unlink first.",
    )


def _not_linked() -> AccountError:
    return AccountError("UserNotFoundException", "There is no such link.")
