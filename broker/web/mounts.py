"""What is served at a path: the endpoint, the methods, the form of its errors and who may ask.

The table itself stands in ``broker/app.py``. All that depends on the path alone is derived from its rows,
also for what is refused before an endpoint runs: an unknown method or host, a body that is too large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from broker.web.response import Response

Endpoint = Callable[..., Response]

_VARIABLE = re.compile(r"<\w+>")


class ErrorForm(StrEnum):
    """The form in which an endpoint says what is wrong, which is that of who reads it."""

    PAGE = "page"
    """A person, in a browser."""
    JSON = "json"
    """A program: RFC 6749 5.2."""
    API = "api"
    """An SDK of the Cognito API: AWS JSON 1.1."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One row. ``endpoint`` takes the request, the broker and the site; on ``any_host`` the broker alone."""

    path: str
    endpoint: Endpoint
    methods: tuple[str, ...]
    errors: ErrorForm = ErrorForm.PAGE
    cross_origin: bool = False
    """Whether browser apps of any origin may call it; none of it looks at a cookie."""
    any_host: bool = False
    """Whether it answers at any Host: probes know an address, not a domain."""


class Mounts:
    """The table, and which row a path belongs to, whatever the method and the host."""

    def __init__(self, rows: Iterable[Mount]) -> None:
        self._rows = tuple(rows)
        self._exact = {row.path: row for row in self._rows if not _VARIABLE.search(row.path)}
        self._variable = [(_pattern(r.path), r) for r in self._rows if r.path not in self._exact]

    def __iter__(self) -> Iterator[Mount]:
        return iter(self._rows)

    def exact(self, path: str) -> Mount | None:
        """The row for ``path`` if it is one without variables."""
        return self._exact.get(path)

    def at(self, path: str) -> Mount | None:
        """The row for ``path``, one without variables first; None: nothing is there."""
        found = self._exact.get(path)
        return found or next((row for pattern, row in self._variable if pattern(path)), None)


def _pattern(path: str) -> Callable[[str], object]:
    """``/<pool_id>/x`` as a pattern in which a variable is one segment."""
    parts = (re.escape(part) for part in _VARIABLE.split(path))
    return re.compile("[^/]+".join(parts)).fullmatch
