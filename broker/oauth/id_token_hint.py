"""``id_token_hint``: an ID token of ours that comes back to say whom the app means.

OIDC Core 3.1.2.1 at authorize, OpenID Connect RP-Initiated Logout 1.0 2 at sign-out.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.errors import OAuthError
from broker.oauth.issuer import PoolIssuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """The user and the client an ID token was issued for."""

    sub: str
    client_id: str


def read_hint(token: str, issuer: PoolIssuer) -> Hint | None:
    """The hint, when our ID-token key signed it for a client this pool has; None otherwise.

    An expired one is fine: it hints, it does not authorize.
    """
    try:
        claims = issuer.verify_id_token(token)
    except OAuthError:
        return None
    hint = Hint(sub=str(claims.get("sub")), client_id=str(claims.get("aud")))
    return hint if hint.client_id in issuer.pool.clients else None
