"""Where an identity provider publishes its metadata: a WSGI app that can have a bad day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from broker import settings, wiring


def fetch_as_a_broker(config: Path) -> None:
    """Fetch the metadata of a configuration's providers, and leave the copies a broker leaves."""
    with closing(wiring.build(settings.load(config, {}))) as broker:
        broker.upkeep["metadata"]()


@dataclass
class MetadataSite:
    """Publishes what ``document`` says, with an ETag."""

    document: Callable[[], str]
    status: str = "200 OK"
    """Anything but 200: the site is up, and its answer is a page for people."""
    visits: int = 0
    unchanged: int = 0
    """Of those, how many were answered with 304."""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.visits += 1
        if not self.status.startswith("200"):
            start(self.status, [("Content-Type", "text/html")])
            return [b"<html><p>Something went wrong"]
        body = self.document().encode()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        more: list[Any] = [("ETag", etag), *self.headers]
        if environ.get("HTTP_IF_NONE_MATCH") == etag:
            self.unchanged += 1
            start("304 Not Modified", more)
            return []
        start("200 OK", [("Content-Type", "application/samlmetadata+xml"), *more])
        return [body]
