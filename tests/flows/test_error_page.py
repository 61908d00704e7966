"""What a person reads off an error page leads whoever runs the broker to the event in the log."""

from __future__ import annotations

import logging

import pytest
from werkzeug.test import Client

from tests.kit.world import World


def test_the_reference_on_the_page_is_the_one_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker.web")
    page = world.browser().get("/error?error=redirect_mismatch&client_id=nobody")

    (event,) = (record for record in caplog.records if record.getMessage() == "error_page")
    assert event.page == "redirect_mismatch"  # type: ignore[attr-defined]  # set by logging's extra
    assert event.reference in page.text  # type: ignore[attr-defined]  # set by logging's extra
    assert "nobody" not in page.text


@pytest.mark.parametrize(
    "path",
    ["/error", "/login", "/oauth2/authorize", "/oauth2/idpresponse", "/saml2/metadata", "/x"],
)
def test_a_query_of_raw_bytes_is_answered(world: World, path: str) -> None:
    response = Client(world.app).get(
        path, base_url=world.origin, environ_overrides={"QUERY_STRING": "lang=\xff&state=\xfe"}
    )
    assert response.status_code < 500
