"""Configured metadata, when a configuration is read again: what changed must be good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from broker.model.pool import IdentityProvider, ProviderType, SamlSettings, UserPool
from broker.upstream import saml_documents, saml_file
from tests.kit.clock import ManualClock
from tests.kit.saml_idp import SamlIdp

IDP = SamlIdp(clock=ManualClock())
ENTITY = IDP.entity_id


def pool(*providers: SamlSettings) -> UserPool:
    return UserPool(
        id="eu-west-1_one",
        domains=("https://auth.example.com",),
        issuer="https://auth.example.com/eu-west-1_one",
        providers={
            f"Corp{number}": IdentityProvider(
                name=f"Corp{number}", type=ProviderType.SAML, settings=settings
            )
            for number, settings in enumerate(providers)
        },
    )


def faults(now: UserPool, before: saml_documents.Documents) -> list[str]:
    return list(saml_documents.faults([now], saml_documents.documents([now]), before))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "idp.xml"
    path.write_text(IDP.metadata())
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[SamlSettings]:
    """Whose documents were read."""
    seen: list[SamlSettings] = []
    read = saml_file.document

    def document(settings: SamlSettings) -> bytes:
        seen.append(settings)
        return read(settings)

    monkeypatch.setattr(saml_file, "document", document)
    return seen


def test_only_what_changed_is_read(file: Path, reads: Sequence[SamlSettings]) -> None:
    by_path, by_text = (
        SamlSettings(metadata_path=str(file)),
        SamlSettings(metadata_xml=IDP.metadata()),
    )
    before = saml_documents.documents([pool(by_path, by_text)])
    assert faults(pool(by_path, by_text), before) == []
    assert not reads
    file.write_text(IDP.metadata() + "\n")
    assert faults(pool(by_path, by_text), before) == []
    assert reads == [by_path]


def test_what_was_faulty_before_stays_its_own_trouble(file: Path) -> None:
    file.write_text("<nonsense")
    faulty = pool(SamlSettings(metadata_path=str(file)))
    assert faults(faulty, saml_documents.documents([faulty])) == []


def test_a_document_that_became_faulty_is_named(file: Path) -> None:
    here = pool(SamlSettings(metadata_path=str(file)))
    before = saml_documents.documents([here])
    file.write_text("<nonsense")
    (fault,) = faults(here, before)
    assert fault.startswith("eu-west-1_one Corp0: saml_metadata_invalid: expected")
    file.unlink()
    (fault,) = faults(here, before)
    assert "saml_metadata_unavailable" in fault


def test_so_is_a_new_one(file: Path) -> None:
    assert len(faults(pool(SamlSettings(metadata_xml="<nonsense")), {})) == 1
    assert faults(pool(SamlSettings(metadata_url="https://idp.example/metadata")), {}) == []


def test_the_members_of_a_federation_share_one_reading(
    file: Path, reads: Sequence[SamlSettings]
) -> None:
    good, gone, unnamed = (
        SamlSettings(metadata_path=str(file), entity_id=name)
        for name in (ENTITY, "https://gone.example", None)
    )
    entity = IDP.metadata().partition("?>")[2] or IDP.metadata()
    file.write_text(
        '<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">'
        f"{entity}{entity.replace(ENTITY, 'https://other.example')}</EntitiesDescriptor>"
    )
    found = faults(pool(good, gone, unnamed), {})
    assert len(reads) == 1
    assert [fault.split(":")[0] for fault in found] == [
        "eu-west-1_one Corp1",
        "eu-west-1_one Corp2",
    ]
    assert all("saml_metadata_entity" in fault for fault in found)
