"""An OpenID provider that lets you say who you are, and signs it.

Discovery, JWKS, authorization, token and userInfo endpoints for one registered client: the
authorization code flow with client authentication and PKCE. Codes and tokens live in memory; the
provider asks at every sign-in and keeps no session.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.wrappers import Response as AnyResponse

from broker.demo import oidc_requests, people
from broker.demo.oidc_requests import (
    AuthenticationRequest,
    RefusedError,
    RegisteredClient,
    UnprovenRedirectError,
)
from broker.demo.pages import page_server
from broker.demo.people import Person
from broker.ports import Clock

_TICKET_SECONDS = 600
_CODE_SECONDS = 60
_TOKEN_SECONDS = 300
_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """What a code stands for."""

    person: Person
    asked: AuthenticationRequest
    auth_time: int


@dataclass(frozen=True, kw_only=True)
class OidcOp:
    """The provider behind the pages."""

    issuer: str
    client: RegisteredClient
    clock: Clock
    key: ECKey = field(
        default_factory=lambda: ECKey.generate_key(
            "P-256", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True
        )
    )
    _codes: dict[str, _Grant] = field(default_factory=dict, repr=False)
    _access_tokens: dict[str, _Grant] = field(default_factory=dict, repr=False)

    @cached_property
    def tickets(self) -> URLSafeTimedSerializer:
        """Carries a checked request through the form, so that the page cannot change it."""
        return URLSafeTimedSerializer(secrets.token_bytes(32), salt="sign-in")

    def metadata(self) -> dict[str, object]:
        """OIDC Discovery 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "email", "profile"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def new_code(self, asked: AuthenticationRequest, person: Person) -> str:
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Grant(person=person, asked=asked, auth_time=int(self.clock.now()))
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str | None) -> dict[str, object]:
        """OIDC Core 3.1.3.2 and 3.1.3.3: a code is good once, soon, and for who asked for it."""
        grant = self._codes.pop(code, None)
        if grant is None or self.clock.now() > grant.auth_time + _CODE_SECONDS:
            raise RefusedError("invalid_grant", "The code is unknown, used or too old.")
        if redirect_uri != self.client.redirect_uri:
            raise RefusedError("invalid_grant", "The redirect URI is not the one of the request.")
        oidc_requests.verify_challenge(grant.asked.code_challenge, verifier)
        access_token = secrets.token_urlsafe(32)
        self._access_tokens[access_token] = grant
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": _TOKEN_SECONDS,
            "id_token": self.id_token(grant, access_token),
        }

    def id_token(self, grant: _Grant, access_token: str) -> str:
        """OIDC Core 2 and 3.1.3.6."""
        now = int(self.clock.now())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": _subject(grant.person),
            "aud": self.client.id,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "auth_time": grant.auth_time,
            "at_hash": _half_hash(access_token),
        }
        if grant.asked.nonce is not None:
            claims["nonce"] = grant.asked.nonce
        header = {"alg": _ALGORITHM, "kid": self.key.kid}
        return jwt.encode(header, claims, self.key, algorithms=[_ALGORITHM])

    def userinfo(self, access_token: str) -> dict[str, object] | None:
        """OIDC Core 5.3.2; None when the token opens nothing (any more)."""
        grant = self._access_tokens.get(access_token)
        if grant is None or self.clock.now() > grant.auth_time + _CODE_SECONDS + _TOKEN_SECONDS:
            return None
        claims: dict[str, object] = {"sub": _subject(grant.person)}
        if "email" in grant.asked.scopes:
            claims |= {"email": grant.person.email, "email_verified": False}
        if "profile" in grant.asked.scopes:
            claims |= {"name": grant.person.name, "groups": list(grant.person.groups)}
        return claims


def create_op(op: OidcOp) -> Flask:
    """The provider as a WSGI application that answers at its ``issuer``."""
    pages = _Pages(op)
    app = page_server(__name__, title="Demo OpenID provider")
    app.add_url_rule("/.well-known/openid-configuration", "discovery", pages.discovery)
    app.add_url_rule("/jwks", "jwks", pages.jwks)
    app.add_url_rule("/authorize", "authorize", pages.authorize, methods=["GET", "POST"])
    app.add_url_rule("/sign-in", "sign_in", pages.sign_in, methods=["POST"])
    app.add_url_rule("/token", "token", pages.token, methods=["POST"])
    app.add_url_rule("/userinfo", "userinfo", pages.userinfo, methods=["GET", "POST"])
    app.register_error_handler(UnprovenRedirectError, _unproven)
    return app


@dataclass(frozen=True)
class _Pages:
    """The endpoints, each as its steps."""

    op: OidcOp

    def discovery(self) -> Response:
        return jsonify(self.op.metadata())

    def jwks(self) -> Response:
        return jsonify(keys=[self.op.key.as_dict(private=False)])

    def authorize(self) -> str | AnyResponse:
        """OIDC Core 3.1.2: check the request, then ask the person."""
        params = request.values.to_dict()
        oidc_requests.verify_redirect(params, self.op.client)
        try:
            asked = oidc_requests.authentication_request(params)
        except RefusedError as refused:
            return self._back(params.get("state"), error=refused.code)
        return render_template(
            "who.html",
            asking=self.op.client.id,
            action="/sign-in",
            ticket=self.op.tickets.dumps(asdict(asked)),
            person=people.ADA,
            groups=people.GROUPS,
        )

    def sign_in(self) -> AnyResponse:
        asked = self._redeem_ticket(request.form.get("ticket", ""))
        code = self.op.new_code(asked, people.person_from(request.form))
        return self._back(asked.state, code=code)

    def token(self) -> Response:
        """OIDC Core 3.1.3."""
        try:
            answer = jsonify(self._exchange(request.form.to_dict()))
        except RefusedError as refused:
            answer = jsonify(error=refused.code, error_description=refused.description)
            answer.status_code = 401 if refused.code == "invalid_client" else 400
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _exchange(self, form: dict[str, str]) -> dict[str, object]:
        authorization = request.headers.get("Authorization")
        oidc_requests.authenticate_client(form, authorization, self.op.client)
        if form.get("grant_type") != "authorization_code":
            raise RefusedError("unsupported_grant_type", "Only codes are exchanged here.")
        return self.op.redeem(
            form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
        )

    def userinfo(self) -> Response:
        """OIDC Core 5.3."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self.op.userinfo(token) if scheme.lower() == "bearer" else None
        if claims is None:
            return Response(
                status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
            )
        return jsonify(claims)

    def _back(self, state: str | None, **answer: str) -> AnyResponse:
        """The authorization response (OIDC Core 3.1.2.5), with ``iss`` of RFC 9207."""
        if state is not None:
            answer["state"] = state
        query = urlencode({**answer, "iss": self.op.issuer})
        return redirect(f"{self.op.client.redirect_uri}?{query}", code=303)

    def _redeem_ticket(self, ticket: str) -> AuthenticationRequest:
        try:
            asked = self.op.tickets.loads(ticket, max_age=_TICKET_SECONDS)
        except BadData:
            abort(400, "This form is too old. Please start again at the application.")
        return AuthenticationRequest(**{**asked, "scopes": tuple(asked["scopes"])})


def _unproven(error: UnprovenRedirectError) -> tuple[str, int]:
    return render_template("error.html", name="Not answered", reason=str(error)), 400


def _subject(person: Person) -> str:
    """An identifier that stays with the address and says nothing about it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{person.email}"))


def _half_hash(access_token: str) -> str:
    """``at_hash`` (OIDC Core 3.1.3.6)."""
    half = sha256(access_token.encode("ascii")).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()
