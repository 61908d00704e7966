"""Logout tokens of a back-channel: every rule of section 2.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider
from broker.upstream import oidc
from broker.upstream.http import HttpClient
from broker.upstream.logout_token import EVENT, LogoutToken
from tests.kit.clock import ManualClock
from tests.kit.jose import rsa_key, signed
from tests.kit.oidc_op import ABSENT, CLIENT_ID, OidcOp
from tests.upstream.sign_ins import POOL


@pytest.fixture
def verify(
    op: OidcOp,
    configured: Callable[..., IdentityProvider],
    http: HttpClient,
    clock: ManualClock,
) -> Callable[..., LogoutToken]:
    upstream = oidc.OidcUpstream(pool=POOL, provider=configured(), http=http, clock=clock)

    def verified(key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> Any:
        now = int(clock.now())
        claims = {
            "iss": op.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": "jti-1",
            "sub": "user-1",
            "sid": "session-1",
            "events": {EVENT: {}},
            **changes,
        }
        claims = {n: v for n, v in claims.items() if v is not ABSENT}
        return upstream.logout_token(
            signed(claims, key or rsa_key(), **{"typ": "logout+jwt", **(header or {})})
        )

    return verified


def test_a_good_token(verify: Callable[..., LogoutToken], clock: ManualClock) -> None:
    until = int(clock.now()) + 120 + 120
    assert verify() == ("user-1", "session-1", "jti-1", until)


@pytest.mark.parametrize(
    ("left_out", "token"),
    [("sub", (None, "session-1", "jti-1")), ("sid", ("user-1", None, "jti-1"))],
)
def test_sub_or_sid_is_enough(
    verify: Callable[..., LogoutToken], left_out: str, token: tuple[str | None, ...]
) -> None:
    assert verify(**{left_out: ABSENT})[:3] == token


@pytest.mark.parametrize("lifetime", [1, 86400])
def test_lifetimes_that_are_fine(
    verify: Callable[..., LogoutToken], clock: ManualClock, lifetime: int
) -> None:
    assert verify(exp=int(clock.now()) + lifetime).jti == "jti-1"


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "LOGOUT+JWT", "application/logout+jwt", None])
def test_types_that_are_fine(verify: Callable[..., LogoutToken], typ: str | None) -> None:
    assert verify(header={"typ": typ}).jti == "jti-1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sub": ABSENT, "sid": ABSENT}, Reason.OIDC_LOGOUT_TOKEN),
        ({"sub": "", "sid": 7}, Reason.OIDC_LOGOUT_TOKEN),
        ({"jti": ABSENT}, Reason.OIDC_LOGOUT_TOKEN),
        ({"jti": ""}, Reason.OIDC_LOGOUT_TOKEN),
        ({"nonce": "n"}, Reason.OIDC_LOGOUT_TOKEN),
        ({"nonce": None}, Reason.OIDC_LOGOUT_TOKEN),
        ({"events": ABSENT}, Reason.OIDC_LOGOUT_TOKEN),
        ({"events": [EVENT]}, Reason.OIDC_LOGOUT_TOKEN),
        ({"events": {EVENT: True}}, Reason.OIDC_LOGOUT_TOKEN),
        ({"events": {"http://other": {}}}, Reason.OIDC_LOGOUT_TOKEN),
        ({"header": {"typ": "at+jwt"}}, Reason.OIDC_LOGOUT_TOKEN),
        ({"header": {"alg": "none"}}, Reason.OIDC_ALGORITHM),
        ({"iss": "https://other.example"}, Reason.OIDC_ISSUER),
        ({"aud": "other"}, Reason.OIDC_AUDIENCE),
        ({"iat": ABSENT}, Reason.OIDC_ISSUED_AT),
        ({"exp": ABSENT}, Reason.OIDC_EXPIRED),
        ({"exp": 1}, Reason.OIDC_EXPIRED),
        ({"exp": 10**300}, Reason.OIDC_LOGOUT_TOKEN),
        ({"exp": 1e300}, Reason.OIDC_LOGOUT_TOKEN),
        ({"iat": 1_800_000_000, "exp": 1_800_086_401}, Reason.OIDC_LOGOUT_TOKEN),
        ({"iat": -(10**300)}, Reason.OIDC_LOGOUT_TOKEN),
        ({"key": rsa_key("stranger"), "header": {"kid": "rsa-1"}}, Reason.OIDC_SIGNATURE),
    ],
)
def test_anything_else_is_refused(
    verify: Callable[..., LogoutToken], changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(UpstreamError) as caught:
        verify(**changes)
    assert caught.value.reason is reason


def test_an_id_token_is_no_logout_token(op: OidcOp, verify: Callable[..., LogoutToken]) -> None:
    with pytest.raises(UpstreamError):
        verify(nonce="n", events=ABSENT, jti=ABSENT)
