"""A clock, HTTP clients with long and with short deadlines, and a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.model.pool import IdentityProvider
from broker.ports import Upstream
from broker.upstream import oidc
from broker.upstream.http import HttpClient
from broker.upstream.network import Network
from tests.kit.clock import ManualClock
from tests.kit.oidc_op import CLIENT_ID, CLIENT_SECRET, OidcOp
from tests.upstream.sign_ins import POOL, provider


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    """Deadlines that no test reaches on a machine that is busy, and no proxy of this machine."""
    client = HttpClient(network=Network(connect_seconds=30.0, total_seconds=30.0, proxies={}))
    yield client
    client.close()


@pytest.fixture
def impatient() -> Iterator[HttpClient]:
    """For servers that stall."""
    client = HttpClient(network=Network(connect_seconds=0.2, total_seconds=0.2, proxies={}))
    yield client
    client.close()


@pytest.fixture
def op(clock: ManualClock) -> Iterator[OidcOp]:
    with OidcOp(clock=clock) as running:
        yield running


@pytest.fixture
def configured(op: OidcOp) -> Callable[..., IdentityProvider]:
    """The provider entry for ``op``."""

    def entry(**settings: Any) -> IdentityProvider:
        defaults = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "issuer": op.issuer}
        return provider(name="Corp", **{"scopes": "openid email", **defaults, **settings})

    return entry


@pytest.fixture
def upstream(
    configured: Callable[..., IdentityProvider], http: HttpClient, clock: ManualClock
) -> Upstream:
    return oidc.connector(POOL, configured(), http=http, clock=clock)
