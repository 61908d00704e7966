"""What several processes do to one store at the same moment.

Each function here runs in a process of its own and says what it got, key by key. ``Racers`` lets
them begin together; a spawned process can only be given functions that it can import.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Self, TypeVar

from broker.model.login import LinkedIdentity, UserProfile
from broker.model.pool import UserPool
from broker.model.stored import Kind, Rotation
from broker.model.tokens import PoolKeys
from broker.stores.directory import SqlDirectory
from broker.stores.engine import make_engine
from broker.stores.grants import SqlGrants
from broker.stores.keys import FileKeyStore
from broker.stores.migrate import migrate
from tests.kit.clock import ManualClock
from tests.kit.store_backends import open_state

RACERS = 4
POOL = "eu-west-1_one"
CLOCK = ManualClock()

T = TypeVar("T")
_start: Barrier


def _enter(barrier: Barrier) -> None:
    global _start  # noqa: PLW0603  # how a pool's initializer hands something to its tasks
    _start = barrier


class Racers:
    """``RACERS`` processes that stand ready."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # what they need is imported once
        self._processes = ProcessPoolExecutor(
            RACERS, context, initializer=_enter, initargs=(context.Barrier(RACERS, timeout=60),)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._processes.shutdown()

    def race(self, task: Callable[..., T], *arguments: Any) -> list[T]:
        """What each of them got."""
        running = [self._processes.submit(task, *arguments, number) for number in range(RACERS)]
        return [each.result() for each in running]


def take(url: str, keys: Sequence[str], _number: int) -> list[bool]:
    state = open_state(url, CLOCK)
    _start.wait()
    return [state.single_use.take(POOL, Kind.CODE, key) is not None for key in keys]


def spend(url: str, keys: Sequence[str], _number: int) -> list[bool]:
    """Every racer gets the value; a missing one shows as an error."""
    state = open_state(url, CLOCK)
    _start.wait()
    spent = [state.single_use.spend(POOL, Kind.CODE, key, remember=300) for key in keys]
    assert [each and each.value for each in spent] == [key.encode() for key in keys]
    return [each is not None and each.first for each in spent]


def mark(url: str, keys: Sequence[str], _number: int) -> list[bool]:
    state = open_state(url, CLOCK)
    _start.wait()
    return [state.replay.first_time(POOL, "CorpSAML", key, until=CLOCK.now() + 300) for key in keys]


def rotate(url: str, keys: Sequence[str], grace: int, number: int) -> list[Rotation]:
    grants = SqlGrants(make_engine(url), clock=CLOCK)
    _start.wait()
    return [grants.rotate(POOL, key, f"{key}-{number}", grace=grace) for key in keys]


def person(subject: str, sub: str) -> UserProfile:
    identity = LinkedIdentity(
        user_id=subject,
        provider_name="CorpSAML",
        provider_type="SAML",
        issuer=None,
        primary=True,
        created_at=1,
    )
    return UserProfile(
        pool_id=POOL, sub=sub, username=f"CorpSAML_{subject}", identities=(identity,)
    )


Creation = Callable[[str, Sequence[str], int], list[str | None]]


def create(url: str, subjects: Sequence[str], number: int) -> list[str | None]:
    directory = SqlDirectory(make_engine(url))
    _start.wait()
    users = [directory.create(person(each, sub=f"{each}-{number}")) for each in subjects]
    return [user.sub if user else None for user in users]


def create_under_other_names(url: str, subjects: Sequence[str], number: int) -> list[str | None]:
    """The same identities, as after a link: the second statement of the transaction collides."""
    directory = SqlDirectory(make_engine(url))
    _start.wait()
    profiles = [person(each, sub=f"{each}-{number}") for each in subjects]
    users = [
        directory.create(replace(profile, username=f"{profile.username}-{number}"))
        for profile in profiles
    ]
    return [user.sub if user else None for user in users]


def migrate_new(url: str, _number: int) -> int:
    _start.wait()
    sql = make_engine(url)
    migrate(sql)
    SqlDirectory(sql).list(POOL)
    sql.dispose()
    return 1


def open_new(directory: Path, files: int, _number: int) -> int:
    """SQLite databases that nobody has opened before, one after the other."""
    for file in range(files):
        _start.wait()
        make_engine(f"sqlite:///{directory}/{file}/broker.db").dispose()
    return files


def make_keys(directory: Path, pools: Sequence[UserPool], _number: int) -> list[PoolKeys]:
    store = FileKeyStore(directory, clock=CLOCK)
    _start.wait()
    return [store.pool_keys(pool) for pool in pools]
