"""Google, against a double of its documented behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.model.errors import Reason
from broker.model.pool import ProviderType
from broker.ports import Upstream
from broker.upstream import google
from broker.upstream.http import HttpClient
from tests.kit.clock import ManualClock
from tests.kit.http_double import as_json
from tests.kit.social import Google
from tests.upstream.sign_ins import POOL, begin, provider, refusal, sign_in


@pytest.fixture
def double(clock: ManualClock) -> Iterator[Google]:
    with Google(clock=clock) as running:
        yield running


@pytest.fixture
def connect(double: Google, http: HttpClient, clock: ManualClock) -> Callable[..., Upstream]:
    def made(mapping: dict[str, str] | None = None, **settings: Any) -> Upstream:
        entry = provider(ProviderType.GOOGLE, mapping=mapping, **double.settings(**settings))
        return google.connector(POOL, entry, http=http, clock=clock)

    return made


def test_a_sign_in(double: Google, connect: Callable[..., Upstream]) -> None:
    identity = sign_in(connect(), double.sign_in)

    assert identity.subject == double.subject
    assert identity.issuer == "https://accounts.google.com"
    assert identity.claims["email"] == ("jane@gmail.test",)
    assert identity.claims["email_verified"] == ("true",)
    assert [asked.path for asked in double.http.asked] == ["/oauth2/v4/token", "/oauth2/v3/certs"]


def test_the_well_known_endpoints_need_no_configuration(
    http: HttpClient, clock: ManualClock
) -> None:
    entry = provider(ProviderType.GOOGLE, client_id="x", client_secret="y")
    upstream = google.connector(POOL, entry, http=http, clock=clock)

    url = begin(upstream)[0].url

    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?client_id=x&")
    assert parse_qs(urlsplit(url).query)["scope"] == ["openid email profile"]


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        (("login",), ["select_account"]),
        (("consent", "login", "select_account"), ["consent select_account"]),
        (("create",), None),
        (("none",), None),
    ],
)
def test_only_prompts_that_google_knows(
    double: Google,
    connect: Callable[..., Upstream],
    prompt: tuple[str, ...],
    sent: list[str] | None,
) -> None:
    url = begin(connect(), prompt=prompt)[0].url

    assert parse_qs(urlsplit(url).query).get("prompt") == sent
    assert double.read_request(url)


def test_people_fields_are_asked_for_when_they_are_mapped(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    double.person = {
        "names": [
            {"metadata": {}, "displayName": "Second"},
            {"metadata": {"primary": True}, "displayName": "First"},
        ],
        "birthdays": [
            {"metadata": {"primary": True}, "date": {"year": 1990, "month": 2, "day": 3}}
        ],
        "genders": [{"value": "female"}],
        "phoneNumbers": [{"value": "06 12", "canonicalForm": "+31612"}],
    }
    mapping = {
        "name": "names",
        "birthdate": "birthdays",
        "gender": "genders",
        "phone_number": "phoneNumbers",
        "email": "email",
        "username": "sub",
    }

    claims = sign_in(connect(mapping), double.sign_in).claims

    asked = double.http.last("/v1/people/me")
    assert asked.query == {"personFields": "birthdays,genders,names,phoneNumbers"}
    assert [claims[n] for n in ("names", "birthdays", "genders", "phoneNumbers")] == [
        ("First",),
        ("1990-02-03",),
        ("female",),
        ("+31612",),
    ]


def test_a_birthday_without_a_year_is_no_date(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    double.person = {"birthdays": [{"date": {"month": 2, "day": 3}}]}

    claims = sign_in(connect({"birthdate": "birthdays"}), double.sign_in).claims

    assert claims["birthdays"] == ('{"date":{"month":2,"day":3}}',)


def test_another_attributes_url_is_a_userinfo_endpoint(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    double.replies["/userinfo"] = as_json({"sub": double.subject, "locale": "nl"})

    upstream = connect({"locale": "locale"}, attributes_url=f"{double.url}/userinfo")
    identity = sign_in(upstream, double.sign_in)

    assert identity.claims["locale"] == ("nl",)


@pytest.mark.parametrize("odd", [[], {}, "x", [7], None])
def test_odd_people_answers_cost_their_claims(
    double: Google, connect: Callable[..., Upstream], odd: Any
) -> None:
    double.person = {"names": odd}

    assert "names" not in sign_in(connect({"name": "names"}), double.sign_in).claims


def test_a_person_who_is_somebody_else_is_refused(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    double.person = {"resourceName": "people/1"}

    refusal(connect({"name": "names"}), double.sign_in, Reason.OIDC_USERINFO_SUBJECT)


def test_another_issuer_than_google_is_refused(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    double.issuer = "https://accounts.google.com.evil.example"

    refusal(connect(), double.sign_in, Reason.OIDC_ISSUER)


def test_a_wrong_secret_is_told_in_googles_words(
    double: Google, connect: Callable[..., Upstream]
) -> None:
    error = refusal(connect(client_secret="wrong"), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public == "Google Error - 401 invalid_client Unauthorized"
