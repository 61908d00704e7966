"""The verifier of logout tokens (OIDC Back-Channel Logout 1.0 section 2.6).

A pure function over the same declared rules as ID tokens. That a token is used once (its ``jti``) and
which sessions end is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from broker.model.errors import Reason
from broker.upstream.failures import refused
from broker.upstream.id_token import (
    Rules,
    check_audience,
    check_expiry,
    check_issued_at,
    check_issuer,
    is_text,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = frozenset({"logout+jwt", "application/logout+jwt", "jwt"})


LONGEST_LIFETIME = 86400
"""Until its end a token must be remembered; two minutes are what section 4 recommends."""


class LogoutToken(NamedTuple):
    """Whose sessions end: all of ``sub``, or the one named ``sid``. ``jti`` is used once, and the
    token is good until ``usable_until``."""

    sub: str | None
    sid: str | None
    jti: str
    usable_until: float


def verify_logout_token(token: str, rules: Rules, *, now: float) -> LogoutToken:
    """Section 2.6, in its order. Raises ``UpstreamError``."""
    signed = rules.signatures.verified(token)
    claims = signed.claims
    _check_type(signed.header)
    check_issuer(signed, rules)
    check_audience(claims, rules)
    check_issued_at(claims, rules, now)
    check_expiry(claims, rules, now)
    _check_lifetime(claims)
    _check_event(claims)
    _check_no_nonce(claims)
    sub, sid, jti = (_name(claims, name) for name in ("sub", "sid", "jti"))
    if jti is None or (sub is None and sid is None):
        raise refused(Reason.OIDC_LOGOUT_TOKEN, expected="jti, and sub or sid")
    return LogoutToken(sub, sid, jti, usable_until=claims["exp"] + rules.skew)


def _check_type(header: Mapping[str, Any]) -> None:
    """2.4: ``logout+jwt`` if anything is said, so that no other token is taken for one."""
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise refused(Reason.OIDC_LOGOUT_TOKEN, expected="typ logout+jwt", received=kind)


def _check_lifetime(claims: Mapping[str, Any]) -> None:
    """Section 4: a short one, so that a captured token is soon good for nothing."""
    seconds = claims["exp"] - claims["iat"]
    if seconds > LONGEST_LIFETIME:
        raise refused(
            Reason.OIDC_LOGOUT_TOKEN,
            expected=f"exp at most {LONGEST_LIFETIME} seconds after iat",
            received=seconds,
        )


def _check_event(claims: Mapping[str, Any]) -> None:
    """2.6 (6): ``events`` has the logout event as a JSON object."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise refused(Reason.OIDC_LOGOUT_TOKEN, expected=f"the event {EVENT}")


def _check_no_nonce(claims: Mapping[str, Any]) -> None:
    """2.6 (7): with a nonce it would be an ID token."""
    if "nonce" in claims:
        raise refused(Reason.OIDC_LOGOUT_TOKEN, expected="no nonce")


def _name(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value and is_text(value) else None
