"""Which of the scopes asked for are granted, and what a scope lets an app see."""

from __future__ import annotations

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.pool import AppClient, UserPool

OPENID = "openid"
USER_ADMIN = "aws.cognito.signin.user.admin"
IDENTITY_SCOPES = frozenset({OPENID, "email", "phone", "profile"})
RESERVED_SCOPES = IDENTITY_SCOPES | {USER_ADMIN}
_NEED_OPENID = ("email", "phone", "profile")


def granted_scopes(requested: str | None, client: AppClient, pool: UserPool) -> tuple[str, ...]:
    """The scopes of a sign-in, in the order asked for; none asked for means all of the client's.

    A scope the client does not have refuses. One it has but no resource server defines any more
    is inactive and left out in silence.
    """
    asked = client.scopes if requested is None else split_scopes(requested)
    refuse_foreign(asked, client)
    if requested is not None and OPENID not in asked:
        _refuse_without_openid(asked)
    active = _active(asked, pool)
    if not active:
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "None of the scopes is active for this client.",
            reason=RequestReason.INVALID_SCOPE,
        )
    return active


def still_granted(scopes: tuple[str, ...], client: AppClient, pool: UserPool) -> tuple[str, ...]:
    """What is left today of the scopes that a sign-in was granted: configurations change."""
    active = _active(tuple(scope for scope in scopes if scope in client.scopes), pool)
    if not active:
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "None of the scopes granted is the client's any more.",
            reason=RequestReason.INVALID_SCOPE,
        )
    return active


def _active(scopes: tuple[str, ...], pool: UserPool) -> tuple[str, ...]:
    return tuple(s for s in scopes if s in RESERVED_SCOPES or s in pool.custom_scopes)


def split_scopes(text: str) -> tuple[str, ...]:
    """RFC 6749 3.3: space-delimited, the order of no meaning, repetitions dropped."""
    return tuple(dict.fromkeys(scope for scope in text.split(" ") if scope))


def refuse_foreign(scopes: tuple[str, ...], client: AppClient) -> None:
    """Scopes never widen beyond ``AllowedOAuthScopes``."""
    if any(scope not in client.scopes for scope in scopes):
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "A scope is not in the client's AllowedOAuthScopes.",
            reason=RequestReason.INVALID_SCOPE,
        )


def _refuse_without_openid(scopes: tuple[str, ...]) -> None:
    if any(scope in scopes for scope in _NEED_OPENID):
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "The scopes email, phone and profile need openid beside them.",
            reason=RequestReason.INVALID_SCOPE,
        )
