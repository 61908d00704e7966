"""Paths that are nearly right, and bodies of no declared length."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from broker.web.context import MAX_BODY_BYTES
from tests.kit.world import SECRET, World

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/oauth2//token", "/oauth2/token/"])
def test_a_path_that_is_nearly_right_is_no_path(world: World, path: str) -> None:
    """A redirect to the right one would be built from Host, and would have the code sent again."""
    environ = {"PATH_INFO": path, "HTTP_HOST": "evil.test"}
    response = world.app.test_client().post(environ_overrides=environ)
    assert response.status_code == 404
    assert "Location" not in response.headers


def chunked(world: World, path: str, body: bytes | io.BytesIO) -> TestResponse:
    """As a server hands over a body without Content-Length: with an end, and no length."""
    return world.app.test_client().post(
        path,
        base_url=world.origin,
        content_type=FORM,
        headers={"X-Amz-Target": "AWSCognitoIdentityProviderService.GetUser"},
        environ_overrides={
            "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
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


def test_what_is_behind_the_limit_is_not_taken_for_the_body(world: World) -> None:
    """By the page that says so, which is in the language that the body asks for."""
    body = b"x" * (MAX_BODY_BYTES + 1) + b"&lang=de"
    answer = chunked(world, "/saml2/idpresponse", body)
    assert (answer.status_code, answer.headers["Content-Language"]) == (413, "en")


def sent(world: World, body: bytes, **environ: Any) -> TestResponse:
    return world.app.test_client().post(
        "/oauth2/token",
        base_url=world.origin,
        content_type=FORM,
        environ_overrides={"wsgi.input": io.BytesIO(body), **environ},
    )


COMPLETE = b"grant_type=client_credentials&client_id=nobody"


def test_a_body_that_ends_too_early_is_refused_not_read(world: World) -> None:
    whole = sent(world, COMPLETE, CONTENT_LENGTH=str(len(COMPLETE)))
    assert json.loads(whole.data)["error"] == "invalid_client"
    cut = sent(world, COMPLETE, CONTENT_LENGTH=str(len(COMPLETE) + 1))
    assert (cut.status_code, json.loads(cut.data)["error"]) == (400, "invalid_request")


def test_what_follows_a_body_is_not_part_of_it(world: World) -> None:
    more = COMPLETE + b"&client_id=again"
    answer = sent(world, more, CONTENT_LENGTH=str(len(COMPLETE)))
    assert json.loads(answer.data)["error"] == "invalid_client"


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_of_known_length_has_the_same_limit(world: World, size: int, status: int) -> None:
    body = b"x" * size
    assert sent(world, body, CONTENT_LENGTH=str(size)).status_code == status
    assert chunked(world, "/oauth2/token", body).status_code == status


def test_without_a_length_or_an_end_there_is_no_body(world: World) -> None:
    """A server that does not say where it ends would wait for more."""
    answer = sent(world, COMPLETE, HTTP_TRANSFER_ENCODING="chunked")
    assert json.loads(answer.data)["error"] == "invalid_request"


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("Invalid chunk header")


@pytest.mark.parametrize("path", ["/oauth2/token", "/saml2/idpresponse", "/"])
def test_a_body_that_the_server_cannot_read_is_no_fault_of_ours(world: World, path: str) -> None:
    """Werkzeug's raises so over a chunk that is none; granian takes what came before it for all."""
    assert chunked(world, path, Broken()).status_code == 400


class Unread(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError(f"{size} bytes were asked for")


def test_one_that_says_it_is_too_large_is_not_even_read(world: World) -> None:
    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}
    assert sent(world, b"", **environ).status_code == 413
