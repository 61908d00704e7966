"""The members of an app client."""

from __future__ import annotations

import re

from broker.model.pool import Flow
from broker.settings import rules, urls
from broker.settings.kinds import Boolean, Choice, ListOf, Text, Whole
from broker.settings.members import Member, Object, table

NAME = re.compile(r"[\w\s+=,.@-]{1,128}")
_CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")

_CALLBACKS = ListOf(item=Text(must=urls.callback_problem, longest=1024), most=100)
_ATTRIBUTES = ListOf(item=Text(must=rules.not_empty), most=100)
_UNIT = Choice(words=("seconds", "minutes", "hours", "days"))
_VALIDITY = Whole(low=1, high=315_360_000)

CLIENT = table(
    "UserPoolClient",
    Member(
        "ClientId",
        Text(must=rules.client_id, pattern=_CLIENT_ID),
        "The OAuth client_id.",
        required=True,
    ),
    Member("ClientName", Text(pattern=NAME), "A name for people."),
    Member(
        "ClientSecret",
        Text(must=rules.client_secret),
        "The OAuth client_secret. Without one the client is public.",
    ),
    Member("GenerateSecret", Boolean(), "Without effect: write the secret in ClientSecret."),
    Member("CallbackURLs", _CALLBACKS, "Where authorization responses may go, matched exactly."),
    Member("LogoutURLs", _CALLBACKS, "Where /logout may send a browser, matched exactly."),
    Member(
        "DefaultRedirectURI",
        Text(must=urls.callback_problem, longest=1024),
        "The redirect URI of requests without one. Must be in CallbackURLs.",
    ),
    Member(
        "AllowedOAuthFlowsUserPoolClient",
        Boolean(),
        "Whether the client may use OAuth at all.",
        default="false",
    ),
    Member(
        "AllowedOAuthFlows",
        ListOf(item=Choice(words=tuple(Flow)), most=len(Flow)),
        "The grants the client may use.",
    ),
    Member(
        "AllowedOAuthScopes",
        ListOf(item=Text(must=rules.resource_identifier, pattern=_SCOPE), most=50),
        "The scopes the client may ask for.",
    ),
    Member(
        "SupportedIdentityProviders",
        ListOf(item=Text(must=rules.not_empty), most=1000),
        "The providers its users may sign in with, by ProviderName.",
    ),
    Member("ReadAttributes", _ATTRIBUTES, "What its tokens show.", default="the standard ones"),
    Member(
        "WriteAttributes",
        _ATTRIBUTES,
        "What a sign-in through it may write.",
        default="all that are mapped",
    ),
    Member("AccessTokenValidity", _VALIDITY, "In TokenValidityUnits.AccessToken.", default="1"),
    Member("IdTokenValidity", _VALIDITY, "In TokenValidityUnits.IdToken.", default="1"),
    Member(
        "RefreshTokenValidity",
        Whole(low=0, high=315_360_000),
        "In TokenValidityUnits.RefreshToken; 0 is 30 days.",
        default="30",
    ),
    Member(
        "TokenValidityUnits",
        Object(
            table(
                "TokenValidityUnits",
                Member("AccessToken", _UNIT, "Unit of AccessTokenValidity.", default="hours"),
                Member("IdToken", _UNIT, "Unit of IdTokenValidity.", default="hours"),
                Member("RefreshToken", _UNIT, "Unit of RefreshTokenValidity.", default="days"),
            )
        ),
        "The units of the three validities.",
    ),
    Member(
        "EnableTokenRevocation",
        Boolean(),
        "Whether /oauth2/revoke works for the client's tokens.",
        default="true",
    ),
    Member(
        "RefreshTokenRotation",
        Object(
            table(
                "RefreshTokenRotation",
                Member(
                    "Feature",
                    Choice(words=("ENABLED", "DISABLED")),
                    "Whether each refresh replaces the refresh token.",
                    required=True,
                ),
                Member(
                    "RetryGracePeriodSeconds",
                    Whole(low=0, high=86_400),
                    "How long the replaced one still works.",
                    default="0",
                ),
            )
        ),
        "Refresh token rotation.",
    ),
    Member(
        "RequirePkce",
        Boolean(),
        "The broker's own. Whether authorization requests must carry a PKCE challenge.",
        default="true for public clients, else false",
    ),
    Member(
        "PreventUserExistenceErrors",
        Choice(words=("LEGACY", "ENABLED")),
        "Without effect: the broker has no passwords.",
    ),
    Member("AuthSessionValidity", Whole(low=0, high=86_400), "Without effect."),
    let_through=(
        "UserPoolId LastModifiedDate CreationDate ExplicitAuthFlows AnalyticsConfiguration"
        " EnablePropagateAdditionalUserContextData ClientType ResponseMetadata"
    ),
    wrapper="UserPoolClient",
)
