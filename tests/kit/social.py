"""Doubles of Google, Apple, Microsoft, Facebook, Amazon and GitHub.

Each imitates the requests and answers that its provider documents, and refuses what the real one
refuses. They run on loopback, so ``settings()`` names their endpoints to the connector under test.
Endpoints are methods; what several share stands in ``SocialDouble``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from broker.ports import Clock
from tests.kit.http_double import Asked, HttpDouble, Raw, Reply, as_json
from tests.kit.jose import JoseKey, ec_key, rsa_key, signed
from tests.kit.oidc_op import RefusedByProviderError, proves

CLIENT_ID = "client-of-the-broker"
CLIENT_SECRET = "secret-of-the-broker"
REDIRECT_URI = "https://auth.example.test/oauth2/idpresponse"


@dataclass(kw_only=True)
class SocialDouble:
    """Codes, tokens and the parts of RFC 6749 that all of them keep to."""

    clock: Clock
    replies: dict[str, Reply | Raw] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access_tokens: dict[str, str] = field(default_factory=dict)
    """Token -> scope."""

    authorize_path: ClassVar[str]

    def __post_init__(self) -> None:
        self.http = HttpDouble(self._serve)

    def __enter__(self) -> Any:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def url(self) -> str:
        return self.http.url

    def settings(self, **more: Any) -> dict[str, Any]:
        """The members of ``OAuthSettings`` that lead here."""
        raise AssertionError("each provider has endpoints of its own")

    def sign_in(self, url: str) -> dict[str, str]:
        """The person consents; the parameters that reach the redirect URI."""
        params = self.read_request(url)
        code = secrets.token_urlsafe(8)
        self.codes[code] = params
        return {"code": code, "state": params["state"]}

    def read_request(self, url: str) -> dict[str, str]:
        if urlsplit(url).path != self.authorize_path:
            raise RefusedByProviderError(f"not my endpoint: {url}")
        params = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        expected = {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
        }
        wrong = {n: params.get(n) for n, v in expected.items() if params.get(n) != v}
        if wrong or not params.get("state") or not params.get("scope"):
            raise RefusedByProviderError(f"{wrong} in {params}")
        self.check_request(params)
        return params

    def check_request(self, params: Mapping[str, str]) -> None:
        """What this provider wants besides. Raises ``RefusedByProviderError``."""

    def answer(self, asked: Asked) -> Reply:
        """The provider's endpoints."""
        raise RefusedByProviderError(f"no endpoint {asked.path}")

    def _serve(self, asked: Asked) -> Reply | Raw:
        return self.replies[asked.path] if asked.path in self.replies else self.answer(asked)

    def redeemed(self, fields: Mapping[str, str]) -> dict[str, str] | None:
        """The authorization request that ``code`` stands for, once (RFC 6749 4.1.3)."""
        request = self.codes.pop(fields.get("code", ""), None)
        if request is None or fields.get("redirect_uri") != request["redirect_uri"]:
            return None
        if not proves(fields.get("code_verifier"), request.get("code_challenge")):
            return None
        return request

    def new_token(self, request: Mapping[str, str]) -> str:
        token = f"token-{secrets.token_urlsafe(8)}"
        self.access_tokens[token] = request["scope"]
        return token

    def scope_of(self, asked: Asked) -> str | None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        return self.access_tokens.get(token)


