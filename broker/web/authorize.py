"""``/oauth2/authorize``: an app asks for a sign-in (RFC 6749 4.1.1, OIDC Core 3.1.2)."""

from __future__ import annotations

from dataclasses import replace

from broker.login.broker import Broker
from broker.login.flow import SignInRefusedError
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import AuthorizationRequest, LoginSession, UpstreamRequest
from broker.model.parameters import Parameters
from broker.model.pool import AppClient
from broker.oauth.authorization_request import parse, verify_redirect
from broker.oauth.id_token_hint import Hint, read_hint
from broker.web import context, errors, pages
from broker.web.context import Site
from broker.web.language import language_of
from broker.web.pages import Purpose
from broker.web.request import Request
from broker.web.response import Response


def authorize(request: Request, broker: Broker, site: Site) -> Response:
    """GET, or POST with the same parameters in the body."""
    params = context.parameters(request)
    try:
        client, redirect = verify_redirect(params, site.pool)
    except OAuthError as error:
        return errors.refused_request(request, error, params.get("client_id"))
    try:
        asked = parse(params, site.pool, client, redirect)
        return _answer(request, broker, site, asked, params)
    except OAuthError as error:
        return errors.refused_to_app(request, redirect, error)
    except SignInRefusedError as refusal:
        return errors.refused_sign_in(request, refusal)


def _answer(
    request: Request, broker: Broker, site: Site, asked: AuthorizationRequest, params: Parameters
) -> Response:
    """A live session answers at once; else off to the provider; else let the person choose."""
    client = site.pool.clients[asked.redirect.client_id]
    cookie = context.session_cookie(request)
    session = broker.sessions.reusable(site.pool, client, asked, cookie)
    if session is not None:
        if _is_meant(broker, site, client, params.get("id_token_hint"), session):
            answer = broker.flow.answer(site.pool, client, asked, session)
            return errors.to_app(request, asked.redirect, answer)
        # The provider knows this browser as well, and would answer for the same person again.
        asked = replace(asked, prompt=(*asked.prompt, "login"))
    if "none" in asked.prompt:
        raise OAuthError(
            ErrorCode.LOGIN_REQUIRED, "Nobody is signed in.", reason=RequestReason.LOGIN_REQUIRED
        )
    provider = asked.provider or _only_provider(site, client)
    if provider is None:
        return errors.redirect(f"/login?{params.encoded()}")
    return _send_upstream(request, broker, site, asked, provider)


def _is_meant(
    broker: Broker, site: Site, client: AppClient, token: str | None, session: LoginSession
) -> bool:
    """OIDC Core 3.1.2.1: a hint about somebody else, of another client's, or one that is not ours gets
    no silent answer."""
    if token is None:
        return True
    hint = read_hint(token, broker.issuers.of(site.pool))
    return hint == Hint(sub=session.sub, client_id=client.id)


def _only_provider(site: Site, client: AppClient) -> str | None:
    """With one provider there is nothing to choose."""
    providers = site.pool.providers_of(client)
    return providers[0].name if len(providers) == 1 else None


def _send_upstream(
    request: Request, broker: Broker, site: Site, asked: AuthorizationRequest, provider: str
) -> Response:
    binding = context.browser_binding(request, site) or context.new_binding()
    outgoing = broker.flow.begin(
        site.pool, asked, provider, base_url=site.base_url, browser=binding
    )
    response = upstream_response(request, outgoing)
    context.bind_browser(response, site, binding)
    return response


def upstream_response(
    request: Request, outgoing: UpstreamRequest, *, purpose: Purpose = Purpose.SIGN_IN
) -> Response:
    """To the provider: by redirect, or by a form where it takes only that."""
    if outgoing.form is not None:
        return pages.form_post_page(
            outgoing.url, outgoing.form, purpose=purpose, lang=language_of(request)
        )
    return errors.redirect(outgoing.url)
