"""Every path of the mount table refuses in the form that its row promises, before and in its endpoint."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask
from werkzeug.exceptions import MisdirectedRequest
from werkzeug.test import TestResponse, create_environ

from broker import app as application
from broker.app import create_app, mount_table
from broker.model.errors import StoreUnavailableError
from broker.web import errors
from broker.web.context import Sites
from broker.web.mounts import ErrorForm, Mount, Mounts
from broker.web.response import Response
from tests.kit.world import ORIGIN, POOL_ID, World

ROWS = list(mount_table())
FORM = "application/x-www-form-urlencoded"
READ_NO_FORM = {"/", "/oauth2/userInfo"}
"""One takes JSON, whatever it is called; one looks at a body only where it is a form."""
OPERATION = {"X-Amz-Target": "AWSCognitoIdentityProviderService.GetUser"}
"""Without it ``/`` reads no body."""
IN_FORM = {
    ErrorForm.PAGE: ("text/html", b"<h1>"),
    ErrorForm.JSON: ("application/json", b'{"error":"'),
    ErrorForm.API: ("application/x-amz-json-1.1", b'{"__type":"'),
}


def path_of(row: Mount) -> str:
    """A path that leads to ``row``."""
    return row.path.replace("<pool_id>", POOL_ID).replace("<name>", "anything")


def rows(which: Callable[[Mount], bool] = lambda _: True) -> pytest.MarkDecorator:
    chosen = [row for row in ROWS if which(row)]
    return pytest.mark.parametrize("row", chosen, ids=[row.path for row in chosen])


def send(
    world: World, row: Mount, method: str, *, origin: str = ORIGIN, **body: str
) -> TestResponse:
    return world.app.test_client().open(
        path_of(row), method=method, base_url=origin, headers=OPERATION, **body
    )


def is_as_promised(row: Mount, response: TestResponse) -> bool:
    """The form of the answer, and whether a browser app of another origin may read it."""
    open_to_all = response.headers.get("Access-Control-Allow-Origin") == "*"
    kind, part = IN_FORM[row.errors]
    in_form = response.content_type.partition(";")[0] == kind and part in response.data
    return in_form and open_to_all is row.cross_origin


@rows()
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_an_unknown_method(world: World, row: Mount, method: str) -> None:
    response = send(world, row, method)
    assert response.status_code == 405
    assert set(row.methods) <= set(response.headers["Allow"].split(", "))
    assert is_as_promised(row, response), response.data


@rows(lambda row: "POST" in row.methods)
def test_too_large_a_body(world: World, row: Mount) -> None:
    response = send(world, row, "POST", data="a=" + "A" * 600_000, content_type=FORM)
    assert response.status_code == 413
    assert is_as_promised(row, response), response.data


@rows(lambda row: "POST" in row.methods and row.path not in READ_NO_FORM)
def test_a_body_that_is_no_form(world: World, row: Mount) -> None:
    response = send(world, row, "POST", data="{}", content_type="application/json")
    assert response.status_code == 415
    assert is_as_promised(row, response), response.data


@rows(lambda row: not row.any_host)
def test_a_host_of_no_pool(two_pools: World, row: Mount) -> None:
    response = send(two_pools, row, row.methods[0], origin="https://elsewhere.example")
    assert response.status_code == 421
    assert is_as_promised(row, response), response.data


@rows(lambda row: row.path != "/")
@pytest.mark.parametrize("slashes", ["", "//", "///"])
def test_slashes_at_the_start_count_as_one(world: World, row: Mount, slashes: str) -> None:
    """As they are routed, so also in the form of a refusal and in who may read it."""
    path = slashes + path_of(row).removeprefix("/")
    client = world.app.test_client()
    response = client.put(base_url=ORIGIN, environ_overrides={"PATH_INFO": path})
    assert is_as_promised(row, response), response.data


def test_a_method_is_the_one_it_was_routed_by(world: World) -> None:
    """Werkzeug routes any spelling of POST: its body must be read then, and not its query."""
    response = world.app.test_client().post(
        "/oauth2/userInfo",
        base_url=ORIGIN,
        data={"access_token": "x"},
        environ_overrides={"REQUEST_METHOD": "post"},
    )
    assert (response.status_code, response.json["error"]) == (401, "invalid_token")


HOSTS = ["other.example", "other.example:443", "other.example:80", "OTHER.example"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_may_name_the_default_port(two_pools: World, host: str, scheme: str) -> None:
    """As some clients do, whatever the scheme between the proxy and here."""
    client = two_pools.app.test_client()
    response = client.get("/error", base_url=f"{scheme}://proxy.example", headers={"Host": host})
    assert response.status_code == 400
    assert "Strict-Transport-Security" in response.headers


def test_a_default_port_is_no_other_pools(world: World) -> None:
    pool = world.broker.pools[POOL_ID]
    named = replace(pool, id="eu-west-1_Named", domains=("http://x.localhost:443",))
    other = replace(
        pool, id="eu-west-1_Other", domains=("https://x.localhost", "http://y.localhost:80")
    )
    sites = Sites({"named": named, "other": other})
    assert sites.of("x.localhost:443").pool is named
    for host in (
        "x.localhost",
        "x.localhost:80",
        "y.localhost",
        "y.localhost:80",
        "y.localhost:443",
    ):
        assert sites.of(host).pool is other, host
    for host in ("x.localhost:8080", "x.localhost:443:443", "x.localhost:443:80", ""):
        with pytest.raises(MisdirectedRequest):
            sites.of(host)


@pytest.fixture
def two_pools(world: World) -> World:
    """A world of two pools, so that a Host has to name one."""
    pool = world.broker.pools[POOL_ID]
    other = replace(pool, id="eu-west-1_Other", domains=("https://other.example",))
    world.app = create_app(replace(world.broker, pools={POOL_ID: pool, other.id: other}))
    return world


@rows()
@pytest.mark.parametrize(
    ("fault", "status"), [(StoreUnavailableError("away"), 503), (RuntimeError("ours"), 500)]
)
def test_an_endpoint_that_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, row: Mount, fault: Exception, status: int
) -> None:
    def failing(*_: object, **__: object) -> Response:
        raise fault

    def broken() -> Iterator[Mount]:
        return (replace(whole, endpoint=failing) for whole in ROWS)

    monkeypatch.setattr(application, "mount_table", broken)
    world.app = create_app(world.broker)
    response = send(world, row, row.methods[0])
    assert response.status_code == status
    assert response.headers.get("Retry-After") == ("5" if status == 503 else None)
    assert is_as_promised(row, response), response.data


@rows()
def test_a_fault_while_telling_of_a_fault(
    world: World, monkeypatch: pytest.MonkeyPatch, row: Mount
) -> None:
    def broken(*_: object, **__: object) -> Response:
        raise RuntimeError("and again")

    for name in ("page", "json_error", "_json_error", "api_wire"):
        monkeypatch.setattr(errors, name, broken)
    response = send(world, row, "DELETE")
    assert (response.status_code, response.data) == (500, b"")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_request_is_forgotten_when_it_is_answered(world: World) -> None:
    """Its body may have half a megabyte, and collecting garbage takes its time."""
    kept: list[weakref.ref[object]] = []

    class Body(io.BytesIO):
        pass

    gc.collect()
    gc.disable()
    try:
        for path, text in (("/oauth2/token", b"grant_type=x"), ("/saml2/idpresponse", b"a=b")):
            body = Body(text)
            kept.append(weakref.ref(body))
            environ = create_environ(path, ORIGIN, method="POST", content_type=FORM)
            environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(len(text))}
            b"".join(world.app.wsgi_app(environ, lambda *_: None))  # type: ignore[arg-type,return-value]
            del body, environ
        assert [body() for body in kept] == [None, None]
    finally:
        gc.enable()


def test_a_body_that_nobody_wanted_is_forgotten(world: World) -> None:
    """Flask keeps a request that it refuses, with its environment."""
    environ = create_environ("/nope", ORIGIN, method="POST", content_type=FORM, data=b"a=b")
    b"".join(world.app.wsgi_app(environ, lambda *_: None))  # type: ignore[arg-type,return-value]
    assert b"a=b" not in environ.values()


@rows(lambda row: Mounts(ROWS).exact(row.path) is not None)
def test_what_is_answered_at_once_is_what_flask_would_have_answered(
    world: World, row: Mount
) -> None:
    def answers() -> list[tuple[object, ...]]:
        both = [send(world, row, method) for method in row.methods]
        return [(a.status_code, a.content_type, a.headers.get("Location")) for a in both]

    at_once = answers()
    world.app.wsgi_app = partial(Flask.wsgi_app, world.app)  # type: ignore[method-assign]
    assert answers() == at_once


@pytest.mark.parametrize(
    "path", ["/nothing", "/oauth2/token/x", "/oauth2//token", "/x/y/.well-known/z"]
)
def test_where_nothing_is_served_a_person_reads(world: World, path: str) -> None:
    response = world.app.test_client().get(path, base_url=ORIGIN)
    assert response.status_code == 404
    assert is_as_promised(Mount(path, lambda: response, ()), response)


def test_a_row_is_found_by_any_path_that_leads_to_it() -> None:
    table = Mounts(ROWS)
    assert [table.at(path_of(row)) for row in ROWS] == ROWS
    assert [table.at(path_of(row) + "/x") for row in ROWS if row.path != "/"] == [None] * (
        len(ROWS) - 1
    )


def test_no_path_has_two_rows() -> None:
    assert len({row.path for row in ROWS}) == len(ROWS)
