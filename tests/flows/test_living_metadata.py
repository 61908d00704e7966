"""Metadata that changes while people sign in: nobody notices, whatever the provider's site does.

Every story has a real site on loopback, a broker process or several over one state directory, and a
clock that is moved. A sign-in goes through all of the broker, with a Response that is really signed.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from broker import settings, wiring
from broker.app import create_app
from broker.login import upkeep
from broker.saml.xml import SAML
from broker.upstream import saml_file, saml_flights
from tests.kit.metadata_site import MetadataSite
from tests.kit.saml_idp import SamlIdp, Signing
from tests.kit.saml_keys import key_pair
from tests.kit.world import WEB, World, callback, make_world, saml_provider
from tests.kit.wsgi import served
from tests.saml.builders import certificate_of_version_6, rsa_key

OLD, NEW, MALLORY = key_pair("idp"), key_pair("idp-next"), key_pair("mallory")
MINUTE, HOUR, DAY = 60, 3600, 86400


class Story:
    """An identity provider, its site, and the brokers of one machine."""

    def __init__(self, folder: Path, certs: Path) -> None:
        self.folder, self.certs = folder, certs
        self.worlds: list[World] = []
        self.keys = (OLD,)
        self.aggregate = False
        self.attributes = ""
        self.site = MetadataSite(self.published)
        self.url = ""

    def published(self) -> str:
        document = replace(self.idp, keys=self.keys).metadata()
        if self.aggregate:
            other = replace(self.idp, entity_id="https://other.example", keys=(MALLORY,)).metadata()
            xmlns = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
            document = f"<md:EntitiesDescriptor {xmlns}>{other}{document}</md:EntitiesDescriptor>"
        return document.replace(" entityID", f"{self.attributes} entityID")

    @property
    def idp(self) -> SamlIdp:
        return self.worlds[0].idp

    def worker(
        self, *, reloaded: bool = False, environ: dict[str, str] | None = None, **details: str
    ) -> World:
        """One more broker process: a worker, or the same after a restart or a reload. ``environ`` may
        put it on another machine."""
        provider = saml_provider(self.site_idp, details={"MetadataURL": self.url, **details})
        del provider["ProviderDetails"]["MetadataFile"]
        clock = self.worlds[0].clock if self.worlds else None
        world = make_world(
            self.folder, self.certs, providers=[provider], clock=clock, environ=environ
        )
        if reloaded:
            environ = {
                "BROKER_STATE_DIR": str(self.folder / "var"),
                "BROKER_CERTS_DIR": str(self.certs),
            }
            loaded = settings.load(self.folder / "broker.yaml", environ)
            world.close()
            world.broker = wiring.build(loaded, clock=world.clock, renew_since=world.clock.now())
            world.app = create_app(world.broker)
        self.worlds.append(world)
        return world

    @property
    def site_idp(self) -> SamlIdp:
        return self.worlds[0].idp if self.worlds else _SOME_IDP

    def signs_in(self, world: World, *, signed_by: object = OLD) -> bool:
        browser = world.browser()
        request = world.begin(browser)
        form = world.idp.post(request, signing=Signing(pair=signed_by))  # type: ignore[arg-type]  # a KeyPair
        answer = callback(browser.post("/saml2/idpresponse", form))
        return "code" in answer


def held_up(world: World) -> tuple[threading.Semaphore, threading.Event]:
    """What counts those who hurry for metadata, and what lets the fetch begin."""
    flights = world.broker.saml_logouts.metadata._flights  # type: ignore[attr-defined]  # the port hides it
    arrived, go, hurry = threading.Semaphore(0), threading.Event(), flights.hurry

    def counted(url: str, *, may_begin: bool) -> bool:
        arrived.release()
        return hurry(url, may_begin=may_begin)

    def held(work: Callable[[], None]) -> None:
        saml_flights.in_background(lambda: go.wait(60) and work())

    flights.hurry, flights.later = counted, held
    return arrived, go


class _SomeClock:
    def now(self) -> float:
        return 0.0


_SOME_IDP = SamlIdp(clock=_SomeClock())


@pytest.fixture
def story(tmp_path: Path, certs: Path) -> Iterator[Story]:
    story = Story(tmp_path, certs)
    with served(story.site) as url:
        story.url = f"{url}/metadata"
        yield story
        for world in story.worlds:
            world.close()


def test_it_is_fetched_before_anybody_comes_and_renewed_with_an_etag(story: Story) -> None:
    world = story.worker()
    upkeep.warm_up(world.broker)
    assert story.site.visits == 1
    assert story.signs_in(world)
    world.clock.advance(6 * HOUR)
    upkeep.keep_up(world.broker)
    assert (story.site.visits, story.site.unchanged) == (2, 1)
    assert story.signs_in(world)
    assert story.site.visits == 2


def test_two_workers_one_fetch(story: Story) -> None:
    one, two = story.worker(), story.worker()
    for world in (one, two):
        upkeep.warm_up(world.broker)
        assert story.signs_in(world)
    assert story.site.visits == 1


def test_two_machines_one_fetch(story: Story, tmp_path: Path, postgresql_url: str) -> None:
    """They share a database server, and no disk."""
    for name in ("one", "two"):
        environ = {"BROKER_STATE_DIR": str(tmp_path / name), "BROKER_DATABASE_URL": postgresql_url}
        world = story.worker(environ=environ)
        upkeep.warm_up(world.broker)
        assert story.signs_in(world)
        world.broker.directory._sql.dispose()  # type: ignore[attr-defined]  # the port hides it
    assert story.site.visits == 1


def test_a_roll_over_announced_as_it_should_be(story: Story) -> None:
    """Both certificates are published, the next one signs some time later, the old one goes."""
    one, two = story.worker(), story.worker()
    workers = (one, two)
    assert all(story.signs_in(world) for world in workers)
    story.keys = (OLD, NEW)
    one.clock.advance(6 * HOUR)
    upkeep.keep_up(one.broker)
    assert all(story.signs_in(world) for world in workers)
    assert all(story.signs_in(world, signed_by=NEW) for world in workers)
    story.keys = (NEW,)
    one.clock.advance(6 * HOUR)
    upkeep.keep_up(two.broker)
    assert all(story.signs_in(world, signed_by=NEW) for world in workers)
    assert not any(story.signs_in(world, signed_by=OLD) for world in workers)


def test_a_roll_over_nobody_announced(story: Story) -> None:
    """The first Response with the new key is accepted: the metadata is asked again before refusing."""
    one, two = story.worker(), story.worker()
    assert story.signs_in(one)
    assert story.signs_in(two)
    one.clock.advance(MINUTE)
    story.keys = (NEW,)
    assert story.signs_in(one, signed_by=NEW)
    assert story.signs_in(two, signed_by=NEW)
    assert story.site.visits == 2


@pytest.mark.parametrize("people", [8, 30])
def test_all_who_come_with_the_new_key_wait_for_the_one_fetch(
    story: Story, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata takes its time until all of them are there."""
    monkeypatch.setattr(saml_flights, "PATIENCE_SECONDS", 600)
    world = story.worker()
    assert story.signs_in(world)
    world.clock.advance(MINUTE)
    story.keys = (NEW,)
    arrived, go = held_up(world)
    with ThreadPoolExecutor(people) as browsers:
        try:
            outcomes = [
                browsers.submit(story.signs_in, world, signed_by=NEW) for _ in range(people)
            ]
            assert all(arrived.acquire(timeout=60) for _ in outcomes)
        finally:
            go.set()
        assert all(outcome.result() for outcome in outcomes)
    assert story.site.visits == 2


