"""``/oauth2/userInfo``: who the access token speaks of (OIDC Core 5.3)."""

from __future__ import annotations

from flask import Response, request

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError
from broker.model.login import UserProfile
from broker.model.pool import UserPool
from broker.model.tokens import Claims
from broker.oauth.claims import userinfo_claims
from broker.oauth.scopes import OPENID
from broker.web import context, errors
from broker.web.context import Site

_FORM = "application/x-www-form-urlencoded"


def userinfo(broker: Broker, site: Site) -> Response:
    """GET or POST with a Bearer header, or POST with ``access_token`` in the form (RFC 6750 2)."""
    try:
        claims = broker.issuers.of(site.pool).verify_access_token(_presented_token())
        scopes = tuple(str(claims.get("scope", "")).split())
        if OPENID not in scopes:
            raise _invalid_token()
        client = site.pool.clients.get(str(claims.get("client_id")))
        if client is None:
            raise _invalid_token()
        user = live_user(broker, site.pool, claims)
    except OAuthError as error:
        return refused(error)
    return errors.json_response(userinfo_claims(user, client, scopes, site.pool))


def live_user(broker: Broker, pool: UserPool, claims: Claims) -> UserProfile:
    """The token's user, if the token is still good: not revoked, user alive and not signed out.

    Raises ``OAuthError`` (``invalid_token``). Tokens without ``origin_jti`` name their family in
    ``event_id``.
    """
    family = claims.get("origin_jti") or claims.get("event_id")
    user = broker.directory.by_sub(pool.id, str(claims.get("sub")))
    if user is None or not user.enabled or not _signed_in_after(claims, user):
        raise _invalid_token()
    if not broker.refresh_tokens.is_live(pool, str(family)):
        raise _invalid_token()
    return user


def _signed_in_after(claims: Claims, user: UserProfile) -> bool:
    auth_time = claims.get("auth_time")
    return isinstance(auth_time, int) and auth_time >= user.tokens_valid_after


def refused(error: OAuthError) -> Response:
    """RFC 6750 3.1, in the words Cognito uses."""
    status = 400 if error.code is ErrorCode.INVALID_REQUEST else 401
    response = errors.json_error(error, status)
    response.headers["WWW-Authenticate"] = (
        f'Bearer error="{error.code}", error_description="{error.description}"'
    )
    return response


def _presented_token() -> str:
    """The one access token of the request: in the header or, by POST, in the form; never in both."""
    header = request.headers.get("Authorization")
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
    return OAuthError(ErrorCode.INVALID_REQUEST, "Bad OAuth2 request at UserInfo Endpoint")


def _invalid_token() -> OAuthError:
    return OAuthError(
        ErrorCode.INVALID_TOKEN,
        "Access token is expired, disabled, or deleted, or the user has globally signed out.",
    )
