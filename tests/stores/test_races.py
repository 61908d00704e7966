"""Several processes want the same thing at the same moment: one gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from broker.model.login import ExpectedLink
from broker.model.pool import SigningAlgorithm, UserPool
from broker.model.stored import Kind, Rotation
from broker.model.tokens import TokenFamily
from broker.stores import directory_sql
from broker.stores.directory import SqlDirectory
from broker.stores.engine import SqlEngine, make_engine
from broker.stores.expected_links import SqlExpectedLinks
from broker.stores.grants import SqlGrants
from tests.kit import store_races
from tests.kit.store_backends import open_state
from tests.kit.store_races import CLOCK, POOL, RACERS, Racers

KEYS = [f"key-{number}" for number in range(200)]

across_processes = pytest.mark.parametrize(
    "state_url", ["sqlite", "postgresql", "redis"], indirect=True
)


@pytest.fixture(scope="session")
def racers() -> Iterator[Racers]:
    with Racers() as racers:
        yield racers


@pytest.fixture
def sql_url(sql: SqlEngine) -> str:
    return sql.url.render_as_string(hide_password=False)


@pytest.fixture
def full_url(state_url: str) -> str:
    """A store with a value under each of ``KEYS``."""
    state = open_state(state_url, CLOCK)
    for key in KEYS:
        state.single_use.put(POOL, Kind.CODE, key, key.encode(), lifetime=300)
    state.close()
    return state_url


def winners(outcomes: list[list[bool]]) -> list[int]:
    """How many racers won each key."""
    return [sum(of_one_key) for of_one_key in zip(*outcomes, strict=True)]


@across_processes
def test_one_racer_takes_a_value(racers: Racers, full_url: str) -> None:
    assert winners(racers.race(store_races.take, full_url, KEYS)) == [1] * len(KEYS)


@across_processes
def test_one_racer_is_the_first_to_spend_a_value(racers: Racers, full_url: str) -> None:
    assert winners(racers.race(store_races.spend, full_url, KEYS)) == [1] * len(KEYS)


@across_processes
def test_one_racer_sees_an_assertion_for_the_first_time(racers: Racers, state_url: str) -> None:
    assert winners(racers.race(store_races.mark, state_url, KEYS)) == [1] * len(KEYS)


@pytest.mark.parametrize(("grace", "others"), [(0, Rotation.REUSED), (60, Rotation.IN_GRACE)])
def test_one_racer_rotates_a_token(
    racers: Racers, sql: SqlEngine, sql_url: str, grace: int, others: Rotation
) -> None:
    grants = SqlGrants(sql, clock=CLOCK)
    now = int(CLOCK.now())
    for key in KEYS:
        family = TokenFamily(
            pool_id=POOL,
            origin_jti=f"family of {key}",
            client_id="1client",
            sub="sub",
            scopes=("openid",),
            auth_time=now,
            issued_at=now,
            expires_at=now + 3600,
        )
        grants.start(family, key)
    outcomes = racers.race(store_races.rotate, sql_url, KEYS, grace)
    for of_one_key in zip(*outcomes, strict=True):
        assert sorted(each.name for each in of_one_key) == sorted(
            ["ROTATED", *[others.name] * (RACERS - 1)]
        )
    alive = [grants.find(POOL, f"{key}-{number}") for key in KEYS for number in range(RACERS)]
    good = RACERS if others is Rotation.IN_GRACE else 1
    assert sum(each is not None for each in alive) == good * len(KEYS)


@pytest.mark.parametrize("task", [store_races.create, store_races.create_under_other_names])
def test_racing_first_sign_ins_make_one_user(
    racers: Racers, sql: SqlEngine, sql_url: str, task: store_races.Creation
) -> None:
    people = KEYS[:50]
    outcomes = racers.race(task, sql_url, people)
    stored = [SqlDirectory(sql).find(POOL, "CorpSAML", subject) for subject in people]
    for subs, user in zip(zip(*outcomes, strict=True), stored, strict=True):
        assert user is not None
        assert set(subs) == {user.sub}
    assert len(SqlDirectory(sql).list(POOL, limit=RACERS * len(people))) == len(people)


LINKED = store_races.person("al", sub="sub").identities[0]
EXPECTED = ExpectedLink(
    provider_name="CorpSAML", attribute="email", value="al@x.test", sub="sub", created_at=1
)


@pytest.mark.parametrize(
    "link",
    [
        lambda sql: SqlDirectory(sql).link(POOL, "sub", LINKED),
        lambda sql: SqlExpectedLinks(sql).add(POOL, EXPECTED),
    ],
    ids=["link", "expected link"],
)
def test_who_is_being_deleted_cannot_be_linked(
    sql: SqlEngine, link: Callable[[SqlEngine], bool]
) -> None:
    """The link begins while the deletion is not yet committed, and has to wait for it."""
    SqlDirectory(sql).create(store_races.person("anna", sub="sub"))
    with ThreadPoolExecutor(1) as threads:
        with sql.transaction() as connection:
            assert connection.one(directory_sql.DELETE, pool=POOL, of_sub="sub")
            linking = threads.submit(link, sql)
            while sql.is_server and not linking.done() and not sql.read(WAITING):
                pass
        assert linking.result() is False


WAITING = sa.text(
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_start_together_migrate_once(
    racers: Racers, request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = (
        f"sqlite:///{tmp_path}/new/broker.db"
        if database == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    assert racers.race(store_races.migrate_new, url) == [1] * RACERS
    sql = make_engine(url)
    assert SqlDirectory(sql).list(POOL) == []
    sql.dispose()


def test_a_new_sqlite_file_is_opened_by_all(racers: Racers, tmp_path: Path) -> None:
    """SQLite itself refuses one of them now and then: several files, to see it."""
    assert racers.race(store_races.open_new, tmp_path, 50) == [50] * RACERS


def test_racers_for_keys_get_the_same(racers: Racers, tmp_path: Path) -> None:
    pools = [
        UserPool(
            id=f"eu-west-1_{algorithm}",
            domains=("https://auth.example.com",),
            issuer="https://auth.example.com",
            signing_algorithm=algorithm,
        )
        for algorithm in SigningAlgorithm
    ]
    made = racers.race(store_races.make_keys, tmp_path / "certs", pools)
    assert made == [made[0]] * RACERS
    assert len({keys.id_token[0].kid for keys in made[0]}) == len(pools)
