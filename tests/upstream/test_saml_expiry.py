"""Certificates that will expire are told of in time, once a day, and never enforced."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.saml import builders
from tests.upstream.saml_web import POOL, REMOTE, Installation, document, provider


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


def test_also_of_a_provider_nobody_uses(
    installation: Installation, told: pytest.LogCaptureFixture
) -> None:
    from tests.upstream.test_saml_metadata import pool

    metadata = installation.process()
    installation.web.answer = document(days=20)
    metadata.watch([pool(REMOTE)])
    metadata.upkeep()
    assert told.messages == ["saml_certificates_expire"]
