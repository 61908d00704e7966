"""OpenID Connect providers: the connector they all share, and the generic type ``OIDC``.

``Traits`` is what a provider declares about itself; google.py, apple.py and microsoft.py are little
else. The steps of a sign-in are in ``complete``, in the order of OIDC Core 3.1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

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
from broker.model.pool import IdentityProvider, OAuthSettings, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.cache import Cached, Ration
from broker.upstream.claims import claim_values
from broker.upstream.client_auth import Authenticate, configured
from broker.upstream.code_flow import NONCE, CodeFlow, Dialect, Tokens, with_query
from broker.upstream.discovery import Discovery, ProviderMetadata
from broker.upstream.failures import refused
from broker.upstream.http import HttpClient
from broker.upstream.id_token import IdToken, IssuerRule, Rules, exact_issuer, verified
from broker.upstream.jwks import Jwks, VerificationKey, published_keys
from broker.upstream.logout_token import LogoutToken, verify_logout_token
from broker.upstream.signed import ASYMMETRIC, HMAC, Signatures
from broker.upstream.user_info import UserInfo, UserInfoRequest, user_info

ID_TOKEN = "id_token"
SESSION_ID = "sid"
LOGOUT_PATH = "/oauth2/logoutresponse"
"""Where the provider sends the browser after a sign-out there; registered with it."""
MAX_SESSION_ID = 255
MAX_HINT = 4096
"""A longer ID token is not kept for the sign-out: sessions are read at every request."""

DIALECT = Dialect(scopes="openid", nonce=True, max_age=True)


def _subject(id_token: IdToken, _metadata: ProviderMetadata) -> str:
    return id_token.subject


def _no_claims(_params: Mapping[str, str]) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a type of provider declares; the defaults are the standard's."""

    dialect: Dialect = DIALECT
    built_in: ProviderMetadata | None = None
    """Endpoints everybody knows. None: they are discovered below the issuer."""
    algorithms: tuple[str, ...] = ASYMMETRIC
    is_issuer: Callable[[str, str], bool] = str.__eq__
    """(the issuer we know, one that is received) -> whether they are the same provider."""
    issuer_rule: IssuerRule = exact_issuer
    subject: Callable[[IdToken, ProviderMetadata], str] = _subject
    user_info: UserInfo = user_info
    callback_claims: Callable[[Mapping[str, str]], Mapping[str, Any]] = _no_claims
    """Claims in the callback itself. They come through the browser: names, never an identity."""
    authenticate: Callable[[OAuthSettings, Clock], Authenticate] = configured


