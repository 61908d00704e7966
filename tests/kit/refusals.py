"""How a refused sign-in looks from outside, and what the log has to say about it."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse


def reason_logged(caplog: pytest.LogCaptureFixture) -> str:
    """The reason of the one refused attempt in the log."""
    refused = [r for r in caplog.records if getattr(r, "outcome", None) == "refused"]
    assert len(refused) == 1, caplog.records
    return str(refused[0].reason)  # type: ignore[attr-defined]  # set by logging's extra


def refusals_logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Every refusal in the log, of whatever kind: the event and its reason."""
    return [(r.getMessage(), str(r.reason)) for r in caplog.records if hasattr(r, "reason")]


def is_refused_by_a_page(response: TestResponse) -> bool:
    """No way back to an app is proven: a page, no redirect, no session."""
    return (
        response.status_code == 400
        and "Location" not in response.headers
        and not any("cognito=" in c for c in response.headers.getlist("Set-Cookie"))
    )
