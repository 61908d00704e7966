"""The connectors of all providers: one is built when a provider is first used, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.pool import IdentityProvider, ProviderType, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.http import HttpClient

Connect = Callable[[UserPool, IdentityProvider], Upstream]


class OAuthConnector(Protocol):
    """What each file of an OIDC or social provider offers as ``connector``."""

    def __call__(
        self, pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
    ) -> Upstream: ...


@dataclass(frozen=True, kw_only=True)
class ConnectorRegistry:
    """``ports.Upstreams``: provider type -> the function that builds its connector."""

    connectors: Mapping[ProviderType, Connect]
    _built: dict[tuple[str, str], Upstream] = field(default_factory=dict, init=False, repr=False)

    def of(self, pool: UserPool, provider: str) -> Upstream:
        built = self._built.get((pool.id, provider))
        if built is None:
            # Two threads may both build one: connectors are equal, and the later one stays.
            built = self._build(pool, provider)
            self._built[pool.id, provider] = built
        return built

    def _build(self, pool: UserPool, name: str) -> Upstream:
        provider = pool.providers.get(name)
        if provider is None:
            raise UpstreamError(
                Reason.PROVIDER_UNKNOWN,
                "The identity provider is unknown.",
                code=ErrorCode.INVALID_REQUEST,
                expected="a configured provider",
                received="none of that name",
            )
        connect = self.connectors.get(provider.type)
        if connect is None:
            raise UpstreamError(
                Reason.PROVIDER_NOT_BUILT,
                f"Providers of type {provider.type} are not supported yet.",
                expected=", ".join(sorted(self.connectors)),
                received=provider.type,
            )
        return connect(pool, provider)
