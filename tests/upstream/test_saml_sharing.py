"""Several machines, each with a disk of its own, fetch as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.model.errors import Reason, StoreUnavailableError, UpstreamError
from broker.model.stored import SharedDocument
from broker.stores.documents import SqlDocuments
from broker.stores.engine import make_engine
from broker.stores.migrate import migrate
from broker.stores.sql_state import SqlState
from broker.upstream.saml_metadata import LOOK_SECONDS, SamlMetadata
from broker.upstream.saml_schedule import HURRY_SECONDS, REFRESH_SECONDS, RETRY_SECONDS
from broker.upstream.saml_sharing import LEASE_SECONDS, SharingMachines
from tests.kit.clock import ManualClock
from tests.saml import builders
from tests.upstream.saml_web import POOL, REMOTE, URL, Installation, Web, document, pool


class Site:
    """Machines that share a database and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = make_engine(f"sqlite:///{folder}/broker.db")
        migrate(self.engine)
        self.web = Web()
        self.clock = ManualClock(builders.NOW)
        self.state = SqlState(self.engine, clock=self.clock)
        self.documents = SqlDocuments(self.engine)

    def sharing(self) -> SharingMachines:
        return SharingMachines(documents=self.documents, replay=self.state.replay, clock=self.clock)

    def machine(self, name: str) -> SamlMetadata:
        machine = Installation(folder=self.folder / name, web=self.web, clock=self.clock)
        metadata = machine.process(machines=self.sharing())
        metadata.watch([pool(REMOTE)])
        return metadata


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.engine.dispose()


def entity(machine: SamlMetadata) -> str:
    return machine.of(POOL, REMOTE).entity_id


def test_one_machine_fetches_and_the_others_have_it(site: Site) -> None:
    one, two = site.machine("one"), site.machine("two")
    for machine in (one, two):
        machine.upkeep()
        assert entity(machine) == "urn:idp"
    assert site.web.visits == 1


def test_also_when_it_is_renewed(site: Site) -> None:
    one, two = site.machine("one"), site.machine("two")
    for machine in (one, two):
        machine.upkeep()
    site.web.answer = document("urn:new")
    site.clock.advance(REFRESH_SECONDS)
    for machine in (two, one):
        machine.upkeep()
        assert entity(machine) == "urn:new"
    assert site.web.visits == 2


def test_also_when_a_sign_in_is_the_first_to_need_it(site: Site) -> None:
    assert [entity(site.machine(name)) for name in ("one", "two", "three")] == ["urn:idp"] * 3
    assert site.web.visits == 1


def test_what_another_machine_has_in_hand_is_left_to_it(site: Site) -> None:
    one, two = site.machine("one"), site.machine("two")
    one.upkeep()
    two.upkeep()
    site.clock.advance(REFRESH_SECONDS)
    assert site.sharing().leads(URL)  # a third one, and it will not finish
    one.upkeep()
    assert entity(two) == "urn:idp"
    assert site.web.visits == 1
    site.clock.advance(max(LEASE_SECONDS, LOOK_SECONDS))
    one.upkeep()
    assert site.web.visits == 2


def test_but_nobody_waits_for_it_who_has_nothing(site: Site) -> None:
    assert site.sharing().leads(URL)
    metadata = site.machine("one")
    metadata.upkeep()
    assert site.web.visits == 0
    assert entity(metadata) == "urn:idp"
    assert site.web.visits == 1


def test_nor_anybody_who_met_an_unknown_key(site: Site) -> None:
    metadata = site.machine("one")
    old = metadata.of(POOL, REMOTE)
    site.clock.advance(HURRY_SECONDS)
    assert site.sharing().leads(URL)
    site.web.answer = document(owners="next")
    assert metadata.newer(POOL, REMOTE, old) is not None


def test_a_failure_is_not_repeated_by_each(site: Site) -> None:
    site.web.answer = None
    for name in ("one", "two", "three"):
        with pytest.raises(UpstreamError) as refusal:
            entity(site.machine(name))
        assert refusal.value.reason == Reason.SAML_METADATA_UNAVAILABLE
    assert site.web.visits == 1
    site.web.answer = document()
    site.clock.advance(RETRY_SECONDS)
    assert [entity(site.machine(name)) for name in ("one", "two")] == ["urn:idp"] * 2
    assert site.web.visits == 2


def test_a_new_key_that_one_machine_met_is_known_to_the_others(site: Site) -> None:
    one, two = site.machine("one"), site.machine("two")
    seen = [machine.of(POOL, REMOTE) for machine in (one, two)]
    site.web.answer = document(owners="next")
    site.clock.advance(HURRY_SECONDS)
    for machine, old in zip((one, two), seen, strict=True):
        assert machine.newer(POOL, REMOTE, old) is not None
    assert site.web.visits == 2


def test_each_goes_on_alone_while_the_store_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(site.engine, "read_one", away)
    monkeypatch.setattr(site.engine, "write", away)
    assert [entity(site.machine(name)) for name in ("one", "two")] == ["urn:idp"] * 2
    assert site.web.visits == 2
    assert set(caplog.messages) == {"saml_metadata_not_shared"}


def test_a_note_nobody_here_can_read_is_passed_over(site: Site) -> None:
    site.machine("one").upkeep()
    key = f"{URL}\0"
    found = site.documents.find(key, after=0)
    assert found is not None
    foreign = SharedDocument(document=found.document, note=b'{"of": "another version"}')
    site.documents.put(key, foreign, at=site.clock.now() + 1)
    two = site.machine("two")
    assert entity(two) == "urn:idp"
    assert site.web.visits == 2
