"""Who is calling the token endpoint: ``client_secret_basic``, ``client_secret_post``, or a public client.

RFC 6749 2.3.1. An unknown client and a wrong secret fail alike, in text and in time.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.parameters import Parameters
from broker.model.pool import AppClient, UserPool

_BASIC = "basic "
_NO_SECRET = "a secret no client has"  # compared when there is none, so that time tells nothing


@dataclass(frozen=True, slots=True)
class _Credentials:
    client_id: str
    secrets: tuple[str, ...] = field(repr=False)
    """The readings of one secret: as sent and, for Basic, form-url-decoded. Empty: none was sent."""


def authenticate(authorization: str | None, form: Parameters, pool: UserPool) -> AppClient:
    """The client that sent this request.

    Raises ``OAuthError``: ``invalid_request`` for two ways at once or none, ``invalid_client`` for
    credentials that do not fit.
    """
    if authorization is not None and is_basic(authorization):
        candidates = _from_basic(authorization[len(_BASIC) :], form)
    else:
        candidates = _from_form(form)
    for credentials in candidates:
        client = pool.clients.get(credentials.client_id)
        if secret_fits(client, credentials.secrets) and client is not None:
            return client
    raise OAuthError(
        ErrorCode.INVALID_CLIENT,
        "The client is unknown or its credentials are wrong.",
        reason=RequestReason.INVALID_CLIENT,
    )


def is_basic(authorization: str | None) -> bool:
    """Whether the Authorization header tries Basic (RFC 7617 2); another scheme is none of ours."""
    return authorization is not None and authorization[: len(_BASIC)].lower() == _BASIC


def _from_form(form: Parameters) -> tuple[_Credentials, ...]:
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if client_id is None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "The client_id is missing; send it in the body or authenticate with Basic.",
            reason=RequestReason.CLIENT_ID_MISSING,
        )
    return (_Credentials(client_id, () if secret is None else (secret,)),)


def _from_basic(encoded: str, form: Parameters) -> tuple[_Credentials, ...]:
    """Both readings of Basic credentials: as sent and form-url-decoded, as RFC 6749 2.3.1 asks.

    Clients in the field do either (curl does not encode ``+``, openid-client encodes even ``-``).
    """
    if form.get("client_secret") is not None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "Authenticate once: by Basic or in the body, not both.",
            reason=RequestReason.CLIENT_AUTH_TWICE,
        )
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, not even ASCII, or bytes that are not UTF-8
        user = password = ""
    if form.get("client_id") not in (None, user, unquote_plus(user)):
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "The client_id in the body is not the one in the Authorization header.",
            reason=RequestReason.CLIENT_ID_DIFFERS,
        )
    secrets = tuple(dict.fromkeys((password, unquote_plus(password)))) if password else ()
    return tuple(_Credentials(name, secrets) for name in dict.fromkeys((user, unquote_plus(user))))


def secret_fits(client: AppClient | None, secrets: tuple[str, ...]) -> bool:
    """Compare every reading in constant time; a public client must send none."""
    expected = _NO_SECRET if client is None or client.secret is None else client.secret
    matches = [hmac.compare_digest(_bytes(expected), _bytes(secret)) for secret in secrets]
    if client is None:
        return False
    return not secrets if client.is_public else any(matches)


def _bytes(secret: str) -> bytes:
    """What is not UTF-8 was read as surrogates; it must fail to match, not fail to encode."""
    return secret.encode("utf-8", "surrogatepass")
