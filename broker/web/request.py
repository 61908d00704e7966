"""What endpoints may know of a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from werkzeug.datastructures import ETags
from werkzeug.http import parse_etags
from werkzeug.sansio.http import parse_cookie
from werkzeug.sansio.utils import get_content_length

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Request:
    """A view of a WSGI environment (PEP 3333): nothing is read before it is asked for.

    Werkzeug does the reading where there is something to understand. Its own ``Request`` reads more than
    is asked here, and making one costs as much as a small endpoint.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ

    @property
    def method(self) -> str:
        """In capitals, as it was routed by."""
        method: str = self.environ["REQUEST_METHOD"]
        return method.upper()

    @property
    def path(self) -> str:
        """As it was routed by, with one slash at the start. What is no UTF-8 is replaced."""
        path: str = self.environ.get("PATH_INFO", "")
        return "/" + path.encode("latin-1").decode("utf-8", "replace").lstrip("/")

    @property
    def host(self) -> str:
        """The Host header as it came; empty without one, which HTTP/1.0 allows."""
        host: str = self.environ.get("HTTP_HOST", "")
        return host

    @property
    def query_string(self) -> bytes:
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin-1")

    @property
    def mimetype(self) -> str:
        """The media type alone, in lower case; empty: none was named."""
        content_type: str = self.environ.get("CONTENT_TYPE", "")
        return content_type.partition(";")[0].strip(" \t").lower()

    @property
    def content_length(self) -> int | None:
        """Bytes of the body; None: it does not say. 0 for what is no number."""
        return get_content_length(
            self.environ.get("CONTENT_LENGTH"), self.environ.get("HTTP_TRANSFER_ENCODING")
        )

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """By name; the first of those that have the same one."""
        sent = self.header("Cookie")
        return parse_cookie(sent) if sent else {}

    @property
    def if_none_match(self) -> ETags:
        return parse_etags(self.header("If-None-Match"))

    def header(self, name: str) -> str | None:
        """Its value as it came, each byte a character; None without that header.

        Not for Content-Type and Content-Length, which PEP 3333 names otherwise: see ``mimetype`` and
        ``content_length``.
        """
        return self.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