def test_unknown_keys_do_not_become_a_flood(story: Story) -> None:
    one, two = story.worker(), story.worker()
    assert story.signs_in(one)
    one.clock.advance(MINUTE)
    for _ in range(5):
        assert not story.signs_in(one, signed_by=MALLORY)
        assert not story.signs_in(two, signed_by=MALLORY)
    assert story.site.visits == 2
    assert story.signs_in(one)
    one.clock.advance(MINUTE)
    story.keys = (NEW,)
    assert story.signs_in(two, signed_by=NEW)
    assert story.site.visits == 3


def test_the_site_is_away_later_and_over_restarts(story: Story) -> None:
    world = story.worker()
    assert story.signs_in(world)
    story.site.status = "503 Service Unavailable"
    for _ in range(10):
        world.clock.advance(DAY)
        upkeep.keep_up(world.broker)
        assert story.signs_in(world)
    restarted = story.worker()
    upkeep.warm_up(restarted.broker)
    assert story.signs_in(restarted)
    story.site.status, story.keys = "200 OK", (NEW,)
    world.clock.advance(HOUR)
    upkeep.keep_up(restarted.broker)
    assert story.signs_in(world, signed_by=NEW)


def test_the_site_is_away_at_the_first_start(story: Story) -> None:
    """Nobody can sign in through it until it is back; then everybody can, at once."""
    story.site.status = "500 Internal Server Error"
    world = story.worker()
    upkeep.warm_up(world.broker)
    refused = callback(world.browser().get(world.authorize_url()))
    assert refused["error"] == "server_error"
    story.site.status = "200 OK"
    world.clock.advance(30)
    assert story.signs_in(world)


