"""Operations of the token API that take a refresh token."""

from __future__ import annotations

import base64
import hashlib
import hmac

from broker.login.broker import Broker
from broker.model.login import UserProfile
from broker.model.pool import AppClient, UserPool
from broker.model.tokens import TokenRequest
from broker.oauth.client_auth import secret_fits
from broker.web.api_wire import ApiError, Members
from broker.web.context import Site

MAX_CLIENT_ID = 128
_REFRESH_FLOWS = ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN")
_PASSWORD_FLOWS = (
    "ADMIN_NO_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH", "CUSTOM_AUTH", "USER_AUTH",
    "USER_PASSWORD_AUTH", "USER_SRP_AUTH",
)  # fmt: skip


def get_tokens_from_refresh_token(broker: Broker, site: Site, members: Members) -> object:
    """New tokens, with the next refresh token where the client rotates them."""
    refresh_token = members.required("RefreshToken")
    client = _client(site.pool, members.required("ClientId"))
    _check_secret(client, members.optional("ClientSecret"), "NotAuthorizedException")
    return {"AuthenticationResult": _refreshed(broker, site.pool, client, refresh_token)}


def initiate_auth(broker: Broker, site: Site, members: Members) -> object:
    """``REFRESH_TOKEN_AUTH`` alone; like Cognito, not for a client that rotates refresh tokens."""
    flow = members.required("AuthFlow")
    client = _client(site.pool, members.required("ClientId"))
    _check_flow(flow, client)
    parameters = members.map("AuthParameters")
    refresh_token = parameters.optional("REFRESH_TOKEN")
    if refresh_token is None:
        raise ApiError("InvalidParameterException", "Missing required parameter REFRESH_TOKEN")
    _, user = broker.refresh_grant.read(site.pool, client, refresh_token)
    _check_secret_hash(client, user, parameters.optional("SECRET_HASH"))
    return {
        "ChallengeParameters": {},
        "AuthenticationResult": _refreshed(broker, site.pool, client, refresh_token),
    }


def revoke_token(broker: Broker, site: Site, members: Members) -> object:
    """The same as ``/oauth2/revoke``: idempotent, and silent about tokens of other clients."""
    token, client_id = members.required("Token"), members.required("ClientId")
    client = site.pool.clients.get(client_id)
    if client is None:
        raise ApiError("UnauthorizedException", "The client is unknown or its secret is wrong.")
    _check_secret(client, members.optional("ClientSecret"), "UnauthorizedException")
    broker.refresh_tokens.revoke_token(site.pool, client, token)
    return {}


def _client(pool: UserPool, client_id: str) -> AppClient:
    """Cognito tells an unknown client apart, and repeats its id: ids are public, and no secret of
    whoever sends one."""
    client = pool.clients.get(client_id)
    if client is None and len(client_id) > MAX_CLIENT_ID:
        raise ApiError(
            "InvalidParameterException",
            "1 validation error detected: Value at 'clientId' failed to satisfy constraint: Member "
            f"must have length less than or equal to {MAX_CLIENT_ID}",
        )
    if client is None:
        raise ApiError("ResourceNotFoundException", f"User pool client {client_id} does not exist.")
    return client


def _check_secret(client: AppClient, secret: str | None, refusal: str) -> None:
    if not secret_fits(client, () if secret is None else (secret,)):
        raise ApiError(refusal, "The client is unknown or its secret is wrong.")


def _check_flow(flow: str, client: AppClient) -> None:
    if flow in _PASSWORD_FLOWS or (flow in _REFRESH_FLOWS and client.rotation is not None):
        raise ApiError("InvalidParameterException", f"{flow} flow not enabled for this client")
    if flow not in _REFRESH_FLOWS:
        raise ApiError(
            "InvalidParameterException",
            "1 validation error detected: Value at 'authFlow' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join((*_REFRESH_FLOWS, *_PASSWORD_FLOWS))}]",
        )


def _check_secret_hash(client: AppClient, user: UserProfile, sent: str | None) -> None:
    """HMAC-SHA256 of user name and client id under the client's secret; ``sub`` is a name too."""
    if client.secret is None:
        return
    if sent is None:
        raise ApiError(
            "NotAuthorizedException",
            f"Client {client.id} is configured with secret but SECRET_HASH was not received",
        )
    fits = [
        hmac.compare_digest(secret_hash(name, client.id, client.secret).encode(), sent.encode())
        for name in (user.username, user.sub)
    ]
    if not any(fits):
        raise ApiError(
            "NotAuthorizedException", f"Unable to verify secret hash for client {client.id}"
        )


def secret_hash(username: str, client_id: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), (username + client_id).encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def _refreshed(
    broker: Broker, pool: UserPool, client: AppClient, refresh_token: str
) -> dict[str, object]:
    """The refresh grant of the token endpoint, in the names of the API."""
    asked = TokenRequest(grant_type="refresh_token", refresh_token=refresh_token)
    tokens = broker.issuers.of(pool).issue(broker.refresh_grant.authorize(pool, client, asked))
    result: dict[str, object] = {
        "AccessToken": tokens.access_token,
        "ExpiresIn": tokens.expires_in,
        "TokenType": "Bearer",
        "IdToken": tokens.id_token,
        "RefreshToken": tokens.refresh_token,
    }
    return {name: value for name, value in result.items() if value is not None}
