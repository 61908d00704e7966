"""openid-client: discovery, sign-in with every check it has, refresh, userInfo, revocation, sign-out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.live import CALLBACK, SERVER, SPA, Live, live
from tests.kit.node import running
from tests.kit.world import SECRET

HOME = "https://app.example.test/"
ODD_SECRET = "p+lus-and/slash=42"
ODD = {**SERVER, "ClientId": "odd", "ClientSecret": ODD_SECRET}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Live]:
    with live(
        tmp_path_factory.mktemp("openid"), certs, clients=[SERVER, SPA, ODD]
    ) as running_broker:
        yield running_broker


@pytest.mark.parametrize(
    ("client_id", "secret", "method"),
    [
        ("web", SECRET, "basic"),
        ("web", SECRET, "post"),
        ("odd", ODD_SECRET, "basic"),
        ("spa", None, "none"),
    ],
)
def test_the_whole_life_of_a_sign_in(
    broker: Live, client_id: str, secret: str | None, method: str
) -> None:
    with running("relying_party.mjs") as app, broker.person() as person:
        app.tell(
            {
                "issuer": broker.issuer,
                "clientId": client_id,
                "secret": secret,
                "method": method,
                "redirectUri": CALLBACK,
                "postLogout": HOME,
            }
        )
        url = app.hear()["goTo"]
        app.tell({"cameTo": person.follows(url)})
        saw = app.hear()

        assert saw["claims"]["iss"] == broker.issuer
        assert saw["claims"]["aud"] == client_id
        assert saw["info"]["sub"] == saw["claims"]["sub"]
        assert saw["info"]["email"] == "alice@example.test"
        assert saw["infoAfter"] == saw["info"]
        assert saw["refreshedClaims"]["auth_time"] == saw["claims"]["auth_time"]
        assert saw["metadata"]["authorization_response_iss_parameter_supported"] is True

        assert saw["wrongScope"]["error"] == "invalid_scope"
        assert saw["afterRevocation"]["refresh"]["error"] == "invalid_grant"
        assert saw["afterRevocation"]["userInfo"]["code"] == "OAUTH_WWW_AUTHENTICATE_CHALLENGE"
        assert saw["afterRevocation"]["userInfo"]["challenge"] == "bearer"
        assert saw["codeAgain"]["error"] == "invalid_grant"

        assert not person.is_sent_to_the_provider(url)
        assert person.follows(saw["leave"]) == f"{HOME}?state={saw['logoutState']}"
        assert person.is_sent_to_the_provider(url)
