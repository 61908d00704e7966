"""Drives one sign-in through a connector, as the login flow does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ClientRedirect,
    ExternalIdentity,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import IdentityProvider, OAuthSettings, ProviderType, UserPool
from broker.ports import Clock, Upstream

BASE_URL = "https://auth.example.test"
STATE = "state-0123456789-abcdef"
MAPPING = {
    "email": "email",
    "email_verified": "email_verified",
    "name": "name",
    "picture": "picture",
    "given_name": "firstName",
    "family_name": "lastName",
    "preferred_username": "preferred_username",
}
POOL = UserPool(id="eu-west-1_Test01", domains=(BASE_URL,), issuer=f"{BASE_URL}/pool")


def provider(
    kind: ProviderType = ProviderType.OIDC,
    *,
    name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    **settings: Any,
) -> IdentityProvider:
    return IdentityProvider(
        name=name or str(kind),
        type=kind,
        settings=OAuthSettings(**settings),
        attribute_mapping=MAPPING if mapping is None else mapping,
    )


def app_request(**changes: Any) -> AuthorizationRequest:
    redirect = ClientRedirect(
        client_id="web", uri="https://app.example.test/cb", issuer=POOL.issuer
    )
    return AuthorizationRequest(
        redirect=redirect, response_type="code", scopes=("openid",), **changes
    )


def begin(upstream: Upstream, **request: Any) -> tuple[UpstreamRequest, Transaction]:
    """What the browser is sent away with, and what is remembered."""
    asked = app_request(**request)
    outgoing = upstream.begin(STATE, asked, BASE_URL)
    return outgoing, Transaction(
        id=STATE,
        pool_id=POOL.id,
        provider="any",
        base_url=BASE_URL,
        request=asked,
        created_at=_now(upstream),
        remembered=outgoing.remember,
    )


def sign_in(
    upstream: Upstream,
    person: Callable[[str], Mapping[str, str]],
    **request: Any,
) -> ExternalIdentity:
    """A whole sign-in: ``person`` turns the authorization URL into callback parameters."""
    outgoing, transaction = begin(upstream, **request)
    params = person(outgoing.url)
    return upstream.complete(Callback(base_url=BASE_URL, params=params), transaction)


def refusal(
    upstream: Upstream,
    person: Callable[[str], Mapping[str, str]],
    reason: Reason,
    **request: Any,
) -> UpstreamError:
    """The sign-in is refused for ``reason``."""
    with pytest.raises(UpstreamError) as caught:
        sign_in(upstream, person, **request)
    assert caught.value.reason is reason, caught.value
    return caught.value


def _now(upstream: Upstream) -> int:
    clock: Clock | None = getattr(upstream, "clock", None)
    return 0 if clock is None else int(clock.now())
