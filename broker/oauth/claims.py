"""Which claims stand in which token, and which attributes userInfo shows.

Two pools differ here only by ``Conformance``: ``cognito`` puts readable attributes into the ID token
and answers userInfo in strings, ``oidc`` keeps them for userInfo, by scope and in JSON types (OIDC
Core 5.1 and 5.4).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.login import LinkedIdentity, UserProfile
from broker.model.pool import VERIFIED_FLAGS, AppClient, Conformance, UserPool
from broker.model.tokens import Authorization

_EMAIL = ("email", "email_verified")
_PHONE = ("phone_number", "phone_number_verified")
_PROFILE = (
    "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
    "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
)  # fmt: skip
_ATTRIBUTE_SCOPES = frozenset({"email", "phone", "profile"})
_PAIRS = {"email": _EMAIL, "phone": _PHONE}
_COMBINATIONS = 4096
"""Of attributes and scopes, for which the same names are shown each time."""
_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]*)?")


def require_readable(client: AppClient, scopes: tuple[str, ...]) -> None:
    """A scope whose attributes the client cannot read yields no tokens (``invalid_grant``)."""
    for scope, attributes in _PAIRS.items():
        if scope in scopes and not client.read_attributes.issuperset(attributes):
            raise OAuthError(
                ErrorCode.INVALID_GRANT,
                f"The client lacks read access to {' and '.join(attributes)}; see ReadAttributes.",
                reason=RequestReason.ATTRIBUTES_NOT_READABLE,
            )


def access_claims(
    authorization: Authorization, pool: UserPool, *, now: int, jti: str, event_id: str
) -> dict[str, object]:
    """The access token's payload. For client_credentials the client is its own subject."""
    client, user = authorization.client, authorization.user
    claims: dict[str, object] = {"sub": client.id if user is None else user.sub}
    if user is not None:
        if user.groups:
            claims["cognito:groups"] = list(user.groups)
        claims |= _family(authorization) | {"event_id": event_id}
    claims |= {
        "iss": pool.issuer,
        "version": 2,
        "client_id": client.id,
        "token_use": "access",
        "scope": " ".join(authorization.scopes),
        "auth_time": authorization.auth_time,
        "exp": now + client.lifetimes.access,
        "iat": now,
        "jti": jti,
    }
    if user is not None:
        claims["username"] = user.username
    if authorization.resource is not None:
        claims["aud"] = authorization.resource
    return claims


def id_claims(
    authorization: Authorization,
    user: UserProfile,
    pool: UserPool,
    *,
    access_token: str,
    now: int,
    jti: str,
    event_id: str,
) -> dict[str, object]:
    """The ID token's payload (OIDC Core 2, with the members Cognito adds)."""
    client = authorization.client
    claims = _attribute_claims(user, client, authorization.scopes, pool)
    claims |= {"sub": user.sub, "at_hash": at_hash(access_token)}
    if user.groups:
        claims["cognito:groups"] = list(user.groups)
    claims |= {"iss": pool.issuer, "cognito:username": user.username}
    if authorization.nonce is not None:
        claims["nonce"] = authorization.nonce
    family = _family(authorization)
    claims |= family | {"aud": client.id}
    if user.identities:
        claims["identities"] = [_identity_claim(identity) for identity in user.identities]
    claims |= {
        "event_id": event_id,
        "token_use": "id",
        "auth_time": authorization.auth_time,
        "exp": now + client.lifetimes.id,
        "iat": now,
    }
    if family:
        claims["jti"] = jti
    return claims


def userinfo_claims(
    user: UserProfile, client: AppClient, scopes: tuple[str, ...], pool: UserPool
) -> dict[str, object]:
    """The body of ``/oauth2/userInfo``: flat strings for ``cognito``, JSON types for ``oidc``."""
    shown = _shown(client.read_attributes, scopes, pool.conformance)
    visible = _present({n: v for n, v in user.attributes.items() if n in shown})
    if pool.conformance is Conformance.OIDC:
        return {"sub": user.sub, **_typed(visible), "username": user.username}
    claims: dict[str, object] = {"sub": user.sub, **visible, "username": user.username}
    if user.identities:
        claims["identities"] = identities_attribute(user.identities)
    return claims


