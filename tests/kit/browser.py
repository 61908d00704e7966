"""A browser in the test process: cookies with their rules, one origin (the broker), no redirects.

It keeps what a real browser keeps and withholds what a real browser withholds: a ``SameSite=Lax`` cookie
does not come with a cross-site POST, an expired one with nothing. Time is the test's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from flask import Flask
from werkzeug.test import Client, TestResponse

from broker.ports import Clock

FORM = "application/x-www-form-urlencoded"


@dataclass
class Cookie:
    value: str
    same_site: str
    expires_at: float | None


@dataclass(kw_only=True)
class Browser:
    """One person's browser at ``origin``. Nothing is followed: each answer is looked at."""

    app: Flask
    clock: Clock
    origin: str
    understands_secure: bool = True
    """False: a plain HTTP library's jar, which drops Secure cookies on http."""
    cookies: dict[str, Cookie] = field(default_factory=dict)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> TestResponse:
        return self._send("GET", url, None, headers, cross_site=False)

    def post(
        self,
        url: str,
        form: Mapping[str, str] | str,
        *,
        headers: Mapping[str, str] | None = None,
        cross_site: bool = True,
    ) -> TestResponse:
        """A form posted here, by default from another site's page, as an IdP's is."""
        body = form if isinstance(form, str) else urlencode(form)
        return self._send("POST", url, body, headers, cross_site=cross_site)

    def _send(
        self,
        method: str,
        url: str,
        body: str | None,
        headers: Mapping[str, str] | None,
        *,
        cross_site: bool,
    ) -> TestResponse:
        path = url.removeprefix(self.origin)
        assert path.startswith("/"), f"{url} is not at {self.origin}"
        response = Client(self.app, use_cookies=False).open(
            path,
            base_url=self.origin,
            method=method,
            data=body,
            content_type=None if body is None else (headers or {}).get("Content-Type", FORM),
            headers={
                **self._cookie_header(cross_site=cross_site and method == "POST"),
                **(headers or {}),
            },
        )
        self._keep(response)
        return response

    def _cookie_header(self, *, cross_site: bool) -> dict[str, str]:
        now = self.clock.now()
        sent = [
            f"{name}={cookie.value}"
            for name, cookie in self.cookies.items()
            if (cookie.expires_at is None or cookie.expires_at > now)
            and not (cross_site and cookie.same_site == "lax")
        ]
        return {"Cookie": "; ".join(sent)} if sent else {}

    def _keep(self, response: TestResponse) -> None:
        for header in response.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["secure"] and not self._takes_secure():
                    continue
                max_age = morsel["max-age"]
                if max_age == "0":
                    self.cookies.pop(name, None)
                    continue
                self.cookies[name] = Cookie(
                    value=morsel.value,
                    same_site=morsel["samesite"].lower(),
                    expires_at=self.clock.now() + int(max_age) if max_age else None,
                )

    def _takes_secure(self) -> bool:
        return self.understands_secure or urlsplit(self.origin).scheme == "https"
