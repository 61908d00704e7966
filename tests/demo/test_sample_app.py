"""The sample app against a small broker of its own: it believes nothing it has not checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, jsonify, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from lxml import html

from broker.demo.sample_app import RelyingParty, Settings, create_app
from broker.demo.servers import Listener
from tests.kit.clock import ManualClock

NOW = int(ManualClock().now())
APP = "http://localhost:9003"


@dataclass
class FakeBroker:
    """Discovery, JWKS and token endpoint; ``changes`` is what its next ID token says otherwise."""

    issuer: str
    key: RSAKey
    seen: list[dict[str, str]] = field(default_factory=list)
    claimed_issuer: str = ""
    nonce: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None

    def app(self) -> Flask:
        app = Flask("fake-broker")
        app.add_url_rule("/.well-known/openid-configuration", "discovery", self.discovery)
        app.add_url_rule("/jwks", "jwks", lambda: jsonify(keys=[self.key.as_dict(private=False)]))
        app.add_url_rule("/token", "token", self.token, methods=["POST"])
        return app

    def discovery(self) -> Any:
        return jsonify(
            issuer=self.claimed_issuer or self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            jwks_uri=f"{self.issuer}/jwks",
        )

    def token(self) -> Any:
        credentials = request.authorization
        assert credentials is not None
        self.seen.append({**request.form.to_dict(), "by": str(credentials.username)})
        if request.form["code"] != "good":
            return jsonify(error="invalid_grant"), 400
        claims = {
            "iss": self.issuer,
            "aud": "app",
            "sub": "user-1",
            "exp": NOW + 300,
            "nonce": self.nonce,
            "name": "<Ada>",
            **self.changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        sign = self.sign or self._sign
        return jsonify(id_token=sign(claims), access_token="at", token_type="Bearer")

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, auto_kid=True)


@pytest.fixture
def broker(key: RSAKey) -> Iterator[FakeBroker]:
    with Listener() as listener:
        fake = FakeBroker(f"http://127.0.0.1:{listener.port}", key)
        with listener.serving(fake.app()):
            yield fake


@pytest.fixture
def app(broker: FakeBroker) -> FlaskClient:
    settings = Settings(
        base_url=APP,
        issuer=broker.issuer,
        client_id="app",
        client_secret="secret",
        logout_endpoint="http://localhost:9000/logout",
        providers=(("DemoSAML", "Sign in with SAML"),),
    )
    return create_app(RelyingParty(settings=settings, clock=ManualClock())).test_client()


def begin(app: FlaskClient, broker: FakeBroker, path: str = "/sign-in") -> dict[str, str]:
    """What the app asks the broker."""
    answer = app.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{broker.issuer}/authorize?")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    asked = {name: values[0] for name, values in query.items()}
    broker.nonce = asked["nonce"]
    return asked


def finish(app: FlaskClient, state: str, **answer: str) -> Any:
    return app.get("/callback", query_string={"state": state, "code": "good", **answer})


def test_the_request_is_an_authorization_code_request_with_pkce(
    app: FlaskClient, broker: FakeBroker
) -> None:
    asked = begin(app, broker, "/sign-in?provider=DemoSAML")
    assert (asked["response_type"], asked["client_id"]) == ("code", "app")
    assert asked["redirect_uri"] == f"{APP}/callback"
    assert asked["scope"] == "openid email profile"
    assert asked["code_challenge_method"] == "S256"
    assert asked["identity_provider"] == "DemoSAML"
    assert asked["state"] != asked["nonce"]


def test_the_plain_button_leaves_the_choice_to_the_broker(
    app: FlaskClient, broker: FakeBroker
) -> None:
    assert "identity_provider" not in begin(app, broker)
    assert app.get("/sign-in?provider=Nobody").status_code == 404


def test_a_good_answer_signs_in_and_shows_the_claims(app: FlaskClient, broker: FakeBroker) -> None:
    asked = begin(app, broker)
    assert finish(app, asked["state"], iss=broker.issuer).headers["Location"] == "/"
    page = html.document_fromstring(app.get("/").text)
    shown = json.loads(page.findtext(".//pre[@id='claims']") or "")
    assert (shown["sub"], shown["name"]) == ("user-1", "<Ada>")
    assert broker.seen[0]["by"] == "app"
    assert len(broker.seen[0]["code_verifier"]) >= 43
    assert "client_secret" not in broker.seen[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://somebody.else"},
        {"aud": "another-app"},
        {"exp": NOW - 61},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
    ],
    ids=str,
)
def test_an_id_token_that_says_something_wrong_signs_nobody_in(
    app: FlaskClient, broker: FakeBroker, changes: dict[str, Any]
) -> None:
    broker.changes = changes
    answer = finish(app, begin(app, broker)["state"])
    assert (answer.status_code, "ID token is not good" in answer.text) == (400, True)
    assert "not signed in" in app.get("/").text


def by_another_key(claims: dict[str, Any], kid: str) -> str:
    return jwt.encode({"alg": "RS256", "kid": kid}, claims, RSAKey.generate_key(2048))


def by_the_public_key_as_secret(claims: dict[str, Any], kid: str, key: RSAKey) -> str:
    secret = OctKey.import_key(key.as_pem(private=False).decode().replace("-----", "====="))
    return jwt.encode({"alg": "HS256", "kid": kid}, claims, secret)


def by_an_algorithm_nobody_agreed_on(claims: dict[str, Any], kid: str, key: RSAKey) -> str:
    return jwt.encode({"alg": "RS512", "kid": kid}, claims, key, algorithms=["RS512"])


def unsigned(claims: dict[str, Any], kid: str) -> str:
    none = jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.generate_key(256))
    return none.rpartition(".")[0] + "."


def test_an_id_token_signed_in_another_way_signs_nobody_in(
    app: FlaskClient, broker: FakeBroker
) -> None:
    kid = str(broker.key.kid)
    for sign in (
        lambda claims: by_another_key(claims, kid),
        lambda claims: by_the_public_key_as_secret(claims, kid, broker.key),
        lambda claims: by_an_algorithm_nobody_agreed_on(claims, kid, broker.key),
        lambda claims: unsigned(claims, kid),
        lambda _: "no token",
    ):
        broker.sign = sign
        answer = finish(app, begin(app, broker)["state"])
        assert (answer.status_code, "ID token is not good" in answer.text) == (400, True)


def test_an_answer_to_another_browser_is_refused(app: FlaskClient, broker: FakeBroker) -> None:
    begin(app, broker)
    assert "does not belong" in finish(app, "planted-\N{LATIN SMALL LETTER E WITH ACUTE}").text
    assert broker.seen == []


def test_an_answer_is_looked_at_once(app: FlaskClient, broker: FakeBroker) -> None:
    asked = begin(app, broker)
    finish(app, "a guess")
    assert "Nobody here is signing in" in finish(app, asked["state"]).text


def test_a_discovery_document_of_another_issuer_is_refused(
    app: FlaskClient, broker: FakeBroker
) -> None:
    broker.claimed_issuer = "http://somebody.else"
    answer = app.get("/sign-in")
    assert (answer.status_code, "another issuer" in answer.text) == (400, True)


def test_an_answer_of_another_issuer_is_refused(app: FlaskClient, broker: FakeBroker) -> None:
    asked = begin(app, broker)
    assert "another issuer" in finish(app, asked["state"], iss="http://mix.up").text
    assert broker.seen == []


def test_an_error_is_shown_escaped(app: FlaskClient, broker: FakeBroker) -> None:
    asked = begin(app, broker)
    query = {"state": asked["state"], "error": "x", "error_description": "<b>no</b>"}
    answer = app.get("/callback", query_string=query)
    assert (answer.status_code, "&lt;b&gt;no&lt;/b&gt;" in answer.text) == (400, True)


def test_a_refused_code_is_said_so(app: FlaskClient, broker: FakeBroker) -> None:
    answer = finish(app, begin(app, broker)["state"], code="stale")
    assert (answer.status_code, "invalid_grant" in answer.text) == (400, True)


def test_a_code_that_answers_no_request_is_left_alone(app: FlaskClient, broker: FakeBroker) -> None:
    asked = begin(app, broker, "/start?code=planted")
    assert asked["redirect_uri"] == f"{APP}/callback"
    assert broker.seen == []


def test_signing_out_goes_by_the_broker(app: FlaskClient, broker: FakeBroker) -> None:
    finish(app, begin(app, broker)["state"])
    answer = app.post("/sign-out")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query == {"client_id": ["app"], "logout_uri": [f"{APP}/"]}
    assert "not signed in" in app.get("/").text
    assert app.get("/sign-out").status_code == 405
