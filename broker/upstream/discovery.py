"""What the broker knows of a provider: its endpoints and what it supports.

Three sources, in this order: the URLs of the configuration, the provider's discovery document
(OIDC Discovery 1.0), and what is built in for providers everybody knows. The document is believed
for an hour and serves for a day while it cannot be fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, OAuthSettings
from broker.ports import Clock
from broker.upstream.cache import Cached
from broker.upstream.failures import error_answer, refused, unanswered
from broker.upstream.http import HttpClient, HttpError
from broker.upstream.urls import RefusedUrlError, beside

WELL_KNOWN = "/.well-known/openid-configuration"
FRESH_SECONDS = 3600
STALE_SECONDS = 86400
_OK = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """OIDC Discovery 1.0 section 3, as far as the broker uses it. None: the provider has none."""

    issuer: str = ""
    authorize_url: str = ""
    token_url: str = ""
    jwks_uri: str | None = None
    attributes_url: str | None = None
    end_session_url: str | None = None
    auth_methods: tuple[str, ...] = ()
    supports_pkce: bool = False
    announces_iss: bool = False
    """RFC 9207 3: authorization responses carry ``iss``."""

    def overridden(self, settings: OAuthSettings) -> ProviderMetadata:
        """With the URLs that the configuration names."""
        return replace(
            self,
            authorize_url=settings.authorize_url or self.authorize_url,
            token_url=settings.token_url or self.token_url,
            jwks_uri=settings.jwks_uri or self.jwks_uri,
            attributes_url=settings.attributes_url or self.attributes_url,
        )

    @property
    def suffices(self) -> bool:
        """Whether a sign-in is possible with it."""
        return bool(self.issuer and self.authorize_url and self.token_url and self.jwks_uri)


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """The metadata of one provider. ``known`` is what needs no document; it must have the issuer.

    ``is_issuer`` says whether the document's ``issuer`` is the one that was asked for.
    """

    provider: IdentityProvider
    settings: OAuthSettings
    known: ProviderMetadata
    is_complete: bool
    is_issuer: Callable[[str], bool]
    http: HttpClient
    clock: Clock
    _cached: Cached[ProviderMetadata] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cached = Cached(
            fetch=self._fetch,
            clock=self.clock,
            fresh_seconds=FRESH_SECONDS,
            stale_seconds=STALE_SECONDS,
        )
        object.__setattr__(self, "_cached", cached)

    def metadata(self) -> ProviderMetadata:
        """Raises ``UpstreamError`` when neither document nor configuration is enough."""
        if self.is_complete:
            return self.known
        if self.known.suffices:
            # The document adds what the provider supports; without it the named URLs still do.
            return self._cached.peek() or self.known
        return self._cached.get()

    def _fetch(self) -> ProviderMetadata:
        """OIDC Discovery 1.0 section 4."""
        url = self.known.issuer.rstrip("/") + WELL_KNOWN
        try:
            answer = self.http.get(url)
        except HttpError as error:
            raise unanswered(error, asked="discovery document") from error
        document = answer.json()
        if answer.status != _OK or not isinstance(document, dict):
            raise error_answer(
                self.provider, Reason.OIDC_DISCOVERY, answer, getting="provider metadata"
            )
        return self._read(cast("dict[str, Any]", document))

    def _read(self, document: Mapping[str, Any]) -> ProviderMetadata:
        """OIDC Discovery 1.0 section 4.3: the issuer must be the one that was asked for, exactly."""
        issuer = document.get("issuer")
        if not isinstance(issuer, str) or not self.is_issuer(issuer):
            raise refused(Reason.OIDC_DISCOVERY_ISSUER, expected=self.known.issuer, received=issuer)
        named = self.settings
        found = ProviderMetadata(
            issuer=issuer,
            authorize_url=named.authorize_url or self._url(document, "authorization_endpoint"),
            token_url=named.token_url or self._url(document, "token_endpoint"),
            jwks_uri=named.jwks_uri or self._url(document, "jwks_uri"),
            attributes_url=named.attributes_url or self._url(document, "userinfo_endpoint") or None,
            end_session_url=self._dispensable_url(document, "end_session_endpoint"),
            auth_methods=_strings(document.get("token_endpoint_auth_methods_supported")),
            supports_pkce="S256" in _strings(document.get("code_challenge_methods_supported")),
            announces_iss=document.get("authorization_response_iss_parameter_supported") is True,
        )
        if not found.suffices:
            raise refused(Reason.OIDC_DISCOVERY, expected="authorization, token and JWKS endpoints")
        return found

    def _url(self, document: Mapping[str, Any], name: str) -> str:
        """An endpoint the document names: https, or http when the issuer itself is on loopback.
        Empty: it names none."""
        url = document.get(name)
        if not isinstance(url, str) or not url:
            return ""
        try:
            return beside(url, self.known.issuer)
        except RefusedUrlError as error:
            raise refused(
                Reason.OIDC_ENDPOINT_REFUSED, expected=f"{name}: {error}", received=url
            ) from error

    def _dispensable_url(self, document: Mapping[str, Any], name: str) -> str | None:
        """The same of an endpoint that no sign-in needs: one that is refused counts as absent."""
        try:
            return self._url(document, name) or None
        except UpstreamError as error:
            _log.warning(
                "oidc_endpoint_left_out",
                extra={
                    "provider": self.provider.name,
                    "reason": error.reason.value,
                    "expected": error.expected,
                    "received": error.received,
                },
            )
            return None


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
