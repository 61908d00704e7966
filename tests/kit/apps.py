"""An app in the test process: one client of a world, with what it sends to the broker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse

from tests.kit.browser import Browser
from tests.kit.world import CALLBACK, CHALLENGE, VERIFIER, WEB, World, callback

TARGET = "AWSCognitoIdentityProviderService."


def fields(**values: str | None) -> dict[str, str]:
    """The parameters of a request; None leaves one out."""
    return {name: value for name, value in values.items() if value is not None}


def body(response: TestResponse) -> dict[str, Any]:
    """The JSON object of an answer."""
    assert response.content_type.split(";")[0] in {"application/json", "application/x-amz-json-1.1"}
    decoded: dict[str, Any] = json.loads(response.data)
    return decoded


@dataclass(kw_only=True)
class App:
    """An app that signs people in with ``client`` (a member of ``UserPoolClients``)."""

    world: World
    client: Mapping[str, Any]
    person: Browser

    @classmethod
    def of(cls, world: World, client: Mapping[str, Any] = WEB) -> App:
        return cls(world=world, client=client, person=world.browser())

    @property
    def credentials(self) -> dict[str, str | None]:
        return {
            "client_id": self.client["ClientId"],
            "client_secret": self.client.get("ClientSecret"),
        }

    # -- the browser -----------------------------------------------------------------------

    def authorize(self, **changes: str | None) -> TestResponse:
        """What the person's browser gets at authorize."""
        return self.person.get(self._authorize_url(**changes))

    def answer(self, *, name_id: str = "alice", **changes: str | None) -> dict[str, str]:
        """What comes back to the app, after a sign-in at the provider where one is needed."""
        response = self.authorize(**changes)
        location = response.headers["Location"]
        if not location.startswith(CALLBACK):
            world = self.world
            asked = world.idp.read_request(location, certificate=world.certificate())
            response = self.person.post(
                "/saml2/idpresponse", world.idp.post(asked, name_id=name_id)
            )
        return callback(response)

    def _authorize_url(self, **changes: str | None) -> str:
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client["ClientId"],
            "redirect_uri": CALLBACK,
            "scope": "openid email profile",
            "state": "state-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return "/oauth2/authorize?" + urlencode(fields(**params))

    # -- the back channel ------------------------------------------------------------------

    def redeem(self, code: str, /, **changes: str | None) -> TestResponse:
        params: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **self.credentials,
            **changes,
        }
        return self.world.token(fields(**params))

    def tokens(self, *, name_id: str = "alice", **changes: str | None) -> dict[str, Any]:
        """A whole sign-in, down to the token response."""
        response = self.redeem(self.answer(name_id=name_id, **changes)["code"])
        assert response.status_code == 200, response.data
        return body(response)

    def refresh(self, token: str, /, **changes: str | None) -> TestResponse:
        params: dict[str, str | None] = {
            "grant_type": "refresh_token",
            "refresh_token": token,
            **self.credentials,
            **changes,
        }
        return self.world.token(fields(**params))

    def revoke(self, token: str | None, /, **changes: str | None) -> TestResponse:
        params: dict[str, str | None] = {"token": token, **self.credentials, **changes}
        return self.world.browser().post("/oauth2/revoke", fields(**params))

    def api(self, operation: str, **members: object) -> TestResponse:
        """A call of the Cognito API, as an SDK makes it."""
        return call_api(self.world, TARGET + operation, json.dumps(members))


def call_api(world: World, target: str | None, text: str) -> TestResponse:
    return Client(world.app, use_cookies=False).post(
        "/",
        base_url=world.origin,
        data=text,
        content_type="application/x-amz-json-1.1",
        headers={} if target is None else {"X-Amz-Target": target},
    )
