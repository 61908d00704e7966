"""Descriptors are read once, renewed behind the back of sign-ins, and survive a bad day of the IdP."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, OAuthSettings, ProviderType, SamlSettings, UserPool
from broker.saml.metadata import IdpDescriptor, parse_idp_metadata
from broker.upstream import saml_file, saml_flights, saml_renewal
from broker.upstream.saml_copies import Copy, MetadataCopies, Source
from broker.upstream.saml_flights import FETCHERS, SEATS, in_parallel
from broker.upstream.saml_metadata import LOOK_SECONDS, SamlMetadata
from broker.upstream.saml_names import LOOK_AGAIN_SECONDS
from broker.upstream.saml_renewal import Fetched, Validators
from broker.upstream.saml_schedule import (
    HURRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    SOONEST_SECONDS,
)
from tests.kit.clock import ManualClock
from tests.saml import builders
from tests.upstream.saml_web import (
    POOL,
    REMOTE,
    URL,
    Installation,
    Later,
    Web,
    aggregate,
    document,
    pool,
    provider,
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(folder=tmp_path)


@pytest.fixture
def web(installation: Installation) -> Web:
    return installation.web


@pytest.fixture
def clock(installation: Installation) -> ManualClock:
    return installation.clock


@pytest.fixture
def later(installation: Installation) -> Later:
    return installation.later


@pytest.fixture
def metadata(installation: Installation) -> SamlMetadata:
    return installation.process()


def entity(metadata: SamlMetadata, of: IdentityProvider = REMOTE) -> str:
    return metadata.of(POOL, of).entity_id


def reason(metadata: SamlMetadata, of: IdentityProvider = REMOTE) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        metadata.of(POOL, of)
    return refusal.value.reason


class TestConfigured:
    @pytest.mark.parametrize(
        "before",
        [
            "",
            "\n  ",
            "\ufeff",
            '<?xml version="1.0" encoding="UTF-16"?>\n',
            '\n<?xml version="1.0"?>',
        ],
    )
    def test_metadata_can_stand_in_the_configuration(
        self, metadata: SamlMetadata, before: str
    ) -> None:
        text = before + document("urn:grüße")
        assert entity(metadata, provider(metadata_xml=text)) == "urn:grüße"

    def test_metadata_can_be_a_file(self, metadata: SamlMetadata, tmp_path: Path) -> None:
        path = tmp_path / "idp.xml"
        of_file = provider(metadata_path=str(path))
        assert reason(metadata, of_file) == Reason.SAML_METADATA_UNAVAILABLE
        path.write_text("\n" + document())
        assert entity(metadata, of_file) == "urn:idp"
        path.unlink()
        assert entity(metadata, of_file) == "urn:idp"

    def test_one_of_an_aggregate_can_be_named(self, metadata: SamlMetadata) -> None:
        both = aggregate(document("urn:a"), document("urn:b"))
        assert entity(metadata, provider(metadata_xml=both, entity_id="urn:b")) == "urn:b"
        unnamed = provider("Unnamed", metadata_xml=both)
        assert reason(metadata, unnamed) == Reason.SAML_METADATA_ENTITY

    def test_a_large_aggregate_can_be_a_file(self, metadata: SamlMetadata, tmp_path: Path) -> None:
        path, one = tmp_path / "federation.xml", document("urn:other")
        path.write_text(aggregate(*[one] * (2_000_000 // len(one)), document("urn:b")))
        named = provider(metadata_path=str(path), entity_id="urn:b")
        assert entity(metadata, named) == "urn:b"
        missing = provider("Missing", metadata_path=str(path), entity_id="urn:c")
        assert reason(metadata, missing) == Reason.SAML_METADATA_ENTITY

    def test_pools_and_providers_are_told_apart(self, metadata: SamlMetadata) -> None:
        assert entity(metadata, provider("One", metadata_xml=document("urn:1"))) == "urn:1"
        assert entity(metadata, provider("Two", metadata_xml=document("urn:2"))) == "urn:2"
        other = metadata.of("eu-west-1_Other", provider("One", metadata_xml=document("urn:3")))
        assert other.entity_id == "urn:3"

    def test_it_is_never_renewed(self, metadata: SamlMetadata) -> None:
        local = provider(metadata_xml=document())
        assert metadata.newer(POOL, local, metadata.of(POOL, local)) is None

    def test_a_provider_of_another_type_is_a_mistake_of_ours(self, metadata: SamlMetadata) -> None:
        oidc = IdentityProvider(
            name="Corp", type=ProviderType.OIDC, settings=OAuthSettings(client_id="c")
        )
        with pytest.raises(TypeError, match="another type"):
            metadata.of(POOL, oidc)


class TestFetched:
    def test_a_url_is_fetched_once_and_the_descriptor_kept(
        self, metadata: SamlMetadata, web: Web
    ) -> None:
        assert metadata.of(POOL, REMOTE) is metadata.of(POOL, REMOTE)
        assert web.visits == 1

    def test_it_is_renewed_after_six_hours_behind_the_back_of_sign_ins(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock, later: Later
    ) -> None:
        entity(metadata)
        web.answer, later.at_once = document("urn:new"), False
        clock.advance(REFRESH_SECONDS - 1)
        entity(metadata)
        assert not later.work
        clock.advance(LOOK_SECONDS)
        assert entity(metadata) == "urn:idp"
        assert entity(metadata) == "urn:idp"
        assert len(later.work) == 1
        later.run()
        assert entity(metadata) == "urn:new"
        assert web.visits == 2

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            "",
            "<html>maintenance</html>",
            document("urn:expired", more=f' validUntil="{builders.at(-1)}"'),
            document().replace("X509Certificate", "Nothing"),
        ],
    )
    def test_a_bad_answer_changes_nothing_even_over_restarts(
        self,
        installation: Installation,
        metadata: SamlMetadata,
        web: Web,
        clock: ManualClock,
        answer: str | None,
    ) -> None:
        entity(metadata)
        web.answer = answer
        clock.advance(30 * 86400)
        assert entity(metadata) == "urn:idp"
        assert web.visits == 2
        restarted = installation.process()
        assert entity(restarted) == "urn:idp"
        assert web.visits == 2
        clock.advance(RETRY_SECONDS)
        web.answer = document("urn:back")
        assert entity(installation.process()) == "urn:back"

    def test_another_entity_is_a_bad_answer_when_one_is_named(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        named = provider(metadata_url=URL, entity_id="urn:idp")
        entity(metadata, named)
        clock.advance(REFRESH_SECONDS)
        for answer in (document("urn:somebody else"), aggregate(document("urn:somebody else"))):
            web.answer = answer
            clock.advance(LONGEST_RETRY_SECONDS)
            assert entity(metadata, named) == "urn:idp"
        assert web.visits == 3

    def test_a_young_copy_spares_a_fetch_after_a_restart(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        entity(installation.process())
        clock.advance(REFRESH_SECONDS - 10)
        assert entity(installation.process()) == "urn:idp"
        assert web.visits == 1
        clock.advance(20)
        web.answer = document("urn:new")
        assert entity(installation.process()) == "urn:new"

    def test_a_slow_fetch_does_not_hold_up_who_has_a_copy(
        self, installation: Installation, clock: ManualClock, later: Later
    ) -> None:
        entity(installation.process())
        clock.advance(REFRESH_SECONDS)
        later.at_once = False
        assert entity(installation.process()) == "urn:idp"
        assert len(later.work) == 1

    def test_everything_is_due_when_the_configuration_was_read_again(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        entity(installation.process())
        clock.advance(10)
        web.answer = document("urn:new")
        reloaded = installation.process(since=clock.now())
        assert entity(reloaded) == "urn:new"
        assert web.visits == 2
        assert entity(installation.process(since=clock.now())) == "urn:new"
        assert web.visits == 2

    def test_what_was_under_way_at_a_reload_counts_as_before_it(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        def slow(url: str, known: Validators) -> Fetched:
            clock.advance(10)
            return web(url, known)

        began = clock.now()
        entity(replace(installation.process(), fetch=slow))
        entity(installation.process(since=began + 5))
        assert web.visits == 2

    def test_but_what_cannot_be_fetched_then_stays_in_use(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        entity(installation.process())
        clock.advance(10)
        web.answer = None
        reloaded = installation.process(since=clock.now())
        assert entity(reloaded) == "urn:idp"
        assert entity(installation.process(since=clock.now())) == "urn:idp"
        assert web.visits == 2

    def test_a_reload_tries_at_once_what_failed_before(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        web.answer = None
        reason(installation.process())
        clock.advance(1)
        web.answer = document()
        assert entity(installation.process(since=clock.now())) == "urn:idp"

    def test_without_any_copy_a_failure_is_told_and_not_repeated_at_once(
        self, installation: Installation, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        web.answer = None
        for process in (metadata, metadata, installation.process()):
            assert reason(process) == Reason.SAML_METADATA_UNAVAILABLE
        assert web.visits == 1
        web.answer = document()
        clock.advance(RETRY_SECONDS)
        assert entity(metadata) == "urn:idp"

    def test_a_damaged_copy_is_fetched_again(
        self, installation: Installation, metadata: SamlMetadata, web: Web
    ) -> None:
        web.etag = '"1"'
        entity(metadata)
        for copy in metadata.directory.glob("*.*"):
            copy.write_text("<half")
        assert entity(installation.process()) == "urn:idp"
        assert (web.visits, web.unchanged) == (2, 0)

    def test_a_disk_that_fails_stops_nobody(
        self,
        metadata: SamlMetadata,
        web: Web,
        clock: ManualClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        metadata.directory.write_text("a file, not a directory")
        for _ in range(3):
            assert entity(metadata) == "urn:idp"
        assert web.visits == 1
        assert caplog.messages == ["saml_metadata_not_kept"]
        clock.advance(REFRESH_SECONDS)
        web.answer = document("urn:new")
        entity(metadata)
        assert entity(metadata) == "urn:new"

    def test_only_so_many_descriptors_are_kept(self, installation: Installation) -> None:
        metadata = installation.process(capacity=2)
        one, two, three = (provider(n, metadata_xml=document(f"urn:{n}")) for n in "123")
        first = metadata.of(POOL, one)
        metadata.of(POOL, two)
        assert metadata.of(POOL, one) is first
        metadata.of(POOL, three)
        assert metadata.of(POOL, one) is first
        assert len(metadata._kept) == 2

    def test_the_copy_of_one_address_serves_every_pool(
        self, metadata: SamlMetadata, web: Web
    ) -> None:
        entity(metadata)
        assert metadata.of("eu-west-1_Other", REMOTE).entity_id == "urn:idp"
        assert web.visits == 1
        web.answer = document("urn:other")
        assert entity(metadata, provider("Other", metadata_url=URL + "?v=2")) == "urn:other"
        assert entity(metadata) == "urn:idp"


class TestSeveralProcesses:
    def test_two_workers_one_fetch(self, installation: Installation, web: Web) -> None:
        one, two = installation.process(), installation.process()
        assert entity(one) == entity(two) == "urn:idp"
        assert web.visits == 1

    def test_what_one_has_renewed_the_others_take(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        one, two = installation.process(), installation.process()
        assert entity(one) == entity(two)
        clock.advance(REFRESH_SECONDS)
        web.answer = document("urn:new")
        entity(one)
        assert entity(two) == "urn:new"
        assert web.visits == 2

    def test_a_worker_that_is_fetching_is_waited_for_by_who_needs_it(
        self, installation: Installation, web: Web
    ) -> None:
        """Both begin at the same moment, without a copy."""
        arrived, finish = threading.Event(), threading.Event()

        def slow(url: str, known: Validators) -> Fetched:
            arrived.set()
            assert finish.wait(10)
            return web(url, known)

        processes = [
            SamlMetadata(fetch=slow, directory=installation.folder, clock=installation.clock)
            for _ in range(2)
        ]
        names: list[str] = []
        threads = [
            threading.Thread(target=lambda p=process: names.append(entity(p)))  # type: ignore[misc]  # bound now
            for process in processes * 2
        ]
        for thread in threads:
            thread.start()
        assert arrived.wait(10)
        # A slow provider does not hold up another one.
        local = provider("Local", metadata_xml=document("urn:local"))
        assert entity(processes[0], local) == "urn:local"
        finish.set()
        for thread in threads:
            thread.join(10)
        assert names == ["urn:idp"] * 4
        assert web.visits == 1

    def test_in_the_background_nobody_waits_for_another_one(
        self, installation: Installation, metadata: SamlMetadata, web: Web
    ) -> None:
        metadata.watch([pool(REMOTE)])
        copies = MetadataCopies(directory=metadata.directory)
        with copies.turn(URL, wait=True) as is_ours:
            assert is_ours
            metadata.upkeep()
            assert web.visits == 0
        installation.clock.advance(LOOK_SECONDS)
        metadata.upkeep()
        assert web.visits == 1


class TestUpkeep:
    def test_it_fetches_what_nobody_has_used_yet(self, metadata: SamlMetadata, web: Web) -> None:
        local = provider("Local", metadata_xml=document("urn:local"))
        oidc = IdentityProvider(
            name="Oidc", type=ProviderType.OIDC, settings=OAuthSettings(client_id="c")
        )
        other = replace(pool(REMOTE), id="eu-west-1_Other")
        metadata.watch([pool(REMOTE, local, oidc), other])
        metadata.upkeep()
        web.answer = None
        assert entity(metadata) == "urn:idp"
        assert web.visits == 1

    def test_and_fetches_again_what_is_due(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        metadata.watch([pool(REMOTE)])
        metadata.upkeep()
        assert entity(metadata) == "urn:idp"
        web.answer = document("urn:new")
        clock.advance(REFRESH_SECONDS - 1)
        metadata.upkeep()
        assert web.visits == 1
        clock.advance(1)
        metadata.upkeep()
        assert web.visits == 2
        assert entity(metadata) == "urn:new"

    def test_many_are_fetched_by_a_few_threads(self, metadata: SamlMetadata, web: Web) -> None:
        metadata.watch([pool(*(provider(f"P{n}", metadata_url=f"{URL}/{n}") for n in range(20)))])
        metadata.upkeep()
        metadata.upkeep()
        assert web.visits == 20

    def test_a_fault_of_ours_with_one_stops_no_other(
        self, installation: Installation, web: Web, caplog: pytest.LogCaptureFixture
    ) -> None:
        """More of them than there are threads; each counts as a fetch that failed."""

        def faulty(url: str, known: Validators) -> Fetched:
            fetched = web(url, known)
            if "bad" in url:
                raise LookupError
            return fetched

        metadata = replace(installation.process(), fetch=faulty)
        names = [f"bad{n}" for n in range(FETCHERS + 1)] + ["good"]
        metadata.watch([pool(*(provider(n, metadata_url=f"{URL}/{n}") for n in names))])
        metadata.upkeep()
        assert web.visits == len(names)
        assert entity(metadata, provider("good", metadata_url=f"{URL}/good")) == "urn:idp"
        bad = provider("bad0", metadata_url=f"{URL}/bad0")
        assert reason(metadata, bad) == Reason.SAML_METADATA_INVALID
        assert web.visits == len(names)
        assert sorted(set(caplog.messages)) == ["saml_metadata_not_renewed", "unexpected_error"]

    def test_a_fault_of_ours_with_one_of_an_aggregate_stops_no_other(
        self, metadata: SamlMetadata, web: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def faulty(document: bytes, entity_id: str | None) -> IdpDescriptor:
            if entity_id == "urn:a":
                raise LookupError
            return parse_idp_metadata(document, entity_id)

        monkeypatch.setattr(saml_renewal, "parse_idp_metadata", faulty)
        web.answer = aggregate(document("urn:a"), document("urn:b"))
        one, two = (provider(n, metadata_url=URL, entity_id=f"urn:{n}") for n in "ab")
        metadata.watch([pool(one, two)])
        metadata.upkeep()
        assert entity(metadata, two) == "urn:b"
        assert reason(metadata, one) == Reason.SAML_METADATA_INVALID

    def test_whatever_goes_wrong_with_one_stops_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        done = []

        def work(item: str) -> None:
            if item == "bad":
                raise LookupError
            done.append(item)

        in_parallel(work, ["bad"] * (FETCHERS + 1) + ["good"])
        assert done == ["good"]
        assert caplog.messages == ["unexpected_error"] * (FETCHERS + 1)

    def test_the_entities_of_one_aggregate_cost_one_fetch(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        names = ("urn:a", "urn:b", "urn:c")
        members = [provider(n[-1], metadata_url=URL, entity_id=n) for n in names]
        metadata.watch([pool(*members)])
        web.answer = aggregate(*map(document, names))
        metadata.upkeep()
        assert [entity(metadata, member) for member in members] == list(names)
        assert web.visits == 1
        clock.advance(REFRESH_SECONDS)
        web.answer = aggregate(document("urn:a"), document("urn:b", owners="new"))
        metadata.upkeep()
        assert [entity(metadata, member) for member in members] == list(names)
        assert metadata.of(POOL, members[1]).keys == (builders.rsa_key("new").public_key(),)
        assert web.visits == 2


class TestUnknownKeys:
    """A message is signed with a key that is not in the metadata: a new one, or nonsense."""

    ROLLED = document(owners="idp next")

    def test_a_new_key_is_fetched_at_once(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        old = metadata.of(POOL, REMOTE)
        web.answer = self.ROLLED
        clock.advance(HURRY_SECONDS)
        new = metadata.newer(POOL, REMOTE, old)
        assert new is not None
        assert builders.rsa_key("next").public_key() in new.keys
        assert metadata.of(POOL, REMOTE).keys == new.keys

    def test_but_not_more_often_than_once_a_minute_on_this_machine(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        one, two = installation.process(), installation.process()
        old = one.of(POOL, REMOTE)
        two.of(POOL, REMOTE)
        clock.advance(HURRY_SECONDS)
        for _ in range(5):
            assert one.newer(POOL, REMOTE, old) is None
            assert two.newer(POOL, REMOTE, old) is None
        assert web.visits == 2
        clock.advance(HURRY_SECONDS - 1)
        assert one.newer(POOL, REMOTE, old) is None
        assert web.visits == 2
        clock.advance(1)
        web.answer = self.ROLLED
        assert two.newer(POOL, REMOTE, old) is not None

    def test_also_when_fetching_fails(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        old = metadata.of(POOL, REMOTE)
        web.answer = None
        clock.advance(HURRY_SECONDS)
        for _ in range(3):
            assert metadata.newer(POOL, REMOTE, old) is None
        assert web.visits == 2
        assert metadata.of(POOL, REMOTE) == old

    def test_what_another_process_has_fetched_costs_nothing(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        one, two = installation.process(), installation.process()
        old = one.of(POOL, REMOTE)
        two.of(POOL, REMOTE)
        clock.advance(HURRY_SECONDS)
        web.answer = self.ROLLED
        assert one.newer(POOL, REMOTE, old) is not None
        assert two.newer(POOL, REMOTE, old) is not None
        assert web.visits == 2

    def test_who_waited_for_the_turn_does_not_fetch_again(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        """Two processes met the key in the same moment: the second one gets the lock later."""
        entity(metadata)
        clock.advance(HURRY_SECONDS)
        for _ in range(2):
            metadata._renewal.renew(URL, hurried=True)
        assert web.visits == 2

    def test_a_large_document_is_fetched_less_often(
        self, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        named = provider(metadata_url=URL, entity_id="urn:idp")
        padding = ["<!--" + "x" * (1 << 20) + "-->" + document("urn:other")] * 3
        web.answer = aggregate(*padding, document())
        old = metadata.of(POOL, named)
        clock.advance(4 * HURRY_SECONDS - 1)
        metadata.newer(POOL, named, old)
        assert web.visits == 1
        clock.advance(1)
        metadata.newer(POOL, named, old)
        assert web.visits == 2

    def test_only_a_few_wait_at_once(
        self, installation: Installation, web: Web, clock: ManualClock
    ) -> None:
        metadata = installation.process()
        many = [provider(f"P{n}", metadata_url=f"{URL}/{n}") for n in range(6)]
        seen = [metadata.of(POOL, one) for one in many]
        clock.advance(HURRY_SECONDS)
        started, finish = threading.Semaphore(0), threading.Event()

        def waiting(work: object) -> None:
            started.release()
            assert finish.wait(10)
            assert callable(work)
            work()

        metadata._flights.later = waiting
        threads = [
            threading.Thread(target=metadata.newer, args=(POOL, many[n], seen[n])) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert started.acquire(timeout=10)
        assert metadata.newer(POOL, many[4], seen[4]) is None
        finish.set()
        for thread in threads:
            thread.join(10)
        assert web.visits == 6 + 4

    def test_only_so_many_wait_for_one_fetch(
        self,
        metadata: SamlMetadata,
        clock: ManualClock,
        later: Later,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        metadata.of(POOL, REMOTE)
        clock.advance(HURRY_SECONDS)
        monkeypatch.setattr(saml_flights, "PATIENCE_SECONDS", 0)
        later.at_once = False
        waited = [metadata._flights.hurry(URL, may_begin=True) for _ in range(SEATS + 1)]
        assert waited == [True] * SEATS + [False]
        assert len(later.work) == 1

    def test_one_that_is_under_way_is_waited_for_when_none_may_begin(
        self, metadata: SamlMetadata, later: Later, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(saml_flights, "PATIENCE_SECONDS", 0)
        later.at_once = False
        assert not metadata._flights.hurry(URL, may_begin=False)
        metadata._flights.begin(URL)
        assert metadata._flights.hurry(URL, may_begin=False)
        assert len(later.work) == 1


class TestCalled:
    """Who sent a message that names its sender: answered from what is here."""

    def names(self, metadata: SamlMetadata, entity_id: str) -> list[str]:
        local = provider("Local", metadata_xml=document("urn:local?a=1&amp;b=2"))
        missing = provider("Missing", metadata_path="/nowhere/at/all")
        found = metadata.called(pool(REMOTE, local, missing), entity_id)
        return [each.name for each in found]

    def test_configured_and_copied_ones_are_found_without_asking_anybody(
        self, installation: Installation, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        assert self.names(metadata, "urn:local?a=1&b=2") == ["Local"]
        assert self.names(metadata, "urn:idp") == []
        assert web.visits == 0
        entity(installation.process())
        clock.advance(LOOK_AGAIN_SECONDS)
        assert self.names(metadata, "urn:idp") == ["Corp"]
        assert web.visits == 1

    @pytest.mark.parametrize("name", ["urn:nobody", "", "urn:local", "md:EntityDescriptor"])
    def test_others_are_not(self, installation: Installation, name: str) -> None:
        metadata = installation.process()
        entity(metadata)
        assert self.names(metadata, name) == []

    def test_documents_are_not_read_for_their_name(self, metadata: SamlMetadata) -> None:
        assert self.names(metadata, "urn:nobody") == []
        assert not metadata._kept

    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """Everything that is read from a disk or out of the configuration."""
        looks: list[object] = []
        find, text = MetadataCopies.find, saml_file.document

        def counted_find(copies: MetadataCopies, source: Source) -> Copy | None:
            looks.append(source)
            return find(copies, source)

        def counted_text(settings: SamlSettings) -> bytes:
            looks.append(settings)
            return text(settings)

        monkeypatch.setattr(MetadataCopies, "find", counted_find)
        monkeypatch.setattr(saml_file, "document", counted_text)
        return looks

    def tenants(self, folder: Path) -> UserPool:
        """A pool as there are 34 when 10,000 providers share a broker: of all kinds."""
        path = folder / "idp.xml"
        path.write_text(document("urn:file"))
        kinds: list[dict[str, object]] = [
            {"metadata_xml": document("urn:text")},
            {"metadata_xml": document("urn:named"), "entity_id": "urn:named"},
            {"metadata_xml": aggregate(document("urn:only"))},
            {"metadata_xml": "<nonsense"},
            {"metadata_path": str(path)},
            {"metadata_path": "/nowhere/at/all"},
            {"metadata_url": "https://unreachable.example"},
        ]
        return pool(
            *(provider(f"P{n}-{k}", **kind) for n in range(42) for k, kind in enumerate(kinds))
        )

    def test_a_document_is_looked_at_once_whatever_is_asked_for(
        self, metadata: SamlMetadata, looks: list[object], clock: ManualClock, tmp_path: Path
    ) -> None:
        tenants = self.tenants(tmp_path)
        assert list(metadata.called(tenants, "urn:nobody")) == []
        assert len(looks) == 42 * 6
        for n in range(5):
            assert list(metadata.called(tenants, f"urn:nobody {n}")) == []
        assert len(looks) == 42 * 6
        clock.advance(LOOK_AGAIN_SECONDS)
        assert list(metadata.called(tenants, "urn:nobody")) == []
        assert len(looks) == 42 * 8, "those that were not there, again"

    @pytest.mark.parametrize("entity_id", ["urn:text", "urn:named", "urn:only", "urn:file"])
    def test_all_kinds_are_found(
        self, metadata: SamlMetadata, tmp_path: Path, entity_id: str
    ) -> None:
        assert len(list(metadata.called(self.tenants(tmp_path), entity_id))) == 42

    def test_one_that_cannot_be_used_is_not_tried_for_every_message(
        self, metadata: SamlMetadata, looks: list[object], clock: ManualClock
    ) -> None:
        text = document("urn:a").replace("X509Certificate", "Nothing")
        tenants = pool(provider("Keyless", metadata_xml=text, entity_id="urn:a"))
        for _ in range(3):
            assert list(metadata.called(tenants, "urn:a")) == []
        assert len(looks) == 1
        clock.advance(LOOK_AGAIN_SECONDS)
        assert list(metadata.called(tenants, "urn:a")) == []
        assert len(looks) == 2

    def test_what_is_fetched_later_is_found_then(
        self, installation: Installation, metadata: SamlMetadata, web: Web, clock: ManualClock
    ) -> None:
        """At once by the process that fetched it, within a minute by the others."""
        other = installation.process()
        for process in (metadata, other):
            assert self.names(process, "urn:idp") == []
        metadata.watch([pool(REMOTE)])
        metadata.upkeep()
        assert self.names(metadata, "urn:idp") == ["Corp"]
        clock.advance(LOOK_AGAIN_SECONDS)
        assert self.names(other, "urn:idp") == ["Corp"]
        web.answer = document("urn:new")
        clock.advance(REFRESH_SECONDS)
        metadata.upkeep()
        assert self.names(metadata, "urn:new") == ["Corp"]


def test_a_document_says_how_long_it_is_good_for(
    metadata: SamlMetadata, web: Web, clock: ManualClock
) -> None:
    web.answer = document(more=' cacheDuration="PT1S"')
    entity(metadata)
    clock.advance(SOONEST_SECONDS - 1)
    entity(metadata)
    assert web.visits == 1
    clock.advance(LOOK_SECONDS)
    entity(metadata)
    assert web.visits == 2


def test_a_copy_is_found_by_address_and_entity(tmp_path: Path) -> None:
    copies = MetadataCopies(directory=tmp_path)
    assert copies.find(Source(URL)) is None
    assert copies.find(Source(URL, "urn:a")) is None
