"""What clients read before anything else: ``openid-configuration``, ``jwks.json``, SP metadata.

Everything in the discovery document is true and nothing else is in it (OIDC Discovery 1.0 3). The
documents are the same bytes at the domain root and below the pool id.
"""

from __future__ import annotations

import hashlib

import msgspec
from werkzeug.exceptions import NotFound

from broker.login.broker import Broker
from broker.model.pool import STANDARD_ATTRIBUTES, VERIFIED_FLAGS, UserPool
from broker.web import context, errors
from broker.web.context import Site
from broker.web.language import CODES
from broker.web.request import Request
from broker.web.response import Response

_encode = msgspec.json.Encoder().encode
_CACHE = {"Cache-Control": "public, max-age=3600"}
_CLIENT_AUTHENTICATION = ("client_secret_basic", "client_secret_post")
_REGISTERED_CLAIMS = (
    "sub", "aud", "iss", "exp", "iat", "auth_time", "nonce", "at_hash", "jti", "token_use",
    "cognito:username", "cognito:groups", "identities", "origin_jti", "event_id",
)  # fmt: skip


class Documents:
    """Bytes and ETag of each document, made when first asked for and kept while they are true."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[bytes, str]] = {}

    def openid_configuration(
        self, request: Request, broker: Broker, site: Site, pool_id: str | None = None
    ) -> Response:
        _require_own(site, pool_id)
        document = self._kept.get(("configuration", site.pool.id))
        if document is None:
            document = self._keep("configuration", site.pool, _encode(configuration(site.pool)))
        return _json_document(request, document)

    def jwks(
        self, request: Request, broker: Broker, site: Site, pool_id: str | None = None
    ) -> Response:
        _require_own(site, pool_id)
        document, newest = self._kept.get(("jwks", site.pool.id)), broker.issuers.of(site.pool).jwks
        if document is None or document[0] is not newest:
            document = self._keep("jwks", site.pool, newest)
        return _json_document(request, document)

    def _keep(self, name: str, pool: UserPool, body: bytes) -> tuple[bytes, str]:
        document = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self._kept[name, pool.id] = document
        return document


def configuration(pool: UserPool) -> dict[str, object]:
    """The pool's provider metadata (OIDC Discovery 1.0 3, RFC 8414 2, RFC 9207 3)."""
    domain = pool.domain
    return {
        "authorization_endpoint": f"{domain}/oauth2/authorize",
        "authorization_response_iss_parameter_supported": True,
        "claims_supported": [*_REGISTERED_CLAIMS, *STANDARD_ATTRIBUTES, *VERIFIED_FLAGS],
        "code_challenge_methods_supported": ["S256"],
        "end_session_endpoint": f"{domain}/logout",
        "grant_types_supported": [
            "authorization_code",
            "implicit",
            "refresh_token",
            "client_credentials",
        ],
        "id_token_signing_alg_values_supported": [pool.signing_algorithm.value],
        "issuer": pool.issuer,
        "jwks_uri": f"{domain}/{pool.id}/.well-known/jwks.json",
        # Left out, this one would mean true (OIDC Discovery 1.0 3).
        "request_uri_parameter_supported": False,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": f"{domain}/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": list(_CLIENT_AUTHENTICATION),
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": f"{domain}/oauth2/token",
        "token_endpoint_auth_methods_supported": list(_CLIENT_AUTHENTICATION),
        "ui_locales_supported": list(CODES),
        "userinfo_endpoint": f"{domain}/oauth2/userInfo",
    }


def service_provider_metadata(request: Request, broker: Broker, site: Site) -> Response:
    """``/saml2/metadata``: what an IdP's administrator imports (SAML Metadata 4.1)."""
    provider = context.query(request).get("provider")
    if provider is not None and provider not in site.pool.providers:
        raise NotFound
    body = broker.service_provider_metadata(site.pool, provider=provider)
    headers = {"Content-Type": "application/samlmetadata+xml", "Cache-Control": "no-cache"}
    return Response(body, headers=headers)


def no_such_document(request: Request, broker: Broker, site: Site, **names: str) -> Response:
    """404 for whatever else a client looks for below ``.well-known``, in the form it reads."""
    raise NotFound


def _require_own(site: Site, pool_id: str | None) -> None:
    if pool_id not in (None, site.pool.id):
        raise NotFound


def _json_document(request: Request, document: tuple[bytes, str]) -> Response:
    body, etag = document
    headers = {**_CACHE, "ETag": etag}
    if request.if_none_match.contains_weak(etag.strip('"')):
        return errors.empty(304, headers)
    return Response(body, headers={**headers, "Content-Type": "application/json"})
