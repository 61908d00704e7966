"""The one verifier of ID tokens (OIDC Core 1.0 section 3.1.3.7), driven by declared rules.

A provider declares who issues, for whom, and how its signatures are made; it cannot leave a check
out. An ``IdToken`` exists only after all of them. A claim that is present is checked, a null too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.model.errors import Reason
from broker.model.login import CLOCK_SKEW_SECONDS
from broker.upstream.failures import refused
from broker.upstream.signed import Signatures, Signed

IssuerRule = Callable[[str, Mapping[str, Any]], str]
"""(a declared issuer, the claims) -> the issuer these claims must have. Usually the first."""


def exact_issuer(declared: str, _claims: Mapping[str, Any]) -> str:
    """OIDC Core 3.1.3.7 (2): the issuer, character for character."""
    return declared


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for the tokens of one provider."""

    issuer: str
    audience: str
    signatures: Signatures
    issuer_rule: IssuerRule = exact_issuer
    skew: int = CLOCK_SKEW_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """Verified claims about a person. Made by ``verified`` alone."""

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)


def verified(
    token: str, rules: Rules, *, nonce: str, now: float, signed_in_after: float | None = None
) -> IdToken:
    """``token``'s claims, or ``UpstreamError``.

    ``signed_in_after``: set when a recent sign-in was asked for (``max_age``, ``prompt=login``).
    """
    signed = rules.signatures.verified(token)
    claims = signed.claims
    issuer = check_issuer(signed, rules)
    check_audience(claims, rules)
    check_authorized_party(claims, rules)
    check_expiry(claims, rules, now)
    check_not_before(claims, rules, now)
    check_issued_at(claims, rules, now)
    check_nonce(claims, nonce)
    check_auth_time(claims, rules, signed_in_after)
    return IdToken(issuer=issuer, subject=subject_of(claims), claims=claims)


def check_issuer(signed: Signed, rules: Rules) -> str:
    """3.1.3.7 (2), and that the signing key may speak for this issuer."""
    received = signed.claims.get("iss")
    expected = rules.issuer_rule(rules.issuer, signed.claims)
    if not isinstance(received, str) or received != expected:
        raise refused(Reason.OIDC_ISSUER, expected=expected, received=received)
    if signed.key_issuer is not None:
        serves = rules.issuer_rule(signed.key_issuer, signed.claims)
        if serves != received:
            raise refused(Reason.OIDC_ISSUER, expected=f"a key of {received}", received=serves)
    return received


def check_audience(claims: Mapping[str, Any], rules: Rules) -> None:
    """3.1.3.7 (3): our client id, alone or in a list."""
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if rules.audience not in listed:
        raise refused(Reason.OIDC_AUDIENCE, expected=rules.audience, received=audience)


def check_authorized_party(claims: Mapping[str, Any], rules: Rules) -> None:
    """3.1.3.7 (4, 5): ``azp`` is us when present, and present when others are addressed too."""
    party, audience = claims.get("azp"), claims.get("aud")
    is_shared = isinstance(audience, list) and any(name != rules.audience for name in audience)
    if party != rules.audience and (is_shared or "azp" in claims):
        raise refused(Reason.OIDC_AUTHORIZED_PARTY, expected=rules.audience, received=party)


def check_expiry(claims: Mapping[str, Any], rules: Rules, now: float) -> None:
    """3.1.3.7 (9): ``exp`` is required and not past."""
    expires = _time(claims, "exp")
    if expires is None or now >= expires + rules.skew:
        raise refused(Reason.OIDC_EXPIRED, expected=f"exp after {now:.0f}", received=expires)


def check_not_before(claims: Mapping[str, Any], rules: Rules, now: float) -> None:
    """RFC 7519 4.1.5."""
    if "nbf" in claims:
        begins = _time(claims, "nbf")
        if begins is None or now < begins - rules.skew:
            raise refused(
                Reason.OIDC_NOT_YET_VALID, expected=f"nbf before {now:.0f}", received=begins
            )


def check_issued_at(claims: Mapping[str, Any], rules: Rules, now: float) -> None:
    """OIDC Core 2: ``iat`` is required; a token from the future is somebody's broken clock."""
    issued = _time(claims, "iat")
    if issued is None or now < issued - rules.skew:
        raise refused(Reason.OIDC_ISSUED_AT, expected=f"iat before {now:.0f}", received=issued)


def check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    """3.1.3.7 (11): the token answers this sign-in and no other."""
    if not nonce or claims.get("nonce") != nonce:
        raise refused(Reason.OIDC_NONCE, expected="the nonce of this sign-in")


def check_auth_time(claims: Mapping[str, Any], rules: Rules, signed_in_after: float | None) -> None:
    """3.1.3.7 (13). Many providers leave ``auth_time`` out although asked; one they send counts."""
    if signed_in_after is not None and "auth_time" in claims:
        at = _time(claims, "auth_time")
        if at is None or at < signed_in_after - rules.skew:
            raise refused(
                Reason.OIDC_AUTH_TIME, expected=f"after {signed_in_after:.0f}", received=at
            )


def subject_of(claims: Mapping[str, Any]) -> str:
    """OIDC Core 2: a non-empty string; control characters are in nobody's name."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or not is_text(subject):
        raise refused(Reason.OIDC_SUBJECT, expected="a non-empty sub")
    return subject


def is_text(value: str) -> bool:
    """No C0 or C1 control characters."""
    return not any(character < " " or "\x7f" <= character <= "\x9f" for character in value)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 2). None: absent, or no number."""
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