def another_entity(story: Story) -> None:
    story.site.document = lambda: _SOME_IDP.metadata().replace("idp.example/", "mallory.example/")


def expired(story: Story) -> None:
    story.attributes, story.keys = ' validUntil="2001-01-01T00:00:00Z"', (NEW,)


def without_keys(story: Story) -> None:
    story.keys = ()


def a_page(story: Story) -> None:
    story.site.document = lambda: "<!doctype html><title>Maintenance</title>"


def an_error(story: Story) -> None:
    story.site.status = "500 Internal Server Error"


def of_odd_certificates(story: Story) -> None:
    good, odd = OLD.certificate_base64, certificate_of_version_6(rsa_key("idp"))
    story.site.document = lambda: _SOME_IDP.metadata().replace(good, odd)


def endless(story: Story) -> None:
    story.site.document = lambda: "<a>" * (1 << 20)


@pytest.mark.parametrize(
    "spoil",
    [a_page, an_error, another_entity, expired, without_keys, of_odd_certificates, endless],
)
def test_a_bad_answer_changes_nothing(story: Story, spoil: Callable[[Story], None]) -> None:
    entity_id = _SOME_IDP.entity_id
    world = story.worker(EntityId=entity_id)
    assert story.signs_in(world)
    spoil(story)
    world.clock.advance(6 * HOUR)
    upkeep.keep_up(world.broker)
    assert story.site.visits == 2
    assert story.signs_in(world)
    assert story.signs_in(story.worker(EntityId=entity_id))
    world.clock.advance(1)
    assert story.signs_in(story.worker(EntityId=entity_id, reloaded=True))
    assert story.site.visits == 3


def test_a_reload_asks_again_at_once(story: Story) -> None:
    assert story.signs_in(story.worker())
    story.keys = (NEW,)
    story.worlds[0].clock.advance(1)
    reloaded = story.worker(reloaded=True)
    assert story.signs_in(reloaded, signed_by=NEW)
    assert story.site.visits == 2
    assert not story.signs_in(reloaded, signed_by=OLD)


def test_one_of_a_federation(story: Story) -> None:
    """The keys of the others in the aggregate are not its keys."""
    story.aggregate = True
    world = story.worker(EntityId=_SOME_IDP.entity_id)
    assert story.signs_in(world)
    assert not story.signs_in(world, signed_by=MALLORY)
    story.keys = (NEW,)
    world.clock.advance(6 * HOUR)
    upkeep.keep_up(world.broker)
    assert story.signs_in(world, signed_by=NEW)


def test_logout_requests_of_nobody_are_not_looked_up_in_documents(
    tmp_path: Path, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can post them: the first one may cost a look at every provider, those after it nothing."""
    idps = [replace(_SOME_IDP, entity_id=f"https://idp{n}.example") for n in range(20)]
    providers = [saml_provider(idp, f"Corp{n}") for n, idp in enumerate(idps)]
    names = [provider["ProviderName"] for provider in providers]
    clients = [{**WEB, "SupportedIdentityProviders": names}]
    world = make_world(tmp_path, certs, providers=providers, clients=clients)
    looks, text = [], saml_file.document
    monkeypatch.setattr(saml_file, "document", lambda s: looks.append(s) or text(s))
    for issuer, so_far in (("x" * 74_000, 0), ("urn:a", 20), ("urn:b", 20), ("urn:c", 20)):
        message = f'<a><Issuer xmlns="{SAML}">{issuer}</Issuer></a>'
        form = {"SAMLRequest": b64encode(message.encode()).decode()}
        assert world.browser().post("/saml2/logout", form).status_code == 400
        assert len(looks) == so_far
    world.close()
