"""Parameters of ``/oauth2/authorize`` -> a valid request, in two steps.

First the way back to the app is proven (``verify_redirect``): until then no error may leave the
broker by redirect. Then everything else is read (``parse``), and every fault goes to the app. The
RelayState of an IdP-initiated SAML sign-in is read by the same two functions.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import AuthorizationRequest, ClientRedirect, ResponseMode
from broker.model.parameters import Parameters
from broker.model.pool import AppClient, Flow, UserPool
from broker.oauth.scopes import granted_scopes

_FLOWS = {"code": Flow.CODE, "token": Flow.IMPLICIT}
_KNOWN = (
    "response_type", "client_id", "redirect_uri", "state", "scope", "identity_provider",
    "idp_identifier", "nonce", "code_challenge", "code_challenge_method", "lang", "login_hint",
    "prompt", "resource", "response_mode", "max_age", "id_token_hint", "ui_locales", "request",
    "request_uri", "registration",
)  # fmt: skip
_UNSUPPORTED = {
    "request": (ErrorCode.REQUEST_NOT_SUPPORTED, RequestReason.REQUEST_NOT_SUPPORTED),
    "request_uri": (
        ErrorCode.REQUEST_URI_NOT_SUPPORTED,
        RequestReason.REQUEST_URI_NOT_SUPPORTED,
    ),
    "registration": (
        ErrorCode.REGISTRATION_NOT_SUPPORTED,
        RequestReason.REGISTRATION_NOT_SUPPORTED,
    ),
}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_RESOURCE = re.compile(r"[\x21-\x7e]{1,2048}")
_UNTYPED = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""Control characters, and the two code points that are no characters: XML has no place for them."""
_LOCAL_USERS = "COGNITO"

MAX_CHARACTERS = 32_768
"""Of all parameters together. A sign-in under way keeps them, and anybody may begin one, as often as
the network bears it."""


def verify_redirect(params: Parameters, pool: UserPool) -> tuple[AppClient, ClientRedirect]:
    """Prove the way back: a known client and a redirect URI it registered, to the letter.

    Raises ``OAuthError``: ``invalid_request`` when one is missing or repeated, and one and the same
    ``redirect_mismatch`` for an unknown client and an unregistered URI (RFC 6749 4.1.2.1).
    """
    client_id = _required(params, "client_id")
    client = pool.clients.get(client_id)
    uri = params.get("redirect_uri")
    if uri is None and client is not None and "redirect_uri" not in params.repeated:
        uri = default_redirect(client)
    if uri is None:
        uri = _required(params, "redirect_uri")
    if "redirect_uri" in params.repeated or client is None or uri not in client.callback_urls:
        raise OAuthError(
            ErrorCode.REDIRECT_MISMATCH,
            "The client is unknown or the redirect_uri is not one of its callback URLs.",
            reason=RequestReason.REDIRECT_MISMATCH,
        )
    redirect = ClientRedirect(
        client_id=client.id,
        uri=uri,
        issuer=pool.issuer,
        state=None if "state" in params.repeated else params.get("state"),
        mode=_response_mode(params),
    )
    return client, redirect


def parse(
    params: Parameters, pool: UserPool, client: AppClient, redirect: ClientRedirect
) -> AuthorizationRequest:
    """Read the rest of the request. Raises ``OAuthError``, which the app is told at ``redirect``."""
    refuse_repeated(params, _KNOWN)
    refuse_other_encodings(params, _KNOWN)
    refuse_too_much(params, _KNOWN)
    _refuse_request_objects(params)
    response_type = _response_type(params, client)
    _check_response_mode(params, response_type)
    return AuthorizationRequest(
        redirect=redirect,
        response_type=response_type,
        code_challenge=_code_challenge(params, client, response_type),
        scopes=granted_scopes(params.get("scope"), client, pool),
        nonce=params.get("nonce"),
        provider=_provider(params, pool, client),
        login_hint=_login_hint(params),
        prompt=_prompt(params),
        max_age=_max_age(params),
        lang=params.get("lang"),
        resource=_resource(params),
    )


def refuse_repeated(params: Parameters, names: tuple[str, ...]) -> None:
    """RFC 6749 3.1: parameters MUST NOT be included more than once. Unknown ones are ignored."""
    name = params.first_repeated(names)
    if name is not None:
        raise _invalid(
            f"The parameter {name} was sent more than once.", RequestReason.PARAMETER_REPEATED
        )


def refuse_other_encodings(params: Parameters, names: tuple[str, ...]) -> None:
    """RFC 6749 appendix B: values are UTF-8. Other bytes could be neither stored nor signed."""
    for name, value in params.values.items():
        if not value.isascii() and name in names and not _is_unicode(value):
            raise _invalid(f"The parameter {name} is not UTF-8.", RequestReason.PARAMETER_ENCODING)


def refuse_too_much(params: Parameters, names: tuple[str, ...]) -> None:
    if sum(len(value) for name, value in params.values.items() if name in names) > MAX_CHARACTERS:
        raise _invalid(
            f"The parameters have more than {MAX_CHARACTERS} characters together.",
            RequestReason.REQUEST_TOO_LONG,
        )


