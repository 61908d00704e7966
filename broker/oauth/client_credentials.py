"""``grant_type=client_credentials``: an app acts for itself (RFC 6749 4.4)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import ErrorCode, OAuthError, RequestReason
from broker.model.pool import AppClient, Flow, UserPool
from broker.model.tokens import Authorization, TokenRequest
from broker.oauth.scopes import RESERVED_SCOPES, refuse_foreign
from broker.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentialsGrant:
    """Custom scopes only: there is no user, so nothing of ``openid`` and its kin."""

    clock: Clock

    def authorize(self, pool: UserPool, client: AppClient, request: TokenRequest) -> Authorization:
        """Raises ``OAuthError``: ``unauthorized_client`` without a secret or the flow, ``invalid_scope``."""
        if client.is_public or not client.allows(Flow.CLIENT_CREDENTIALS):
            raise OAuthError(
                ErrorCode.UNAUTHORIZED_CLIENT,
                "The client needs a secret and the flow client_credentials in AllowedOAuthFlows.",
                reason=RequestReason.UNAUTHORIZED_CLIENT,
            )
        return Authorization(
            client=client,
            user=None,
            scopes=_custom_scopes(request.scopes, client, pool),
            auth_time=int(self.clock.now()),
        )


def _custom_scopes(
    requested: tuple[str, ...] | None, client: AppClient, pool: UserPool
) -> tuple[str, ...]:
    """The scopes asked for, or all custom scopes of the client; inactive ones are left out."""
    if requested is not None:
        refuse_foreign(requested, client)
        if any(scope in RESERVED_SCOPES for scope in requested):
            raise OAuthError(
                ErrorCode.INVALID_SCOPE,
                "client_credentials has custom scopes only, no user scopes.",
                reason=RequestReason.INVALID_SCOPE,
            )
    asked = client.scopes if requested is None else requested
    scopes = tuple(scope for scope in asked if scope in pool.custom_scopes)
    if not scopes:
        raise OAuthError(
            ErrorCode.INVALID_SCOPE,
            "The client has no active custom scope.",
            reason=RequestReason.INVALID_SCOPE,
        )
    return scopes
