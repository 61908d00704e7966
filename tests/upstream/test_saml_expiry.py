"""Certificates that will expire are told of in time, once a day, and never enforced."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from broker.model.pool import IdentityProvider
from broker.upstream import saml_expiry
from tests.saml import builders
from tests.upstream.saml_web import POOL, REMOTE, Installation, document, pool, provider


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(folder=tmp_path)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (document(days=365), None),
        (document(days=31), None),
        (document(days=29), "saml_certificates_expire"),
        (document(days=-1), "saml_certificates_expired"),
        (document(more=f' validUntil="{builders.at(-1)}"'), "saml_metadata_expired"),
    ],
)
def test_what_is_told_of_configured_metadata(
    installation: Installation, told: pytest.LogCaptureFixture, text: str, event: str | None
) -> None:
    installation.process().of(POOL, provider(metadata_xml=text))
    assert told.messages == ([] if event is None else [event])


def test_the_last_certificate_counts(
    installation: Installation, told: pytest.LogCaptureFixture
) -> None:
    both = document(owners="idp", days=2).replace(
        "<md:SingleSign",
        document(owners="next").split('protocol">')[1].split("<md:SingleSign")[0]
        + "<md:SingleSign",
        1,
    )
    descriptor = installation.process().of(POOL, provider(metadata_xml=both))
    assert len(descriptor.signing) == 2
    assert told.messages == []


def test_a_line_names_the_provider_and_the_day(
    installation: Installation, told: pytest.LogCaptureFixture
) -> None:
    installation.web.answer = document(days=10)
    installation.process().of(POOL, REMOTE)
    (record,) = told.records
    extras = vars(record)
    assert (extras["pool"], extras["provider"], extras["days_left"]) == (POOL, "Corp", 10)
    assert extras["at"] == builders.at(10 * 86400)


@pytest.mark.parametrize("of", [REMOTE, provider(metadata_xml=document(days=20))])
def test_once_a_day_whatever_the_number_of_processes_and_sign_ins(
    installation: Installation, told: pytest.LogCaptureFixture, of: object
) -> None:
    installation.web.answer = document(days=20)
    processes = [installation.process(), installation.process()]
    for day in range(1, 4):
        for process in processes * 2:
            process.of(POOL, of)  # type: ignore[arg-type]  # a provider
        assert told.messages == ["saml_certificates_expire"] * day
        installation.clock.advance(86400)


@pytest.mark.parametrize("of", [REMOTE, provider(metadata_xml=document(days=20))])
def test_also_of_a_provider_nobody_uses(
    installation: Installation, told: pytest.LogCaptureFixture, of: IdentityProvider
) -> None:
    """Once a day over restarts too, and for the metrics at each start: REMOTE's copy is still good then."""
    told.set_level(logging.DEBUG)
    installation.web.answer = document(days=20)
    for day in range(1, 3):
        for _ in range(3):
            metadata = installation.process()
            metadata.watch([pool(of)])
            told.clear()
            metadata.upkeep()
            assert "saml_certificate" in told.messages
        assert installation.web.visits == (day if of is REMOTE else 0)
        installation.clock.advance(86400)


def test_the_log_has_it_once_a_day(
    installation: Installation, told: pytest.LogCaptureFixture
) -> None:
    metadata = installation.process()
    metadata.watch([pool(provider(metadata_xml=document(days=20)))])
    for day in range(1, 4):
        for _ in range(3):
            metadata.upkeep()
            assert told.messages == ["saml_certificates_expire"] * day
        installation.clock.advance(86400)


def test_thousands_are_looked_at_a_few_at_a_time(
    installation: Installation, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unusable ones and those of unreadable files among them; memory is left to those in use."""
    text = document(days=20)
    monkeypatch.setattr(saml_expiry, "AT_ONCE_BYTES", 10 * len(text))
    providers = [provider(f"P{n:02}", metadata_xml=text) for n in range(25)]
    broken = [provider("Bad", metadata_xml="<"), provider("Gone", metadata_path="/nowhere")]
    metadata = installation.process()
    metadata.watch([pool(*broken, *providers)])
    counts = []
    for _ in range(4):
        metadata.upkeep()
        counts.append(len(told.messages))
    assert counts[0] in range(5, 11)
    assert counts == sorted(counts)
    assert counts[-1] == 25
    assert not metadata._kept


def test_a_fault_of_ours_with_one_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    rounds, looked = saml_expiry.Rounds(), []

    def bad() -> int:
        raise LookupError

    rounds.add(bad)
    rounds.add(lambda: looked.append("good") or 1)
    for now in (0.0, 60.0, 86400.0):
        rounds.go_on(now)
    assert looked == ["good"] * 2
    assert caplog.messages == ["unexpected_error"] * 2
