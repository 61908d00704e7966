"""The demo's OpenID provider, asked by a relying party that these tests play."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from lxml import html

from broker.demo.oidc_op import OidcOp, create_op
from broker.demo.oidc_requests import RegisteredClient
from tests.kit.clock import ManualClock

ISSUER = "http://127.0.0.1:9002"
REDIRECT = "http://localhost:9000/oauth2/idpresponse"
VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REQUEST = {
    "client_id": "broker",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid email profile",
    "state": "st",
    "nonce": "no",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def op(clock: ManualClock) -> FlaskClient:
    client = RegisteredClient(id="broker", secret="s3cret%", redirect_uri=REDIRECT)
    return create_op(OidcOp(issuer=ISSUER, client=client, clock=clock)).test_client()


def sign_in(op: FlaskClient, **changes: str) -> dict[str, str]:
    """The authorization response's parameters."""
    page = op.get("/authorize", query_string={**REQUEST, **changes})
    assert page.status_code == 200, page.text
    ticket = html.document_fromstring(page.text).find(".//input[@name='ticket']")
    assert ticket is not None
    form = {"ticket": ticket.attrib["value"], "name": "Bob", "email": "bob@example.com"}
    answer = op.post("/sign-in", data={**form, "groups": ["support"]})
    assert answer.status_code == 303, answer.text
    return parameters(answer.headers["Location"])


def parameters(location: str) -> dict[str, str]:
    assert location.startswith(f"{REDIRECT}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def redeem(op: FlaskClient, code: str, **changes: str | None) -> Any:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": "broker",
        "client_secret": "s3cret%",
        "code_verifier": VERIFIER,
        **changes,
    }
    return op.post("/token", data={k: v for k, v in form.items() if v is not None})


def test_the_answer_carries_state_and_issuer(op: FlaskClient) -> None:
    answer = sign_in(op)
    assert (answer["state"], answer["iss"]) == ("st", ISSUER)


def test_the_id_token_verifies_under_the_published_key(op: FlaskClient, clock: ManualClock) -> None:
    tokens = redeem(op, sign_in(op)["code"]).json
    keys = KeySet.import_key_set(op.get("/jwks").json)
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    half = sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, "broker", "no")
    assert claims["exp"] > claims["iat"] == clock.now()


def test_the_published_key_is_not_the_private_one(op: FlaskClient) -> None:
    assert "d" not in op.get("/jwks").json["keys"][0]


def test_userinfo_tells_what_the_scopes_cover(op: FlaskClient) -> None:
    everything = redeem(op, sign_in(op)["code"]).json["access_token"]
    claims = op.get("/userinfo", headers={"Authorization": f"Bearer {everything}"}).json
    assert claims["email"] == "bob@example.com"
    assert (claims["name"], claims["groups"]) == ("Bob", ["support"])
    little = redeem(op, sign_in(op, scope="openid")["code"]).json["access_token"]
    assert set(op.get("/userinfo", headers={"Authorization": f"Bearer {little}"}).json) == {"sub"}


def test_userinfo_without_a_good_token_is_401(op: FlaskClient, clock: ManualClock) -> None:
    token = redeem(op, sign_in(op)["code"]).json["access_token"]
    assert op.get("/userinfo").status_code == 401
    clock.advance(400)
    assert op.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_secret_may_come_by_basic_form_url_encoded(op: FlaskClient) -> None:
    basic = base64.b64encode(b"broker:s3cret%25").decode()
    answer = op.post(
        "/token",
        headers={"Authorization": f"Basic {basic}"},
        data={
            "grant_type": "authorization_code",
            "code": sign_in(op)["code"],
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        },
    )
    assert answer.status_code == 200, answer.text


def test_a_code_is_good_once(op: FlaskClient) -> None:
    code = sign_in(op)["code"]
    assert redeem(op, code).status_code == 200
    assert redeem(op, code).json["error"] == "invalid_grant"


def test_an_old_code_is_refused(op: FlaskClient, clock: ManualClock) -> None:
    code = sign_in(op)["code"]
    clock.advance(61)
    assert redeem(op, code).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"client_secret": "wrong"}, "invalid_client", 401),
        ({"client_id": "other"}, "invalid_client", 401),
        ({"redirect_uri": "http://localhost:9000/other"}, "invalid_grant", 400),
        ({"code_verifier": "wrong"}, "invalid_grant", 400),
        ({"code_verifier": None}, "invalid_grant", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"code": "unknown"}, "invalid_grant", 400),
    ],
)
def test_a_token_request_with_something_wrong(
    op: FlaskClient, changes: dict[str, str | None], error: str, status: int
) -> None:
    answer = redeem(op, **{"code": sign_in(op)["code"], **changes})
    assert (answer.json["error"], answer.status_code) == (error, status)


def test_a_verifier_that_nobody_announced_is_refused(op: FlaskClient) -> None:
    page = op.get("/authorize", query_string={k: v for k, v in REQUEST.items() if "code_" not in k})
    ticket = html.document_fromstring(page.text).find(".//input[@name='ticket']")
    assert ticket is not None
    form = {"ticket": ticket.attrib["value"], "name": "Bob", "email": "bob@example.com"}
    code = parameters(op.post("/sign-in", data=form).headers["Location"])["code"]
    assert redeem(op, code).json["error"] == "invalid_grant"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_without_a_proven_redirect_there_is_a_page_and_no_redirect(
    op: FlaskClient, name: str
) -> None:
    answer = op.get("/authorize", query_string={**REQUEST, name: "https://attacker.example/"})
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_other_faults_go_back_to_the_client(
    op: FlaskClient, changes: dict[str, str], error: str
) -> None:
    answer = op.get("/authorize", query_string={**REQUEST, **changes})
    assert answer.status_code == 303
    assert parameters(answer.headers["Location"]) == {"error": error, "state": "st", "iss": ISSUER}


def test_discovery_names_this_issuer(op: FlaskClient) -> None:
    metadata = op.get("/.well-known/openid-configuration").json
    assert metadata["issuer"] == ISSUER
    assert metadata["jwks_uri"] == f"{ISSUER}/jwks"
