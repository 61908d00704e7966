"""Google: an OpenID Connect provider with well-known endpoints.

The ID token carries ``sub``, e-mail and names. The People API is asked only when the attribute mapping
names one of its fields (``birthdays``, ``phoneNumbers`` ...), because it needs scopes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.model.errors import Reason
from broker.model.pool import IdentityProvider, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.code_flow import Dialect
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.failures import refused
from broker.upstream.http import HttpClient
from broker.upstream.oidc import OidcUpstream, Traits
from broker.upstream.user_info import UserInfoRequest, user_info

PERSON_FIELDS = frozenset(
    {
        *("addresses", "ageRanges", "biographies", "birthdays", "emailAddresses", "genders"),
        *("locales", "names", "nicknames", "occupations", "organizations", "phoneNumbers"),
        *("photos", "urls"),
    }
)
_VALUES = ("canonicalForm", "displayName", "value", "formattedValue", "url", "name", "ageRange")


def person(request: UserInfoRequest) -> Mapping[str, Any]:
    """people.get for the mapped fields; any other URL is taken for a userinfo endpoint."""
    if not request.url.endswith("="):
        return user_info(request)
    mapped = request.provider.attribute_mapping.values()
    fields = sorted({name.partition(".")[0] for name in mapped} & PERSON_FIELDS)
    found = request.fetch(request.url + ",".join(fields)) if fields else None
    if found is None:
        return {}
    if found.get("resourceName") != f"people/{request.subject}":
        raise refused(Reason.OIDC_USERINFO_SUBJECT, expected="the person of the ID token")
    return {name: _primary(found[name]) for name in fields if name in found}


def _primary(entries: object) -> object:
    """The plain value of the entry that the person calls the first."""
    listed = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    listed.sort(key=lambda entry: not _is_primary(entry))
    return _value(listed[0]) if listed else None


def _is_primary(entry: Mapping[str, Any]) -> bool:
    metadata = entry.get("metadata")
    return isinstance(metadata, dict) and metadata.get("primary") is True


def _value(entry: Mapping[str, Any]) -> object:
    date = entry.get("date")
    if isinstance(date, dict):
        year, month, day = (date.get(name) for name in ("year", "month", "day"))
        if isinstance(year, int) and isinstance(month, int) and isinstance(day, int):
            return f"{year:04}-{month:02}-{day:02}"
    return next((entry[name] for name in _VALUES if name in entry), entry)


TRAITS = Traits(
    dialect=Dialect(
        scopes="openid email profile",
        nonce=True,
        # Google has no prompt=login: the account chooser is as close as it gets.
        prompts={
            "login": "select_account",
            "select_account": "select_account",
            "consent": "consent",
        },
    ),
    built_in=ProviderMetadata(
        issuer="https://accounts.google.com",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://www.googleapis.com/oauth2/v4/token",
        jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
        attributes_url="https://people.googleapis.com/v1/people/me?personFields=",
        supports_pkce=True,
    ),
    algorithms=("RS256",),
    user_info=person,
)


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    return OidcUpstream(pool=pool, provider=provider, http=http, clock=clock, traits=TRAITS)
