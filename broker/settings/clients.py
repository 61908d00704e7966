"""``UserPoolClients`` -> app clients, and what is checked between them and the rest of the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from broker.model.pool import AppClient, Flow, RefreshRotation, TokenLifetimes
from broker.settings.members import Entry, Taken, Values
from broker.settings.reading import Reading, nearest

_OWN_USERS = "COGNITO"
_RESERVED_SCOPES = frozenset(
    {"openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"}
)
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DEFAULTS = TokenLifetimes()
_SHORT = (300, 86_400, "5 minutes to 1 day")
_LONG = (3600, 3650 * 86_400, "1 hour to 10 years")
_GRACE_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a client's members may name."""

    providers: frozenset[str]
    custom_scopes: frozenset[str]
    attributes: frozenset[str]


def build(entries: Iterable[Entry], around: Surroundings, reading: Reading) -> dict[str, AppClient]:
    """The clients that could be read, by id."""
    taken = Taken(reading)
    clients: dict[str, AppClient] = {}
    for entry in entries:
        taken.claim(entry.values.get("ClientId"), entry.place, "ClientId")
        for check in _CHECKS:
            check(entry, around, reading)
        if "ClientId" in entry.values:
            clients[entry.values["ClientId"]] = _client(entry, reading)
    return clients


def _client(entry: Entry, reading: Reading) -> AppClient:
    values = entry.values
    secret = values.get("ClientSecret")
    return AppClient(
        id=values["ClientId"],
        name=values.get("ClientName", ""),
        secret=secret,
        oauth_enabled=values.get("AllowedOAuthFlowsUserPoolClient", False),
        flows=frozenset(Flow(flow) for flow in values.get("AllowedOAuthFlows", ())),
        scopes=values.get("AllowedOAuthScopes", ()),
        callback_urls=values.get("CallbackURLs", ()),
        logout_urls=values.get("LogoutURLs", ()),
        default_redirect_uri=values.get("DefaultRedirectURI"),
        providers=tuple(p for p in values.get("SupportedIdentityProviders", ()) if p != _OWN_USERS),
        lifetimes=_lifetimes(entry, reading),
        revocation=values.get("EnableTokenRevocation", True),
        rotation=_rotation(entry, reading),
        require_pkce=values.get("RequirePkce", secret is None),
        **_attributes(values),
    )


def _attributes(values: Values) -> dict[str, Any]:
    """``ReadAttributes`` and ``WriteAttributes``; without them the model's defaults."""
    named = {"read_attributes": "ReadAttributes", "write_attributes": "WriteAttributes"}
    return {field: frozenset(values[name]) for field, name in named.items() if name in values}


def _lifetimes(entry: Entry, reading: Reading) -> TokenLifetimes:
    found = TokenLifetimes(
        access=_lifetime(entry, "AccessToken", "hours", reading) or _DEFAULTS.access,
        id=_lifetime(entry, "IdToken", "hours", reading) or _DEFAULTS.id,
        refresh=_lifetime(entry, "RefreshToken", "days", reading) or _DEFAULTS.refresh,
    )
    return _DEFAULTS if found == _DEFAULTS else found


def _lifetime(entry: Entry, token: str, usual_unit: str, reading: Reading) -> int:
    """Seconds; 0 when nothing is said, or when the file says 0."""
    name = f"{token}Validity"
    unit = entry.values.get("TokenValidityUnits", {}).get(token, usual_unit)
    seconds: int = entry.values.get(name, 0) * _SECONDS[unit]
    low, high, words = _LONG if token == "RefreshToken" else _SHORT
    if seconds and not low <= seconds <= high:
        reading.warn(entry.place / name, f"Cognito allows {words}")
    return seconds


def _rotation(entry: Entry, reading: Reading) -> RefreshRotation | None:
    values = entry.values.get("RefreshTokenRotation", {})
    if values.get("Feature") != "ENABLED":
        return None
    grace = values.get("RetryGracePeriodSeconds", 0)
    if grace > _GRACE_MAX:
        where = entry.place / "RefreshTokenRotation" / "RetryGracePeriodSeconds"
        reading.warn(where, f"Cognito allows at most {_GRACE_MAX} seconds")
    return RefreshRotation(grace_seconds=grace)


