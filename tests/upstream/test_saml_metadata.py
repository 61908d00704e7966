"""Metadata is read once, renewed behind the back of sign-ins, and survives a bad day of the IdP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, OAuthSettings, ProviderType, SamlSettings
from broker.upstream.saml_copies import MetadataCopies
from broker.upstream.saml_metadata import (
    REFRESH_SECONDS,
    RETRY_SECONDS,
    SOONEST_SECONDS,
    SamlMetadata,
)
from tests.kit.clock import ManualClock
from tests.saml import builders
from tests.saml.builders import NOW, SAMLP

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
URL = "https://idp.example.com/metadata"
POOL = "eu-west-1_Example01"


def document(entity_id: str = "urn:idp", more: str = "", *, days: int = 365) -> str:
    body = builders.certificate(builders.rsa_key("idp"), days=days)
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{builders.DS}" entityID="{entity_id}"{more}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"><md:KeyDescriptor><ds:KeyInfo>'
        f"<ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        '</md:KeyDescriptor><md:SingleSignOnService Location="https://idp.example.com/sso"'
        ' Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"/></md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    )


@dataclass
class Web:
    """A web of one document; it counts its visitors, and may be down."""

    answer: str | None = field(default_factory=document)
    visits: int = 0

    def __call__(self, url: str) -> bytes:
        self.visits += 1
        if self.answer is None:
            raise UpstreamError(Reason.SAML_METADATA_UNAVAILABLE, "down", received="timeout")
        return self.answer.encode()


@dataclass
class Later:
    """Background work, done when the test says so."""

    work: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def run(self) -> None:
        while self.work:
            self.work.pop()()


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def metadata(web: Web, clock: ManualClock, later: Later, tmp_path: Path) -> SamlMetadata:
    return SamlMetadata(fetch=web, directory=tmp_path / "metadata", clock=clock, later=later)


def again(metadata: SamlMetadata) -> SamlMetadata:
    """The same installation after a restart."""
    return SamlMetadata(
        fetch=metadata.fetch,
        directory=metadata.directory,
        clock=metadata.clock,
        later=metadata.later,
    )


def provider(name: str = "Corp", **settings: object) -> IdentityProvider:
    return IdentityProvider(
        name=name,
        type=ProviderType.SAML,
        settings=SamlSettings(**settings),  # type: ignore[arg-type]  # names and values are the test's
    )


REMOTE = provider(metadata_url=URL)


def entity(metadata: SamlMetadata, of: IdentityProvider = REMOTE) -> str:
    return metadata.of(POOL, of).entity_id


def reason(metadata: SamlMetadata, of: IdentityProvider = REMOTE) -> Reason:
    with pytest.raises(UpstreamError) as refusal:
        metadata.of(POOL, of)
    return refusal.value.reason


# Configured metadata.


@pytest.mark.parametrize(
    "before",
    ["", "\n  ", "\ufeff", '<?xml version="1.0" encoding="UTF-16"?>\n', '\n<?xml version="1.0"?>'],
)
def test_metadata_can_stand_in_the_configuration(metadata: SamlMetadata, before: str) -> None:
    text = before + document("urn:grüße")
    assert entity(metadata, provider(metadata_xml=text)) == "urn:grüße"


def test_metadata_can_be_a_file(metadata: SamlMetadata, tmp_path: Path) -> None:
    path = tmp_path / "idp.xml"
    of_file = provider(metadata_path=str(path))
    assert reason(metadata, of_file) == Reason.SAML_METADATA_UNAVAILABLE
    path.write_text("\n" + document())
    assert reason(metadata, of_file) == Reason.SAML_METADATA_UNAVAILABLE
    metadata.clock.advance(RETRY_SECONDS)  # type: ignore[attr-defined]  # the manual clock
    assert entity(metadata, of_file) == "urn:idp"
    path.unlink()
    assert entity(metadata, of_file) == "urn:idp"


def test_one_of_an_aggregate_can_be_named(metadata: SamlMetadata) -> None:
    inside = document("urn:a") + document("urn:b")
    both = f'<md:EntitiesDescriptor xmlns:md="{MD}">{inside}</md:EntitiesDescriptor>'
    assert entity(metadata, provider(metadata_xml=both, entity_id="urn:b")) == "urn:b"
    unnamed = provider("Unnamed", metadata_xml=both)
    assert reason(metadata, unnamed) == Reason.SAML_METADATA_ENTITY


def test_pools_and_providers_are_told_apart(metadata: SamlMetadata) -> None:
    assert entity(metadata, provider("One", metadata_xml=document("urn:1"))) == "urn:1"
    assert entity(metadata, provider("Two", metadata_xml=document("urn:2"))) == "urn:2"
    other = metadata.of("eu-west-1_Other", provider("One", metadata_xml=document("urn:3")))
    assert other.entity_id == "urn:3"


def test_a_provider_of_another_type_is_a_mistake_of_ours(metadata: SamlMetadata) -> None:
    oidc = IdentityProvider(
        name="Corp", type=ProviderType.OIDC, settings=OAuthSettings(client_id="c")
    )
    with pytest.raises(TypeError, match="another type"):
        metadata.of(POOL, oidc)


# Fetched metadata.


def test_a_url_is_fetched_once_and_the_descriptor_kept(metadata: SamlMetadata, web: Web) -> None:
    assert metadata.of(POOL, REMOTE) is metadata.of(POOL, REMOTE)
    assert web.visits == 1


def test_it_is_renewed_after_six_hours_behind_the_back_of_sign_ins(
    metadata: SamlMetadata, web: Web, clock: ManualClock, later: Later
) -> None:
    entity(metadata)
    web.answer = document("urn:new")
    clock.advance(REFRESH_SECONDS - 1)
    entity(metadata)
    assert not later.work
    clock.advance(1)
    assert entity(metadata) == "urn:idp"
    assert entity(metadata) == "urn:idp"
    assert len(later.work) == 1
    later.run()
    assert entity(metadata) == "urn:new"
    assert web.visits == 2


def test_everything_due_can_be_renewed_at_once(
    metadata: SamlMetadata, web: Web, clock: ManualClock
) -> None:
    entity(metadata)
    entity(metadata, provider("Local", metadata_xml=document("urn:local")))
    metadata.refresh(clock.now())
    assert web.visits == 1
    clock.advance(REFRESH_SECONDS)
    web.answer = document("urn:new")
    metadata.refresh(clock.now())
    assert entity(metadata) == "urn:new"
    assert web.visits == 2


@pytest.mark.parametrize(
    "lifetime",
    [
        (' cacheDuration="PT1H"', 3600),
        (' cacheDuration="P1D"', REFRESH_SECONDS),
        (' cacheDuration="PT1S"', SOONEST_SECONDS),
        (f' validUntil="{builders.at(1800)}"', 1800),
    ],
)
def test_a_document_can_shorten_its_life(
    metadata: SamlMetadata, web: Web, clock: ManualClock, later: Later, lifetime: tuple[str, int]
) -> None:
    more, wait = lifetime
    web.answer = document(more=more)
    entity(metadata)
    clock.advance(wait - 1)
    entity(metadata)
    assert not later.work
    clock.advance(1)
    entity(metadata)
    assert later.work


BAD_ANSWERS = [
    None,
    "",
    "<html>maintenance</html>",
    document(more=f' validUntil="{builders.at(-1)}"'),
    document().replace("X509Certificate", "Nothing"),
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_bad_answer_changes_nothing(
    metadata: SamlMetadata, web: Web, clock: ManualClock, later: Later, answer: str | None
) -> None:
    entity(metadata)
    web.answer = answer
    clock.advance(REFRESH_SECONDS)
    entity(metadata)
    later.run()
    assert entity(metadata) == "urn:idp"
    assert web.visits == 2
    assert not later.work
    clock.advance(SOONEST_SECONDS)
    web.answer = document("urn:back")
    entity(metadata)
    later.run()
    assert entity(metadata) == "urn:back"


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_the_last_good_copy_survives_a_restart(
    metadata: SamlMetadata, web: Web, clock: ManualClock, answer: str | None
) -> None:
    entity(metadata)
    web.answer = answer
    clock.advance(30 * 86400)
    assert entity(again(metadata)) == "urn:idp"
    assert web.visits == 2
    assert entity(again(metadata)) == "urn:idp"


def test_a_young_copy_spares_a_fetch_after_a_restart(
    metadata: SamlMetadata, web: Web, clock: ManualClock
) -> None:
    entity(metadata)
    clock.advance(REFRESH_SECONDS - 10)
    assert entity(again(metadata)) == "urn:idp"
    assert web.visits == 1
    clock.advance(20)
    entity(again(metadata))
    assert web.visits == 2


def test_a_copy_is_of_one_pool_provider_and_url(metadata: SamlMetadata, web: Web) -> None:
    entity(metadata)
    web.answer = document("urn:other")
    fresh = again(metadata)
    assert entity(fresh, provider(metadata_url=URL + "?v=2")) == "urn:other"
    assert fresh.of("eu-west-1_Other", REMOTE).entity_id == "urn:other"
    assert entity(again(metadata)) == "urn:idp"


def test_a_damaged_copy_is_fetched_again(metadata: SamlMetadata, web: Web) -> None:
    entity(metadata)
    (copy,) = metadata.directory.iterdir()
    copy.write_text("<half")
    assert entity(again(metadata)) == "urn:idp"
    assert web.visits == 2


def test_without_any_copy_a_failure_is_told_and_not_repeated_at_once(
    metadata: SamlMetadata, web: Web, clock: ManualClock
) -> None:
    web.answer = None
    for _ in range(3):
        assert reason(metadata) == Reason.SAML_METADATA_UNAVAILABLE
    assert web.visits == 1
    web.answer = document()
    clock.advance(RETRY_SECONDS)
    assert entity(metadata) == "urn:idp"


def test_a_disk_that_fails_stops_nobody(
    metadata: SamlMetadata, caplog: pytest.LogCaptureFixture
) -> None:
    metadata.directory.parent.mkdir(exist_ok=True)
    metadata.directory.write_text("a file, not a directory")
    with caplog.at_level(logging.WARNING):
        assert entity(metadata) == "urn:idp"
    assert "no copy" in caplog.text


def test_no_half_written_copy_is_left(tmp_path: Path) -> None:
    copies = MetadataCopies(tmp_path / "deep" / "er")
    copies.keep(b"one", NOW, "a", "b")
    copies.keep(b"two", NOW + 1, "a", "b")
    found = copies.find("a", "b")
    assert found is not None
    assert (found.document, found.fetched_at) == (b"two", NOW + 1)
    assert copies.find("a", "c") is None
    assert len(list((tmp_path / "deep" / "er").iterdir())) == 1


def test_only_so_many_descriptors_are_kept(web: Web, clock: ManualClock, tmp_path: Path) -> None:
    metadata = SamlMetadata(fetch=web, directory=tmp_path, clock=clock, capacity=2)
    one, two, three = (provider(n, metadata_xml=document(f"urn:{n}")) for n in "123")
    first = metadata.of(POOL, one)
    metadata.of(POOL, two)
    assert metadata.of(POOL, one) is first
    metadata.of(POOL, three)
    assert metadata.of(POOL, one) is first
    assert len(metadata._kept) == 2


def test_concurrent_first_uses_share_one_fetch(clock: ManualClock, tmp_path: Path) -> None:
    started, finish = threading.Event(), threading.Event()
    visits: list[str] = []

    def slow(url: str) -> bytes:
        visits.append(url)
        started.set()
        assert finish.wait(10)
        return document().encode()

    metadata = SamlMetadata(fetch=slow, directory=tmp_path, clock=clock)
    threads = [threading.Thread(target=entity, args=(metadata,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    # A slow provider does not hold up another one.
    assert entity(metadata, provider("Local", metadata_xml=document("urn:local"))) == "urn:local"
    finish.set()
    for thread in threads:
        thread.join(10)
    assert visits == [URL]


def test_in_the_background_means_on_another_thread(
    metadata: SamlMetadata, web: Web, clock: ManualClock
) -> None:
    renewed = threading.Event()

    def fetch(url: str) -> bytes:
        if threading.current_thread().name == "saml-metadata":
            renewed.set()
        return web(url)

    real = SamlMetadata(fetch=fetch, directory=metadata.directory, clock=clock)
    entity(real)
    clock.advance(REFRESH_SECONDS)
    entity(real)
    assert renewed.wait(10)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (document(days=-1), "has expired"),
        (document(more=f' validUntil="{builders.at(-1)}"'), "validUntil"),
        (document(), ""),
    ],
)
def test_expiry_is_told_and_not_enforced(
    metadata: SamlMetadata, caplog: pytest.LogCaptureFixture, text: str, told: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert entity(metadata, provider(metadata_xml=text)) == "urn:idp"
    assert (told in caplog.text) if told else not caplog.text
