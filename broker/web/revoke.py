"""``/oauth2/revoke``: end a refresh token and all that came of it (RFC 7009)."""

from __future__ import annotations

from flask import Response, request

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError
from broker.model.parameters import Parameters
from broker.model.pool import AppClient, UserPool
from broker.oauth.authorization_request import refuse_repeated
from broker.oauth.client_auth import authenticate
from broker.web import context, errors
from broker.web.context import Site

_KNOWN = ("token", "token_type_hint", "client_id", "client_secret")


def revoke(broker: Broker, site: Site) -> Response:
    """200 with an empty body, also for tokens that are unknown or revoked already."""
    try:
        form = context.form(request)
        refuse_repeated(form, _KNOWN)
        client = authenticate(request.headers.get("Authorization"), form, site.pool)
        _revoke(broker, site.pool, client, _token(form, client))
    except OAuthError as error:
        status = 401 if error.code is ErrorCode.INVALID_CLIENT else 400
        return errors.json_error(error, status)
    # No Content-Type: browser libraries try to parse any body that has one.
    return Response(status=200, headers=errors.NO_STORE, content_type=None)


def _token(form: Parameters, client: AppClient) -> str:
    token = form.get("token")
    if token is None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST, "The parameter token is missing.", reason="parameter_missing"
        )
    if not client.revocation:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "Token revocation is off for this client; see EnableTokenRevocation.",
            reason="revocation_off",
        )
    return token


def _revoke(broker: Broker, pool: UserPool, client: AppClient, token: str) -> None:
    """RFC 7009 2.1: a token of another client is left alone, and nobody learns that it exists."""
    if token.count(".") == 2:  # noqa: PLR2004  # a JWT: header, payload, signature
        raise OAuthError(
            ErrorCode.UNSUPPORTED_TOKEN_TYPE, "Only refresh tokens can be revoked here."
        )
    family = broker.refresh_tokens.store.lookup(pool.id, token)
    if family is not None and family.client_id == client.id:
        broker.refresh_tokens.revoke(pool, family.origin_jti)
