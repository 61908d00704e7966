"""Every statement finds its rows through an index that tells most of them apart.

Read from SQLite's plan on a database without statistics, where it went wrong before: with a
thousand users in a pool, each look-up read them all.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from broker.stores import directory_sql, documents, expected_links, grants, sql_state
from broker.stores.engine import SqlEngine
from broker.stores.schema import metadata

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (directory_sql, documents, expected_links, grants, sql_state)
    for name, statement in vars(module).items()
    if isinstance(statement, (sa.Select, sa.Update, sa.Delete, sa.Insert)) and name != "_MARK"
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_whole_table_or_pool(sqlite: SqlEngine, name: str) -> None:
    compiled = STATEMENTS[name].compile(dialect=sa.create_engine(sqlite.url).dialect)
    literal = str(compiled).replace("?", "1")
    steps = [row[3] for row in sqlite.read(sa.text(f"EXPLAIN QUERY PLAN {literal}"))]
    assert steps or isinstance(STATEMENTS[name], sa.Insert)  # of given values: nothing to look up
    whole_tables = [f"SCAN {table}" for table in (*metadata.tables, "wanted", "other")]
    assert not [step for step in steps if step in whole_tables or "(pool_id=?)" in step]
