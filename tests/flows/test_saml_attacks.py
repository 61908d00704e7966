"""Every hostile document of the attack corpus, delivered to the endpoint as a browser would.

What the reader refuses the endpoint must refuse without harm: no server error, no code, no session,
the same reason in the log, and the person can start again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from werkzeug.test import TestResponse

from broker.model.errors import Reason
from tests.kit.browser import Browser
from tests.kit.clock import ManualClock
from tests.kit.saml_document import PASSWORD
from tests.kit.saml_idp import AuthnRequest, SamlIdp
from tests.kit.saml_keys import KeyPair, key_pair
from tests.kit.world import (
    CALLBACK,
    ORIGIN,
    POOL_ID,
    WEB,
    World,
    callback,
    make_world,
    saml_provider,
)
from tests.saml.attacks.case import AttackCase, Scene
from tests.saml.attacks.corpus import CORPUS

ACS = "/saml2/idpresponse"
UNASKED = AuthnRequest(
    acs=f"{ORIGIN}{ACS}",
    issuer=f"urn:amazon:cognito:sp:{POOL_ID}",
    relay_state=urlencode(
        {
            "identity_provider": "Corp",
            "client_id": "web",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
        }
    ),
)


OTHER = SamlIdp(
    clock=ManualClock(),
    entity_id="https://other.example/saml/metadata",
    url="https://other.example/saml",
    keys=(key_pair("other idp"),),
)
"""The second provider of the pool, which the attacker runs."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[World]:
    """One broker for all cases: what an attack leaves behind must not matter to the next."""
    corp = SamlIdp(clock=ManualClock())
    details = {"IDPInit": "true", "ForceAuthn": "true", "RequestedAuthnContext": PASSWORD}
    world = make_world(
        tmp_path_factory.mktemp("stage"),
        certs,
        clients=[{**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}],
        providers=[
            saml_provider(corp, details=details),
            saml_provider(OTHER, "Other"),
        ],
    )
    yield world
    world.close()


@pytest.fixture(scope="module")
def encryption_pair(stage: World) -> KeyPair:
    """The broker's real encryption key; anybody can have its certificate."""
    keys = stage.broker.issuers.keys.pool_keys(stage.broker.pools[POOL_ID])
    key = keys.saml_encryption[0]
    return KeyPair(
        load_pem_private_key(key.private_pem, None),
        x509.load_pem_x509_certificate(key.certificate_pem),
    )


def begin(stage: World, browser: Browser) -> AuthnRequest:
    return stage.begin(browser, identity_provider="Corp")


def deliver(browser: Browser, request: AuthnRequest, document: str) -> TestResponse:
    return browser.post(ACS, {"SAMLResponse": document, "RelayState": request.relay_state or ""})


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_the_endpoint_refuses(
    stage: World,
    encryption_pair: KeyPair,
    caplog: pytest.LogCaptureFixture,
    case: AttackCase,
) -> None:
    browser = stage.browser()
    request = begin(stage, browser) if case.solicited else UNASKED
    other = replace(OTHER, clock=stage.clock)
    scene = Scene(idp=stage.idp, other=other, request=request, broker=encryption_pair)
    response = deliver(browser, request, case.build(scene))
    if case.reads is not None:
        code = callback(response)["code"]
        claims = stage.verified(stage.redeem(code).json["access_token"])
        assert claims["username"] == f"Corp_{case.reads}"
        return
    _nothing_was_gained(browser, response)
    assert _reason(response, caplog) in case.reasons
    if _is_sampled(case):
        again = begin(stage, browser)
        assert "code" in callback(deliver(browser, again, stage.idp.respond(again)))


def _nothing_was_gained(browser: Browser, response: TestResponse) -> None:
    assert response.status_code < 500
    assert "code=" not in response.headers.get("Location", "")
    assert "cognito" not in browser.cookies


def _reason(response: TestResponse, caplog: pytest.LogCaptureFixture) -> str:
    """The reason in the log of the attempt; a body that is too large is refused before any."""
    if response.status_code == 413:
        return Reason.SAML_RESPONSE_TOO_LARGE
    (refused,) = [r for r in caplog.records if getattr(r, "outcome", None) == "refused"]
    return str(refused.reason)  # type: ignore[attr-defined]  # set by logging's extra


def _is_sampled(case: AttackCase) -> bool:
    """One case in ten, always the same ones."""
    return zlib.crc32(str(case).encode()) % 10 == 0


# -- replay -----------------------------------------------------------------------------------


def codes(answers: Iterator[TestResponse]) -> list[str]:
    found = []
    for answer in answers:
        assert answer.status_code < 500
        location = answer.headers.get("Location", "")
        if location.startswith(CALLBACK):
            found += [value for name, value in callback(answer).items() if name == "code"]
    return found


def test_an_answer_delivered_again_is_refused(stage: World) -> None:
    browser = stage.browser()
    form = stage.idp.post(begin(stage, browser))
    answers = (browser.post(ACS, form) for _ in range(3))
    assert len(codes(answers)) == 1


def test_an_answer_raced_is_accepted_once(stage: World) -> None:
    """Eight deliveries of one answer at once, by the browser it belongs to."""
    browser = stage.browser()
    form = stage.idp.post(begin(stage, browser))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.post(ACS, form), range(8)))
    assert len(codes(iter(answers))) == 1


@pytest.mark.parametrize("fresh", [False, True], ids=["the same bytes", "signed anew each time"])
def test_an_unasked_assertion_raced_is_accepted_once(stage: World, *, fresh: bool) -> None:
    """No transaction guards an unasked answer: the memory of assertions alone must."""
    same = {"assertion_id": f"_raced-{fresh}"}
    first = stage.idp.post(UNASKED, **same)
    forms = [stage.idp.post(UNASKED, **same) if fresh else first for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda form: stage.browser().post(ACS, form), forms))
    assert len(codes(iter(answers))) == 1


def test_an_assertion_is_refused_again_until_it_has_run_out(stage: World) -> None:
    """The memory lasts as long as the assertion, skew included."""
    form = stage.idp.post(UNASKED)
    assert len(codes(iter([stage.browser().post(ACS, form)]))) == 1
    for _ in range(8):
        stage.clock.advance(60)
        assert not codes(iter([stage.browser().post(ACS, form)]))


def test_a_stolen_answer_is_refused_in_another_sign_in(stage: World) -> None:
    """The thief's own sign-in is under way; the victim's answer is not for it."""
    victim, thief = stage.browser(), stage.browser()
    stolen = stage.idp.respond(begin(stage, victim))
    request = begin(stage, thief)
    response = deliver(thief, request, stolen)
    _nothing_was_gained(thief, response)


def test_an_answer_to_a_request_is_refused_as_unasked(stage: World) -> None:
    """Login CSRF by way of IdP-initiated sign-in: the answer to a request stays bound to it."""
    stolen = stage.idp.respond(begin(stage, stage.browser()))
    attacked = stage.browser()
    _nothing_was_gained(attacked, deliver(attacked, UNASKED, stolen))


def test_an_unasked_answer_is_refused_in_a_sign_in(stage: World) -> None:
    browser = stage.browser()
    request = begin(stage, browser)
    unasked = stage.idp.respond(replace(request, id=None))
    _nothing_was_gained(browser, deliver(browser, request, unasked))
