"""The authorization code flow as a client (RFC 6749 4.1): the part all OAuth and OIDC providers share.

Builds the request the browser carries away, reads what it brings back, and exchanges the code. What
differs between providers is a ``Dialect``, which is data. Who the person is, is found out elsewhere:
from an ID token in ``oidc.py``, from a profile in ``profile.py``.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.login import AuthorizationRequest, Callback, Transaction, UpstreamRequest
from broker.model.pool import IdentityProvider, OAuthSettings
from broker.upstream.client_auth import Authenticate
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.failures import brief, error_answer, refused, unanswered
from broker.upstream.http import Answer, HttpClient, HttpError

CALLBACK_PATH = "/oauth2/idpresponse"
NONCE = "nonce"
VERIFIER = "code_verifier"

_OK = 200
_CANCELLED = frozenset({"access_denied", "user_cancelled_authorize"})
"""RFC 6749 4.1.2.1, and Apple's word for it."""
_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a provider's authorization and token endpoints differ from the plain standard."""

    scopes: str
    """Asked for when the configuration names none."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    login_hint: str | None = "login_hint"
    prompt: str | None = "prompt"
    prompts: Mapping[str, str] | None = None
    """The ``prompt`` values it knows, in its own words. None: those of OIDC Core 3.1.2.1."""
    nonce: bool = False
    max_age: bool = False
    pkce: bool = False
    """PKCE works although no document announces it."""
    token_by_get: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A successful token response (RFC 6749 5.1, OIDC Core 3.1.3.3)."""

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)

    def claims(self, wanted: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """Those tokens that an attribute mapping names: no copy is made otherwise."""
        held = {
            "access_token": self.access_token,
            "id_token": self.id_token,
            "refresh_token": self.refresh_token,
        }
        return {name: (token,) for name, token in held.items() if token and name in wanted}


@dataclass(frozen=True, kw_only=True)
class CodeFlow:
    """The flow with one provider."""

    provider: IdentityProvider
    settings: OAuthSettings
    dialect: Dialect
    authenticate: Authenticate
    http: HttpClient
    is_issuer: Callable[[str, str], bool] = str.__eq__
    """(the provider's issuer, an ``iss``) -> whether the answer is that provider's."""

    def begin(
        self,
        metadata: ProviderMetadata,
        transaction_id: str,
        request: AuthorizationRequest,
        base_url: str,
    ) -> UpstreamRequest:
        """RFC 6749 4.1.1, with ``nonce`` (OIDC Core 3.1.2.1) and PKCE (RFC 7636)."""
        remember: dict[str, str] = {}
        parameters = {
            "client_id": self.settings.client_id,
            "redirect_uri": base_url + CALLBACK_PATH,
            "scope": self.settings.scopes or self.dialect.scopes,
            "response_type": "code",
            "state": transaction_id,
        }
        if self.dialect.nonce:
            parameters[NONCE] = remember[NONCE] = secrets.token_urlsafe(24)
        if self.dialect.pkce or metadata.supports_pkce:
            remember[VERIFIER] = secrets.token_urlsafe(32)
            parameters["code_challenge"] = _challenge(remember[VERIFIER])
            parameters["code_challenge_method"] = "S256"
        parameters |= {**self._hints(request), **self.dialect.fixed}
        return UpstreamRequest(
            url=with_query(metadata.authorize_url, parameters), remember=remember
        )

    def code(self, callback: Callback, metadata: ProviderMetadata) -> str:
        """RFC 6749 4.1.2, RFC 9207 2.4. Raises ``UpstreamError`` for an error response too."""
        params = callback.params
        error = params.get("error")
        self._check_response_issuer(params, metadata, required=error is None)
        if error is not None:
            raise self._error_response(error, params.get("error_description", ""))
        code = params.get("code")
        if not code:
            raise refused(Reason.OIDC_CODE_MISSING, expected="code or error")
        return code

    def exchange(self, metadata: ProviderMetadata, code: str, transaction: Transaction) -> Tokens:
        """RFC 6749 4.1.3. The redirect URI is the one the sign-in began with."""
        credentials = self.authenticate(metadata)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            **credentials.form,
            "redirect_uri": transaction.base_url + CALLBACK_PATH,
        }
        if VERIFIER in transaction.remembered:
            form[VERIFIER] = transaction.remembered[VERIFIER]
        try:
            answer = self._send(metadata.token_url, form, {**_JSON, **credentials.headers})
        except HttpError as error:
            raise unanswered(error, asked="token endpoint") from error
        return self._tokens(answer)

    def _hints(self, request: AuthorizationRequest) -> dict[str, str]:
        """What the app asked of the sign-in. ``prompt=none`` never gets this far."""
        dialect, hints = self.dialect, {}
        if dialect.login_hint and request.login_hint:
            hints[dialect.login_hint] = request.login_hint
        prompts = [
            prompt if dialect.prompts is None else dialect.prompts.get(prompt, "")
            for prompt in request.prompt
            if prompt != "none"
        ]
        if dialect.prompt and any(prompts):
            hints[dialect.prompt] = " ".join(dict.fromkeys(filter(None, prompts)))
        age = request.oldest_sign_in
        if dialect.max_age and age is not None:
            hints["max_age"] = str(age)
        return hints

    def _check_response_issuer(
        self, params: Mapping[str, str], metadata: ProviderMetadata, *, required: bool
    ) -> None:
        """RFC 9207 2.4: an answer of another provider (mix-up) is refused."""
        issuer, is_owed = params.get("iss"), required and metadata.announces_iss
        if not metadata.issuer or (issuer is None and not is_owed):
            return
        if issuer is None or not self.is_issuer(metadata.issuer, issuer):
            raise refused(
                Reason.OIDC_RESPONSE_ISSUER, expected=metadata.issuer, received=issuer or "no iss"
            )

    def _error_response(self, error: str, description: str) -> UpstreamError:
        """RFC 6749 4.1.2.1."""
        said = brief(f"{error} {description}")
        if error in _CANCELLED:
            return UpstreamError(
                Reason.OIDC_CANCELLED,
                f"{self.provider.name} Error - {said}",
                code=ErrorCode.ACCESS_DENIED,
                received=said,
            )
        return UpstreamError(
            Reason.OIDC_ERROR_RESPONSE,
            f"{self.provider.name} Error - {said}",
            code=ErrorCode.INVALID_REQUEST,
            expected="a code",
            received=said,
        )

    def _send(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if self.dialect.token_by_get:
            return self.http.get(with_query(url, form), headers=headers, redirects=False)
        return self.http.post_form(url, form, headers=headers)

    def _tokens(self, answer: Answer) -> Tokens:
        """RFC 6749 5.1 and 5.2 (some providers send errors with status 200)."""
        body = answer.json()
        if answer.status != _OK or not isinstance(body, dict) or "error" in body:
            raise error_answer(self.provider, Reason.OIDC_TOKEN_REFUSED, answer, getting="token")
        fields = cast("dict[str, Any]", body)
        access_token, kind = fields.get("access_token"), fields.get("token_type", "bearer")
        if not isinstance(access_token, str) or not access_token:
            raise refused(Reason.OIDC_TOKEN_ANSWER, expected="an access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise refused(Reason.OIDC_TOKEN_ANSWER, expected="token_type Bearer", received=kind)
        return Tokens(
            access_token=access_token,
            id_token=_text(fields, "id_token"),
            refresh_token=_text(fields, "refresh_token"),
        )


def bearer(access_token: str) -> dict[str, str]:
    """RFC 6750 2.1."""
    return {**_JSON, "Authorization": f"Bearer {access_token}"}


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """``url`` with ``parameters`` behind the query it may have."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, errors='surrogateescape')}"


def _challenge(verifier: str) -> str:
    """RFC 7636 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
