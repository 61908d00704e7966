"""Identity providers that ask for sessions to be ended: which of a pool's providers is it?

A message names its issuer, which is not to be believed: it only chooses whose keys the message must
verify with. Choosing asks nobody over the network, since anybody can send such a message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from broker.model.errors import Reason, UpstreamError
from broker.model.login import Callback, ProviderLogout, UpstreamRequest, upstream_session
from broker.model.pool import ProviderType, UserPool
from broker.model.stored import Kind
from broker.ports import ReplayGuard, SingleUseStore, Upstreams
from broker.saml.logout import claimed_issuer
from broker.upstream import failures
from broker.upstream.oidc import OidcUpstream
from broker.upstream.saml import SamlUpstream
from broker.upstream.saml_metadata import SamlMetadata
from broker.upstream.saml_party import REQUEST

LOGOUT_TOKEN = "logout_token"
_RETRY_SECONDS = 86400
"""How long a session's name is good for another try, with the same token or a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlLogouts:
    """LogoutRequests by POST (SAML profiles 4.4.3.1)."""

    upstreams: Upstreams
    metadata: SamlMetadata

    def receive(self, pool: UserPool, callback: Callback) -> Sequence[ProviderLogout]:
        issuer = claimed_issuer(callback.params.get(REQUEST, ""))
        refusal = UpstreamError(
            Reason.SAML_LOGOUT_UNEXPECTED,
            expected="a LogoutRequest of a configured provider",
            received=(issuer or "no issuer")[:200],
        )
        called = self.metadata.called(pool, issuer or "")
        connectors = (self.upstreams.of(pool, provider.name) for provider in called)
        return _accepted(
            (
                partial(connector.accept_logout, callback)
                for connector in connectors
                if isinstance(connector, SamlUpstream)
            ),
            refusal,
        )

    def conclude(
        self, pool: UserPool, callback: Callback, wishes: Sequence[ProviderLogout]
    ) -> UpstreamRequest | None:
        """One message, one answer: that of the first provider that has a place for it."""
        answers = [
            connector.answer_logout(callback, wish)
            for wish in wishes
            if isinstance(connector := self.upstreams.of(pool, wish.provider), SamlUpstream)
        ]
        return next((answer for answer in answers if answer is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcLogouts:
    """Logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

    upstreams: Upstreams
    replay: ReplayGuard
    named: SingleUseStore

    def receive(self, pool: UserPool, callback: Callback) -> Sequence[ProviderLogout]:
        token = callback.params.get(LOGOUT_TOKEN, "")
        return _accepted(
            (
                partial(self._wish, pool, name, upstream, token)
                for name, upstream in self._with_issuer(pool, _claimed(token))
            ),
            failures.refused(Reason.OIDC_LOGOUT_TOKEN, expected="a token of a configured provider"),
        )

    def conclude(
        self,
        pool: UserPool,
        callback: Callback,  # noqa: ARG002  # the port's: a token is answered by the HTTP status
        wishes: Sequence[ProviderLogout],
    ) -> UpstreamRequest | None:
        for wish in wishes:
            scope, until = _scope(wish.provider), wish.usable_until
            if not self.replay.first_time(pool.id, scope, wish.message_id, until=until):
                raise _used_before()
        return None

    def _with_issuer(
        self, pool: UserPool, issuer: str | None
    ) -> Iterator[tuple[str, OidcUpstream]]:
        for provider in pool.providers.values():
            if issuer is None or provider.type is ProviderType.SAML:
                continue
            upstream = self.upstreams.of(pool, provider.name)
            if isinstance(upstream, OidcUpstream) and upstream.is_issuer(issuer):
                yield provider.name, upstream

    def _wish(
        self, pool: UserPool, name: str, upstream: OidcUpstream, token: str
    ) -> ProviderLogout:
        """Section 2.6: verified, not used before, and about somebody whose sessions can be found."""
        verified = upstream.logout_token(token)
        if self.replay.seen(pool.id, _scope(name), verified.jti):
            raise _used_before()
        return ProviderLogout(
            provider=name,
            subject=verified.sub or self._person_of(pool, name, verified.sid),
            message_id=verified.jti,
            usable_until=verified.usable_until,
        )

    def _person_of(self, pool: UserPool, name: str, session_id: str | None) -> str:
        """Whose session that is; empty for one that is not known, or over: it needs no ending.

        The name is spent, not taken: the token may come again when the sessions could not be ended.
        """
        if session_id is None or not session_id.isprintable():
            return ""  # no session was kept under such a name
        key = upstream_session(name, session_id)
        spent = self.named.spend(pool.id, Kind.UPSTREAM_SESSION, key, remember=_RETRY_SECONDS)
        return "" if spent is None else spent.value.decode()


def _accepted(
    tries: Iterable[Callable[[], ProviderLogout]], refusal: UpstreamError
) -> Sequence[ProviderLogout]:
    """The wish of every provider that the message proves to come from; the last refusal if of none.

    A pool may have one and the same provider under two names, and its people sessions by both.
    """
    wishes = []
    for accept in tries:
        try:
            wishes.append(accept())
        except UpstreamError as error:
            refusal = error
    if not wishes:
        raise refusal
    return wishes


def _scope(provider: str) -> str:
    return f"oidc-logout:{provider}"


def _used_before() -> UpstreamError:
    return failures.refused(Reason.OIDC_LOGOUT_TOKEN, expected="a jti not seen before")


def _claimed(token: str) -> str | None:
    """The issuer a token names, unverified."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None
