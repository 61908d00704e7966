"""The userinfo call of an OIDC provider (OIDC Core 5.3).

Its claims fill in what the ID token does not say. A call that fails costs those claims only; an answer
about somebody else refuses the sign-in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from broker.model.errors import Reason
from broker.model.pool import IdentityProvider, OAuthSettings
from broker.upstream.code_flow import bearer
from broker.upstream.failures import refused
from broker.upstream.http import HttpClient, HttpError

_OK = 200
_NOTHING: Mapping[str, Any] = {}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfoRequest:
    """Whose claims are wanted, and how the provider is called."""

    provider: IdentityProvider
    settings: OAuthSettings
    http: HttpClient
    url: str
    access_token: str = field(repr=False)
    subject: str

    def fetch(self, url: str, *, by_post: bool = False) -> Mapping[str, Any] | None:
        """The JSON object at ``url``. None: the call failed, which the log knows."""
        headers = bearer(self.access_token)
        try:
            answer = (
                self.http.post_form(url, {}, headers=headers)
                if by_post
                else self.http.get(url, headers=headers)
            )
        except HttpError as error:
            self._failed(str(error))
            return None
        body = answer.json()
        if answer.status == _OK and isinstance(body, dict):
            return cast("dict[str, Any]", body)
        self._failed(f"status {answer.status}, no JSON object")
        return None

    def _failed(self, why: str) -> None:
        _log.warning("userinfo_failed", extra={"provider": self.provider.name, "fault": why})


UserInfo = Callable[[UserInfoRequest], Mapping[str, Any]]


def user_info(request: UserInfoRequest) -> Mapping[str, Any]:
    """OIDC Core 5.3.2: ``sub`` is that of the ID token, or nothing of it may be used."""
    found = request.fetch(request.url, by_post=request.settings.attributes_method == "POST")
    if found is None:
        return _NOTHING
    if found.get("sub") != request.subject:
        raise refused(Reason.OIDC_USERINFO_SUBJECT, expected="the sub of the ID token")
    return found
