"""What a discovery document may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import OAuthSettings
from broker.upstream.discovery import (
    FRESH_SECONDS,
    STALE_SECONDS,
    Discovery,
    ProviderMetadata,
)
from broker.upstream.http import Answer, HttpClient
from tests.kit.clock import ManualClock
from tests.kit.http_double import HttpDouble, as_json, html
from tests.upstream.sign_ins import provider

ISSUER = "https://op.example/realm"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://op.example/authorize",
    "token_endpoint": "https://op.example/token",
    "userinfo_endpoint": "https://op.example/userinfo",
    "jwks_uri": "https://op.example/jwks",
}


class Publisher(HttpClient):
    """Answers with a document instead of asking a network."""

    def serving(self, document: Any) -> Publisher:
        self.asked: list[str]
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "document", document)
        return self

    def get(self, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        reply = as_json(self.document)  # type: ignore[attr-defined]  # set above
        return Answer(status=reply.status, body=reply.body)


def read(document: Any, *, issuer: str = ISSUER, **settings: Any) -> ProviderMetadata:
    given = OAuthSettings(client_id="x", issuer=issuer, **settings)
    return Discovery(
        provider=provider(name="Corp", client_id="x"),
        settings=given,
        known=ProviderMetadata(issuer=issuer).overridden(given),
        is_complete=False,
        is_issuer=issuer.__eq__,
        http=Publisher().serving(document),
        clock=ManualClock(),
    ).metadata()


def refused(document: Any, **how: Any) -> Reason:
    with pytest.raises(UpstreamError) as caught:
        read(document, **how)
    return caught.value.reason


def test_a_document_is_read() -> None:
    found = read(
        {
            **DOCUMENT,
            "end_session_endpoint": "https://op.example/logout",
            "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", 7],
            "authorization_response_iss_parameter_supported": True,
        }
    )

    assert found == ProviderMetadata(
        issuer=ISSUER,
        authorize_url="https://op.example/authorize",
        token_url="https://op.example/token",
        jwks_uri="https://op.example/jwks",
        attributes_url="https://op.example/userinfo",
        end_session_url="https://op.example/logout",
        auth_methods=("client_secret_basic",),
        supports_pkce=True,
        announces_iss=True,
    )


@pytest.mark.parametrize(
    "issuer", ["https://op.example", f"{ISSUER}/", "https://OP.example/realm", None, 7, [ISSUER]]
)
def test_the_issuer_is_the_one_that_was_asked_for(issuer: Any) -> None:
    assert refused({**DOCUMENT, "issuer": issuer}) is Reason.OIDC_DISCOVERY_ISSUER


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/"])
def test_where_the_document_is(issuer: str) -> None:
    """OIDC Discovery 4.1: a slash at the issuer's end is removed first."""
    publisher = Publisher().serving({**DOCUMENT, "issuer": issuer})
    Discovery(
        provider=provider(name="Corp", client_id="x"),
        settings=OAuthSettings(client_id="x"),
        known=ProviderMetadata(issuer=issuer),
        is_complete=False,
        is_issuer=issuer.__eq__,
        http=publisher,
        clock=ManualClock(),
    ).metadata()

    assert publisher.asked == [f"{ISSUER}/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"]
)
@pytest.mark.parametrize(
    "url", ["http://op.example/x", "http://localhost:8080/x", "file:///etc/passwd", "https://"]
)
def test_endpoints_are_https(name: str, url: str) -> None:
    assert refused({**DOCUMENT, name: url}) is Reason.OIDC_ENDPOINT_REFUSED


@pytest.mark.parametrize("url", ["http://op.example/logout", "http://localhost/x", "ftp://x/"])
def test_an_endpoint_that_no_sign_in_needs_may_be_bad(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert read({**DOCUMENT, "end_session_endpoint": url}) == read(DOCUMENT)
    (event,) = (r for r in caplog.records if r.getMessage() == "oidc_endpoint_left_out")
    assert (event.provider, event.received) == ("Corp", url)
    assert event.reason == Reason.OIDC_ENDPOINT_REFUSED


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("authorization_endpoint", "authorize_url"),
        ("token_endpoint", "token_url"),
        ("userinfo_endpoint", "attributes_url"),
        ("jwks_uri", "jwks_uri"),
    ],
)
def test_an_endpoint_that_is_named_anyway_may_be_bad(name: str, setting: str) -> None:
    named = {setting: "https://named.example/"}

    assert getattr(read({**DOCUMENT, name: "http://op.example/x"}, **named), setting) == (
        "https://named.example/"
    )


def test_a_loopback_provider_has_loopback_endpoints() -> None:
    issuer = "http://localhost:9000"
    local = {n: f"{issuer}/{n}" for n in DOCUMENT if n != "issuer"}

    found = read({**local, "issuer": issuer}, issuer=issuer)

    assert found.token_url == "http://localhost:9000/token_endpoint"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [None, "", 7, []])
def test_what_a_sign_in_needs_must_be_there(name: str, value: Any) -> None:
    assert refused({**DOCUMENT, name: value}) is Reason.OIDC_DISCOVERY


def test_a_named_url_stands_in_for_a_missing_one() -> None:
    document = {n: v for n, v in DOCUMENT.items() if n != "jwks_uri"}

    assert read(document, jwks_uri="https://keys.example/").jwks_uri == "https://keys.example/"


@pytest.mark.parametrize("document", [[], "x", None, 7])
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert refused(document) is Reason.OIDC_DISCOVERY


@pytest.fixture
def published() -> Iterator[HttpDouble]:
    """A provider whose document can be replaced."""
    with HttpDouble(lambda _: html(500)) as double:
        base = {n: f"{double.url}/{n}" for n in DOCUMENT}
        double.application = lambda _: as_json({**base, "issuer": double.url})
        yield double


@pytest.fixture
def discovery(published: HttpDouble, http: HttpClient, clock: ManualClock) -> Discovery:
    return Discovery(
        provider=provider(name="Corp", client_id="x"),
        settings=OAuthSettings(client_id="x", issuer=published.url),
        known=ProviderMetadata(issuer=published.url),
        is_complete=False,
        is_issuer=published.url.__eq__,
        http=http,
        clock=clock,
    )


def test_a_document_is_kept_and_refreshed(
    discovery: Discovery, published: HttpDouble, clock: ManualClock
) -> None:
    for _ in range(3):
        discovery.metadata()
    assert len(published.asked) == 1

    clock.advance(FRESH_SECONDS)
    discovery.metadata()
    assert len(published.asked) == 2


def test_a_document_outlives_an_outage_of_its_provider(
    discovery: Discovery, published: HttpDouble, clock: ManualClock
) -> None:
    first = discovery.metadata()
    published.application = lambda _: html(503)

    clock.advance(STALE_SECONDS - 1)
    assert discovery.metadata() is first

    clock.advance(1)
    with pytest.raises(UpstreamError):
        discovery.metadata()
