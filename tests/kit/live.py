"""A broker that serves as a user runs it, and a person who signs in there at a SAML provider.

For client libraries that speak HTTP for themselves: they get an origin, and somebody who follows the
redirects that a browser would follow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.kit.clock import ManualClock
from tests.kit.saml_idp import SamlIdp
from tests.kit.servers import free_port
from tests.kit.serving import serving
from tests.kit.world import API, EMAIL_CLAIM, POOL_ID, PUBLIC, WEB, saml_provider

ADMIN = "aws.cognito.signin.user.admin"
CALLBACK = WEB["CallbackURLs"][0]
SCOPES = [*WEB["AllowedOAuthScopes"], ADMIN]
SERVER = {**WEB, "AllowedOAuthScopes": SCOPES}
SPA = {**PUBLIC, "AllowedOAuthScopes": SCOPES}
ATTRIBUTES = {EMAIL_CLAIM: ["alice@example.test"], "displayName": ["Alice"]}


@dataclass(frozen=True, kw_only=True)
class Live:
    """A running broker and the identity provider of its one pool."""

    origin: str
    idp: SamlIdp
    log: Path

    @property
    def issuer(self) -> str:
        return f"{self.origin}/{POOL_ID}"

    @contextmanager
    def person(self) -> Iterator[Person]:
        """Somebody with a browser of their own."""
        with httpx2.Client(follow_redirects=False, verify=False, trust_env=False) as browser:
            yield Person(idp=self.idp, browser=browser, origin=self.origin)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Follows redirects between app, broker and provider, and signs in where asked."""

    idp: SamlIdp
    browser: httpx2.Client
    origin: str

    def follows(self, url: str) -> str:
        """Where ``url`` leads in the end: an address of the app's."""
        location = self.browser.get(url).headers["Location"]
        if location.startswith(self.idp.url):
            form = self.idp.post(
                self.idp.read_request(location), name_id="alice", attributes=ATTRIBUTES
            )
            answer = self.browser.post(f"{self.origin}/saml2/idpresponse", data=form)
            location = answer.headers["Location"]
        return str(location)

    def is_sent_to_the_provider(self, url: str) -> bool:
        return str(self.browser.get(url).headers["Location"]).startswith(self.idp.url)


def params(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@contextmanager
def live(
    folder: Path,
    certs: Path,
    *,
    clients: Sequence[Mapping[str, Any]] = (SERVER, SPA),
    tls: tuple[Path, Path] | None = None,
    workers: int = 1,
    environ: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Live]:
    """Serve a pool of ``clients`` until the block ends. The time is the machine's."""
    port = port or free_port()
    origin = f"http{'s' if tls else ''}://localhost:{port}"
    idp = SamlIdp(clock=ManualClock(time.time()))
    pool = {
        "Id": POOL_ID,
        "Domain": origin,
        "UserPoolClients": [dict(client) for client in clients],
        "IdentityProviders": [saml_provider(idp)],
        "ResourceServers": [API],
    }
    with serving(
        folder,
        {"UserPools": [pool]},
        certs=certs,
        port=port,
        tls=tls,
        workers=workers,
        environ=environ,
    ) as running:
        yield Live(origin=origin, idp=idp, log=running.log)
