"""``/logout``: end the browser's session, then go where the app may send people.

Three forms, the first that fits wins: ``client_id`` + ``logout_uri``; OpenID Connect RP-Initiated Logout
1.0 (``id_token_hint``, ``post_logout_redirect_uri``); ``client_id`` + ``redirect_uri`` + ``response_type``,
which leads to a new sign-in. Where a URI is not registered nobody is redirected.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.parameters import Parameters
from broker.model.pool import AppClient
from broker.oauth.authorization_request import (
    refuse_repeated,
    refuse_too_much,
    verify_redirect,
)
from broker.oauth.id_token_hint import Hint, read_hint
from broker.web import context, errors, pages
from broker.web.authorize import upstream_response
from broker.web.context import Site
from broker.web.language import language_of
from broker.web.pages import SignedOutNote
from broker.web.request import Request
from broker.web.response import Response

_PATH = "/logout"
_KNOWN = (
    "client_id", "logout_uri", "redirect_uri", "response_type", "post_logout_redirect_uri",
    "id_token_hint", "state", "scope",
)  # fmt: skip
_CONFIRMED = "confirmed"
_CARRIED = (
    *_KNOWN, _CONFIRMED, "nonce", "code_challenge", "code_challenge_method", "response_mode", "prompt",
    "max_age", "login_hint", "resource", "lang", "ui_locales",
)  # fmt: skip
"""What the sign-in after a sign-out may be asked with; anything else ends here."""


def logout(request: Request, broker: Broker, site: Site) -> Response:
    """GET or POST; unknown parameters are ignored."""
    params = context.parameters(request).only(*_CARRIED)
    try:
        refuse_repeated(params, _KNOWN)
        refuse_too_much(params, _CARRIED)
        if request.method == "POST" and context.session_cookie(request) is None:
            return _by_get(params)
        return _sign_out(request, broker, site, params)
    except OAuthError as error:
        return errors.refused_request(request, error, params.get("client_id"))


def _by_get(params: Parameters) -> Response:
    """A form posted by another site comes without the session cookie; a GET after it has the cookie."""
    return errors.redirect(f"{_PATH}?{params.encoded(**{_CONFIRMED: None})}", status=303)


def _sign_out(request: Request, broker: Broker, site: Site, params: Parameters) -> Response:
    client = site.pool.clients.get(params.get("client_id") or "")
    logout_uri = params.get("logout_uri")
    if client is not None and logout_uri is not None and logout_uri in client.logout_urls:
        return _end(request, broker, site, then=logout_uri)
    oidc = _oidc_request(request, broker, site, params)
    if oidc.leads_back or not {"redirect_uri", "client_id", "logout_uri"} & params.values.keys():
        return _oidc_sign_out(request, broker, site, params, oidc)
    if "redirect_uri" in params.values:
        return _sign_in_again(request, broker, site, params)
    if oidc.is_named:
        return _oidc_sign_out(request, broker, site, params, oidc)
    # What Cognito says to a logout_uri that is not registered: it has dropped it, and misses the next.
    missing = "Required String parameter 'redirect_uri' is not present"
    raise OAuthError(
        ErrorCode.INVALID_REQUEST, missing, reason=RequestReason.LOGOUT_URI_UNREGISTERED
    )


def _sign_in_again(request: Request, broker: Broker, site: Site, params: Parameters) -> Response:
    """Signed out and back to ``/login`` with the same parameters, all scopes if none."""
    client, _ = verify_redirect(params, site.pool)
    query = params.encoded(
        scope=params.get("scope") or " ".join(client.scopes),
        identity_provider=None,
        idp_identifier=None,
        logout_uri=None,
    )
    return _end(request, broker, site, then=f"/login?{query}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _OidcRequest:
    """The parameters of RP-Initiated Logout 1.0 section 2, checked. ``hint`` is ours or None."""

    is_named: bool
    has_hint: bool
    hint: Hint | None
    uri: str | None
    client: AppClient | None

    @property
    def leads_back(self) -> bool:
        """Section 3: only to a URI registered for the client, to the letter."""
        return (
            self.uri is not None and self.client is not None and self.uri in self.client.logout_urls
        )

    @property
    def is_vouched_for(self) -> bool:
        """Whether a hint of ours, a registered URI or the lack of any target says this is meant."""
        if self.has_hint:
            return self.hint is not None
        return self.uri is None or self.leads_back


def _oidc_request(request: Request, broker: Broker, site: Site, params: Parameters) -> _OidcRequest:
    token, uri = params.get("id_token_hint"), params.get("post_logout_redirect_uri")
    hint = None if token is None else read_hint(token, broker.issuers.of(site.pool))
    return _OidcRequest(
        is_named=token is not None or uri is not None,
        has_hint=token is not None,
        hint=hint,
        uri=uri,
        client=_agreed_client(site, params.get("client_id"), hint, has_hint=token is not None),
    )


def _agreed_client(
    site: Site, client_id: str | None, hint: Hint | None, *, has_hint: bool
) -> AppClient | None:
    """The client of the hint, else of ``client_id``; when both are sent they must agree (section 2)."""
    if has_hint and (hint is None or client_id not in (None, hint.client_id)):
        return None
    return site.pool.clients.get(hint.client_id if hint is not None else client_id or "")


def _oidc_sign_out(
    request: Request, broker: Broker, site: Site, params: Parameters, asked: _OidcRequest
) -> Response:
    if _must_ask(request, broker, site, params, asked):
        return pages.confirm_sign_out_page(
            action=_PATH,
            hidden={**params.values, _CONFIRMED: "yes"},
            lang=language_of(request),
            status=200 if asked.uri is None or asked.leads_back else 400,
        )
    if asked.uri is None:
        return _end(request, broker, site, then=None)
    if not asked.leads_back:
        return _end(request, broker, site, then=None, unregistered=True)
    return _end(request, broker, site, then=_with_state(asked.uri, params.get("state")))


def _must_ask(
    request: Request, broker: Broker, site: Site, params: Parameters, asked: _OidcRequest
) -> bool:
    """Section 2: whoever is signed in is asked, unless the request is about this very person.

    The answer is a POST with the session cookie, which no other site can send (``SameSite=Lax``).
    """
    session = broker.sessions.current(site.pool, context.session_cookie(request))
    if session is None or (request.method == "POST" and params.get(_CONFIRMED) is not None):
        return False
    return not asked.is_vouched_for or (asked.hint is not None and asked.hint.sub != session.sub)


def _with_state(uri: str, state: str | None) -> str:
    """``state`` decoded once, encoded once."""
    if state is None:
        return uri
    encoded = quote(state, safe="-._~", errors="surrogateescape")
    return f"{uri}{'&' if '?' in uri else '?'}state={encoded}"


def _end(
    request: Request, broker: Broker, site: Site, *, then: str | None, unregistered: bool = False
) -> Response:
    """End the session here, and at the identity provider first where that is configured."""
    outgoing = broker.sign_out.begin(
        site.pool, context.session_cookie(request), then=then, base_url=site.base_url
    )
    if outgoing is not None:
        response = upstream_response(request, outgoing, purpose=pages.Purpose.SIGN_OUT)
    else:
        response = signed_out(request, then, unregistered=unregistered)
    context.sign_out_browser(response, site)
    return response


def signed_out(
    request: Request, then: str | None, *, unregistered: bool = False, partial: bool = False
) -> Response:
    """Where a sign-out ends: at the app, or at a page that says so."""
    if then is not None:
        return errors.redirect(then)
    notes = {SignedOutNote.UNREGISTERED: unregistered, SignedOutNote.PARTIAL: partial}
    return pages.signed_out_page(
        lang=language_of(request),
        notes=tuple(note for note, applies in notes.items() if applies),
        status=400 if unregistered else 200,
    )
