"""Providers that speak OAuth 2.0 without ID tokens: Facebook, Login with Amazon, GitHub.

The person is whoever the access token, fresh from the token endpoint, opens the profile of. So unlike a
userinfo call the profile call must succeed, and its answer must name somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from broker.model.errors import Reason
from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ExternalIdentity,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import IdentityProvider, OAuthSettings, UserPool
from broker.upstream.claims import claim_values
from broker.upstream.client_auth import ClientSecret
from broker.upstream.code_flow import CodeFlow, Dialect
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.failures import error_answer, refused, unanswered
from broker.upstream.http import HttpClient, HttpError
from broker.upstream.id_token import is_text

_OK = 200
TOKEN_NAMES = frozenset({"access_token", "id_token", "refresh_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """Whose profile is wanted, and how the provider is called."""

    provider: IdentityProvider
    settings: OAuthSettings
    http: HttpClient
    url: str
    access_token: str = field(repr=False)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The members of the profile that the attribute mapping names, each once."""
        names = self.provider.attribute_mapping.values()
        return tuple(dict.fromkeys(n.partition(".")[0] for n in names if n not in TOKEN_NAMES))

    def fetch(self, url: str, headers: Mapping[str, str]) -> object:
        """The JSON at ``url``. Raises ``UpstreamError``."""
        try:
            answer = self.http.get(url, headers=headers, redirects=False)
        except HttpError as error:
            raise unanswered(error, asked="profile endpoint") from error
        body = answer.json()
        if answer.status != _OK or body is None:
            raise error_answer(self.provider, Reason.OIDC_PROFILE, answer, getting="profile")
        return body

    def fetch_object(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        body = self.fetch(url, headers)
        if not isinstance(body, dict):
            raise refused(Reason.OIDC_PROFILE, expected="a JSON object")
        return cast("dict[str, Any]", body)


@dataclass(frozen=True, kw_only=True)
class ProfileTraits:
    """What a provider of this family declares. ``subject`` is the member that names the person."""

    dialect: Dialect
    built_in: ProviderMetadata
    subject: str
    profile: Callable[[ProfileRequest], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ProfileUpstream:
    """One such provider of a pool."""

    pool: UserPool
    provider: IdentityProvider
    http: HttpClient
    traits: ProfileTraits

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        return self._flow.begin(self._metadata, transaction_id, request, base_url)

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        code = self._flow.code(callback, self._metadata)
        tokens = self._flow.exchange(self._metadata, code, transaction)
        profile = self.traits.profile(
            ProfileRequest(
                provider=self.provider,
                settings=self._settings,
                http=self._flow.http,
                url=self._metadata.attributes_url or "",
                access_token=tokens.access_token,
            )
        )
        mapped = frozenset(self.provider.attribute_mapping.values())
        return ExternalIdentity(
            provider=self.provider.name,
            subject=_subject(profile.get(self.traits.subject)),
            claims={**claim_values(profile, mapped), **tokens.claims(mapped)},
        )

    @property
    def _settings(self) -> OAuthSettings:
        return cast("OAuthSettings", self.provider.settings)

    @cached_property
    def _metadata(self) -> ProviderMetadata:
        return self.traits.built_in.overridden(self._settings)

    @cached_property
    def _flow(self) -> CodeFlow:
        return CodeFlow(
            provider=self.provider,
            settings=self._settings,
            dialect=self.traits.dialect,
            authenticate=ClientSecret(settings=self._settings),
            http=self.http.guarded(),
        )


def _subject(value: object) -> str:
    """A non-empty string, or a number as its JSON text (GitHub)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value and is_text(value):
        return value
    raise refused(Reason.OIDC_SUBJECT, expected="a profile that names somebody")
