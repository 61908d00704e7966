"""Every kind of bad answer of an OpenID provider, through the whole endpoint.

Each ends at the app with Cognito's words, has its reason in the log and nothing of the provider's on the
wire, signs nobody in, and leaves the next sign-in as good as ever.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from broker.model.errors import Reason
from tests.kit.http_double import Raw, as_json, html
from tests.kit.jose import rsa_key, signed
from tests.kit.oidc_op import ABSENT, OidcOp
from tests.kit.refusals import is_refused_by_a_page, reason_logged
from tests.kit.servers import free_port
from tests.kit.visits import Visits, impatience, query_of
from tests.kit.world import ORIGIN, POOL_ID, callback

UNEXPECTED = ("server_error", "Exception processing authorization code")
Told = tuple[str, str]
Lie = Callable[[OidcOp], object]


def provider_says(text: str) -> Told:
    return "invalid_request", f"Contoso Error - {text}"


def replies(path: str, reply: Any) -> Lie:
    return lambda op: op.replies.update({path: reply})


def claims(**lies: Any) -> Lie:
    return lambda op: op.claims.update(lies)


def signs(key: Any, **header: Any) -> Lie:
    return lambda op: setattr(op, "signer", lambda claims: signed(claims, key, **header))


def stalled(op: OidcOp) -> Raw:
    """The connection is taken and nothing comes until the test is over."""

    def wait(_: socket.socket) -> None:
        op.http.over.wait()

    return wait


def is_elsewhere(endpoint: str) -> Lie:
    """Nobody listens there."""
    return lambda op: op.metadata.update({endpoint: f"http://127.0.0.1:{free_port()}/"})


def truthful(op: OidcOp) -> None:
    for lies in (op.claims, op.header, op.replies):
        lies.clear()
    op.signer = None


class Case(NamedTuple):
    """A lie, what the log says about it, and what the app is told."""

    lie: Lie
    reason: Reason
    told: Told = UNEXPECTED


TOKEN_ENDPOINT = {
    "an OAuth error": Case(
        replies("/token", as_json({"error": "invalid_client", "error_description": "Who?"}, 401)),
        Reason.OIDC_TOKEN_REFUSED,
        provider_says("401 invalid_client Who?"),
    ),
    "an OAuth error with status 200": Case(
        replies("/token", as_json({"error": "bad_verification_code"})),
        Reason.OIDC_TOKEN_REFUSED,
        provider_says("200 bad_verification_code"),
    ),
    "500 in HTML": Case(
        replies("/token", html(500)),
        Reason.OIDC_TOKEN_REFUSED,
        provider_says("500 error getting token"),
    ),
    "200 in HTML": Case(
        replies("/token", html(200)),
        Reason.OIDC_TOKEN_REFUSED,
        provider_says("200 error getting token"),
    ),
    "five megabytes": Case(
        replies("/token", as_json({"access_token": "x" * 5_000_000})),
        Reason.OIDC_ANSWER_INVALID,
    ),
    "a connection cut short": Case(
        replies("/token", lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n")),
        Reason.OIDC_ANSWER_INVALID,
    ),
    "no ID token": Case(
        replies("/token", as_json({"access_token": "x", "token_type": "Bearer"})),
        Reason.OIDC_TOKEN_ANSWER,
    ),
    "keys that cannot be had": Case(
        replies("/jwks", html(503)), Reason.OIDC_JWKS, provider_says("503 error getting keys")
    ),
}
ID_TOKEN = {
    "malformed": Case(
        replies("/token", as_json({"access_token": "x", "id_token": "a.b.c"})),
        Reason.OIDC_TOKEN_MALFORMED,
    ),
    "unsigned": Case(signs(None, alg="none"), Reason.OIDC_ALGORITHM),
    "signed with the public key as a secret": Case(
        signs(rsa_key().public_pem(), alg="HS256", kid="rsa-1"), Reason.OIDC_ALGORITHM
    ),
    "signed by a stranger": Case(signs(rsa_key("stranger"), kid="rsa-1"), Reason.OIDC_SIGNATURE),
    "signed by a key nobody publishes": Case(signs(rsa_key("stranger")), Reason.OIDC_KEY_UNKNOWN),
    "with a critical extension": Case(signs(rsa_key(), crit=["exp"], exp=1), Reason.OIDC_CRITICAL),
    "of another issuer": Case(claims(iss="https://evil.example"), Reason.OIDC_ISSUER),
    "for another client": Case(claims(aud="somebody-else"), Reason.OIDC_AUDIENCE),
    "of another party": Case(claims(azp="somebody-else"), Reason.OIDC_AUTHORIZED_PARTY),
    "expired": Case(claims(exp=1_799_990_000), Reason.OIDC_EXPIRED),
    "not valid yet": Case(claims(nbf=1_800_009_999), Reason.OIDC_NOT_YET_VALID),
    "from the future": Case(claims(iat=1_800_009_999), Reason.OIDC_ISSUED_AT),
    "of another sign-in": Case(claims(nonce="of-another"), Reason.OIDC_NONCE),
    "without nonce": Case(claims(nonce=ABSENT), Reason.OIDC_NONCE),
    "about nobody": Case(claims(sub=""), Reason.OIDC_SUBJECT),
    "about another than userinfo": Case(
        lambda op: op.user_info.update(sub="somebody-else"), Reason.OIDC_USERINFO_SUBJECT
    ),
}
BAD = {**TOKEN_ENDPOINT, **{f"an ID token {name}": case for name, case in ID_TOKEN.items()}}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_bad_answer_ends_at_the_app_and_the_next_sign_in_is_good(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, case: Case
) -> None:
    browser = contoso.world.browser()
    asked = contoso.begin(browser)
    honest = dict(op.user_info)
    case.lie(op)
    answer = callback(contoso.deliver(browser, contoso.person(asked)))

    assert (answer.pop("error"), answer.pop("error_description")) == case.told
    assert answer == {"state": "state-1", "iss": f"{ORIGIN}/{POOL_ID}"}
    assert reason_logged(caplog) == case.reason
    assert "cognito" not in browser.cookies

    truthful(op)
    op.user_info = honest
    assert "code" in contoso.answer(browser)


@pytest.mark.parametrize("path", ["/token", "/jwks"])
def test_a_provider_that_stalls_ends_the_sign_in_in_time(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    browser = contoso.world.browser()
    params = contoso.person(contoso.begin(browser))
    op.replies[path] = stalled(op)
    with impatience(contoso.world):
        answer = callback(contoso.deliver(browser, params))
    assert (answer["error"], answer["error_description"]) == UNEXPECTED
    assert reason_logged(caplog) == Reason.OIDC_PROVIDER_TIMEOUT
    truthful(op)
    assert "code" in contoso.answer(browser)


def test_a_provider_that_is_not_there(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture
) -> None:
    is_elsewhere("token_endpoint")(op)
    answer = contoso.answer(contoso.world.browser())
    assert (answer["error"], answer["error_description"]) == UNEXPECTED
    assert reason_logged(caplog) == Reason.OIDC_PROVIDER_UNREACHABLE


def test_a_guessed_code_is_told_in_the_providers_words(
    contoso: Visits, caplog: pytest.LogCaptureFixture
) -> None:
    browser = contoso.world.browser()
    params = contoso.person(contoso.begin(browser))
    answer = callback(contoso.deliver(browser, {**params, "code": "guessed"}))
    assert (answer["error"], answer["error_description"]) == provider_says(
        "400 invalid_grant Code is bad"
    )
    assert reason_logged(caplog) == Reason.OIDC_TOKEN_REFUSED


def test_equal_failures_tell_the_app_equal_things(contoso: Visits, op: OidcOp) -> None:
    """Or the wire would show an attacker which check stopped him."""
    op.claims["aud"] = "somebody-else"
    first = contoso.answer(contoso.world.browser())
    truthful(op)
    op.claims["nonce"] = "of-another"
    assert contoso.answer(contoso.world.browser()) == first


# -- what comes back with the browser -------------------------------------------------------------

OTHER = "https://honest.example"
DENIED = {"error": "access_denied", "error_description": "The person said: no\r\n<b>"}


class Answer(NamedTuple):
    """Parameters that come back, what the log says about them, and what the app is told."""

    params: dict[str, str]
    reason: Reason
    told: Told = UNEXPECTED


ANSWERS = {
    "the person says no": Answer(
        DENIED,
        Reason.OIDC_CANCELLED,
        ("access_denied", "Contoso Error - access_denied The person said: no <b>"),
    ),
    "an error of the provider": Answer(
        {"error": "temporarily_unavailable"},
        Reason.OIDC_ERROR_RESPONSE,
        provider_says("temporarily_unavailable"),
    ),
    "an error beside a code": Answer(
        {"error": "server_error", "code": "x"},
        Reason.OIDC_ERROR_RESPONSE,
        provider_says("server_error"),
    ),
    "nothing at all": Answer({}, Reason.OIDC_CODE_MISSING),
    "an empty code": Answer({"code": ""}, Reason.OIDC_CODE_MISSING),
    "another provider's answer": Answer({"code": "x", "iss": OTHER}, Reason.OIDC_RESPONSE_ISSUER),
    "another provider's no": Answer({**DENIED, "iss": OTHER}, Reason.OIDC_RESPONSE_ISSUER),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_no_code_ends_at_the_app_without_a_call(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    browser = contoso.world.browser()
    state = query_of(contoso.begin(browser))["state"]
    told = callback(contoso.deliver(browser, {**answer.params, "state": state}))
    assert (told["error"], told["error_description"]) == answer.told
    assert told["state"] == "state-1"
    assert reason_logged(caplog) == answer.reason
    assert op.http.count("/token") == 0
    assert "code" in contoso.answer(browser)


def test_an_error_without_state_is_a_page_and_uses_nothing_up(
    contoso: Visits, caplog: pytest.LogCaptureFixture
) -> None:
    browser = contoso.world.browser()
    params = contoso.person(contoso.begin(browser))
    response = contoso.deliver(browser, DENIED)
    assert is_refused_by_a_page(response)
    assert b"said: no" not in response.data
    assert reason_logged(caplog) == Reason.PARAMETER_MISSING
    assert "code" in callback(contoso.deliver(browser, params))


def test_where_issuers_are_announced_an_answer_without_one_is_refused(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9207 2.4."""
    op.metadata["authorization_response_iss_parameter_supported"] = True
    answer = contoso.answer(contoso.world.browser())
    assert (answer["error"], answer["error_description"]) == UNEXPECTED
    assert reason_logged(caplog) == Reason.OIDC_RESPONSE_ISSUER
    browser = contoso.world.browser()
    params = contoso.person(contoso.begin(browser))
    assert "code" in callback(contoso.deliver(browser, {**params, "iss": op.issuer}))