def readable_attributes(user: UserProfile, client: AppClient) -> dict[str, str]:
    """All that ``client`` may read of ``user``, as the profile has it: ``GetUser``'s attributes."""
    visible = _present({n: v for n, v in user.attributes.items() if n in client.read_attributes})
    identities = {"identities": identities_attribute(user.identities)} if user.identities else {}
    return {"sub": user.sub, **identities, **visible}


def identities_attribute(identities: Iterable[LinkedIdentity]) -> str:
    """``identities`` as a profile attribute: one JSON string, with a boolean and a number inside."""
    return json.dumps(
        [
            {
                "userId": identity.user_id,
                "providerName": identity.provider_name,
                "providerType": identity.provider_type,
                "issuer": identity.issuer,
                "primary": identity.primary,
                "dateCreated": identity.created_at,
            }
            for identity in identities
        ],
        separators=(",", ":"),
        ensure_ascii=False,
    )


def at_hash(access_token: str) -> str:
    """OIDC Core 3.1.3.6: the left half of SHA-256, base64url (RS256 and ES256 alike)."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _family(authorization: Authorization) -> dict[str, object]:
    """``origin_jti`` is part of tokens that can be revoked."""
    if authorization.origin_jti is None or not authorization.client.revokes:
        return {}
    return {"origin_jti": authorization.origin_jti}


def _identity_claim(identity: LinkedIdentity) -> dict[str, object]:
    """One member of ``identities`` in an ID token: every value a string, ``issuer`` may be null."""
    return {
        "dateCreated": str(identity.created_at),
        "userId": identity.user_id,
        "providerName": identity.provider_name,
        "providerType": identity.provider_type,
        "issuer": identity.issuer,
        "primary": "true" if identity.primary else "false",
    }


def _attribute_claims(
    user: UserProfile, client: AppClient, scopes: tuple[str, ...], pool: UserPool
) -> dict[str, object]:
    """Attributes in the ID token; with ``Conformance: oidc`` they are userInfo's alone."""
    if pool.conformance is Conformance.OIDC:
        return {}
    shown = client.read_attributes
    if _names_attributes(scopes):
        shown &= _by_scope(shown, scopes)
    return _typed(_present({n: v for n, v in user.attributes.items() if n in shown}))


@lru_cache(_COMBINATIONS)
def _shown(
    readable: frozenset[str], scopes: tuple[str, ...], conformance: Conformance
) -> frozenset[str]:
    """Names of the attributes userInfo shows for these scopes."""
    if not _names_attributes(scopes):
        return frozenset() if conformance is Conformance.OIDC else readable
    by_scope = _by_scope(readable, scopes)
    if conformance is Conformance.COGNITO:
        # Cognito's userInfo shows the basic profile beside e-mail or phone.
        by_scope |= frozenset(_PROFILE)
    return readable & by_scope


def _names_attributes(scopes: tuple[str, ...]) -> bool:
    """``openid`` without any of these shows all attributes, with them only theirs."""
    return not _ATTRIBUTE_SCOPES.isdisjoint(scopes)


@lru_cache(_COMBINATIONS)
def _by_scope(names: frozenset[str], scopes: tuple[str, ...]) -> frozenset[str]:
    """``profile`` means whatever e-mail and phone do not, custom attributes included."""
    shown: set[str] = set()
    if "profile" in scopes:
        shown.update(n for n in names if n not in _EMAIL and n not in _PHONE)
    for scope, attributes in _PAIRS.items():
        if scope in scopes:
            shown.update(attributes)
    return frozenset(shown)


def _present(attributes: Mapping[str, str]) -> dict[str, str]:
    """Blank values are left out (OIDC Core 5.3.2); flags are ``true`` or ``false``."""
    return {
        name: value.lower() if name in VERIFIED_FLAGS else value
        for name, value in attributes.items()
        if value.strip()
    }


def _typed(attributes: Mapping[str, str]) -> dict[str, object]:
    """Attribute values in the JSON types of OIDC Core 5.1; custom attributes stay strings. A value
    that is not of its type is left out: readers trust the type."""
    typed = {name: _typed_value(name, value) for name, value in attributes.items()}
    return {name: value for name, value in typed.items() if value is not None}


def _typed_value(name: str, value: str) -> object:
    if name in VERIFIED_FLAGS:
        return value == "true"
    if name == "updated_at":
        return int(value.partition(".")[0]) if _SECONDS.fullmatch(value) else None
    if name == "address":
        return {"formatted": value}
    return value
