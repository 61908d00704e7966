"""How the failures of OAuth and OIDC providers are told: to the app, and to the log.

The app gets the texts Cognito gives (developer guide, "OIDC and social identity provider error
messages"): the provider's name, the HTTP status and the provider's own ``error`` and
``error_description``, made short and printable. Bodies in any other form never leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.pool import IdentityProvider
from broker.upstream.http import Answer, Failure, HttpError

_UNEXPECTED = "Exception processing authorization code"
_LONGEST = 200
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")

_REASONS = {
    Failure.CONNECT: Reason.OIDC_PROVIDER_UNREACHABLE,
    Failure.CIRCUIT_OPEN: Reason.OIDC_PROVIDER_UNREACHABLE,
    Failure.TIMEOUT: Reason.OIDC_PROVIDER_TIMEOUT,
    Failure.TOO_LARGE: Reason.OIDC_ANSWER_INVALID,
    Failure.PROTOCOL: Reason.OIDC_ANSWER_INVALID,
    Failure.REFUSED_URL: Reason.OIDC_ENDPOINT_REFUSED,
}


def refused(reason: Reason, *, expected: str = "", received: object = "") -> UpstreamError:
    """The answer breaks a rule. ``received`` must be no secret; it is cut to what a log needs."""
    return UpstreamError(reason, _UNEXPECTED, expected=expected, received=brief(received))


def unanswered(error: HttpError, *, asked: str) -> UpstreamError:
    """There was no answer to ``asked`` ("token endpoint" ...)."""
    return UpstreamError(
        _REASONS[error.kind], _UNEXPECTED, expected=f"an answer of the {asked}", received=str(error)
    )


def error_answer(
    provider: IdentityProvider, reason: Reason, answer: Answer, *, getting: str
) -> UpstreamError:
    """An answer that is an error: ``<Provider> Error - <status> <what the provider says>``."""
    said = _said(answer.json()) or f"error getting {getting}"
    return UpstreamError(
        reason,
        f"{provider.name} Error - {answer.status} {said}",
        code=ErrorCode.INVALID_REQUEST,
        expected=f"a {getting}",
        received=f"{answer.status} {said}",
    )


def brief(value: object) -> str:
    """``value`` on one short printable line."""
    text = _SPACE.sub(" ", value if isinstance(value, str) else repr(value)).strip()
    return text.encode("utf-8", "replace").decode()[:_LONGEST]


def _said(body: object) -> str:
    """``error`` and ``error_description`` (RFC 6749 5.2), or Facebook's ``error.message``."""
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    told = (
        (error.get("message"),)
        if isinstance(error, Mapping)
        else (error, body.get("error_description"))
    )
    return brief(" ".join(part for part in told if isinstance(part, str)))
