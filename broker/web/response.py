"""The one kind of response that leaves the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_BODY = frozenset({204, 304})
"""RFC 9110 6.4.1; neither has a Content-Length of its own."""


class WholeResponse(Response):
    """Complete when it is made, and sent as it was made.

    Werkzeug would copy the headers, rewrite ``Location`` for browsers of old (lose an empty authority, as in
    ``myapp:///callback``, change case, fail on what is no host name), and hand an iterator to granian,
    which asks one piece by piece, with a change of threads for each.
    """

    default_mimetype = None
    """None without a body: browser libraries parse what has a Content-Type."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = self.get_data()
        if self.status_code in _WITHOUT_BODY:
            body = b""
            self.headers.pop("Content-Length", None)
        else:
            self.headers["Content-Length"] = str(len(body))
        start_response(self.status, self.headers.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
