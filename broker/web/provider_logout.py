"""Where identity providers speak of sign-out: answers to ours, and their own.

``/saml2/logout`` (HTTP-POST binding alone), ``/oauth2/logoutresponse`` (the return from a provider's
``end_session_endpoint``) and ``/oauth2/backchannel-logout`` (from server to server).
"""

from __future__ import annotations

from broker.login.broker import Broker
from broker.login.sign_out import SignOutRefusedError, refused_sign_out
from broker.model.errors import Reason, UpstreamError
from broker.model.login import Callback
from broker.model.parameters import Parameters
from broker.web import context, errors
from broker.web.authorize import upstream_response
from broker.web.context import Site
from broker.web.logout import signed_out
from broker.web.pages import Purpose
from broker.web.request import Request
from broker.web.response import Response

_RESPONSE, _REQUEST, _LOGOUT_TOKEN = "SAMLResponse", "SAMLRequest", "logout_token"


def saml(request: Request, broker: Broker, site: Site) -> Response:
    """A LogoutResponse to a request of ours, or the provider's own LogoutRequest."""
    form = context.form(request)
    try:
        if _only_message(site, form, (_RESPONSE, _REQUEST)) == _RESPONSE:
            return _finished(request, broker, site, form, form.get("RelayState"))
        answer = broker.provider_sign_out.accept(
            site.pool, broker.saml_logouts, _callback(site, form)
        )
    except SignOutRefusedError as refusal:
        return errors.refused_sign_out(request, refusal)
    # The cookie of the browser that carries the message stays: it may be somebody else's, and that
    # of a session which has ended is good for nothing.
    if answer is None:
        return signed_out(request, None)
    return upstream_response(request, answer, purpose=Purpose.SIGN_OUT)


def oauth(request: Request, broker: Broker, site: Site) -> Response:
    """OpenID Connect RP-Initiated Logout 1.0 3: the browser is back, with ``state``."""
    params = context.query(request)
    state = None if "state" in params.repeated else params.get("state")
    try:
        return _finished(request, broker, site, params, state)
    except SignOutRefusedError as refusal:
        return errors.refused_sign_out(request, refusal)


def backchannel(request: Request, broker: Broker, site: Site) -> Response:
    """OpenID Connect Back-Channel Logout 1.0 2.5 and 2.8: 200, or 400 with an OAuth error."""
    form = context.form(request)
    try:
        _only_message(site, form, (_LOGOUT_TOKEN,))
        broker.provider_sign_out.accept(site.pool, broker.oidc_logouts, _callback(site, form))
    except SignOutRefusedError:
        return errors.refused_logout_token()
    return errors.empty(200)


def _only_message(site: Site, form: Parameters, kinds: tuple[str, ...]) -> str:
    """The name of the one message there has to be. Raises ``SignOutRefusedError``."""
    sent = [name for name in kinds if name in form.values]
    repeated = form.first_repeated((*kinds, "RelayState"))
    if len(sent) == 1 and repeated is None:
        return sent[0]
    fault = UpstreamError(
        Reason.PARAMETER_REPEATED if sent or repeated else Reason.PARAMETER_MISSING,
        expected=f"one {repeated or ' or '.join(kinds)}",
        received="several" if sent or repeated else "none",
    )
    raise refused_sign_out(site.pool, fault, None)


def _finished(
    request: Request, broker: Broker, site: Site, params: Parameters, sign_out_id: str | None
) -> Response:
    finished = broker.sign_out.finish(site.pool, sign_out_id, _callback(site, params))
    return signed_out(request, finished.then, partial=not finished.is_complete)


def _callback(site: Site, params: Parameters) -> Callback:
    return Callback(base_url=site.base_url, params=params.values)
