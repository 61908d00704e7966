"""The broker as one value: everything an endpoint may ask for, joined in ``wiring.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from broker.login.accounts import Accounts
from broker.login.flow import LoginFlow
from broker.login.links import Links
from broker.login.sessions import Sessions
from broker.login.sign_out import ProviderSignOut, SignOut
from broker.model.pool import AppClient, UserPool
from broker.model.tokens import Authorization, TokenRequest
from broker.oauth.access_token import AccessTokens
from broker.oauth.issuer import Issuers
from broker.oauth.refresh_token import RefreshTokenGrant, RefreshTokens
from broker.ports import Clock, ProviderLogouts, UserDirectory


class Grant(Protocol):
    """One ``grant_type`` of the token endpoint; the client is authenticated by then."""

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        """Raises ``OAuthError``."""


class ServiceProviderMetadata(Protocol):
    """The SAML metadata document of a pool, as XML bytes; ``provider`` adds that one's certificate."""

    def __call__(self, pool: UserPool, *, provider: str | None) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Broker:
    """``readiness``: each raises ``StoreUnavailableError`` when its store does not answer.
    ``upkeep``: what is to be done about once a minute, behind the back of the requests, by name.
    ``close``: give up the connections that are idle; whoever needs one later gets a new one."""

    pools: Mapping[str, UserPool]
    flow: LoginFlow
    sessions: Sessions
    sign_out: SignOut
    provider_sign_out: ProviderSignOut
    saml_logouts: ProviderLogouts
    oidc_logouts: ProviderLogouts
    issuers: Issuers
    grants: Mapping[str, Grant]
    refresh_grant: RefreshTokenGrant
    """The one of ``grants``, under its own type: the token API reads before it refreshes."""
    refresh_tokens: RefreshTokens
    access_tokens: AccessTokens
    accounts: Accounts
    links: Links
    directory: UserDirectory
    clock: Clock
    service_provider_metadata: ServiceProviderMetadata
    upkeep: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    readiness: Sequence[Callable[[], None]] = ()
    proxy_hops: int = 0
    close: Callable[[], None] = lambda: None