def _providers_exist(entry: Entry, around: Surroundings, reading: Reading) -> None:
    for name in entry.values.get("SupportedIdentityProviders", ()):
        if name != _OWN_USERS and name not in around.providers:
            reading.fault(
                entry.place / "SupportedIdentityProviders",
                f"no identity provider is called {name}{nearest(name, around.providers)}",
            )


def _default_is_registered(entry: Entry, _: Surroundings, reading: Reading) -> None:
    default = entry.values.get("DefaultRedirectURI")
    if default is not None and default not in entry.values.get("CallbackURLs", ()):
        reading.fault(entry.place / "DefaultRedirectURI", "must be one of CallbackURLs")


def _scopes_exist(entry: Entry, around: Surroundings, reading: Reading) -> None:
    for scope in entry.values.get("AllowedOAuthScopes", ()):
        if scope not in _RESERVED_SCOPES and scope not in around.custom_scopes:
            guess = nearest(scope, (*_RESERVED_SCOPES, *around.custom_scopes))
            reading.warn(
                entry.place / "AllowedOAuthScopes",
                f"no resource server defines {scope}: it is never granted{guess}",
            )


def _attributes_exist(entry: Entry, around: Surroundings, reading: Reading) -> None:
    for member in ("ReadAttributes", "WriteAttributes"):
        for name in entry.values.get(member, ()):
            if name not in around.attributes:
                guess = nearest(name, around.attributes)
                reading.warn(entry.place / member, f"no attribute of the schema is {name}{guess}")


def _oauth_is_on(entry: Entry, _: Surroundings, reading: Reading) -> None:
    if entry.values.get("AllowedOAuthFlowsUserPoolClient"):
        return
    if entry.values.get("AllowedOAuthFlows"):
        reading.warn(
            entry.place / "AllowedOAuthFlows",
            "without effect until AllowedOAuthFlowsUserPoolClient is true",
        )


def _flows_fit(entry: Entry, _: Surroundings, reading: Reading) -> None:
    flows = entry.values.get("AllowedOAuthFlows", ())
    where = entry.place / "AllowedOAuthFlows"
    if Flow.CLIENT_CREDENTIALS not in flows:
        return
    if len(flows) > 1:
        reading.warn(where, "Cognito allows client_credentials only alone")
    if "ClientSecret" not in entry.given:
        reading.warn(where, "client_credentials needs a ClientSecret: it is refused without")


def _somebody_can_sign_in(entry: Entry, _: Surroundings, reading: Reading) -> None:
    interactive = {Flow.CODE, Flow.IMPLICIT} & set(entry.values.get("AllowedOAuthFlows", ()))
    named = set(entry.values.get("SupportedIdentityProviders", ()))
    if interactive and not named - {_OWN_USERS}:
        reading.warn(
            entry.place / "SupportedIdentityProviders", "names no provider: nobody can sign in"
        )


def _secret_is_written(entry: Entry, _: Surroundings, reading: Reading) -> None:
    if entry.values.get("GenerateSecret") and "ClientSecret" not in entry.given:
        reading.warn(
            entry.place / "GenerateSecret",
            "no secret is made here: without a ClientSecret the client is public",
        )


def _pkce_is_kept(entry: Entry, _: Surroundings, reading: Reading) -> None:
    """RFC 9700 2.1.1: a public client that does not use PKCE gives a code to whoever sees it."""
    if entry.values.get("RequirePkce") is False and "ClientSecret" not in entry.given:
        reading.warn(entry.place / "RequirePkce", "a public client without PKCE can lose its codes")


_CHECKS: tuple[Callable[[Entry, Surroundings, Reading], None], ...] = (
    _providers_exist,
    _default_is_registered,
    _scopes_exist,
    _attributes_exist,
    _oauth_is_on,
    _flows_fit,
    _somebody_can_sign_in,
    _secret_is_written,
    _pkce_is_kept,
)