# -- before the browser leaves --------------------------------------------------------------------

DISCOVERY = "/.well-known/openid-configuration"
UNDISCOVERED = {
    "500": Case(
        replies(DISCOVERY, html(500)),
        Reason.OIDC_DISCOVERY,
        provider_says("500 error getting provider metadata"),
    ),
    "another issuer": Case(
        lambda op: op.metadata.update(issuer="https://evil.example"),
        Reason.OIDC_DISCOVERY_ISSUER,
    ),
    "plain http endpoints": Case(
        lambda op: op.metadata.update(token_endpoint="http://evil.example/token"),
        Reason.OIDC_ENDPOINT_REFUSED,
    ),
}


@pytest.mark.parametrize("case", UNDISCOVERED.values(), ids=UNDISCOVERED)
def test_a_provider_that_cannot_be_discovered_ends_at_the_app(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture, case: Case
) -> None:
    case.lie(op)
    browser = contoso.world.browser()
    answer = callback(browser.get(contoso.world.authorize_url()))
    assert (answer["error"], answer["error_description"]) == case.told
    assert reason_logged(caplog) == case.reason
    truthful(op)
    op.metadata.clear()
    assert "code" in contoso.answer(browser)


def test_the_log_of_an_attempt_holds_no_secret(
    contoso: Visits, op: OidcOp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []
    issue = op.issue

    def overheard(*, nonce: str | None) -> str:
        seen.append(issue(nonce=nonce))
        return seen[-1]

    op.issue = overheard  # type: ignore[method-assign]  # listens, and issues as before
    for lies in ({}, {"nonce": "of-another-sign-in"}):
        op.claims.update(lies)
        browser = contoso.world.browser()
        params = contoso.person(contoso.begin(browser))
        contoso.deliver(browser, params)
        contoso.deliver(browser, params)
        seen += params.values()
    (token_request, *_) = [asked for asked in op.http.asked if asked.path == "/token"]
    seen += [token_request.form["code_verifier"], token_request.form["client_secret"]]
    seen += op._access_tokens
    written = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "oidc_nonce" in written
    assert len(seen) == 10
    assert not [secret for secret in seen if secret in written]
