"""What the demo's OpenID provider is asked, and by whom: requests checked and made plain values."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """The one relying party: what was agreed with it beforehand."""

    id: str
    secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRequest:
    """A request at the authorization endpoint (OIDC Core 3.1.2.1) that may be answered."""

    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    code_challenge: str | None
    login_hint: str | None


class UnprovenRedirectError(Exception):
    """Nobody knows whether the redirect URI may be trusted: the person gets a page instead."""


class RefusedError(Exception):
    """An OAuth error (RFC 6749 4.1.2.1, 5.2): a code and one sentence."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


def verify_redirect(params: Mapping[str, str], client: RegisteredClient) -> None:
    """OIDC Core 3.1.2.1: client and redirect URI as registered, compared exactly."""
    if params.get("client_id") != client.id:
        raise UnprovenRedirectError("This application is not registered here.")
    if params.get("redirect_uri") != client.redirect_uri:
        raise UnprovenRedirectError("The application did not register that redirect URI.")


def authentication_request(params: Mapping[str, str]) -> AuthenticationRequest:
    """The rest of the request, once an error has a safe way back."""
    scopes = tuple(params.get("scope", "").split())
    if params.get("response_type") != "code":
        raise RefusedError("unsupported_response_type", "Only response_type=code is offered.")
    if "openid" not in scopes:
        raise RefusedError("invalid_scope", "The scope openid is missing.")
    if "none" in params.get("prompt", "").split():
        raise RefusedError("login_required", "This provider asks every time.")
    _check_challenge(params)
    return AuthenticationRequest(
        scopes=scopes,
        state=params.get("state"),
        nonce=params.get("nonce"),
        code_challenge=params.get("code_challenge"),
        login_hint=params.get("login_hint"),
    )


def _check_challenge(params: Mapping[str, str]) -> None:
    """RFC 7636 4.3, and ``plain`` is not offered."""
    if "code_challenge" in params and params.get("code_challenge_method") != "S256":
        raise RefusedError("invalid_request", "Only code_challenge_method=S256 is offered.")


def verify_challenge(challenge: str | None, verifier: str | None) -> None:
    """RFC 7636 4.6; a verifier nobody announced is refused as well (RFC 9700 2.1.1)."""
    if challenge is None and verifier is None:
        return
    digest = sha256((verifier or "").encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if challenge is None or verifier is None or not hmac.compare_digest(expected, challenge):
        raise RefusedError("invalid_grant", "The code verifier does not fit.")


def authenticate_client(
    params: Mapping[str, str], authorization: str | None, client: RegisteredClient
) -> None:
    """RFC 6749 2.3.1: by HTTP Basic or in the body, not both."""
    if authorization is None:
        client_id, secret = params.get("client_id", ""), params.get("client_secret", "")
    elif "client_secret" in params:
        raise RefusedError("invalid_request", "Two ways of client authentication at once.")
    else:
        client_id, secret = _basic(authorization)
    known = hmac.compare_digest(client_id.encode(), client.id.encode())
    if not (hmac.compare_digest(secret.encode(), client.secret.encode()) and known):
        raise RefusedError("invalid_client", "Unknown client, or wrong secret.")


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    if scheme.lower() != "basic" or ":" not in decoded:
        raise RefusedError("invalid_client", "The Authorization header cannot be read.")
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
