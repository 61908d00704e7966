"""Where identity providers send the browser back: ``/saml2/idpresponse`` and ``/oauth2/idpresponse``."""

from __future__ import annotations

from broker.login import events
from broker.login.broker import Broker
from broker.login.events import Step
from broker.login.flow import SignInRefusedError
from broker.login.unsolicited import relayed_parameters
from broker.model.errors import OAuthError, Reason, UpstreamError
from broker.model.login import Callback, Transaction
from broker.model.parameters import Parameters
from broker.model.pool import ProviderType
from broker.oauth.authorization_request import parse, verify_redirect
from broker.web import context, errors
from broker.web.context import Site
from broker.web.request import Request
from broker.web.response import Response

_SAML = frozenset({ProviderType.SAML})
_OAUTH = frozenset(ProviderType) - _SAML


def saml(request: Request, broker: Broker, site: Site) -> Response:
    """The assertion consumer service: HTTP-POST binding only (SAML Bindings 3.5)."""
    form = context.form(request)
    fault = _fault(form, required=("SAMLResponse",), single=("SAMLResponse", "RelayState"))
    relay_state = form.get("RelayState")
    try:
        relayed = None if fault else relayed_parameters(relay_state)
    except OAuthError as error:
        return errors.refused_request(request, error, None)
    if relayed is not None:
        return _accept_unsolicited(request, broker, site, form, relayed)
    return _deliver(
        request, broker, site, form, transaction_id=relay_state, fault=fault, answering=_SAML
    )


def _accept_unsolicited(
    request: Request, broker: Broker, site: Site, form: Parameters, relayed: Parameters
) -> Response:
    """IdP-initiated: the RelayState is checked as an app's request would be."""
    try:
        client, redirect = verify_redirect(relayed, site.pool)
    except OAuthError as error:
        return errors.refused_request(request, error, None)
    try:
        asked = parse(relayed, site.pool, client, redirect)
        transaction = broker.flow.accept_unsolicited(site.pool, asked, base_url=site.base_url)
        return _completed(request, broker, site, transaction, form)
    except OAuthError as error:
        return errors.refused_to_app(request, redirect, error)
    except SignInRefusedError as refusal:
        return errors.refused_sign_in(request, refusal)


def oauth(request: Request, broker: Broker, site: Site) -> Response:
    """The redirect URI at OIDC and social providers: GET, or POST for ``form_post`` (Apple)."""
    params = context.parameters(request)
    fault = _fault(
        params, required=("state",), single=("state", "code", "error", "iss", "id_token", "user")
    )
    return _deliver(
        request,
        broker,
        site,
        params,
        transaction_id=params.get("state"),
        fault=fault,
        answering=_OAUTH,
    )


def _deliver(
    request: Request,
    broker: Broker,
    site: Site,
    params: Parameters,
    *,
    transaction_id: str | None,
    fault: UpstreamError | None,
    answering: frozenset[ProviderType],
) -> Response:
    try:
        if fault is not None:
            raise SignInRefusedError(fault, events.refused(site.pool, Step.CALLBACK, fault), None)
        browser = context.browser_binding(request, site)
        transaction = broker.flow.resume(site.pool, transaction_id, browser, answering=answering)
        try:
            return _completed(request, broker, site, transaction, params)
        except OAuthError as error:
            redirect = transaction.request.redirect
            return errors.refused_to_app(request, redirect, error)
    except SignInRefusedError as refusal:
        return errors.refused_sign_in(request, refusal)


def _completed(
    request: Request, broker: Broker, site: Site, transaction: Transaction, params: Parameters
) -> Response:
    """The provider's answer is checked, the browser signed in, the app answered."""
    callback = Callback(base_url=site.base_url, params=params.values)
    answer, session = broker.flow.complete(site.pool, transaction, callback)
    replaced = context.session_cookie(request)
    if replaced is not None:
        broker.sessions.end(site.pool, replaced)
    response = errors.to_app(request, transaction.request.redirect, answer)
    context.sign_in_browser(response, site, session, broker.clock)
    return response


def _fault(
    params: Parameters, *, required: tuple[str, ...], single: tuple[str, ...]
) -> UpstreamError | None:
    """What is wrong with the delivery itself, found before it can use anything up."""
    repeated = params.first_repeated(single)
    if repeated is not None:
        return UpstreamError(
            Reason.PARAMETER_REPEATED, expected=f"one {repeated}", received="several"
        )
    missing = next((name for name in required if params.get(name) is None), None)
    if missing is not None:
        return UpstreamError(Reason.PARAMETER_MISSING, expected=missing, received="none")
    return None
