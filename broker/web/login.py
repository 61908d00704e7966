"""``/login``: the person chooses an identity provider, by button or by e-mail domain."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.parameters import Parameters
from broker.model.pool import AppClient, IdentityProvider, ProviderType, UserPool
from broker.oauth.authorization_request import parse, verify_redirect
from broker.web import context, errors, pages
from broker.web.context import LANGUAGE_COOKIE, Site
from broker.web.language import language_of
from broker.web.pages import EmailForm, EmailProblem, ProviderChoice
from broker.web.request import Request
from broker.web.response import Response

_AUTHORIZE = "/oauth2/authorize"
_NO_CHOICE: dict[str, str | None] = {
    "identity_provider": None,
    "idp_identifier": None,
    "email": None,
}


def login(request: Request, broker: Broker, site: Site) -> Response:
    """The parameters are those of ``/oauth2/authorize`` and are checked the same way."""
    params = context.parameters(request)
    try:
        client, redirect = verify_redirect(params, site.pool)
    except OAuthError as error:
        return errors.refused_request(request, error, params.get("client_id"))
    try:
        asked = parse(params, site.pool, client, redirect)
        if "none" in asked.prompt:
            raise OAuthError(
                ErrorCode.LOGIN_REQUIRED,
                "Nobody is signed in.",
                reason=RequestReason.LOGIN_REQUIRED,
            )
    except OAuthError as error:
        return errors.refused_to_app(request, redirect, error)
    email = params.get("email")
    if email is None:
        return _page(request, site, client, params, problem=None)
    provider = _provider_of(email, site.pool, client)
    if provider is None:
        return _page(request, site, client, params, problem=EmailProblem.UNKNOWN)
    return errors.redirect(_choice_url(params, provider))


def _page(
    request: Request,
    site: Site,
    client: AppClient,
    params: Parameters,
    *,
    problem: EmailProblem | None,
) -> Response:
    providers = site.pool.providers_of(client)
    by_email = _asks_for_email(providers)
    choices = tuple(
        ProviderChoice(name=p.name, type=p.type, url=_choice_url(params, p))
        for p in providers
        if not (by_email and p.type is ProviderType.SAML)
    )
    form = None
    if by_email:
        hidden = {n: v for n, v in params.values.items() if n not in _NO_CHOICE}
        form = EmailForm(action="/login", hidden=hidden, value=params.get("email") or "")
    response = pages.login_page(
        application=client.name or client.id,
        choices=choices,
        email=form,
        problem=problem,
        lang=language_of(request),
    )
    _remember_language(request, response, site, params)
    return response


def _remember_language(
    request: Request, response: Response, site: Site, params: Parameters
) -> None:
    if params.get("lang") is not None:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language_of(request).code,
            secure=site.is_https,
            same_site="Lax",
        )


def _asks_for_email(providers: tuple[IdentityProvider, ...]) -> bool:
    """An e-mail box stands for the SAML providers when each of them has an identifier."""
    saml = [p for p in providers if p.type is ProviderType.SAML]
    return bool(saml) and all(p.identifiers for p in saml)


def _provider_of(email: str, pool: UserPool, client: AppClient) -> IdentityProvider | None:
    """By the part after the last ``@``, exactly, in lower case; a bare domain is fine too."""
    provider = pool.provider_by_identifier(email.rpartition("@")[2].strip())
    return provider if provider is not None and client.supports(provider.name) else None


def _choice_url(params: Parameters, provider: IdentityProvider) -> str:
    chosen = {**_NO_CHOICE, "identity_provider": provider.name}
    return f"{_AUTHORIZE}?{params.encoded(**chosen)}"
