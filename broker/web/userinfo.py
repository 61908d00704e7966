"""``/oauth2/userInfo``: who the access token speaks of (OIDC Core 5.3)."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.oauth.claims import userinfo_claims
from broker.oauth.issuer import invalid_token
from broker.oauth.scopes import OPENID
from broker.web import context, errors
from broker.web.context import Site
from broker.web.request import Request
from broker.web.response import Response

_FORM = "application/x-www-form-urlencoded"


def userinfo(request: Request, broker: Broker, site: Site) -> Response:
    """GET or POST with a Bearer header, or POST with ``access_token`` in the form (RFC 6750 2)."""
    try:
        live = broker.access_tokens.live(site.pool, _presented_token(request))
        if OPENID not in live.scopes:
            raise invalid_token(RequestReason.OPENID_MISSING)
    except OAuthError as error:
        return refused(request, error)
    return errors.json_response(userinfo_claims(live.user, live.client, live.scopes, site.pool))


def refused(request: Request, error: OAuthError) -> Response:
    """RFC 6750 3.1, in the words Cognito uses."""
    status = 400 if error.code is ErrorCode.INVALID_REQUEST else 401
    response = errors.json_error(request, error, status)
    response.add_header(
        "WWW-Authenticate", f'Bearer error="{error.code}", error_description="{error.description}"'
    )
    return response


def _presented_token(request: Request) -> str:
    """The one access token of the request: in the header or, by POST, in the form; never in both."""
    header = request.header("Authorization")
    in_form = None
    if request.method == "POST" and request.mimetype == _FORM:
        form = context.form(request)
        in_form = form.get("access_token")
        if "access_token" in form.repeated:
            raise _bad_request()
    if (header is None) == (in_form is None):
        raise _bad_request()
    if in_form is not None:
        return in_form
    scheme, _, credentials = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise _bad_request()
    return credentials.strip()


def _bad_request() -> OAuthError:
    return OAuthError(
        ErrorCode.INVALID_REQUEST,
        "Bad OAuth2 request at UserInfo Endpoint",
        reason=RequestReason.INVALID_REQUEST,
    )
