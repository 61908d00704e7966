"""The WSGI application: which endpoint answers at which path, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request
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
from broker.web.headers import is_cross_origin, with_headers

MAX_BODY_BYTES = 512 * 1024
"""Room for 100,000 characters of SAMLResponse, percent-encoded, and a long RelayState."""

Endpoint = Callable[..., Response]


def create_app(broker: Broker) -> Flask:
    """The mount table: path -> endpoint."""
    app = Flask("broker", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # Werkzeug would answer a doubled slash by a redirect to a URL made of Host and wire scheme.
    app.url_map.merge_slashes = False
    documents = discovery.Documents()
    sites = Sites(broker.pools)

    def mount(path: str, endpoint: Endpoint, *methods: str) -> None:
        def view(**variables: Any) -> Response:
            return endpoint(broker, sites.of(request.host), **variables)

        app.add_url_rule(path, path, view, methods=methods, provide_automatic_options=False)

    for path in ("/oauth2/authorize", "/authorize"):
        mount(path, authorize, "GET", "POST")
    for path in ("/login", "/oauth2/login"):
        mount(path, login.login, "GET")
    mount("/logout", logout.logout, "GET", "POST")
    mount("/error", error.error, "GET")
    mount("/oauth2/token", token.token, "POST")
    mount("/oauth2/userInfo", userinfo.userinfo, "GET", "POST")
    mount("/oauth2/revoke", revoke.revoke, "POST")
    mount("/", token_api.token_api, "POST")
    mount("/saml2/idpresponse", idpresponse.saml, "POST")
    mount("/oauth2/idpresponse", idpresponse.oauth, "GET", "POST")
    mount("/saml2/logout", provider_logout.saml, "POST")
    mount("/oauth2/logoutresponse", provider_logout.oauth, "GET")
    mount("/oauth2/backchannel-logout", provider_logout.backchannel, "POST")
    mount("/saml2/metadata", discovery.service_provider_metadata, "GET")
    for prefix in ("", "/<pool_id>"):
        mount(f"{prefix}/.well-known/openid-configuration", documents.openid_configuration, "GET")
        mount(f"{prefix}/.well-known/jwks.json", documents.jwks, "GET")
    _mount_anywhere(app, broker)
    _allow_cross_origin(app)
    _land_errors(app)
    app.wsgi_app = with_headers(app.wsgi_app, sites)  # type: ignore[assignment,method-assign]  # as Flask documents it
    if broker.proxy_hops:
        hops = broker.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask documents it
    return app


def _mount_anywhere(app: Flask, broker: Broker) -> None:
    """What answers on any Host: probes know an address, not a domain."""
    app.add_url_rule("/health", "/health", health.health, methods=["GET"])
    app.add_url_rule("/ready", "/ready", lambda: health.ready(broker), methods=["GET"])
    app.add_url_rule("/favicon.ico", "/favicon.ico", lambda: Response(status=204), methods=["GET"])


def _allow_cross_origin(app: Flask) -> None:
    """CORS for what browser apps call: any origin, no cookies; preflights echo what they ask for."""

    def preflight(**_: Any) -> Response:
        response = errors.empty(204, {})
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked:
            response.headers["Access-Control-Allow-Headers"] = asked
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        response.headers["Access-Control-Max-Age"] = "600"
        return response

    for rule in list(app.url_map.iter_rules()):
        if is_cross_origin(rule.rule):
            app.add_url_rule(rule.rule, f"{rule.rule} preflight", preflight, methods=["OPTIONS"])


def _land_errors(app: Flask) -> None:
    app.register_error_handler(HTTPException, errors.http_error)
    app.register_error_handler(StoreUnavailableError, errors.store_unavailable)
    app.register_error_handler(Exception, errors.unexpected)


def paths(app: Flask) -> Iterable[str]:
    """Every path that is served, for documentation and tests."""
    return sorted({rule.rule for rule in app.url_map.iter_rules()})
