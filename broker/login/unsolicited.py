"""IdP-initiated SAML sign-in: the RelayState stands in for the request an app never made.

Owns how such a RelayState is recognised and read. Its parameters are then checked by the very functions
that check ``/oauth2/authorize``, and the Response by the rules for one that answers no request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import AuthorizationRequest
from broker.model.parameters import Parameters
from broker.model.pool import IdentityProvider, SamlSettings, UserPool

_OURS = re.compile(r"[A-Za-z0-9_-]{0,80}")
_TELLING = {"client_id", "redirect_uri"}
_ENCODED_AT_MOST = 2
"""Times, as a whole."""


def relayed_parameters(relay_state: str | None) -> Parameters | None:
    """The authorize parameters in ``relay_state``; None when it holds none, as that of our own sign-ins.

    Administrators encode the whole string, or its values, once or twice, and separate scopes by
    ``+`` or ``%2B``: all of these are read. Raises ``OAuthError`` for too many parameters.
    """
    if relay_state is None or _OURS.fullmatch(relay_state):
        return None
    for text in _readings(relay_state):
        params = _parsed(text)
        if _TELLING & params.values.keys():
            return Parameters(
                values={name: _value(name, value) for name, value in params.values.items()},
                repeated=params.repeated,
            )
    return None


def _readings(relay_state: str) -> Iterator[str]:
    """As it came, and decoded as a whole once and twice; what tells whose it is ends the search."""
    yield relay_state
    for _ in range(_ENCODED_AT_MOST):
        relay_state = _decoded(relay_state)
        yield relay_state


def _parsed(text: str) -> Parameters:
    try:
        return Parameters.parse(text.encode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "Required parameters missing",
            reason=RequestReason.RELAY_STATE_MALFORMED,
        ) from error


def _value(name: str, value: str) -> str:
    """One value, decoded a second time where it was encoded twice."""
    if name == "redirect_uri" and "://" not in value:
        return _decoded(value)
    if name == "scope":
        return _decoded(value).replace("+", " ")
    return value


def _decoded(text: str) -> str:
    """Bytes that are no UTF-8 survive, as they do in ``Parameters``."""
    return unquote(text, errors="surrogateescape")


def refuse_pkce(request: AuthorizationRequest, pool: UserPool) -> None:
    """Not for clients that must use PKCE (RFC 7636): the app has not asked, so it has no verifier.

    RelayState is not signed. Whoever delivers the Response could write a challenge of their own into
    it, and so have a code for a client that would not be given one without. Where a secret protects
    the code a challenge adds what it says, and gives nothing. Raises ``OAuthError``.
    """
    client = pool.clients[request.redirect.client_id]
    if client.require_pkce:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "This client must use PKCE, which a sign-in that begins at the provider cannot.",
            reason=RequestReason.UNSOLICITED_PKCE,
        )


def unsolicited_provider(named: str | None, pool: UserPool) -> IdentityProvider:
    """The provider that may sign people in unasked: named in the RelayState, SAML, ``IDPInit`` on.

    Raises ``OAuthError``.
    """
    provider = None if named is None else pool.providers.get(named)
    settings = None if provider is None else provider.settings
    if provider is None or not isinstance(settings, SamlSettings) or not settings.idp_init:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            "The RelayState must name, as identity_provider, a SAML provider with IDPInit on.",
            reason=RequestReason.UNSOLICITED_PROVIDER,
        )
    return provider
