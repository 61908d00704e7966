"""Sign-ins at OIDC and social doubles through the whole broker.

``Visits`` is the part that is the same for all of them: from authorize to the provider, and back to the
app. The entries of ``IdentityProviders`` that lead to a double stand here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from werkzeug.test import TestResponse

from broker.model.pool import ProviderType
from broker.upstream.http import HttpClient
from broker.upstream.network import Network
from broker.upstream.oidc import OidcUpstream
from broker.upstream.registry import ConnectorRegistry
from tests.kit.browser import Browser
from tests.kit.oidc_op import CLIENT_ID, CLIENT_SECRET, OidcOp
from tests.kit.social import SocialDouble
from tests.kit.world import POOL_ID, World, callback

ANSWER_PATH = "/oauth2/idpresponse"
MAPPING = {"email": "email", "name": "name", "username": "sub"}
IMPATIENT_SECONDS = 0.3


def oidc_provider(op: OidcOp, name: str = "Contoso", **changes: Any) -> dict[str, Any]:
    """An ``IdentityProviders`` entry for ``op``; ``details`` are added to its ProviderDetails."""
    return {
        "ProviderName": name,
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "authorize_scopes": "openid email",
            "attributes_request_method": "GET",
            "oidc_issuer": op.issuer,
            **changes.pop("details", {}),
        },
        "AttributeMapping": MAPPING,
        **changes,
    }


def social_provider(
    double: SocialDouble, kind: ProviderType, mapping: dict[str, str]
) -> dict[str, Any]:
    """The entry for a social double, its settings under the names that configurations use."""
    names = {"scopes": "authorize_scopes", "issuer": "oidc_issuer"}
    settings = double.settings()
    details = {**settings.pop("extra", {}), **settings}
    return {
        "ProviderName": str(kind),
        "ProviderType": str(kind),
        "ProviderDetails": {names.get(name, name): value for name, value in details.items()},
        "AttributeMapping": mapping,
    }


@dataclass(frozen=True, kw_only=True)
class Visits:
    """What an app and a person do; ``person`` turns the authorization URL into the answer."""

    world: World
    person: Callable[[str], dict[str, str]]
    by_post: bool = False
    """The provider answers with a form (OAuth 2.0 Form Post Response Mode)."""

    def begin(self, browser: Browser, **changes: str | None) -> str:
        """Where authorize sends the browser."""
        response = browser.get(self.world.authorize_url(**changes))
        assert response.status_code == 302, response.data
        return response.headers["Location"]

    def deliver(self, browser: Browser, params: dict[str, str]) -> TestResponse:
        """The provider's answer, as the browser brings it."""
        if self.by_post:
            return browser.post(ANSWER_PATH, params)
        return browser.get(f"{ANSWER_PATH}?{urlencode(params)}")

    def answer(self, browser: Browser, **changes: str | None) -> dict[str, str]:
        """A whole visit; the parameters the app gets at its callback."""
        asked = self.begin(browser, **changes)
        return callback(self.deliver(browser, self.person(asked)))

    def tokens(self, browser: Browser | None = None, **changes: str | None) -> dict[str, Any]:
        """A whole visit down to the token response."""
        response = self.world.redeem(
            self.answer(browser or self.world.browser(), **changes)["code"]
        )
        assert response.status_code == 200, response.data
        body: dict[str, Any] = json.loads(response.data)
        return body

    def claims(self, browser: Browser | None = None, **changes: str | None) -> dict[str, Any]:
        """The ID token that the app gets, verified."""
        return self.world.verified(self.tokens(browser, **changes)["id_token"])

    def is_answered_at_once(self, browser: Browser, **changes: str | None) -> bool:
        """Whether the session answers the app, without the provider."""
        return "code=" in self.begin(browser, **changes)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))


@contextmanager
def impatience(world: World, provider: str = "Contoso") -> Iterator[None]:
    """While the block lasts, ``provider`` has a fraction of a second to answer, not five."""
    upstreams = world.broker.flow.upstreams
    assert isinstance(upstreams, ConnectorRegistry)
    patient = upstreams.of(world.broker.pools[POOL_ID], provider)
    assert isinstance(patient, OidcUpstream)
    http = HttpClient(network=Network(total_seconds=IMPATIENT_SECONDS, proxies={}))
    upstreams._built[POOL_ID, provider] = replace(patient, http=http)
    yield
    upstreams._built[POOL_ID, provider] = patient
    http.close()
