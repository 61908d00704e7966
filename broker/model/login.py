"""One login as data, from the app's request to the identity that came back.

The types are in the order a login meets them. Two of them are proofs: a ``ClientRedirect`` is
made only by ``oauth.authorization_request.verify_redirect`` (and by reading back a ``Transaction`` that
one was put into), and an ``ExternalIdentity`` only by an upstream connector that has checked everything
there is to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import quote

from broker.model.pool import IdentityProvider

SIGN_IN_SECONDS = 300
"""How long a sign-in attempt may take, from authorize to the IdP's answer."""

SESSION_SECONDS = 3600
"""How long a browser stays signed in. Not sliding."""

CLOCK_SKEW_SECONDS = 120
"""By how much an identity provider's clock may be off."""


class ResponseMode(StrEnum):
    """How the authorization response reaches the app (OAuth 2.0 Multiple Response Types 2.1)."""

    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRedirect:
    """A redirect URI proven to be registered for the client: the only way back to an app.

    Made by ``oauth.authorization_request.verify_redirect``, and by reading back what that made, so an
    open redirect needs a type error first. ``state`` goes back byte for byte; ``issuer`` is the ``iss``
    of RFC 9207.
    """

    client_id: str
    uri: str
    issuer: str
    state: str | None = None
    mode: ResponseMode = ResponseMode.QUERY

    def fields(self, **answer: str) -> dict[str, str]:
        """``answer`` with ``state`` and ``iss``, as name and value."""
        if self.state is not None:
            answer["state"] = self.state
        answer["iss"] = self.issuer
        return answer

    def url(self, **answer: str) -> str:
        """The redirect with ``fields(**answer)`` appended to what the URI already has."""
        encoded = "&".join(
            f"{name}={quote(value, safe='-._~', errors='surrogateescape')}"
            for name, value in self.fields(**answer).items()
        )
        if self.mode is ResponseMode.FRAGMENT:
            return f"{self.uri}#{encoded}"
        return f"{self.uri}{'&' if '?' in self.uri else '?'}{encoded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A valid request at ``/oauth2/authorize`` (RFC 6749 4.1.1, OIDC Core 3.1.2.1)."""

    redirect: ClientRedirect
    response_type: str
    scopes: tuple[str, ...]
    nonce: str | None = None
    code_challenge: str | None = None
    provider: str | None = None
    """The name of the identity provider asked for; None leaves the choice to the person."""
    login_hint: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    lang: str | None = None
    resource: str | None = None

    @property
    def oldest_sign_in(self) -> int | None:
        """How many seconds old a sign-in at the provider may be; None: the app does not mind.

        ``prompt=login`` means a new one (OIDC Core 3.1.2.1), whatever ``max_age`` would allow.
        """
        return 0 if "login" in self.prompt else self.max_age


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """Where to send the browser: a redirect, or a form to post when ``form`` is set.

    ``remember`` is what the connector wants back in ``Transaction.remembered``: a request id, a
    nonce, a code verifier.
    """

    url: str
    form: Mapping[str, str] | None = None
    remember: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A sign-in under way, kept for ``SIGN_IN_SECONDS`` and taken once.

    ``base_url`` is the pool domain the sign-in began at: ACS and callback URLs hang under it.
    ``solicited`` is False for IdP-initiated sign-in, which has no request to answer.
    """

    id: str
    pool_id: str
    provider: str
    base_url: str
    request: AuthorizationRequest
    created_at: int
    solicited: bool = True
    remembered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSignOut:
    """A sign-out that is at the identity provider, kept for ``SIGN_IN_SECONDS`` and taken once.

    ``then`` is where the browser goes when it is back, already checked; None is our own page.
    """

    id: str
    pool_id: str
    provider: str
    base_url: str
    then: str | None = None
    remembered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLogout:
    """An identity provider's own wish, checked: all sessions of ``subject`` through it shall end.

    All, also where the message names single ones (SAML's SessionIndex): tokens are not kept by it, and
    one sign-in too many is better than a session that the provider takes for ended. The message is
    good once, under ``message_id`` until ``usable_until``.
    """

    provider: str
    subject: str
    message_id: str
    usable_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """An identity provider's answer as it arrived: parameters single-valued, nothing believed."""

    base_url: str
    params: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """Who the identity provider says it is; signature, time, audience and replay are checked.

    ``claims``: claim name or ``Attribute@Name`` -> its values in order; of an OIDC or social provider
    only those that its attribute mapping names. ``logout``: what the
    connector needs to sign this person out again (NameID as received, SessionIndex, ID token).
    ``session_expires_at``: epoch seconds after which the IdP wants no session to live.
    """

    provider: str
    subject: str
    issuer: str | None = None
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    session_expires_at: int | None = None
    session_id: str | None = None
    """The provider's name for its session, where it may end it by that name."""
    logout: Mapping[str, str] = field(default_factory=dict, repr=False)


def upstream_session(provider: str, session_id: str) -> str:
    """Under which a session of a provider's own is kept: two providers may use one name."""
    return f"{provider} {session_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedIdentity:
    """One member of ``identities``. ``created_at`` is epoch milliseconds, as on the wire;
    ``signed_out_at`` epoch seconds: when its provider last signed its person out."""

    user_id: str
    provider_name: str
    provider_type: str
    issuer: str | None
    primary: bool
    created_at: int
    signed_out_at: int = 0

    @classmethod
    def at(
        cls,
        provider: IdentityProvider,
        subject: str,
        *,
        created_at: int,
        issuer: str | None = None,
        primary: bool = False,
    ) -> Self:
        """Whom ``provider`` calls ``subject``."""
        return cls(
            user_id=subject,
            provider_name=provider.name,
            provider_type=provider.type.value,
            issuer=issuer,
            primary=primary,
            created_at=created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLink:
    """A link made before the first sign-in: whoever comes from the provider with this value of an
    attribute is the user ``sub``. At that sign-in it becomes a ``LinkedIdentity``."""

    provider_name: str
    attribute: str
    value: str
    sub: str
    created_at: int
    """Epoch milliseconds, like that of the identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """A user of the pool. ``sub`` is the pool's own and never the IdP's subject.

    ``tokens_valid_after`` (epoch seconds): tokens of sign-ins before it are dead (global sign-out,
    disabling).
    """

    pool_id: str
    sub: str
    username: str
    status: str = "EXTERNAL_PROVIDER"
    enabled: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    identities: tuple[LinkedIdentity, ...] = ()
    groups: tuple[str, ...] = ()
    created_at: int = 0
    modified_at: int = 0
    tokens_valid_after: int = 0

    def signed_out_at(self, provider: str | None) -> int:
        """What sign-ins by ``provider`` gave before that (epoch seconds) is dead. None stands for a
        provider that is not known: it may be any of the user's."""
        of_identities = (
            identity.signed_out_at
            for identity in self.identities
            if provider in (None, identity.provider_name)
        )
        return max(self.tokens_valid_after, *of_identities, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """A browser signed in to a pool (the ``cognito`` cookie). Times are epoch seconds."""

    id: str = field(repr=False)
    pool_id: str
    sub: str
    username: str
    provider: str
    subject: str
    """The identity provider's name for the person: what its single logout speaks of."""
    auth_time: int
    expires_at: int
    logout: Mapping[str, str] = field(default_factory=dict, repr=False)
