"""Request parameters, single-valued: the only form in which the broker reads a query or a form.

RFC 6749 3.1 and 3.2: a parameter sent without a value counts as left out, and none may be sent
twice. Which repetition matters is the reader's to say, because unknown parameters are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlencode

MAX_PARAMETERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """``values`` holds the first value of each name; ``repeated`` the names sent more than once."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeated: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, encoded: bytes) -> Parameters:
        """Read ``application/x-www-form-urlencoded`` (URL Standard 5.1).

        Bytes that are not UTF-8 survive as surrogates, so that ``state`` goes back as it came.
        Raises ``ValueError`` for more than ``MAX_PARAMETERS`` of them.
        """
        pairs = encoded.split(b"&")
        if len(pairs) > MAX_PARAMETERS:
            raise ValueError(f"more than {MAX_PARAMETERS} parameters")
        split = (pair.partition(b"=") for pair in pairs if pair)
        return cls.of((_decoded(name), _decoded(value)) for name, _, value in split)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Parameters:
        values: dict[str, str] = {}
        seen: set[str] = set()
        repeated: set[str] = set()
        for name, value in pairs:
            (repeated if name in seen else seen).add(name)
            if value:
                values.setdefault(name, value)
        return cls(values=values, repeated=frozenset(repeated))

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def only(self, *names: str) -> Parameters:
        """These of them."""
        kept = {name: value for name, value in self.values.items() if name in names}
        return Parameters(values=kept, repeated=self.repeated & frozenset(names))

    def first_repeated(self, names: Iterable[str]) -> str | None:
        """One of ``names`` that was sent more than once, or None."""
        if not self.repeated:
            return None
        return next((name for name in names if name in self.repeated), None)

    def encoded(self, **changes: str | None) -> str:
        """The parameters as a query string, with ``changes`` made (None leaves one out)."""
        values = {**self.values, **changes}
        return urlencode(
            {name: value for name, value in values.items() if value is not None},
            errors="surrogateescape",
        )


def _decoded(encoded: bytes) -> str:
    """``parse_qsl`` would decode the bytes first, and search the text for what is encoded."""
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
