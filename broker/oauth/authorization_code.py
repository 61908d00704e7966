"""The authorization code: issued at the end of a sign-in, redeemed once (RFC 6749 4.1).

A code is spent, not deleted: its second use is recognised for as long as it would have lived, and
revokes what the first one issued (RFC 6749 4.1.2, RFC 9700 2.1.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass

import msgspec

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.identifiers import new_uuid
from broker.model.pool import AppClient, Flow, UserPool
from broker.model.stored import Entry, Kind
from broker.model.tokens import (
    CODE_SECONDS,
    Authorization,
    AuthorizationCode,
    TokenRequest,
)
from broker.oauth.authorization_request import default_redirect
from broker.oauth.claims import require_readable
from broker.oauth.refresh_token import RefreshTokens
from broker.oauth.scopes import still_granted
from broker.oauth.standing import IssuedThrough, in_good_standing
from broker.ports import SingleUseStore, UserDirectory

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AuthorizationCode).decode
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def new_code(code: AuthorizationCode) -> Entry:
    """A new value that stands for ``code``, as it is to be kept: its key, a UUID, is what the app
    gets, good once, for ``CODE_SECONDS``."""
    return Entry(kind=Kind.CODE, key=new_uuid(), value=_encode(code), lifetime=CODE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCodeGrant:
    """``grant_type=authorization_code``."""

    codes: SingleUseStore
    refresh_tokens: RefreshTokens
    directory: UserDirectory

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        """Redeem the code. Raises ``OAuthError``."""
        if not client.allows(Flow.CODE):
            raise OAuthError(
                ErrorCode.UNAUTHORIZED_CLIENT,
                "The client does not allow the code flow; add it to AllowedOAuthFlows.",
                reason=RequestReason.UNAUTHORIZED_CLIENT,
            )
        value = _required("code", request.code)
        redirect_uri = _required("redirect_uri", request.redirect_uri or default_redirect(client))
        code = self._spend(pool, value)
        _check_binding(code, client, redirect_uri)
        _check_verifier(code, request.code_verifier)
        scopes = still_granted(code.scopes, client, pool)
        require_readable(client, scopes)
        # Begun before the user is asked for: whoever signs the user out meanwhile either finds this
        # family and ends it, or has been here already and is seen in the user.
        refresh_token = self.refresh_tokens.start(pool, client, code)
        user = in_good_standing(
            self.directory.by_sub(pool.id, code.sub),
            pool,
            _invalid_grant,
            shown=IssuedThrough(
                at=code.issued_at, reason=RequestReason.CODE_REVOKED, provider=code.provider
            ),
        )
        return Authorization(
            client=client,
            user=user,
            scopes=scopes,
            auth_time=code.auth_time,
            origin_jti=code.origin_jti,
            nonce=code.nonce,
            resource=code.resource,
            refresh_token=refresh_token,
        )

    def _spend(self, pool: UserPool, value: str) -> AuthorizationCode:
        """Exactly one caller gets past here with one code, also across processes.

        An attempt that fails further on has used the code up as well: nobody tries two verifiers.
        """
        spent = self.codes.spend(pool.id, Kind.CODE, value, remember=CODE_SECONDS)
        if spent is None:
            raise _invalid_grant(RequestReason.CODE_UNKNOWN)
        code = _decode(spent.value)
        if not spent.first:
            # Somebody holds a copy: what the first use issued dies, also while it is being issued.
            self.refresh_tokens.revoke(pool, code.origin_jti)
            _log.warning("code_reused", extra={"pool": pool.id, "client": code.client_id})
            raise _invalid_grant(RequestReason.CODE_REUSED)
        return code


def _required(name: str, value: str | None) -> str:
    if value is None:
        raise OAuthError(
            ErrorCode.INVALID_REQUEST,
            f"The parameter {name} is missing.",
            reason=RequestReason.PARAMETER_MISSING,
        )
    return value


def _check_binding(code: AuthorizationCode, client: AppClient, redirect_uri: str) -> None:
    """RFC 6749 4.1.3: issued to this client, for this very redirect URI."""
    if code.client_id != client.id:
        raise _invalid_grant(RequestReason.CODE_OF_OTHER_CLIENT)
    if code.redirect_uri != redirect_uri:
        # The code and text Cognito uses here, where RFC 6749 would say invalid_grant.
        raise OAuthError(
            ErrorCode.UNAUTHORIZED_CLIENT,
            "invalid_redirect",
            reason=RequestReason.REDIRECT_URI_DIFFERS,
        )


def _check_verifier(code: AuthorizationCode, verifier: str | None) -> None:
    """RFC 7636 4.6. A verifier without a challenge is a downgrade and refused as well."""
    if code.code_challenge is None:
        if verifier is not None:
            raise _invalid_grant(RequestReason.PKCE_UNEXPECTED_VERIFIER)
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        raise _invalid_grant(RequestReason.PKCE_VERIFIER)
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge, code.code_challenge):
        raise _invalid_grant(RequestReason.PKCE_VERIFIER)


def _invalid_grant(reason: RequestReason) -> OAuthError:
    return OAuthError(
        ErrorCode.INVALID_GRANT,
        "The code is unknown, expired, used or revoked, or the code_verifier does not match.",
        reason=reason,
    )
