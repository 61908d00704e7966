"""What the pages of the three demo servers share: headers, error page, style.

Leaves every page's content to its server. The pages are plain HTML that works without JavaScript;
the one script there is presses the button of a form that only carries a message onwards.
"""

from __future__ import annotations

from flask import Flask, Response, render_template
from werkzeug.exceptions import HTTPException

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_MAX_BODY = 256 * 1024


def page_server(name: str, *, title: str) -> Flask:
    """A Flask app with the demo's style; ``title`` names the server on each of its pages."""
    app = Flask(name)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
    app.jinja_env.globals["server"] = title
    app.after_request(_protect)
    app.register_error_handler(HTTPException, _error_page)
    return app


def message_form(*, action: str, fields: dict[str, str], to: str) -> Response:
    """A page that posts ``fields`` onwards: how a message crosses from one site to another."""
    response = Response(render_template("post.html", action=action, fields=fields, to=to))
    response.headers["Cache-Control"] = "no-store"
    return response


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def _error_page(error: HTTPException) -> Response:
    page = render_template("error.html", name=error.name, reason=error.description)
    return Response(page, status=error.code)
