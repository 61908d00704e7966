"""Keys come and go in an order in which nobody is refused."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.model.errors import StoreUnavailableError
from broker.model.pool import SigningAlgorithm, UserPool
from broker.stores.key_rotation import KeyRotation
from broker.stores.keys import FileKeyStore
from tests.kit.clock import ManualClock

POOL = UserPool(
    id="eu-west-1_one",
    domains=("https://auth.example.com",),
    issuer="https://auth.example.com/eu-west-1_one",
    signing_algorithm=SigningAlgorithm.ES256,
)


@pytest.fixture
def rotation(tmp_path: Path, clock: ManualClock) -> KeyRotation:
    return KeyRotation(directory=tmp_path, clock=clock)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> FileKeyStore:
    return FileKeyStore(tmp_path, clock=clock)


def states(rotation: KeyRotation, pool: UserPool = POOL) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in rotation.entries(pool):
        role = entry.role if entry.provider is None else f"{entry.role} for {entry.provider}"
        found.setdefault(role, []).append(str(entry.state))
    return found


def retire(rotation: KeyRotation) -> int:
    leaving = rotation.retirable(POOL)
    rotation.retire(leaving)
    return len(leaving)


def test_the_story_of_a_rotation(rotation: KeyRotation, store: FileKeyStore) -> None:
    before = store.pool_keys(POOL)
    assert set(map(tuple, states(rotation).values())) == {("current",)}
    assert retire(rotation) == 0

    assert len(rotation.rotate(POOL)) == 4
    during = store.pool_keys(POOL)
    # New tokens are signed with a new key, and the old one still verifies.
    assert during.id_token[0] not in before.id_token
    assert during.id_token[1:] == before.id_token
    assert during.access_token[1:] == before.access_token
    # Requests are signed as before, and assertions decrypt for either certificate.
    assert during.saml_signing[:1] == before.saml_signing
    assert during.saml_encryption[:1] == before.saml_encryption
    assert len(during.saml_signing) == len(during.saml_encryption) == 2

    assert retire(rotation) == 4
    after = store.pool_keys(POOL)
    assert after.id_token == during.id_token[:1]
    assert after.access_token == during.access_token[:1]
    assert after.saml_signing == during.saml_signing[1:]
    assert after.saml_encryption == during.saml_encryption[1:]
    assert retire(rotation) == 0


def test_states(rotation: KeyRotation, store: FileKeyStore) -> None:
    assert states(rotation) == {}
    store.pool_keys(POOL)
    store.make_provider_encryption(POOL, "Größe")
    rotation.rotate(POOL)
    assert states(rotation) == {
        "id-token": ["current", "old"],
        "access-token": ["current", "old"],
        "saml-signing": ["current", "next"],
        "saml-encryption": ["current", "next"],
        "saml-encryption for Größe": ["current", "next"],
    }


def test_one_that_waits_is_enough(rotation: KeyRotation, store: FileKeyStore) -> None:
    store.pool_keys(POOL)
    rotation.rotate(POOL)
    assert {entry.role for entry in rotation.rotate(POOL)} == {"id-token", "access-token"}
    assert states(rotation)["id-token"] == ["current", "old", "old"]
    oldest = rotation.entries(POOL)[2]
    assert rotation.retirable(POOL)[0] == oldest


def test_a_pool_that_was_never_used_gets_its_first_keys(
    rotation: KeyRotation, store: FileKeyStore
) -> None:
    assert len(rotation.rotate(POOL)) == 4
    made = {entry.id for entry in rotation.entries(POOL)}
    assert {key.kid for key in store.pool_keys(POOL).id_token} <= made
    assert len(made) == 4


def test_a_key_of_another_algorithm_is_old_and_leaves_first(
    rotation: KeyRotation, store: FileKeyStore
) -> None:
    store.pool_keys(POOL)
    pool = replace(POOL, signing_algorithm=SigningAlgorithm.RS256)
    (left, *_) = store.pool_keys(POOL).id_token
    store.pool_keys(pool)
    assert states(rotation, pool)["id-token"] == ["current", "old"]
    assert [e.id for e in rotation.retirable(pool) if e.role == "id-token"] == [left.kid]


def test_what_is_told_of_a_key(
    rotation: KeyRotation, store: FileKeyStore, clock: ManualClock
) -> None:
    keys = store.pool_keys(POOL)
    token, _, saml, _ = rotation.entries(POOL)
    assert (token.id, token.expires) == (keys.id_token[0].kid, None)
    assert len(saml.id.split(":")) == 32
    assert saml.expires == datetime.fromtimestamp(clock.now(), UTC) + timedelta(days=3650)


def test_new_files_are_for_the_owner_alone(rotation: KeyRotation, tmp_path: Path) -> None:
    rotation.rotate(POOL)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / POOL.id).glob("*.pem")}
    assert modes == {0o600}


def test_faults_are_told(rotation: KeyRotation, tmp_path: Path) -> None:
    rotation.rotate(POOL)
    (tmp_path / POOL.id / "saml-signing.7.pem").write_text("nothing")
    with pytest.raises(StoreUnavailableError, match=r"saml-signing\.7"):
        rotation.entries(POOL)
    with pytest.raises(StoreUnavailableError):
        KeyRotation(
            directory=tmp_path / POOL.id / "saml-signing.7.pem", clock=ManualClock()
        ).rotate(POOL)
