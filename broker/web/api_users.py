"""Operations of the token API that take an access token with ``aws.cognito.signin.user.admin``."""

from __future__ import annotations

from broker.login.broker import Broker
from broker.oauth.access_token import LiveToken
from broker.oauth.claims import readable_attributes
from broker.oauth.scopes import USER_ADMIN
from broker.web.api_wire import ApiError, Members
from broker.web.context import Site


def get_user(broker: Broker, site: Site, members: Members) -> object:
    """Who the token speaks of, with the attributes its client may read."""
    live = _signed_in(broker, site, members)
    attributes = readable_attributes(live.user, live.client)
    return {
        "Username": live.user.username,
        "UserAttributes": [{"Name": name, "Value": value} for name, value in attributes.items()],
    }


def global_sign_out(broker: Broker, site: Site, members: Members) -> object:
    """End every token of the user. Browser sessions stay, as at Cognito: ``/logout`` ends those.

    The token that asks is ended by its family too: of one without refresh token (implicit flow) only
    its second is known, and this may be the same.
    """
    live = _signed_in(broker, site, members)
    broker.accounts.sign_out_everywhere(site.pool, live.user)
    broker.refresh_tokens.revoke(site.pool, live.family)
    return {}


def _signed_in(broker: Broker, site: Site, members: Members) -> LiveToken:
    live = broker.access_tokens.live(site.pool, members.required("AccessToken"))
    if USER_ADMIN not in live.scopes:
        raise ApiError("NotAuthorizedException", "Access Token does not have required scopes")
    return live
