"""``/oauth2/token``: a grant for tokens (RFC 6749 4.1.3, 4.4.2, 6; errors 5.2)."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.parameters import Parameters
from broker.model.tokens import TokenRequest, TokenSet
from broker.oauth.authorization_request import refuse_other_encodings, refuse_repeated
from broker.oauth.client_auth import authenticate, is_basic
from broker.oauth.scopes import split_scopes
from broker.web import context, errors
from broker.web.context import Site
from broker.web.request import Request
from broker.web.response import Response

_KNOWN = (
    "grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier",
    "refresh_token", "scope", "aws_client_metadata", "resource",
)  # fmt: skip


def token(request: Request, broker: Broker, site: Site) -> Response:
    """Authenticate the client, let its grant decide, sign what it established."""
    try:
        form = context.form(request)
        refuse_repeated(form, _KNOWN)
        refuse_other_encodings(form, _KNOWN)
        client = authenticate(request.header("Authorization"), form, site.pool)
        asked = _token_request(form)
        grant = broker.grants.get(asked.grant_type)
        if grant is None:
            raise OAuthError(
                ErrorCode.UNSUPPORTED_GRANT_TYPE,
                "Use authorization_code, refresh_token or client_credentials.",
                reason=RequestReason.UNSUPPORTED_GRANT_TYPE,
            )
        authorization = grant.authorize(site.pool, client, asked)
        tokens = broker.issuers.of(site.pool).issue(authorization)
    except OAuthError as error:
        return refused(request, error)
    return errors.json_response(_body(tokens))


def refused(request: Request, error: OAuthError) -> Response:
    """400; a client that tried Basic and failed gets 401 with a challenge (RFC 6749 5.2)."""
    if error.code is not ErrorCode.INVALID_CLIENT or not is_basic(request.header("Authorization")):
        return errors.json_error(request, error)
    response = errors.json_error(request, error, 401)
    response.add_header("WWW-Authenticate", errors.BASIC_CHALLENGE)
    return response


def _token_request(form: Parameters) -> TokenRequest:
    grant_type = form.get("grant_type")
    if grant_type is None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "The parameter grant_type is missing.",
            reason=RequestReason.PARAMETER_MISSING,
        )
    scope = form.get("scope")
    return TokenRequest(
        grant_type=grant_type,
        code=form.get("code"),
        redirect_uri=form.get("redirect_uri"),
        code_verifier=form.get("code_verifier"),
        refresh_token=form.get("refresh_token"),
        scopes=None if scope is None else split_scopes(scope),
    )


def _body(tokens: TokenSet) -> dict[str, object]:
    members = {
        "id_token": tokens.id_token,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
    }
    body: dict[str, object] = {name: value for name, value in members.items() if value is not None}
    return {**body, "expires_in": tokens.expires_in, "token_type": "Bearer"}
