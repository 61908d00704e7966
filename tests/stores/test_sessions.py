"""What every ``SessionStore`` keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.model.errors import StoreUnavailableError
from broker.model.login import LoginSession
from broker.model.stored import Entry, Kind, Spent
from broker.stores.engine import SqlEngine
from broker.stores.sql_state import SqlState
from tests.kit.clock import ManualClock
from tests.kit.store_backends import State, empty

POOL = "eu-west-1_one"


@pytest.fixture
def session(clock: ManualClock) -> LoginSession:
    return LoginSession(
        id="session-1",
        pool_id=POOL,
        sub="b7f1c0de",
        username="CorpSAML_änne",
        provider="CorpSAML",
        subject="änne",
        auth_time=int(clock.now()),
        expires_at=int(clock.now()) + 3600,
        logout={"name_id": "<NameID>änne</NameID>", "session_index": "_1"},
    )


def test_a_session_comes_back_as_it_was(state: State, session: LoginSession) -> None:
    state.sessions.put(session)
    assert state.sessions.get(POOL, session.id) == session


def test_sessions_are_told_apart_by_their_ids(state: State, session: LoginSession) -> None:
    second = replace(session, id="session-2", subject="berta")
    state.sessions.put(session)
    state.sessions.put(second)
    assert state.sessions.get(POOL, second.id) == second
    state.sessions.end(POOL, session.id)
    assert state.sessions.get(POOL, second.id) == second


def test_an_unknown_session_is_none(state: State) -> None:
    assert state.sessions.get(POOL, "unknown") is None


def test_a_session_put_again_is_replaced(state: State, session: LoginSession) -> None:
    state.sessions.put(session)
    later = replace(session, auth_time=session.auth_time + 5)
    state.sessions.put(later)
    assert state.sessions.get(POOL, session.id) == later


@pytest.mark.parametrize(("age", "live"), [(3599, True), (3600, False)])
def test_a_session_lives_until_it_expires(
    state: State, session: LoginSession, clock: ManualClock, age: int, live: bool
) -> None:
    state.sessions.put(session)
    clock.advance(age)
    assert (state.sessions.get(POOL, session.id) is not None) is live


def test_an_ended_session_is_gone(state: State, session: LoginSession) -> None:
    state.sessions.put(session)
    state.sessions.end(POOL, session.id)
    state.sessions.end(POOL, session.id)
    assert state.sessions.get(POOL, session.id) is None
    assert state.sessions.end_for(POOL, session.provider, session.subject) == ()


def test_one_pool_does_not_see_or_end_anothers_session(state: State, session: LoginSession) -> None:
    state.sessions.put(session)
    assert state.sessions.get("eu-west-1_two", session.id) is None
    state.sessions.end("eu-west-1_two", session.id)
    assert state.sessions.end_for("eu-west-1_two", session.provider, session.subject) == ()
    assert state.sessions.get(POOL, session.id) == session


def test_all_sessions_of_a_person_end_together(state: State, session: LoginSession) -> None:
    second = replace(session, id="session-2", logout={})
    for each in (session, second):
        state.sessions.put(each)
    ended = state.sessions.end_for(POOL, session.provider, session.subject)
    assert {(each.sub, tuple(each.logout.items())) for each in ended} == {
        (each.sub, tuple(each.logout.items())) for each in (session, second)
    }
    assert [state.sessions.get(POOL, each.id) for each in (session, second)] == [None, None]
    assert state.sessions.end_for(POOL, session.provider, session.subject) == ()


def test_sessions_found_by_person_do_not_tell_their_ids(
    state: State, session: LoginSession
) -> None:
    state.sessions.put(session)
    assert state.sessions.end_for(POOL, session.provider, session.subject) == (
        replace(session, id=""),
    )


@pytest.mark.parametrize(
    ("provider", "subject"),
    [("Other", "änne"), ("CorpSAML", "Änne"), ("CorpSAMLä", "nne")],
    ids=["another provider", "another subject", "another border between the two"],
)
def test_other_people_stay_signed_in(
    state: State, session: LoginSession, provider: str, subject: str
) -> None:
    state.sessions.put(session)
    assert state.sessions.end_for(POOL, provider, subject) == ()
    assert state.sessions.get(POOL, session.id) == session


def test_expired_sessions_are_not_among_those_that_ended(
    state: State, session: LoginSession, clock: ManualClock
) -> None:
    state.sessions.put(replace(session, id="short", expires_at=session.auth_time + 60))
    state.sessions.put(session)
    clock.advance(61)
    ended = state.sessions.end_for(POOL, session.provider, session.subject)
    assert [each.expires_at for each in ended] == [session.expires_at]


def test_a_shorter_session_does_not_hide_a_longer_one(
    state: State, session: LoginSession, clock: ManualClock
) -> None:
    state.sessions.put(session)
    state.sessions.put(replace(session, id="short", expires_at=session.auth_time + 60))
    clock.advance(3000)
    assert len(state.sessions.end_for(POOL, session.provider, session.subject)) == 1
    assert state.sessions.get(POOL, session.id) is None


# -- what is kept along with it --------------------------------------------------------------

CODE = Entry(kind=Kind.CODE, key="code-1", value=b"a code\0", lifetime=300)
NAME = Entry(kind=Kind.UPSTREAM_SESSION, key="CorpSAML s1", value="änne".encode(), lifetime=3600)


def test_entries_are_there_when_the_session_is(state: State, session: LoginSession) -> None:
    state.sessions.put(session, NAME, CODE)
    assert state.sessions.get(POOL, session.id) == session
    assert state.single_use.take(POOL, NAME.kind, NAME.key) == NAME.value
    spent = state.single_use.spend(POOL, CODE.kind, CODE.key, remember=300)
    assert spent == Spent(value=CODE.value, first=True)
    assert state.single_use.spend(POOL, CODE.kind, CODE.key, remember=300) == Spent(
        value=CODE.value, first=False
    )


def test_an_entry_is_of_the_sessions_pool_and_of_its_kind(
    state: State, session: LoginSession
) -> None:
    state.sessions.put(session, CODE)
    assert state.single_use.take("eu-west-1_two", CODE.kind, CODE.key) is None
    assert state.single_use.take(POOL, Kind.TRANSACTION, CODE.key) is None


@pytest.mark.parametrize(("age", "live"), [(299, True), (300, False)])
def test_an_entry_has_a_lifetime_of_its_own(
    state: State, session: LoginSession, clock: ManualClock, age: int, live: bool
) -> None:
    state.sessions.put(session, CODE)
    clock.advance(age)
    assert (state.single_use.take(POOL, CODE.kind, CODE.key) is not None) is live


def test_an_entry_takes_the_place_of_one_that_is_there(state: State, session: LoginSession) -> None:
    state.single_use.put(POOL, NAME.kind, NAME.key, b"berta", lifetime=300)
    state.sessions.put(session, NAME)
    assert state.single_use.take(POOL, NAME.kind, NAME.key) == NAME.value


def test_without_its_entries_there_is_no_session(
    postgresql: SqlEngine, session: LoginSession, clock: ManualClock
) -> None:
    empty(postgresql)
    state = SqlState(postgresql, clock=clock)
    state.single_use.put(POOL, CODE.kind, CODE.key, b"", lifetime=300)
    with postgresql.transaction() as other:
        other.command("SELECT * FROM single_use FOR UPDATE")
        with pytest.raises(StoreUnavailableError):
            state.sessions.put(session, NAME, CODE)
    assert state.sessions.get(POOL, session.id) is None
    assert state.single_use.take(POOL, NAME.kind, NAME.key) is None
