"""The WSGI application: which endpoint answers at which path, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from broker.login.broker import Broker
from broker.model.errors import StoreUnavailableError
from broker.web import (
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
    app = Flask("broker", static_folder=None, template_folder=None)
    # Werkzeug would answer a doubled slash by a redirect to a URL made of Host and wire scheme.
    app.url_map.merge_slashes = False
    mounts, sites = Mounts(mount_table()), Sites(broker.pools)
    for row in mounts:
        _route(app, row.path, _view(row, broker, sites), row.methods)
        if row.cross_origin:
            _route(app, row.path, preflight, ("OPTIONS",))
    _land_errors(app, errors.Landing(mounts))
    app.wsgi_app = with_headers(app.wsgi_app, sites, mounts)  # type: ignore[assignment,method-assign]  # as Flask documents it
    if broker.proxy_hops:
        hops = broker.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask documents it
    return app


def _view(row: Mount, broker: Broker, sites: Sites) -> Callable[..., Response]:
    """The endpoint as Flask calls it: with the variables of its path."""

    def view(**variables: Any) -> Response:
        if row.any_host:
            return row.endpoint(broker)
        request = request_ctx.request  # itself: each look through Flask's proxy costs a microsecond
        return row.endpoint(request, broker, sites.of(request.host), **variables)

    return view


def _route(app: Flask, path: str, view: Callable[..., Response], methods: tuple[str, ...]) -> None:
    name = f"{path} {' '.join(methods)}"
    app.add_url_rule(path, name, view, methods=methods, provide_automatic_options=False)


def _land_errors(app: Flask, landing: errors.Landing) -> None:
    app.register_error_handler(HTTPException, landing.http_error)
    app.register_error_handler(StoreUnavailableError, landing.store_unavailable)
    app.register_error_handler(Exception, landing.unexpected)
