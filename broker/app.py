"""The WSGI application: which endpoint answers at which path, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask
from flask.globals import request_ctx
from werkzeug.middleware.proxy_fix import ProxyFix

from broker.login.broker import Broker
from broker.web import (
    context,
    discovery,
    error,
    errors,
    health,
    idpresponse,
    login,
    logout,
    provider_logout,
    revoke,
    token,
    token_api,
    userinfo,
)
from broker.web.authorize import authorize
from broker.web.context import Sites
from broker.web.headers import preflight, with_headers
from broker.web.mounts import ErrorForm, Mount, Mounts
from broker.web.request import Request
from broker.web.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_API, _JSON = ErrorForm.API, ErrorForm.JSON
_GET, _POST, _BOTH = ("GET",), ("POST",), ("GET", "POST")


def mount_table() -> Iterator[Mount]:
    """Path -> endpoint, its methods, the form of its errors (a page, unless said), who may ask."""
    yield Mount("/oauth2/authorize", authorize, _BOTH)
    yield Mount("/authorize", authorize, _BOTH)
    yield Mount("/login", login.login, _GET)
    yield Mount("/oauth2/login", login.login, _GET)
    yield Mount("/logout", logout.logout, _BOTH)
    yield Mount("/error", error.error, _GET)
    yield Mount("/oauth2/token", token.token, _POST, _JSON, cross_origin=True)
    yield Mount("/oauth2/userInfo", userinfo.userinfo, _BOTH, _JSON, cross_origin=True)
    yield Mount("/oauth2/revoke", revoke.revoke, _POST, _JSON, cross_origin=True)
    yield Mount("/", token_api.token_api, _POST, _API, cross_origin=True)
    yield Mount("/saml2/idpresponse", idpresponse.saml, _POST)
    yield Mount("/oauth2/idpresponse", idpresponse.oauth, _BOTH)
    yield Mount("/saml2/logout", provider_logout.saml, _POST)
    yield Mount("/oauth2/logoutresponse", provider_logout.oauth, _GET)
    yield Mount("/oauth2/backchannel-logout", provider_logout.backchannel, _POST, _JSON)
    yield Mount("/saml2/metadata", discovery.service_provider_metadata, _GET)
    documents = discovery.Documents()
    for name, document in (
        ("openid-configuration", documents.openid_configuration),
        ("jwks.json", documents.jwks),
        ("<name>", discovery.no_such_document),
    ):
        for folder in ("/.well-known", "/<pool_id>/.well-known"):
            yield Mount(f"{folder}/{name}", document, _GET, _JSON, cross_origin=True)
    yield Mount("/health", health.health, _GET, _JSON, any_host=True)
    yield Mount("/ready", health.ready, _GET, _JSON, any_host=True)
    yield Mount("/favicon.ico", health.no_icon, _GET, any_host=True)


def create_app(broker: Broker) -> Flask:
    """The application over one broker."""
    mounts, sites = Mounts(mount_table()), Sites(broker.pools)
    app = _Application(broker, mounts, sites)
    app.wsgi_app = with_headers(app.wsgi_app, sites, mounts)  # type: ignore[assignment,method-assign]  # as Flask documents it
    if broker.proxy_hops:
        hops = broker.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask documents it
    return app


class _Application(Flask):
    """Flask, but for requests that need nothing found out: by one of its methods, for a path of the
    table that has no variables. Those go to their endpoint at once (ADR 0011).

    HEAD, OPTIONS, paths with variables, and what is refused for its path or method are left to Flask.
    """

    def __init__(self, broker: Broker, mounts: Mounts, sites: Sites) -> None:
        super().__init__("broker", static_folder=None, template_folder=None)
        self._broker = broker
        self._mounts = mounts
        self._sites = sites
        self._landing = errors.Landing(mounts)
        # Werkzeug would answer a doubled slash by a redirect to a URL made of Host and wire scheme.
        self.url_map.merge_slashes = False
        for row in mounts:
            self._route(row.path, partial(self._answer, row), row.methods)
            if row.cross_origin:
                self._route(row.path, preflight, ("OPTIONS",))
        self.register_error_handler(Exception, lambda error: self._landing.of(_request(), error))

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        row = self._mounts.exact(environ.get("PATH_INFO", ""))
        if row is None or environ["REQUEST_METHOD"] not in row.methods:
            answer: Iterable[bytes] = super().wsgi_app(environ, start_response)
            context.forget_body(environ)  # what Flask refuses, it keeps until garbage is collected
            return answer
        return self._answer(row, Request(environ))(environ, start_response)

    def _answer(self, row: Mount, request: Request, **variables: str) -> Response:
        try:
            if row.any_host:
                return row.endpoint(self._broker)
            return row.endpoint(request, self._broker, self._sites.of(request.host), **variables)
        except Exception as error:  # noqa: BLE001  # it lands, in the form of the endpoint
            return self._landing.of(request, error)

    def make_response(self, rv: Response) -> Response:  # type: ignore[override]  # all that views give
        """Sent as it is: Flask would make one of its own of it."""
        return rv

    def _route(self, path: str, answer: Callable[..., Response], methods: tuple[str, ...]) -> None:
        def view(**variables: str) -> Response:
            return answer(_request(), **variables)

        name = f"{path} {' '.join(methods)}"
        self.add_url_rule(path, name, view, methods=methods, provide_automatic_options=False)


def _request() -> Request:
    """The one that Flask is dispatching."""
    return Request(request_ctx.request.environ)
