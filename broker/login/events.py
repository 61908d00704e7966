"""One log event per attempt to sign in or out: how it ended, at which step, and why.

An event names rules, providers and clients. It never holds an assertion, a code, a token, a cookie or
an attribute value; what was received is said by the rule that refused it, already fit for a log.
"""

from __future__ import annotations

import logging
from enum import StrEnum

from broker.model.errors import UpstreamError
from broker.model.identifiers import new_uuid
from broker.model.login import LoginSession, Transaction
from broker.model.pool import UserPool

_log = logging.getLogger("broker.sign_in")


class Step(StrEnum):
    """Where in a sign-in, or in its end, something happened."""

    BEGIN = "begin"
    CALLBACK = "callback"
    IDENTITY = "identity"
    USER = "user"
    SIGN_OUT = "sign_out"

    @property
    def event(self) -> str:
        """The name of the log event, and so of the number it counts towards."""
        return "sign_out" if self is Step.SIGN_OUT else "sign_in"


def new_reference() -> str:
    """The id an error page shows and the log event carries."""
    return new_uuid()


def signed_in(pool: UserPool, transaction: Transaction, session: LoginSession) -> None:
    _log.info(
        "sign_in",
        extra={
            "outcome": "signed_in",
            "reference": new_reference(),
            "pool": pool.id,
            "client": transaction.request.redirect.client_id,
            "provider": session.provider,
            "sub": session.sub,
            "solicited": transaction.solicited,
        },
    )


def signed_out_by_provider(pool: UserPool, provider: str) -> None:
    _log.info(
        "sign_out", extra={"outcome": "ended_by_provider", "pool": pool.id, "provider": provider}
    )


def refused(
    pool: UserPool,
    step: Step,
    error: UpstreamError,
    *,
    provider: str | None = None,
    client: str | None = None,
) -> str:
    """Log a refusal and return its reference id."""
    reference = new_reference()
    _log.warning(
        step.event,
        extra={
            "outcome": "refused",
            "reference": reference,
            "pool": pool.id,
            "client": client,
            "provider": provider,
            "step": step.value,
            "reason": error.reason.value,
            "expected": error.expected,
            "received": error.received,
        },
    )
    return reference
