"""Everything the demo runs, from the sockets to the broker, and back to nothing.

The order matters: sockets first, so that all URLs are known; then the broker's process, while this
one has a single thread; then the demo's own servers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from flask import Flask

from broker.demo.broker_process import BrokerFailedError, broker_command, serving
from broker.demo.browser import BrowserError
from broker.demo.certificate import certified_key
from broker.demo.config_file import (
    OIDC_PROVIDER,
    SAML_METADATA_FILE,
    SAML_PROVIDER,
    Addresses,
    Agreement,
)
from broker.demo.ending import Ending
from broker.demo.oidc_op import OidcOp, create_op
from broker.demo.oidc_requests import RegisteredClient
from broker.demo.saml_idp import SamlIdp, create_idp
from broker.demo.saml_requests import RequestError
from broker.demo.sample_app import RelyingParty, Settings, create_app
from broker.demo.servers import LOOPBACK, Listener, free_port
from broker.demo.story import SIGN_IN_WITH_OIDC, SIGN_IN_WITH_SAML

_TIMEOUT_SECONDS = 10


class SystemClock:
    """The time of day."""

    def now(self) -> float:
        return time.time()


@contextmanager
def stage(environ: Mapping[str, str], ending: Ending) -> Iterator[Addresses]:
    """Broker, identity providers and app, all of them answering, until the block ends."""
    with ExitStack() as stack:
        saml, oidc, app = (stack.enter_context(Listener()) for _ in range(3))
        port = free_port()
        agreement = Agreement(
            at=Addresses(
                broker=f"http://localhost:{port}",
                app=f"http://localhost:{app.port}",
                saml_idp=f"http://{LOOPBACK}:{saml.port}",
                oidc_op=f"http://{LOOPBACK}:{oidc.port}",
            )
        )
        idp = _saml_idp(agreement)
        state = Path(stack.enter_context(TemporaryDirectory(prefix="broker-demo-")))
        config = _write_configuration(state, agreement, idp)
        broker = stack.enter_context(
            serving(
                command=broker_command(), config=config, port=port, state=state, environ=environ
            )
        )
        for listener, application in (
            (saml, create_idp(idp)),
            (oidc, _oidc_op(agreement)),
            (app, _sample_app(agreement)),
        ):
            stack.enter_context(listener.serving(application))
        broker.wait_until_healthy(ending)
        try:
            yield agreement.at
        except BrowserError as error:
            words = f"{error}\nThe broker said last:\n{broker.last_words()}"
            raise BrokerFailedError(words) from error


def _write_configuration(state: Path, agreement: Agreement, idp: SamlIdp) -> Path:
    """``broker.yaml`` and the SAML provider's metadata beside it."""
    config = state / "broker.yaml"
    config.touch(mode=0o600)  # it holds secrets
    config.write_text(agreement.config_file())
    (state / SAML_METADATA_FILE).write_bytes(idp.metadata())
    return config


def _saml_idp(agreement: Agreement) -> SamlIdp:
    clock = SystemClock()
    return SamlIdp(
        base_url=agreement.at.saml_idp,
        key=certified_key("Demo SAML identity provider", now=clock.now()),
        read_metadata=lambda: _fetched(f"{agreement.at.broker}/saml2/metadata"),
        clock=clock,
        applications={"Sample app": agreement.unsolicited_relay_state},
    )


def _oidc_op(agreement: Agreement) -> Flask:
    client = RegisteredClient(
        id=agreement.upstream_client_id,
        secret=agreement.upstream_secret,
        redirect_uri=f"{agreement.at.broker}/oauth2/idpresponse",
    )
    return create_op(OidcOp(issuer=agreement.at.oidc_op, client=client, clock=SystemClock()))


def _sample_app(agreement: Agreement) -> Flask:
    settings = Settings(
        base_url=agreement.at.app,
        issuer=agreement.issuer,
        client_id=agreement.client_id,
        client_secret=agreement.client_secret,
        logout_endpoint=f"{agreement.at.broker}/logout",
        providers=((SAML_PROVIDER, SIGN_IN_WITH_SAML), (OIDC_PROVIDER, SIGN_IN_WITH_OIDC)),
    )
    return create_app(RelyingParty(settings=settings, clock=SystemClock()))


def _fetched(url: str) -> bytes:
    try:
        return httpx2.get(url, timeout=_TIMEOUT_SECONDS).raise_for_status().content
    except httpx2.HTTPError as error:
        raise RequestError("The broker's metadata cannot be read.") from error
