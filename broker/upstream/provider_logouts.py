"""Identity providers that ask for sessions to be ended: which of a pool's providers is it?

A message names its issuer, which is not to be believed: it only chooses whose keys the message must
verify with. Choosing asks nobody over the network, since anybody can send such a message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from broker.model.errors import Reason, UpstreamError
from broker.model.login import Callback, ProviderLogout
from broker.model.pool import ProviderType, UserPool
from broker.ports import Clock, Kind, ReplayGuard, SingleUseStore, Upstreams, upstream_session
from broker.saml.logout import claimed_issuer
from broker.upstream import failures
from broker.upstream.oidc import OidcUpstream
from broker.upstream.saml import SamlUpstream
from broker.upstream.saml_metadata import SamlMetadata
from broker.upstream.saml_party import REQUEST

LOGOUT_TOKEN = "logout_token"
_REMEMBER_SECONDS = 3600
"""A token that comes again later than this ends sessions a second time, and does no other harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlLogouts:
    """LogoutRequests by POST (SAML profiles 4.4.3.1)."""

    upstreams: Upstreams
    metadata: SamlMetadata

    def receive(self, pool: UserPool, callback: Callback) -> tuple[str, ProviderLogout]:
        issuer = claimed_issuer(callback.params.get(REQUEST, ""))
        refusal = UpstreamError(
            Reason.SAML_LOGOUT_UNEXPECTED,
            expected="a LogoutRequest of a configured provider",
            received=(issuer or "no issuer")[:200],
        )
        for provider in self.metadata.called(pool, issuer or ""):
            upstream = self.upstreams.of(pool, provider.name)
            if isinstance(upstream, SamlUpstream):
                try:
                    return provider.name, upstream.accept_logout(callback)
                except UpstreamError as error:
                    refusal = error
        raise refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcLogouts:
    """Logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

    upstreams: Upstreams
    replay: ReplayGuard
    named: SingleUseStore
    clock: Clock

    def receive(self, pool: UserPool, callback: Callback) -> tuple[str, ProviderLogout]:
        token = callback.params.get(LOGOUT_TOKEN, "")
        issuer = _claimed(token)
        refusal = failures.refused(
            Reason.OIDC_LOGOUT_TOKEN, expected="a token of a configured provider"
        )
        for name, upstream in self._with_issuer(pool, issuer):
            try:
                return name, self._accepted(pool, name, upstream, token)
            except UpstreamError as error:
                refusal = error
        raise refusal

    def _with_issuer(
        self, pool: UserPool, issuer: str | None
    ) -> Iterator[tuple[str, OidcUpstream]]:
        for provider in pool.providers.values():
            if issuer is None or provider.type is ProviderType.SAML:
                continue
            upstream = self.upstreams.of(pool, provider.name)
            if isinstance(upstream, OidcUpstream) and upstream.is_issuer(issuer):
                yield provider.name, upstream

    def _accepted(
        self, pool: UserPool, name: str, upstream: OidcUpstream, token: str
    ) -> ProviderLogout:
        """Section 2.6: verified, used once, and about somebody whose sessions can be found."""
        verified = upstream.logout_token(token)
        until = self.clock.now() + _REMEMBER_SECONDS
        if not self.replay.first_time(pool.id, f"oidc-logout:{name}", verified.jti, until=until):
            raise failures.refused(Reason.OIDC_LOGOUT_TOKEN, expected="a jti not seen before")
        return ProviderLogout(subject=verified.sub or self._person_of(pool, name, verified.sid))

    def _person_of(self, pool: UserPool, name: str, session_id: str | None) -> str:
        """Whose session that is; empty for one that is not known, or over: it needs no ending."""
        if session_id is None or not session_id.isprintable():
            return ""  # no session was kept under such a name
        key = upstream_session(name, session_id)
        person = self.named.take(pool.id, Kind.UPSTREAM_SESSION, key)
        return "" if person is None else person.decode()


def _claimed(token: str) -> str | None:
    """The issuer a token names, unverified."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None