# -- OpenID Connect -------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Google(SocialDouble):
    """developers.google.com/identity/openid-connect and people.googleapis.com/v1."""

    subject: str = "117123456789012345678"
    claims: dict[str, Any] = field(default_factory=dict)
    person: dict[str, Any] = field(default_factory=dict)
    issuer: str = "https://accounts.google.com"

    authorize_path = "/o/oauth2/v2/auth"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": "email profile openid",
            "authorize_url": f"{self.url}/o/oauth2/v2/auth",
            "token_url": f"{self.url}/oauth2/v4/token",
            "jwks_uri": f"{self.url}/oauth2/v3/certs",
            "attributes_url": f"{self.url}/v1/people/me?personFields=",
            **more,
        }

    def check_request(self, params: Mapping[str, str]) -> None:
        prompts = set(params.get("prompt", "").split())
        if not prompts <= {"none", "consent", "select_account"}:
            raise RefusedByProviderError(f"Invalid prompt: {prompts}")

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/oauth2/v3/certs":
            return as_json({"keys": [rsa_key("google").jwk(alg="RS256")]})
        if asked.path == "/v1/people/me":
            return self._people(asked)
        return self._token(asked)

    def _token(self, asked: Asked) -> Reply:
        form = asked.form
        if asked.method != "POST" or form.get("grant_type") != "authorization_code":
            return as_json({"error": "unsupported_grant_type"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return as_json({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
        request = self.redeemed(form)
        if request is None:
            return as_json({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        now = int(self.clock.now())
        claims = {
            "iss": self.issuer,
            "azp": CLIENT_ID,
            "aud": CLIENT_ID,
            "sub": self.subject,
            "email": "jane@gmail.test",
            "email_verified": True,
            "nonce": request["nonce"],
            "name": "Jane Doe",
            "picture": "https://lh3.googleusercontent.test/a/x",
            "given_name": "Jane",
            "family_name": "Doe",
            "iat": now,
            "exp": now + 3600,
            **self.claims,
        }
        return as_json(
            {
                "access_token": self.new_token(request),
                "expires_in": 3599,
                "scope": request["scope"],
                "token_type": "Bearer",
                "id_token": signed(claims, rsa_key("google")),
            }
        )

    def _people(self, asked: Asked) -> Reply:
        if self.scope_of(asked) is None:
            return as_json({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        fields = asked.query.get("personFields", "").split(",")
        known = {"names", "birthdays", "genders", "phoneNumbers", "emailAddresses"}
        if not set(fields) <= known:
            message = f'Invalid personFields mask path: "{asked.query.get("personFields")}".'
            error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
            return as_json({"error": error}, 400)
        whole = {"resourceName": f"people/{self.subject}", "etag": "%Eg", **self.person}
        return as_json({n: v for n, v in whole.items() if n in ("resourceName", "etag", *fields)})


@dataclass(kw_only=True)
class Apple(SocialDouble):
    """developer.apple.com/documentation/signinwithapplerestapi."""

    developer_key: JoseKey = field(default_factory=lambda: ec_key("KEY1234567"))
    team_id: str = "TEAM123456"
    claims: dict[str, Any] = field(default_factory=dict)
    user: str | None = None
    """The ``user`` parameter of the first consent."""

    authorize_path = "/auth/authorize"

    def settings(self, **more: Any) -> dict[str, Any]:
        extra = {
            "team_id": self.team_id,
            "key_id": self.developer_key.kid,
            "private_key": self.developer_key.private_pem(),
        }
        return {
            "client_id": CLIENT_ID,
            "scopes": "email name",
            "authorize_url": f"{self.url}/auth/authorize",
            "token_url": f"{self.url}/auth/token",
            "jwks_uri": f"{self.url}/auth/keys",
            "extra": {**extra, **more.pop("extra", {})},
            **more,
        }

    def check_request(self, params: Mapping[str, str]) -> None:
        if params.get("response_mode") != "form_post":
            raise RefusedByProviderError("response_mode must be form_post when scope is requested")
        if not set(params["scope"].split()) <= {"name", "email", "openid"}:
            raise RefusedByProviderError("invalid_scope")

    def sign_in(self, url: str) -> dict[str, str]:
        user = {} if self.user is None else {"user": self.user}
        return {**super().sign_in(url), **user}

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/auth/keys":
            keys = [rsa_key("apple-1"), rsa_key("apple-2")]
            return as_json({"keys": [key.jwk(alg="RS256") for key in keys]})
        form = asked.form
        if asked.method != "POST" or form.get("client_id") != CLIENT_ID:
            return as_json({"error": "invalid_request"}, 400)
        if not self._is_secret(form.get("client_secret", "")):
            return as_json({"error": "invalid_client"}, 400)
        request = self.redeemed(form)
        if request is None:
            description = "The code has expired or has been revoked."
            return as_json({"error": "invalid_grant", "error_description": description}, 400)
        now = int(self.clock.now())
        claims = {
            "iss": "https://appleid.apple.com",
            "aud": CLIENT_ID,
            "exp": now + 86400,
            "iat": now,
            "sub": "001234.0123456789abcdef.0123",
            "email": "x7y8z9@privaterelay.appleid.test",
            "email_verified": "true",
            "is_private_email": "true",
            "auth_time": now,
            "nonce": request["nonce"],
            "nonce_supported": True,
            **self.claims,
        }
        return as_json(
            {
                "access_token": self.new_token(request),
                "token_type": "Bearer",
                "expires_in": 3600,
                "refresh_token": "refresh",
                "id_token": signed(claims, rsa_key("apple-2"), typ=None),
            }
        )

    def _is_secret(self, secret: str) -> bool:
        """Creating a client secret: header alg and kid; iss, iat, exp, aud, sub."""
        try:
            key = ECKey.import_key(self.developer_key.public_pem())
            token = jwt.decode(secret, key, algorithms=["ES256"])
        except (JoseError, ValueError):
            return False
        claims, now = token.claims, self.clock.now()
        return (
            token.header.get("kid") == self.developer_key.kid
            and claims.get("iss") == self.team_id
            and claims.get("aud") == "https://appleid.apple.com"
            and claims.get("sub") == CLIENT_ID
            and claims["iat"] <= now < claims["exp"] <= now + 15777000
        )


CONTOSO = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
FABRIKAM = "82229342-1101-4ab6-817b-70c0747630f3"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(kw_only=True)
class Microsoft(SocialDouble):
    """learn.microsoft.com/entra/identity-platform: the v2.0 endpoints of one cloud."""

    tenant: str = "common"
    signs_in_from: str = CONTOSO
    claims: dict[str, Any] = field(default_factory=dict)
    key_issuer: str | None = None
    """The ``issuer`` member of the signing key; None: the template."""

    @property
    def authorize_path(self) -> str:  # type: ignore[override]  # it has the tenant in it
        return f"/{self.tenant}/oauth2/v2.0/authorize"

    @property
    def authority(self) -> str:
        return f"{self.url}/{self.tenant}/v2.0"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "issuer": self.authority,
            **more,
        }

    def answer(self, asked: Asked) -> Reply:
        base = f"{self.url}/{self.tenant}"
        if asked.path == f"/{self.tenant}/v2.0/.well-known/openid-configuration":
            shared = self.tenant in ("common", "organizations")
            published = "{tenantid}" if shared else self.signs_in_from
            return as_json(
                {
                    "issuer": f"{self.url}/{published}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                    "userinfo_endpoint": f"{self.url}/oidc/userinfo",
                    "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                    "token_endpoint_auth_methods_supported": [
                        "client_secret_post",
                        "private_key_jwt",
                        "client_secret_basic",
                    ],
                }
            )
        if asked.path == f"/{self.tenant}/discovery/v2.0/keys":
            issuer = self.key_issuer or f"{self.url}/{{tenantid}}/v2.0"
            return as_json({"keys": [rsa_key("entra").jwk(issuer=issuer)]})
        return self._token(asked)

    def _token(self, asked: Asked) -> Reply:
        form = asked.form
        request = self.redeemed(form) if form.get("client_secret") == CLIENT_SECRET else None
        if request is None:
            description = (
                "AADSTS54005: OAuth2 Authorization code was already redeemed.\r\nTrace ID: 0"
            )
            return as_json({"error": "invalid_grant", "error_description": description}, 400)
        now = int(self.clock.now())
        claims = {
            "aud": CLIENT_ID,
            "iss": f"{self.url}/{self.signs_in_from}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3900,
            "name": "Abe Lincoln",
            "nonce": request["nonce"],
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "abeli@contoso.test",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": self.signs_in_from,
            "ver": "2.0",
            **self.claims,
        }
        return as_json(
            {
                "token_type": "Bearer",
                "scope": request["scope"],
                "expires_in": 3599,
                "ext_expires_in": 3599,
                "access_token": self.new_token(request),
                "id_token": signed(claims, rsa_key("entra")),
            }
        )


# -- OAuth 2.0 ------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Facebook(SocialDouble):
    """developers.facebook.com: Manually Build a Login Flow; Graph API."""

    version: str = "v17.0"
    profile: dict[str, Any] = field(
        default_factory=lambda: {
            "id": "10158123456789012",
            "name": "Jane Doe",
            "first_name": "Jane",
            "email": "jane@example.test",
            "picture": {"data": {"url": "https://scontent.test/p.jpg", "is_silhouette": False}},
        }
    )

    @property
    def authorize_path(self) -> str:  # type: ignore[override]  # it has the version in it
        return f"/{self.version}/dialog/oauth"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": "public_profile, email",
            "authorize_url": f"{self.url}{self.authorize_path}",
            "token_url": f"{self.url}/{self.version}/oauth/access_token",
            "attributes_url": f"{self.url}/{self.version}/me?fields=",
            **more,
        }

    def answer(self, asked: Asked) -> Reply:
        if asked.path == f"/{self.version}/me":
            return self._me(asked)
        query = asked.query
        if asked.method != "GET" or query.get("client_id") != CLIENT_ID:
            return self._error("Error validating application. Invalid application ID.", 101)
        if query.get("client_secret") != CLIENT_SECRET:
            return self._error("Error validating client secret.", 1)
        if query.get("grant_type", "authorization_code") != "authorization_code":
            return self._error("Invalid grant_type", 100)
        request = self.redeemed(query)
        if request is None:
            return self._error("This authorization code has been used.", 100)
        token = self.new_token(request)
        return as_json({"access_token": token, "token_type": "bearer", "expires_in": 5183944})

    def _me(self, asked: Asked) -> Reply:
        token = asked.query.get("access_token", "")
        proof = hmac.new(CLIENT_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if token not in self.access_tokens:
            return self._error("Invalid OAuth access token data.", 190)
        if asked.query.get("appsecret_proof", proof) != proof:
            return self._error("Invalid appsecret_proof provided in the API argument", 100)
        fields = [f for f in asked.query.get("fields", "id,name").split(",") if f]
        for name in fields:
            if name not in ("id", "name", "first_name", "last_name", "email", "picture"):
                return self._error(
                    f"(#100) Tried accessing nonexisting field ({name}) on node type (User)", 100
                )
        return as_json({n: v for n, v in self.profile.items() if n in {"id", *fields}})

    def _error(self, message: str, code: int) -> Reply:
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
        return as_json({"error": error}, 400)


@dataclass(kw_only=True)
class Amazon(SocialDouble):
    """developer.amazon.com/docs/login-with-amazon: Authorization Code Grant, Customer Profile."""

    authorize_path = "/ap/oa"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": "profile postal_code",
            "authorize_url": f"{self.url}/ap/oa",
            "token_url": f"{self.url}/auth/o2/token",
            "attributes_url": f"{self.url}/user/profile",
            **more,
        }

    def check_request(self, params: Mapping[str, str]) -> None:
        if not set(params["scope"].split()) <= {"profile", "profile:user_id", "postal_code"}:
            raise RefusedByProviderError("invalid_scope: An unknown scope was requested")

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/user/profile":
            return self._profile(asked)
        form = asked.form
        if "client_secret" not in form:
            description = "The request is missing a required parameter : client_secret"
            return as_json({"error": "invalid_request", "error_description": description}, 400)
        if (form.get("client_id"), form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            description = "Client authentication failed"
            return as_json({"error": "invalid_client", "error_description": description}, 401)
        request = self.redeemed(form)
        if request is None or form.get("grant_type") != "authorization_code":
            description = "The request has an invalid grant parameter : code"
            return as_json({"error": "invalid_grant", "error_description": description}, 400)
        return as_json(
            {
                "access_token": self.new_token(request),
                "refresh_token": "Atzr|refresh",
                "token_type": "bearer",
                "expires_in": 3600,
            }
        )

    def _profile(self, asked: Asked) -> Reply:
        scope = self.scope_of(asked)
        if scope is None:
            description = "The request has an invalid parameter : access_token"
            return as_json({"error": "invalid_token", "error_description": description}, 400)
        postal = {"postal_code": "98052"} if "postal_code" in scope else {}
        return as_json(
            {
                "user_id": "amzn1.account.K2LI23KL2LK2",
                "name": "Mork Hashimoto",
                "email": "mork@example.test",
                **postal,
            }
        )


@dataclass(kw_only=True)
class GitHub(SocialDouble):
    """docs.github.com: Authorizing OAuth apps; REST API, users and emails."""

    emails: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"email": "old@example.test", "primary": False, "verified": True},
            {"email": "octocat@example.test", "primary": True, "verified": True},
        ]
    )

    authorize_path = "/login/oauth/authorize"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "authorize_url": f"{self.url}/login/oauth/authorize",
            "token_url": f"{self.url}/login/oauth/access_token",
            "attributes_url": f"{self.url}/user",
            **more,
        }

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/login/oauth/access_token":
            return self._token(asked)
        scope = self.scope_of(asked)
        if not asked.headers.get("user-agent"):
            return as_json({"message": "Request forbidden by administrative rules."}, 403)
        if scope is None:
            return as_json({"message": "Bad credentials"}, 401)
        if asked.path == "/user/emails":
            if "user:email" not in scope.split():
                return as_json({"message": "Not Found"}, 404)
            return as_json(self.emails)
        return as_json(
            {
                "login": "octocat",
                "id": 583231,
                "name": "The Octocat",
                "email": "shown-in-public@example.test",
                "avatar_url": "https://avatars.test/u/583231",
                "site_admin": False,
            }
        )

    def _token(self, asked: Asked) -> Reply:
        """Errors come with status 200; JSON only when asked for."""
        form = asked.form
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            body = {
                "error": "incorrect_client_credentials",
                "error_description": "The client_id and/or client_secret passed are incorrect.",
            }
        elif (request := self.redeemed(form)) is None:
            body = {
                "error": "bad_verification_code",
                "error_description": "The code passed is incorrect or expired.",
            }
        else:
            scope = request["scope"].replace(" ", ",")
            body = {
                "access_token": self.new_token(request),
                "scope": scope,
                "token_type": "bearer",
            }
        if "application/json" in asked.headers.get("accept", ""):
            return as_json(body)
        return Reply(body=urlencode(body).encode())
