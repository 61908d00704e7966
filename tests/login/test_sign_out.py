"""Signing out by way of the identity provider: what is kept over the detour, and what cannot fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from broker.app import create_app
from broker.login.sign_out import SignOutRefusedError
from broker.model.errors import Reason, UpstreamError
from broker.model.login import (
    AuthorizationRequest,
    Callback,
    ExternalIdentity,
    LoginSession,
    PendingSignOut,
    Transaction,
    UpstreamRequest,
)
from broker.model.pool import UserPool
from tests.kit.apps import App
from tests.kit.world import ORIGIN, POOL_ID, World

HOME = "https://app.example.test/"


@dataclass
class SigningOutIdp:
    """A provider that takes part in sign-outs; ``answer`` is what it says to one."""

    answer: UpstreamRequest | UpstreamError | None
    asked: list[tuple[str, LoginSession, str]] = field(default_factory=list)
    answered: list[PendingSignOut] = field(default_factory=list)

    def of(self, _pool: UserPool, _provider: str) -> SigningOutIdp:
        return self

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        raise AssertionError

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        raise AssertionError

    def begin_logout(
        self, sign_out_id: str, session: LoginSession, base_url: str
    ) -> UpstreamRequest | None:
        self.asked.append((sign_out_id, session, base_url))
        if isinstance(self.answer, UpstreamError):
            raise self.answer
        return self.answer

    def complete_logout(self, callback: Callback, pending: PendingSignOut) -> bool:
        self.answered.append(pending)
        return True


def signed_in_at(world: World, idp: SigningOutIdp) -> App:
    """Somebody signed in; from here on sign-outs meet ``idp``."""
    app = App.of(world)
    app.tokens()
    world.broker = replace(world.broker, sign_out=replace(world.broker.sign_out, upstreams=idp))
    world.app = app.person.app = create_app(world.broker)
    return app


ANSWER = Callback(base_url=ORIGIN, params={})
REMEMBERED = UpstreamRequest(url="https://idp.example/logout?x", remember={"request_id": "r"})


def test_the_browser_goes_round_by_the_provider_and_the_target_is_kept(world: World) -> None:
    idp = SigningOutIdp(REMEMBERED)
    app = signed_in_at(world, idp)
    response = app.person.get(f"/logout?client_id=web&logout_uri={HOME}")
    assert response.headers["Location"] == REMEMBERED.url
    assert "cognito" not in app.person.cookies

    ((sign_out_id, session, base_url),) = idp.asked
    assert (session.subject, session.provider, base_url) == ("alice", "Corp", ORIGIN)
    pool = world.broker.pools[POOL_ID]
    assert world.broker.sign_out.finish(pool, sign_out_id, ANSWER).then == HOME
    assert [(p.provider, p.remembered) for p in idp.answered] == [("Corp", {"request_id": "r"})]
    with pytest.raises(SignOutRefusedError):
        world.broker.sign_out.finish(pool, sign_out_id, ANSWER)


def test_a_pending_sign_out_is_forgotten_after_five_minutes(world: World) -> None:
    idp = SigningOutIdp(REMEMBERED)
    app = signed_in_at(world, idp)
    app.person.get("/logout")
    world.clock.advance(300)
    with pytest.raises(SignOutRefusedError) as refused:
        world.broker.sign_out.finish(world.broker.pools[POOL_ID], idp.asked[0][0], ANSWER)
    assert refused.value.error.reason is Reason.SIGN_OUT_UNKNOWN


def test_a_form_is_posted_where_the_provider_takes_nothing_else(world: World) -> None:
    form = UpstreamRequest(url="https://idp.example/logout", form={"SAMLRequest": "abc"})
    response = signed_in_at(world, SigningOutIdp(form)).person.get("/logout")
    assert response.status_code == 200
    assert b'name="SAMLRequest"' in response.data


@pytest.mark.parametrize(
    "answer", [None, UpstreamError(Reason.SAML_METADATA_UNAVAILABLE)], ids=["not asked", "down"]
)
def test_a_provider_that_takes_no_part_keeps_nobody_signed_in(
    world: World, answer: UpstreamError | None
) -> None:
    app = signed_in_at(world, SigningOutIdp(answer))
    response = app.person.get(f"/logout?client_id=web&logout_uri={HOME}")
    assert response.headers["Location"] == HOME
    assert "error=login_required" in app.authorize(prompt="none").headers["Location"]


def test_somebody_who_is_not_signed_in_is_sent_to_no_provider(world: World) -> None:
    idp = SigningOutIdp(REMEMBERED)
    signed_in_at(world, idp)
    assert world.browser().get("/logout").status_code == 200
    assert not idp.asked
