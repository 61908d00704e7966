"""A sign-in at an OpenID provider somebody else wrote (PyPI ``oidc-provider-mock``), over real HTTP."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import httpcore2
import pytest
from werkzeug.serving import make_server

from broker.ports import Upstream
from broker.upstream import oidc
from broker.upstream.http import HttpClient
from broker.wiring import SystemClock
from tests.upstream.sign_ins import POOL, provider, sign_in


@pytest.fixture
def issuer() -> Iterator[str]:
    with warnings.catch_warnings(record=True):
        # It uses parts of Authlib that Authlib is about to drop, and Authlib insists on saying so.
        import oidc_provider_mock
    claims = {"email": "jane@example.test", "custom": ["a", "b"]}
    application = oidc_provider_mock.app(
        user_claims=[oidc_provider_mock.User(sub="jané", claims=claims)]
    )
    server = make_server("localhost", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def person(url: str) -> dict[str, str]:
    """Submits the provider's form as a browser does."""
    with httpcore2.ConnectionPool() as pool:
        answer = pool.request(
            "POST",
            url,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            content=b"sub=jan%C3%A9",
        )
    location = dict(answer.headers)[b"Location"].decode()
    return dict(parse_qsl(urlsplit(location).query))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_sign_in(issuer: str, http: HttpClient) -> None:
    entry = provider(
        name="Mock",
        mapping={"email": "email", "custom:groups": "custom"},
        client_id="any",
        client_secret="secret",
        scopes="openid email",
        issuer=issuer,
        idp_signout=True,
    )
    upstream: Upstream = oidc.connector(POOL, entry, http=http, clock=SystemClock())

    identity = sign_in(upstream, person)

    assert identity.subject == "jané"
    assert identity.issuer == issuer
    assert identity.claims["email"] == ("jane@example.test",)
    assert identity.claims["custom"] == ("a", "b")
    assert identity.logout["id_token"]
