"""``/oauth2/revoke``: end a refresh token and all that came of it (RFC 7009)."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.parameters import Parameters
from broker.oauth.authorization_request import refuse_other_encodings, refuse_repeated
from broker.oauth.client_auth import authenticate
from broker.web import context, errors
from broker.web.context import Site
from broker.web.request import Request
from broker.web.response import Response

_KNOWN = ("token", "token_type_hint", "client_id", "client_secret")


def revoke(request: Request, broker: Broker, site: Site) -> Response:
    """200 with an empty body, also for tokens that are unknown or revoked already."""
    try:
        form = context.form(request)
        refuse_repeated(form, _KNOWN)
        refuse_other_encodings(form, _KNOWN)
        client = authenticate(request.header("Authorization"), form, site.pool)
        broker.refresh_tokens.revoke_token(site.pool, client, _token(form))
    except OAuthError as error:
        return refused(request, error)
    return errors.empty(200)


def refused(request: Request, error: OAuthError) -> Response:
    """RFC 7009 2.2.1; an unknown client or a wrong secret is 401 here, however it was sent."""
    if error.code is not ErrorCode.INVALID_CLIENT:
        return errors.json_error(request, error)
    response = errors.json_error(request, error, 401)
    response.add_header("WWW-Authenticate", errors.BASIC_CHALLENGE)
    return response


def _token(form: Parameters) -> str:
    token = form.get("token")
    if token is None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "The parameter token is missing.",
            reason=RequestReason.PARAMETER_MISSING,
        )
    return token
