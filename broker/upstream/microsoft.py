"""Microsoft Entra ID: OpenID Connect below a tenant, or below ``common`` for many tenants.

``common`` and ``organizations`` publish one document whose issuer holds ``{tenantid}``; each token has
the issuer of its own tenant, named by its ``tid``. A ``sub`` means something within its tenant only, so
there the tenant is part of the subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

from broker.model.errors import Reason
from broker.model.pool import IdentityProvider, OAuthSettings, UserPool
from broker.ports import Clock, Upstream
from broker.upstream.code_flow import Dialect
from broker.upstream.discovery import ProviderMetadata
from broker.upstream.failures import refused
from broker.upstream.http import HttpClient
from broker.upstream.id_token import IdToken, IssuerRule
from broker.upstream.oidc import OidcUpstream, Traits
from broker.upstream.user_info import UserInfoRequest, user_info

CLOUD = "https://login.microsoftonline.com"
TEMPLATE = "{tenantid}"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal accounts."""

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_IS_GUID = re.compile(_GUID)
_ISSUER_PATH = re.compile(rf"/(?:{_GUID}|\{{tenantid\}})/v2\.0/?")


def is_issuer(authority: str, issuer: str) -> bool:
    """Whether ``issuer`` is that of ``authority``: equal, or, where the authority names its tenant
    otherwise than by id, a tenant of the same cloud."""
    if issuer == authority or _IS_GUID.fullmatch(tenant_of(authority)):
        return issuer == authority
    try:
        ours, theirs = urlsplit(authority), urlsplit(issuer)
    except ValueError:  # brackets that hold no address
        return False
    same_cloud = (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
    is_plain = not theirs.query and not theirs.fragment
    return same_cloud and is_plain and _ISSUER_PATH.fullmatch(theirs.path) is not None


def tenant_of(authority: str) -> str:
    """``https://login.microsoftonline.com/<tenant>/v2.0`` -> ``<tenant>``."""
    return urlsplit(authority).path.strip("/").partition("/")[0]


def issuer_of_tenant(*, work_only: bool) -> IssuerRule:
    """The issuer with the token's own tenant in it; ``tid`` must be a tenant's id.

    ``work_only``: ``organizations`` means that personal accounts stay outside.
    """

    def expected(declared: str, claims: Mapping[str, Any]) -> str:
        if TEMPLATE not in declared:
            return declared
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not _IS_GUID.fullmatch(tenant):
            raise refused(Reason.OIDC_ISSUER, expected="tid: a tenant's id", received=tenant)
        if work_only and tenant == PERSONAL:
            raise refused(Reason.OIDC_ISSUER, expected="a work account", received=tenant)
        return declared.replace(TEMPLATE, tenant)

    return expected


def subject(id_token: IdToken, metadata: ProviderMetadata) -> str:
    """``sub``, with the tenant in front where several tenants sign in."""
    if TEMPLATE not in metadata.issuer:
        return id_token.subject
    return f"{id_token.claims['tid']}.{id_token.subject}"


def configured_user_info(request: UserInfoRequest) -> Mapping[str, Any]:
    """Only where the configuration asks for it: the ID token says all that Microsoft's endpoint
    knows (Microsoft identity platform, "UserInfo endpoint")."""
    return user_info(request) if request.settings.attributes_url else {}


TRAITS = Traits(
    dialect=Dialect(scopes="openid profile email", nonce=True, pkce=True),
    algorithms=("RS256",),
    is_issuer=is_issuer,
    subject=subject,
    user_info=configured_user_info,
)


def connector(
    pool: UserPool, provider: IdentityProvider, *, http: HttpClient, clock: Clock
) -> Upstream:
    settings = cast("OAuthSettings", provider.settings)
    tenant = settings.extra.get("tenant", "common")
    authority = settings.issuer or f"{CLOUD}/{tenant}/v2.0"
    work_only = tenant_of(authority) == "organizations"
    return OidcUpstream(
        pool=pool,
        provider=replace(provider, settings=replace(settings, issuer=authority)),
        http=http,
        clock=clock,
        traits=replace(TRAITS, issuer_rule=issuer_of_tenant(work_only=work_only)),
    )
