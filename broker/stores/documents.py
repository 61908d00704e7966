"""What one machine has fetched for all, on SQL."""

from __future__ import annotations

from sqlalchemy import bindparam, select

# SQLite took its upsert from PostgreSQL, and SQLAlchemy renders this one construct for both.
from sqlalchemy.dialects.postgresql import insert

from broker.model.stored import SharedDocument
from broker.stores.digests import digest
from broker.stores.engine import SqlEngine, large
from broker.stores.schema import documents

_FIND = large(
    select(documents.c.document, documents.c.note).where(
        documents.c.digest == bindparam("key"), documents.c.noted_at > bindparam("after")
    )
)
_NEW = insert(documents)
_PUT = large(
    _NEW.on_conflict_do_update(
        index_elements=[documents.c.digest],
        set_={name: _NEW.excluded[name] for name in ("document", "note", "noted_at")},
        where=documents.c.noted_at < _NEW.excluded.noted_at,
    )
)


class SqlDocuments:
    """``ports.SharedDocuments``."""

    def __init__(self, sql: SqlEngine) -> None:
        self._sql = sql

    def find(self, key: str, *, after: float) -> SharedDocument | None:
        row = self._sql.read_one(_FIND, key=digest(key), after=after)
        if row is None:
            return None
        document, note = row
        return SharedDocument(
            document=None if document is None else bytes(document), note=bytes(note)
        )

    def put(self, key: str, shared: SharedDocument, *, at: float) -> None:
        self._sql.write(
            _PUT, digest=digest(key), document=shared.document, note=shared.note, noted_at=at
        )
