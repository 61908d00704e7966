"""Paths that are nearly right, and bodies of no declared length."""

from __future__ import annotations

import io
import json

import pytest
from werkzeug.test import TestResponse

from broker.app import MAX_BODY_BYTES
from tests.kit.world import SECRET, World

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/oauth2//token", "/oauth2/token/"])
def test_a_path_that_is_nearly_right_is_no_path(world: World, path: str) -> None:
    """A redirect to the right one would be built from Host, and would have the code sent again."""
    environ = {"PATH_INFO": path, "HTTP_HOST": "evil.test"}
    response = world.app.test_client().post(environ_overrides=environ)
    assert response.status_code == 404
    assert "Location" not in response.headers


def chunked(world: World, path: str, body: bytes) -> TestResponse:
    """As a server hands over a body without Content-Length: with an end, and no length."""
    return world.app.test_client().post(
        path,
        base_url=world.origin,
        content_type=FORM,
        headers={"X-Amz-Target": "AWSCognitoIdentityProviderService.GetUser"},
        environ_overrides={
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )


def test_a_chunked_body_is_read(world: World) -> None:
    body = f"grant_type=refresh_token&client_id=web&client_secret={SECRET}".encode()
    answer = json.loads(chunked(world, "/oauth2/token", body).data)
    assert answer["error_description"] == "The parameter refresh_token is missing."


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/saml2/idpresponse", "/"])
def test_a_chunked_body_without_end_is_refused_not_cut(world: World, path: str) -> None:
    """What is cut off could be a repetition of what is read."""
    body = b"grant_type=client_credentials&client_id=web&pad=" + b"x" * MAX_BODY_BYTES
    assert chunked(world, path, body).status_code == 413