def _is_unicode(value: str) -> bool:
    """Bytes that are not UTF-8 were read as lone surrogates, which no encoder takes."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _required(params: Parameters, name: str) -> str:
    value, missing = params.get(name), RequestReason.PARAMETER_MISSING
    if value is None or name in params.repeated:
        raise _invalid(
            "Required parameters missing",
            missing if value is None else RequestReason.PARAMETER_REPEATED,
        )
    return value


def default_redirect(client: AppClient) -> str | None:
    """``DefaultRedirectURI`` stands in where a client with exactly one provider sends no URI."""
    return client.default_redirect_uri if len(client.providers) == 1 else None


def _response_mode(params: Parameters) -> ResponseMode:
    """The mode errors use too, so it is read before any rule can fail (Multiple Response Types 2.1)."""
    if params.get("response_mode") == "form_post" and "response_mode" not in params.repeated:
        return ResponseMode.FORM_POST
    if "token" in (params.get("response_type") or "").split():
        return ResponseMode.FRAGMENT
    if params.get("response_mode") == "fragment":
        return ResponseMode.FRAGMENT
    return ResponseMode.QUERY


def _check_response_mode(params: Parameters, response_type: str) -> None:
    """Tokens never travel in a query (Multiple Response Types 3)."""
    mode = params.get("response_mode")
    if mode is None or mode in ("fragment", "form_post"):
        return
    if mode != "query" or response_type == "token":
        raise _invalid(
            "The response_mode is not supported for this response_type.",
            RequestReason.RESPONSE_MODE_UNSUPPORTED,
        )


def _refuse_request_objects(params: Parameters) -> None:
    """OIDC Core 6: a request object that is not supported must be refused, never ignored."""
    for name, (code, reason) in _UNSUPPORTED.items():
        if params.get(name) is not None:
            description = f"The parameter {name} is not supported; send plain parameters."
            raise OAuthError(code, description, reason=reason)


def _response_type(params: Parameters, client: AppClient) -> str:
    value = params.get("response_type")
    if value is None:
        raise _invalid(
            "The parameter response_type is missing; use code.", RequestReason.RESPONSE_TYPE_MISSING
        )
    flow = _FLOWS.get(value)
    if flow is None:
        raise OAuthError(
            ErrorCode.UNSUPPORTED_RESPONSE_TYPE,
            "The response_type must be code or token.",
            reason=RequestReason.UNSUPPORTED_RESPONSE_TYPE,
        )
    if not client.allows(flow):
        raise OAuthError(
            ErrorCode.UNAUTHORIZED_CLIENT,
            f"The client does not allow the {flow} flow; add it to AllowedOAuthFlows.",
            reason=RequestReason.UNAUTHORIZED_CLIENT,
        )
    return value


def _code_challenge(params: Parameters, client: AppClient, response_type: str) -> str | None:
    """RFC 7636 4.3, S256 only: ``plain``, or a challenge without a method, protects nothing."""
    challenge, method = params.get("code_challenge"), params.get("code_challenge_method")
    if challenge is None and method is None:
        if client.require_pkce and response_type == "code":
            raise _invalid(
                "This client must use PKCE; send code_challenge.", RequestReason.PKCE_REQUIRED
            )
        return None
    if method != "S256":
        raise _invalid("The code_challenge_method must be S256.", RequestReason.PKCE_METHOD)
    if challenge is None or not _CHALLENGE.fullmatch(challenge):
        raise _invalid(
            "The code_challenge must be 43 base64url characters of a SHA-256.",
            RequestReason.PKCE_CHALLENGE,
        )
    return challenge


def _invalid(description: str, reason: RequestReason) -> OAuthError:
    """RFC 6749 4.1.2.1."""
    return OAuthError(ErrorCode.INVALID_REQUEST, description, reason=reason)


def _provider(params: Parameters, pool: UserPool, client: AppClient) -> str | None:
    """``identity_provider`` by name, else ``idp_identifier``; only providers the client lists."""
    name, identifier = params.get("identity_provider"), params.get("idp_identifier")
    if name == _LOCAL_USERS or (name is None and identifier is None):
        return None
    named = None if name is None else pool.providers.get(name)
    provider = named if identifier is None or name else pool.provider_by_identifier(identifier)
    if provider is None or not client.supports(provider.name):
        raise _invalid(
            "The identity provider is unknown or not enabled for this client.",
            RequestReason.PROVIDER_UNKNOWN,
        )
    return provider.name


def _prompt(params: Parameters) -> tuple[str, ...]:
    """OIDC Core 3.1.2.1: ``none`` stands alone."""
    values = tuple((params.get("prompt") or "").split())
    if "none" in values and len(values) > 1:
        raise _invalid(
            "The prompt none cannot be combined with other values.", RequestReason.PROMPT_COMBINED
        )
    return values


def _max_age(params: Parameters) -> int | None:
    value = params.get("max_age")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", value):
        raise _invalid("The max_age must be a number of seconds.", RequestReason.MAX_AGE_INVALID)
    return int(value)


def _login_hint(params: Parameters) -> str | None:
    """OIDC Core 3.1.2.1: what a person may have typed, to be shown, and sent on in a URL or in XML."""
    value = params.get("login_hint")
    if value is not None and _UNTYPED.search(value):
        raise _invalid(
            "The login_hint must not have control characters.", RequestReason.LOGIN_HINT_INVALID
        )
    return value


def _resource(params: Parameters) -> str | None:
    """RFC 8707 2: one absolute URI without a fragment; http only for localhost."""
    value = params.get("resource")
    if value is None:
        return None
    if not _RESOURCE.fullmatch(value) or not _is_resource(value):
        raise _invalid(
            "The resource must be an absolute URL with https, http://localhost or a custom scheme.",
            RequestReason.RESOURCE_INVALID,
        )
    return value


def _is_resource(value: str) -> bool:
    try:
        url = urlsplit(value)
        plain_http = url.scheme == "http" and url.hostname != "localhost"
    except ValueError:
        return False
    place = url.netloc if url.scheme in ("http", "https") else url.netloc or url.path
    return bool(url.scheme) and not plain_http and "#" not in value and bool(place)
