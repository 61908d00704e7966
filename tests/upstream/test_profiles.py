"""Facebook, Login with Amazon and GitHub, against doubles of their documented behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.model.errors import ErrorCode, Reason
from broker.model.pool import ProviderType
from broker.ports import Upstream
from broker.upstream import amazon, facebook, github
from broker.upstream.http import HttpClient
from tests.kit.clock import ManualClock
from tests.kit.http_double import Reply, as_json, html, redirect
from tests.kit.social import Amazon, Facebook, GitHub, SocialDouble
from tests.upstream.sign_ins import POOL, begin, provider, refusal, sign_in

MAPPING = {"email": "email", "name": "name", "username": "id", "picture": "picture.data.url"}

Connectors: dict[type[SocialDouble], tuple[ProviderType, Any]] = {
    Facebook: (ProviderType.FACEBOOK, facebook),
    Amazon: (ProviderType.AMAZON, amazon),
    GitHub: (ProviderType.GITHUB, github),
}


@pytest.fixture
def running(clock: ManualClock) -> Iterator[Any]:
    """Starts doubles and stops them."""
    started: list[SocialDouble] = []

    def start(kind: type[SocialDouble], **how: Any) -> Any:
        double = kind(clock=clock, **how)
        started.append(double.__enter__())
        return double

    yield start
    for double in started:
        double.__exit__()


@pytest.fixture
def connect(http: HttpClient, clock: ManualClock) -> Any:
    def made(
        double: SocialDouble, mapping: dict[str, str] | None = None, **settings: Any
    ) -> Upstream:
        kind, module = Connectors[type(double)]
        entry = provider(kind, mapping=mapping or MAPPING, **double.settings(**settings))
        upstream: Upstream = module.connector(POOL, entry, http=http, clock=clock)
        return upstream

    return made


# -- Facebook -------------------------------------------------------------------------------------


def test_facebook(running: Any, connect: Any) -> None:
    double = running(Facebook)

    identity = sign_in(connect(double), double.sign_in)

    assert identity.subject == "10158123456789012"
    assert identity.claims["email"] == ("jane@example.test",)
    assert identity.claims["picture.data.url"] == ("https://scontent.test/p.jpg",)
    assert "first_name" not in identity.claims


def test_facebooks_requests_are_those_it_documents(running: Any, connect: Any) -> None:
    double = running(Facebook)
    outgoing, _ = begin(connect(double))
    assert "scope=public_profile%2C+email&" in outgoing.url
    assert "nonce" not in outgoing.url

    sign_in(connect(double), double.sign_in)

    token, me = double.http.asked
    assert (token.method, token.path) == ("GET", "/v17.0/oauth/access_token")
    assert {"client_id", "client_secret", "code", "redirect_uri"} <= set(token.query)
    assert (me.method, me.path) == ("GET", "/v17.0/me")
    assert me.query["fields"] == "id,email,name,picture"
    assert len(me.query["appsecret_proof"]) == 64


def test_facebooks_version_is_configured(http: HttpClient, clock: ManualClock) -> None:
    entry = provider(
        ProviderType.FACEBOOK, client_id="x", client_secret="y", extra={"api_version": "v21.0"}
    )
    url = begin(facebook.connector(POOL, entry, http=http, clock=clock))[0].url

    assert url.startswith("https://www.facebook.com/v21.0/dialog/oauth?client_id=x&")
    assert facebook.endpoints("v21.0").token_url == (
        "https://graph.facebook.com/v21.0/oauth/access_token"
    )


def test_fields_are_named_whatever_the_url(running: Any, connect: Any) -> None:
    double = running(Facebook)

    sign_in(connect(double, attributes_url=f"{double.url}/v17.0/me"), double.sign_in)

    assert double.http.last("/v17.0/me").query["fields"] == "id,email,name,picture"


def test_asking_facebook_again(running: Any, connect: Any) -> None:
    url = begin(connect(running(Facebook)), prompt=("login",), login_hint="x")[0].url

    assert parse_qs(urlsplit(url).query)["auth_type"] == ["reauthenticate"]
    assert "login_hint" not in url


@pytest.mark.parametrize(
    ("settings", "public"),
    [
        (
            {"client_secret": "wrong"},
            "Facebook Error - 400 Error validating client secret.",
        ),
    ],
)
def test_facebooks_errors_are_told_in_its_words(
    running: Any, connect: Any, settings: dict[str, str], public: str
) -> None:
    double = running(Facebook)

    error = refusal(connect(double, **settings), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert (error.code, error.public) == (ErrorCode.INVALID_REQUEST, public)


def test_a_field_facebook_does_not_know(running: Any, connect: Any) -> None:
    double = running(Facebook)

    error = refusal(connect(double, {"nickname": "shoe"}), double.sign_in, Reason.OIDC_PROFILE)

    assert "nonexisting field (shoe)" in error.public


def test_facebooks_token_request_is_never_redirected(running: Any, connect: Any) -> None:
    double = running(Facebook)
    double.replies["/v17.0/oauth/access_token"] = redirect("/v17.0/elsewhere")

    refusal(connect(double), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert double.http.count("/v17.0/elsewhere") == 0


# -- Amazon ---------------------------------------------------------------------------------------


def test_amazon(running: Any, connect: Any) -> None:
    double = running(Amazon)
    mapping = {"email": "email", "username": "user_id", "address": "postal_code"}

    identity = sign_in(connect(double, mapping), double.sign_in)

    assert identity.subject == "amzn1.account.K2LI23KL2LK2"
    assert identity.claims["postal_code"] == ("98052",)
    assert double.http.last("/user/profile").headers["authorization"].startswith("Bearer ")


def test_amazons_errors_are_told_in_its_words(running: Any, connect: Any) -> None:
    double = running(Amazon)

    error = refusal(connect(double, client_secret="x"), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public == (
        "LoginWithAmazon Error - 401 invalid_client Client authentication failed"
    )


# -- GitHub ---------------------------------------------------------------------------------------


def test_github(running: Any, connect: Any) -> None:
    double = running(GitHub)

    mapping = {**MAPPING, "email_verified": "email_verified", "nickname": "login"}
    identity = sign_in(connect(double, mapping), double.sign_in)

    assert identity.subject == "583231"
    assert identity.claims["id"] == ("583231",)
    assert identity.claims["login"] == ("octocat",)
    assert identity.claims["email"] == ("octocat@example.test",)
    assert identity.claims["email_verified"] == ("true",)


@pytest.mark.parametrize(
    "emails",
    [
        [{"email": "a@x.test", "primary": True, "verified": False}],
        [{"email": "a@x.test", "primary": False, "verified": True}],
        [{"email": "a@x.test", "primary": "true", "verified": "true"}],
        [{"email": None, "primary": True, "verified": True}],
        ["a@x.test", 7, None],
        [],
    ],
)
def test_only_the_verified_primary_address_counts(
    running: Any, connect: Any, emails: list[Any]
) -> None:
    double = running(GitHub, emails=emails)

    claims = sign_in(connect(double), double.sign_in).claims

    assert "email" not in claims
    assert "email_verified" not in claims


def test_addresses_are_asked_for_only_when_mapped(running: Any, connect: Any) -> None:
    double = running(GitHub)

    claims = sign_in(connect(double, {"name": "name"}), double.sign_in).claims

    assert double.http.count("/user/emails") == 0
    assert "email" not in claims


def test_githubs_errors_come_with_status_200(running: Any, connect: Any) -> None:
    double = running(GitHub)

    error = refusal(connect(double, client_secret="x"), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public.startswith("GitHub Error - 200 incorrect_client_credentials The client_id")


def test_a_github_app_without_the_email_scope_is_told(running: Any, connect: Any) -> None:
    double = running(GitHub)

    error = refusal(connect(double, scopes="read:user"), double.sign_in, Reason.OIDC_PROFILE)

    assert error.public == "GitHub Error - 404 error getting profile"


def test_github_knows_the_person_by_hint(running: Any, connect: Any) -> None:
    url = begin(connect(running(GitHub)), login_hint="octocat", prompt=("login",))[0].url
    params = parse_qs(urlsplit(url).query)

    assert params["login"] == ["octocat"]
    assert params["prompt"] == ["select_account"]
    assert params["code_challenge_method"] == ["S256"]


# -- all three ------------------------------------------------------------------------------------

PROFILE_PATH = {Facebook: "/v17.0/me", Amazon: "/user/profile", GitHub: "/user"}
FAMILY = pytest.mark.parametrize("kind", list(Connectors))


@FAMILY
@pytest.mark.parametrize(
    "reply",
    [html(200), html(500), as_json([]), as_json({}), redirect("/x"), Reply(body=b"x" * 2**21)],
)
def test_without_a_profile_nobody_signs_in(
    running: Any, connect: Any, kind: type[SocialDouble], reply: Reply
) -> None:
    double = running(kind)
    double.replies[PROFILE_PATH[kind]] = reply

    with pytest.raises(Exception) as caught:  # noqa: PT011  # which reason depends on the reply
        sign_in(connect(double), double.sign_in)

    assert caught.value.reason in {  # type: ignore[attr-defined]  # an UpstreamError has one
        Reason.OIDC_PROFILE,
        Reason.OIDC_SUBJECT,
        Reason.OIDC_ANSWER_INVALID,
    }
    assert "secret-detail" not in str(caught.value)


@FAMILY
@pytest.mark.parametrize("subject", [None, "", True, 1.5, [], {}, "a\x00b", "line\nbreak"])
def test_a_profile_must_name_somebody(
    running: Any, connect: Any, kind: type[SocialDouble], subject: Any
) -> None:
    double = running(kind)
    name = "user_id" if kind is Amazon else "id"
    double.replies[PROFILE_PATH[kind]] = as_json({name: subject})
    double.replies["/user/emails"] = as_json([])

    refusal(connect(double), double.sign_in, Reason.OIDC_SUBJECT)


@FAMILY
def test_a_code_serves_once(running: Any, connect: Any, kind: type[SocialDouble]) -> None:
    double = running(kind)
    upstream = connect(double)
    url = begin(upstream)[0].url
    params = double.sign_in(url)
    double.codes.clear()

    refusal(upstream, lambda _: params, Reason.OIDC_TOKEN_REFUSED)


@FAMILY
def test_the_access_token_can_be_mapped(
    running: Any, connect: Any, kind: type[SocialDouble]
) -> None:
    double = running(kind)

    claims = sign_in(connect(double, {"custom:t": "access_token"}), double.sign_in).claims

    assert claims["access_token"][0] in double.access_tokens