@dataclass(frozen=True, kw_only=True)
class OidcUpstream:
    """One OpenID Connect provider of a pool."""

    pool: UserPool
    provider: IdentityProvider
    http: HttpClient
    clock: Clock
    traits: Traits = field(default_factory=Traits)

    def begin(
        self, transaction_id: str, request: AuthorizationRequest, base_url: str
    ) -> UpstreamRequest:
        return self._flow.begin(self._discovery.metadata(), transaction_id, request, base_url)

    def complete(self, callback: Callback, transaction: Transaction) -> ExternalIdentity:
        metadata = self._discovery.metadata()
        code = self._flow.code(callback, metadata)
        tokens = self._flow.exchange(metadata, code, transaction)
        id_token = self._id_token(tokens, metadata, transaction)
        further = self._user_info(metadata, tokens, id_token)
        claims = {**further, **self.traits.callback_claims(callback.params), **id_token.claims}
        return ExternalIdentity(
            provider=self.provider.name,
            subject=self.traits.subject(id_token, metadata),
            issuer=id_token.issuer,
            claims={**claim_values(claims, self._mapped), **tokens.claims(self._mapped)},
            session_id=_session_id(id_token),
            logout=self._kept_for_logout(tokens, id_token),
        )

    def begin_logout(
        self, sign_out_id: str, session: LoginSession, base_url: str
    ) -> UpstreamRequest | None:
        """RP-Initiated Logout 1.0 section 2. None: not wanted, or the provider has no such thing.

        ``sign_out_id`` comes back as ``state``.
        """
        if not self._settings.idp_signout:
            return None
        try:
            url = self._discovery.metadata().end_session_url
        except UpstreamError:
            return None
        hint = session.logout.get(ID_TOKEN)
        parameters = {
            **({"id_token_hint": hint} if hint else {}),
            "client_id": self._settings.client_id,
            "post_logout_redirect_uri": base_url + LOGOUT_PATH,
            "state": sign_out_id,
        }
        return None if url is None else UpstreamRequest(url=with_query(url, parameters))

    def complete_logout(self, callback: Callback, pending: PendingSignOut) -> bool:  # noqa: ARG002  # the port's
        """Section 3: the provider sends the browser back and says nothing else, signed or not."""
        return True

    def logout_token(self, token: str) -> LogoutToken:
        """Back-Channel Logout 1.0 section 2.6. Raises ``UpstreamError``."""
        rules = self._rules(self._discovery.metadata(), self._logout_signatures)
        return verify_logout_token(token, rules, now=self.clock.now())

    def is_issuer(self, issuer: str) -> bool:
        """Whether tokens of that issuer can be this provider's. Asks nobody."""
        return issuer == self._settings.issuer

    @property
    def _settings(self) -> OAuthSettings:
        return cast("OAuthSettings", self.provider.settings)

    @cached_property
    def _guarded(self) -> HttpClient:
        return self.http.guarded()

    @cached_property
    def _flow(self) -> CodeFlow:
        return CodeFlow(
            provider=self.provider,
            settings=self._settings,
            dialect=self.traits.dialect,
            authenticate=self.traits.authenticate(self._settings, self.clock),
            http=self._guarded,
            is_issuer=self.traits.is_issuer,
        )

    @cached_property
    def _discovery(self) -> Discovery:
        known = self._known()
        return Discovery(
            provider=self.provider,
            settings=self._settings,
            known=known,
            is_complete=self.traits.built_in is not None and known.suffices,
            is_issuer=lambda issuer: self.traits.is_issuer(known.issuer, issuer),
            # Not behind the breaker: the browser is always sent on when that is possible at all.
            http=self.http,
            clock=self.clock,
        )

    def _known(self) -> ProviderMetadata:
        """Built-in endpoints belong to the built-in issuer; those of another are discovered."""
        built_in = self.traits.built_in or ProviderMetadata()
        issuer = self._settings.issuer or built_in.issuer
        if not issuer:
            raise refused(Reason.OIDC_NOT_CONFIGURED, expected="oidc_issuer")
        known = built_in if issuer == built_in.issuer else ProviderMetadata(issuer=issuer)
        return known.overridden(self._settings)

    @cached_property
    def _signatures(self) -> Signatures:
        """HMAC only when the configuration says so, and then nothing else."""
        declared = self._settings.extra.get("id_token_signed_response_alg")
        if declared is not None and declared not in (*ASYMMETRIC, *HMAC):
            raise refused(
                Reason.OIDC_NOT_CONFIGURED,
                expected="id_token_signed_response_alg: a signature algorithm",
                received=declared,
            )
        algorithms = self.traits.algorithms if declared is None else (declared,)
        return Signatures(
            algorithms=algorithms,
            secret=self._settings.client_secret if declared in HMAC else None,
            keys=self._keys(),
        )

    @cached_property
    def _logout_signatures(self) -> Signatures:
        """The same keys. Anybody can send a logout token, and must not use up the key fetches that
        sign-ins may need."""
        return replace(self._signatures, keys=self._keys())

    def _keys(self) -> Jwks:
        return Jwks(published=self._published_keys, ration=Ration(clock=self.clock))

    @cached_property
    def _published_keys(self) -> Cached[tuple[VerificationKey, ...]]:
        return published_keys(
            self.provider,
            lambda: self._discovery.metadata().jwks_uri or "",
            self._guarded,
            self.clock,
        )

    @cached_property
    def _mapped(self) -> frozenset[str]:
        return frozenset(self.provider.attribute_mapping.values())

    def _rules(self, metadata: ProviderMetadata, signatures: Signatures) -> Rules:
        return Rules(
            issuer=metadata.issuer,
            audience=self._settings.client_id,
            signatures=signatures,
            issuer_rule=self.traits.issuer_rule,
        )

    def _id_token(
        self, tokens: Tokens, metadata: ProviderMetadata, transaction: Transaction
    ) -> IdToken:
        if tokens.id_token is None:
            raise refused(Reason.OIDC_TOKEN_ANSWER, expected="an id_token (scope openid)")
        age = transaction.request.oldest_sign_in if self.traits.dialect.max_age else None
        return verified(
            tokens.id_token,
            self._rules(metadata, self._signatures),
            nonce=transaction.remembered.get(NONCE, ""),
            now=self.clock.now(),
            signed_in_after=None if age is None else transaction.created_at - age,
        )

    def _user_info(
        self, metadata: ProviderMetadata, tokens: Tokens, id_token: IdToken
    ) -> Mapping[str, Any]:
        if metadata.attributes_url is None:
            return {}
        return self.traits.user_info(
            UserInfoRequest(
                provider=self.provider,
                settings=self._settings,
                http=self._guarded,
                url=metadata.attributes_url,
                access_token=tokens.access_token,
                subject=id_token.subject,
            )
        )

    def _kept_for_logout(self, tokens: Tokens, id_token: IdToken) -> dict[str, str]:
        """The ID token, as hint for the provider, and its name for the session there."""
        if not self._settings.idp_signout:
            return {}
        kept = {ID_TOKEN: tokens.id_token or "", SESSION_ID: id_token.claims.get(SESSION_ID)}
        return {n: v for n, v in kept.items() if isinstance(v, str) and 0 < len(v) <= MAX_HINT}


def _session_id(id_token: IdToken) -> str | None:
    """``sid``, by which a logout token may name the session (Back-Channel Logout 1.0 2.4)."""
    sid = id_token.claims.get(SESSION_ID)
    is_name = isinstance(sid, str) and sid.isprintable() and 0 < len(sid) <= MAX_SESSION_ID
    return sid if is_name else None


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    """``ProviderType: OIDC``: whatever the discovery document says, checked by the standard."""
    return OidcUpstream(pool=pool, provider=provider, http=http, clock=clock)
