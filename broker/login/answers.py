"""What an app gets for a browser that is signed in: a code, or the tokens themselves.

Owns what goes into either. That a code has to be kept before it is given out is ``flow.py``'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.identifiers import new_uuid
from broker.model.login import AuthorizationRequest, LoginSession
from broker.model.pool import AppClient, UserPool
from broker.model.stored import Entry
from broker.model.tokens import Authorization, AuthorizationCode
from broker.oauth.authorization_code import new_code
from broker.oauth.claims import require_readable
from broker.oauth.issuer import Issuers
from broker.oauth.standing import in_good_standing
from broker.ports import Clock, UserDirectory


@dataclass(frozen=True, slots=True)
class Answer:
    """The parameters for the app, and the code among them, still to be kept."""

    fields: dict[str, str]
    code: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """By ``response_type``."""

    issuers: Issuers
    directory: UserDirectory
    clock: Clock

    def of(
        self,
        pool: UserPool,
        client: AppClient,
        request: AuthorizationRequest,
        session: LoginSession,
    ) -> Answer:
        """Raises ``OAuthError`` when the client may not read what its scopes imply."""
        if request.response_type == "token":
            return Answer(self._tokens(pool, client, request, session))
        code = new_code(
            AuthorizationCode(
                client_id=client.id,
                redirect_uri=request.redirect.uri,
                scopes=request.scopes,
                sub=session.sub,
                auth_time=session.auth_time,
                issued_at=int(self.clock.now()),
                origin_jti=new_uuid(),
                code_challenge=request.code_challenge,
                nonce=request.nonce,
                resource=request.resource,
                provider=session.provider,
            )
        )
        return Answer({"code": code.key}, code)

    def _tokens(
        self,
        pool: UserPool,
        client: AppClient,
        request: AuthorizationRequest,
        session: LoginSession,
    ) -> dict[str, str]:
        """RFC 6749 4.2.2: tokens in the fragment, no refresh token."""
        require_readable(client, request.scopes)
        found = self.directory.by_sub(pool.id, session.sub)
        tokens = self.issuers.of(pool).issue(
            Authorization(
                client=client,
                user=in_good_standing(found, pool, _access_denied),
                scopes=request.scopes,
                auth_time=session.auth_time,
                origin_jti=new_uuid(),
                nonce=request.nonce,
                resource=request.resource,
            )
        )
        id_token = {} if tokens.id_token is None else {"id_token": tokens.id_token}
        return {
            **id_token,
            "access_token": tokens.access_token,
            "token_type": "Bearer",
            "expires_in": str(tokens.expires_in),
        }


def _access_denied(reason: RequestReason) -> OAuthError:
    return OAuthError(ErrorCode.ACCESS_DENIED, "The user is disabled.", reason=reason)
