"""``/logout``: end the browser's session, then go where the app may send people.

Three forms, the first that fits wins: ``client_id`` + ``logout_uri``; OpenID Connect RP-Initiated Logout
(``id_token_hint``, ``post_logout_redirect_uri``); ``client_id`` + ``redirect_uri`` + ``response_type``,
which leads to a new sign-in. Where a URI is not registered nobody is redirected.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError
from broker.model.parameters import Parameters
from broker.model.pool import AppClient
from broker.oauth.authorization_request import verify_redirect
from broker.web import context, errors, pages
from broker.web.context import Site
from broker.web.language import language_of
from broker.web.pages import SignedOutNote

_OIDC = ("post_logout_redirect_uri", "id_token_hint")


def logout(broker: Broker, site: Site) -> Response:
    params = context.parameters(request)
    client = _client(site, params)
    logout_uri = params.get("logout_uri")
    if client is not None and logout_uri in client.logout_urls and logout_uri is not None:
        return _signed_out(broker, site, _redirect(logout_uri))
    if "redirect_uri" in params.values:
        return _sign_in_again(broker, site, params)
    return _oidc_logout(broker, site, params)


def _client(site: Site, params: Parameters) -> AppClient | None:
    if "client_id" in params.repeated or "logout_uri" in params.repeated:
        return None
    return site.pool.clients.get(params.get("client_id") or "")


def _sign_in_again(broker: Broker, site: Site, params: Parameters) -> Response:
    """Form B: signed out and back to ``/login`` with the same parameters, all scopes if none."""
    try:
        client, _ = verify_redirect(params, site.pool)
    except OAuthError as error:
        return errors.refused_request(error, params.get("client_id"))
    scope = params.get("scope") or " ".join(client.scopes)
    query = params.encoded(
        scope=scope, identity_provider=None, idp_identifier=None, logout_uri=None
    )
    return _signed_out(broker, site, _redirect(f"/login?{query}"))


def _oidc_logout(broker: Broker, site: Site, params: Parameters) -> Response:
    """OpenID Connect RP-Initiated Logout 1.0 2 and 3."""
    uri = params.get("post_logout_redirect_uri")
    if uri is None and "id_token_hint" not in params.values and "logout_uri" in params.values:
        return _unregistered_logout_uri(params)
    if not _may_sign_out(broker, site, params):
        return pages.signed_out_page(
            lang=language_of(request), notes=(SignedOutNote.UNREGISTERED,), status=400
        )
    if uri is None:
        return _signed_out(broker, site, pages.signed_out_page(lang=language_of(request)))
    return _signed_out(broker, site, _redirect(_with_state(uri, params.get("state"))))


def _unregistered_logout_uri(params: Parameters) -> Response:
    """An unregistered ``logout_uri`` alone: the page Cognito shows, which names what is missing."""
    missing = "Required String parameter 'redirect_uri' is not present"
    error = OAuthError(ErrorCode.INVALID_REQUEST, missing)
    return errors.refused_request(error, params.get("client_id"))


def _may_sign_out(broker: Broker, site: Site, params: Parameters) -> bool:
    """The hint is ours and about the person at this browser; the URI is its client's."""
    if params.first_repeated((*_OIDC, "state", "client_id")) is not None:
        return False
    hint = _hinted(broker, site, params.get("id_token_hint"))
    if hint is None and "id_token_hint" in params.values:
        return False
    client, uri = _agreed_client(site, params, hint), params.get("post_logout_redirect_uri")
    if uri is not None and (client is None or uri not in client.logout_urls):
        return False
    return hint is None or _is_current_user(broker, site, hint)


def _hinted(broker: Broker, site: Site, hint: str | None) -> dict[str, object] | None:
    """The claims of an ID token of ours, expired or not."""
    if hint is None:
        return None
    try:
        return dict(broker.issuers.of(site.pool).verify_id_token_hint(hint))
    except OAuthError:
        return None


def _agreed_client(
    site: Site, params: Parameters, hint: dict[str, object] | None
) -> AppClient | None:
    """The client of the hint, or of ``client_id``; both must agree when both are sent."""
    named, hinted = params.get("client_id"), None if hint is None else hint.get("aud")
    if named is not None and hinted is not None and named != hinted:
        return None
    return site.pool.clients.get(str(hinted or named))


def _is_current_user(broker: Broker, site: Site, hint: dict[str, object]) -> bool:
    """A hint about somebody else must not sign out the person at this browser."""
    session = broker.sessions.current(site.pool, context.session_cookie(request))
    return session is None or session.sub == hint.get("sub")


def _with_state(uri: str, state: str | None) -> str:
    if state is None:
        return uri
    encoded = quote(state, safe="-._~", errors="surrogateescape")
    return f"{uri}{'&' if '?' in uri else '?'}state={encoded}"


def _redirect(location: str) -> Response:
    return Response(
        status=302, headers={**errors.NO_STORE, "Location": location}, content_type=None
    )


def _signed_out(broker: Broker, site: Site, response: Response) -> Response:
    cookie = context.session_cookie(request)
    if cookie is not None:
        broker.sessions.end(site.pool, cookie)
    context.sign_out_browser(response, site)
    return response
