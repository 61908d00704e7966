"""``POST /``: the calls of the Cognito API that a token authorizes, as Amplify and the SDKs make them.

An operation is named by ``X-Amz-Target`` and found in one table. There is no signature to check:
each call carries a refresh or an access token of this pool, which is chosen by Host.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from broker.login.broker import Broker
from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.web import api_tokens, api_users, api_wire, context
from broker.web.api_wire import ApiError, Members, Operation
from broker.web.context import Site
from broker.web.request import Request
from broker.web.response import Response

_log = logging.getLogger("broker.web")
_PREFIX = "AWSCognitoIdentityProviderService."
_OPERATIONS: Mapping[str, Operation] = {
    "GetTokensFromRefreshToken": api_tokens.get_tokens_from_refresh_token,
    "InitiateAuth": api_tokens.initiate_auth,
    "RevokeToken": api_tokens.revoke_token,
    "GetUser": api_users.get_user,
    "GlobalSignOut": api_users.global_sign_out,
}
_OF_LOCAL_USERS = frozenset(
    {
        "AssociateSoftwareToken", "ChangePassword", "ConfirmForgotPassword", "ConfirmSignUp",
        "ForgotPassword", "ResendConfirmationCode", "RespondToAuthChallenge", "SetUserMFAPreference",
        "SignUp", "VerifySoftwareToken",
    }
)  # fmt: skip
"""What Cognito has for users with a password, whom a federation broker does not keep."""

_NOT_AUTHORIZED = "NotAuthorizedException"
_BY_REASON = {
    RequestReason.ACCESS_TOKEN_EXPIRED: (_NOT_AUTHORIZED, "Access Token has expired"),
    RequestReason.ACCESS_TOKEN_REVOKED: (_NOT_AUTHORIZED, "Access Token has been revoked"),
    RequestReason.PROVIDER_GONE: (
        _NOT_AUTHORIZED,
        "The identity provider of the user is disabled.",
    ),
    RequestReason.REFRESH_TOKEN_EXPIRED: (_NOT_AUTHORIZED, "Refresh Token has expired"),
    RequestReason.REFRESH_TOKEN_REUSED: (
        "RefreshTokenReuseException",
        "Refresh Token has been used already; sign in again",
    ),
    RequestReason.REFRESH_TOKEN_REVOKED: (_NOT_AUTHORIZED, "Refresh Token has been revoked"),
    RequestReason.REFRESH_TOKEN_UNKNOWN: (_NOT_AUTHORIZED, "Invalid Refresh Token"),
    RequestReason.REVOCATION_OFF: (
        "UnsupportedOperationException",
        "Token revocation is off for this client; see EnableTokenRevocation",
    ),
    RequestReason.USER_DISABLED: (_NOT_AUTHORIZED, "User is disabled."),
    RequestReason.USER_UNKNOWN: ("UserNotFoundException", "User does not exist."),
}
_BY_CODE = {
    ErrorCode.INVALID_TOKEN: (_NOT_AUTHORIZED, "Invalid Access Token"),
    ErrorCode.UNSUPPORTED_TOKEN_TYPE: ("UnsupportedTokenTypeException", "Unsupported token type"),
}


def token_api(request: Request, broker: Broker, site: Site) -> Response:
    """Read the target and the members, let the operation answer, name its refusal as Cognito does."""
    try:
        operation = _operation(request.header("X-Amz-Target") or "")
        members = Members.parse(context.body(request))
        return api_wire.answer(operation(broker, site, members))
    except OAuthError as error:
        return _refused(request, api_error(error), error.reason.value)
    except ApiError as error:
        return _refused(request, error, error.name)


def api_error(error: OAuthError) -> ApiError:
    """The name and the text Cognito has for a rule that our own endpoints share."""
    name, message = (
        _BY_REASON.get(error.reason)
        or _BY_CODE.get(error.code)
        or (_NOT_AUTHORIZED, error.description)
    )
    return ApiError(name, message)


def _operation(target: str) -> Operation:
    name = target.removeprefix(_PREFIX)
    operation = _OPERATIONS.get(name) if target.startswith(_PREFIX) else None
    if operation is not None:
        return operation
    if target.startswith(_PREFIX) and name in _OF_LOCAL_USERS:
        raise ApiError(
            "UnsupportedOperationException",
            "Users of this pool sign in at identity providers; it keeps no passwords.",
        )
    raise ApiError(
        "UnknownOperationException",
        f"X-Amz-Target must be {_PREFIX} followed by one of: {', '.join(_OPERATIONS)}",
    )


def _refused(request: Request, error: ApiError, reason: str) -> Response:
    _log.info(
        "request_refused", extra={"path": request.path, "error": error.name, "reason": reason}
    )
    return api_wire.error(error)
