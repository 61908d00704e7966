"""What the key store makes, keeps and reads."""

from __future__ import annotations

import re
import stat
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.model.errors import StoreUnavailableError
from broker.model.pool import (
    IdentityProvider,
    ProviderType,
    SamlSettings,
    SigningAlgorithm,
    UserPool,
)
from broker.stores.key_making import private_pem
from broker.stores.keys import FileKeyStore
from tests.kit.clock import ManualClock

POOL = UserPool(
    id="eu-west-1_one",
    domains=("https://auth.example.com",),
    issuer="https://auth.example.com/eu-west-1_one",
    signing_algorithm=SigningAlgorithm.ES256,  # the tests' own choice: made in no time
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a pool's keys were made."""
    directory = tmp_path_factory.mktemp("keys") / "certs"
    FileKeyStore(directory, clock=ManualClock()).pool_keys(POOL)
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    (tmp_path / POOL.id).mkdir()
    for file in (made / POOL.id).glob("*.pem"):
        (tmp_path / POOL.id / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture
def store(directory: Path, clock: ManualClock) -> FileKeyStore:
    return FileKeyStore(directory, clock=clock)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*.pem")}


class TestMaking:
    def test_makes_one_key_for_each_purpose(self, made: Path) -> None:
        assert set(content(made)) == {
            "id-token.es256.1.pem",
            "access-token.es256.1.pem",
            "saml-signing.1.pem",
            "saml-encryption.1.pem",
        }
        assert len(set(content(made).values())) == 4

    def test_files_are_for_the_owner_alone(self, made: Path) -> None:
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in made.rglob("*")}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert stat.S_IMODE(made.stat().st_mode) == 0o700

    def test_makes_nothing_twice(self, store: FileKeyStore, directory: Path) -> None:
        before = content(directory)
        first = store.pool_keys(POOL)
        assert store.pool_keys(POOL) is first
        assert FileKeyStore(directory, clock=ManualClock()).pool_keys(POOL) == first
        assert content(directory) == before

    @pytest.mark.parametrize("lost", ["id-token.es256.1.pem", "saml-encryption.1.pem"])
    def test_heals_what_a_crash_left_undone(
        self, store: FileKeyStore, directory: Path, lost: str
    ) -> None:
        before = content(directory)
        (directory / POOL.id / lost).unlink()
        (directory / POOL.id / f".{lost}.unfinished").write_bytes(b"-----BEGIN PRI")
        store.pool_keys(POOL)
        after = content(directory)
        assert set(after) == set(before)
        assert [name for name in before if before[name] != after[name]] == [lost]

    def test_a_complete_directory_is_not_written_to(
        self, store: FileKeyStore, directory: Path
    ) -> None:
        store.pool_keys(POOL)
        assert {path.suffix for path in (directory / POOL.id).iterdir()} == {".pem"}

    def test_each_pool_has_its_own(self, store: FileKeyStore) -> None:
        two = replace(POOL, id="eu-west-1_two")
        one_keys, two_keys = store.pool_keys(POOL), store.pool_keys(two)
        assert one_keys.id_token[0].kid != two_keys.id_token[0].kid
        assert one_keys.saml_signing[0] != two_keys.saml_signing[0]


class TestReading:
    def test_token_keys_are_of_the_pools_algorithm(self, store: FileKeyStore) -> None:
        keys = store.pool_keys(POOL)
        for key in (*keys.id_token, *keys.access_token):
            private = load_pem_private_key(key.private_pem, None)
            assert isinstance(private, ec.EllipticCurvePrivateKey)
            assert private.curve.name == "secp256r1"
            assert key.algorithm is SigningAlgorithm.ES256

    def test_a_kid_is_base64_of_32_bytes(self, store: FileKeyStore) -> None:
        keys = store.pool_keys(POOL)
        kids = [key.kid for key in (*keys.id_token, *keys.access_token)]
        assert len(set(kids)) == 2
        for kid in kids:
            assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", kid)
            assert len(b64decode(kid)) == 32

    def test_a_pool_that_changed_its_algorithm_still_verifies(self, store: FileKeyStore) -> None:
        old = store.pool_keys(POOL)
        new = store.pool_keys(replace(POOL, signing_algorithm=SigningAlgorithm.RS256))
        assert [key.algorithm for key in new.id_token] == ["RS256", "ES256"]
        assert new.id_token[1:] == old.id_token
        assert new.access_token[1:] == old.access_token
        private = load_pem_private_key(new.id_token[0].private_pem, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert private.key_size == 2048
        assert new.saml_signing == old.saml_signing

    def test_the_newest_file_comes_first(self, store: FileKeyStore, directory: Path) -> None:
        pool_directory = directory / POOL.id
        oldest = FileKeyStore(directory, clock=ManualClock()).pool_keys(POOL).id_token[0]
        for number in (9, 10):
            made = FileKeyStore(directory / f"{number}", clock=ManualClock())
            made.pool_keys(POOL)
            source = directory / f"{number}" / POOL.id / "id-token.es256.1.pem"
            source.rename(pool_directory / f"id-token.es256.{number}.pem")
        kids = [key.kid for key in store.pool_keys(POOL).id_token]
        assert len(set(kids)) == 3
        assert kids[2] == oldest.kid
        (pool_directory / "id-token.es256.10.pem").unlink()
        remaining = FileKeyStore(directory, clock=ManualClock()).pool_keys(POOL).id_token
        assert [key.kid for key in remaining] == kids[1:]

    @pytest.mark.parametrize("name", ["id-token.es256.old.pem", "id-token.es256.2.pem.bak"])
    def test_other_files_are_left_alone(
        self, store: FileKeyStore, directory: Path, name: str
    ) -> None:
        (directory / POOL.id / name).write_text("mine")
        assert len(store.pool_keys(POOL).id_token) == 1

    @pytest.mark.parametrize("role", ["saml_signing", "saml_encryption"])
    def test_saml_certificates_are_of_their_keys_and_name_the_pool(
        self, store: FileKeyStore, clock: ManualClock, role: str
    ) -> None:
        (pair,) = getattr(store.pool_keys(POOL), role)
        certificate = x509.load_pem_x509_certificate(pair.certificate_pem)
        private = load_pem_private_key(pair.private_pem, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert certificate.public_key() == private.public_key()
        assert certificate.subject.rfc4514_string() == f"CN={POOL.id}"
        certificate.verify_directly_issued_by(certificate)
        now = datetime.fromtimestamp(clock.now(), UTC)
        assert certificate.not_valid_before_utc < now
        assert certificate.not_valid_after_utc == now + timedelta(days=3650)


class TestMangled:
    def test_a_key_whose_parts_do_not_belong_together_refuses(
        self, directory: Path, clock: ManualClock
    ) -> None:
        path = directory / POOL.id / "saml-signing.1.pem"
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        numbers = key.private_numbers()
        bad = rsa.RSAPrivateNumbers(
            p=numbers.p,
            q=numbers.q,
            d=numbers.d ^ 2,
            dmp1=numbers.dmp1 ^ 2,
            dmq1=numbers.dmq1 ^ 2,
            iqmp=numbers.iqmp,
            public_numbers=numbers.public_numbers,
        ).private_key(unsafe_skip_rsa_key_validation=True)
        _, separator, certificate = path.read_bytes().partition(b"-----BEGIN CERTIFICATE")
        path.write_bytes(private_pem(bad) + separator + certificate)
        with pytest.raises(StoreUnavailableError, match="saml-signing"):
            FileKeyStore(directory, clock=clock).pool_keys(POOL)


class TestFollowing:
    """Files that come and go are noticed by whoever holds a store already."""

    def test_a_key_that_comes_and_goes(
        self, store: FileKeyStore, directory: Path, tmp_path: Path
    ) -> None:
        first = store.pool_keys(POOL)
        FileKeyStore(tmp_path / "other", clock=ManualClock()).pool_keys(POOL)
        source = tmp_path / "other" / POOL.id / "id-token.es256.1.pem"
        added = source.rename(directory / POOL.id / "id-token.es256.2.pem")
        second = store.pool_keys(POOL)
        assert second.id_token[1:] == first.id_token
        assert store.pool_keys(POOL) is second
        added.unlink()
        assert store.pool_keys(POOL) == first

    def test_the_object_stays_while_the_keys_do(self, store: FileKeyStore, directory: Path) -> None:
        first = store.pool_keys(POOL)
        (directory / POOL.id / "notes.txt").write_text("mine")
        assert store.pool_keys(POOL) is first

    @pytest.mark.parametrize("content", [b"", b"-----BEGIN PRI", None])
    def test_what_cannot_be_used_changes_nothing(
        self,
        store: FileKeyStore,
        directory: Path,
        content: bytes | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        first = store.pool_keys(POOL)
        if content is None:
            for path in (directory / POOL.id).glob("saml-*"):
                path.unlink()
        else:
            (directory / POOL.id / "id-token.es256.2.pem").write_bytes(content)
        for _ in range(3):
            assert store.pool_keys(POOL) is first
        assert caplog.messages == ["keys_kept"]

    def test_a_directory_that_is_away_changes_nothing(
        self, store: FileKeyStore, directory: Path
    ) -> None:
        first = store.pool_keys(POOL)
        (directory / POOL.id).rename(directory / "away")
        assert store.pool_keys(POOL) is first


class TestProviders:
    """Encryption pairs that one provider has for itself."""

    @pytest.mark.parametrize(
        "name", ["Corp", "a.1", "Größe", "a/../b", "[*]", "x" * 32, "漢" * 128, "..."]
    )
    def test_one_is_made_when_it_is_asked_for(self, store: FileKeyStore, name: str) -> None:
        assert store.provider_encryption(POOL, name) == ()
        (made,) = store.make_provider_encryption(POOL, name)
        assert store.make_provider_encryption(POOL, name) == (made,)
        assert store.provider_encryption(POOL, name) == (made,)
        assert store.provider_encryption(POOL, name + "2") == ()
        assert made not in store.pool_keys(POOL).saml_encryption

    def test_other_processes_see_it(self, directory: Path) -> None:
        one, two = (FileKeyStore(directory, clock=ManualClock()) for _ in range(2))
        keys = two.pool_keys(POOL)
        assert two.provider_encryption(POOL, "Corp") == ()
        made = one.make_provider_encryption(POOL, "Corp")
        assert two.provider_encryption(POOL, "Corp") == made
        assert two.pool_keys(POOL) is keys

    def test_where_none_can_be_made(self, store: FileKeyStore, directory: Path) -> None:
        store.pool_keys(POOL)
        (directory / POOL.id).rename(directory / "away")
        (directory / POOL.id).write_text("a file")
        with pytest.raises(StoreUnavailableError):
            store.make_provider_encryption(POOL, "Corp")

    def test_a_store_that_only_reads_makes_none(self, directory: Path, clock: ManualClock) -> None:
        store = FileKeyStore(directory, clock=clock, read_only=True)
        with pytest.raises(StoreUnavailableError, match="there are none"):
            store.make_provider_encryption(POOL, "Corp")
        assert store.provider_encryption(POOL, "Corp") == ()

    def test_a_file_that_cannot_be_used(self, store: FileKeyStore, directory: Path) -> None:
        (directory / POOL.id / "saml-encryption@Corp.1.pem").write_text("nothing")
        with pytest.raises(StoreUnavailableError, match="Corp"):
            store.provider_encryption(POOL, "Corp")


class TestRefusing:
    """A file that cannot be read is somebody's mistake; a new key would hide it for ever."""

    @pytest.mark.parametrize(
        ("name", "replacement"),
        [
            ("id-token.es256.1.pem", "nothing"),
            ("saml-signing.1.pem", "nothing"),
            ("saml-signing.1.pem", "id-token.es256.1.pem"),
            ("id-token.es256.1.pem", "saml-signing.1.pem"),
        ],
        ids=["no key", "no certified key", "no certificate", "a key of another algorithm"],
    )
    def test_does_not_replace_an_unusable_file(
        self, store: FileKeyStore, directory: Path, name: str, replacement: str
    ) -> None:
        pool_directory = directory / POOL.id
        (pool_directory / "nothing").write_bytes(b"")
        (pool_directory / name).write_bytes((pool_directory / replacement).read_bytes())
        before = content(directory)
        with pytest.raises(StoreUnavailableError, match=re.escape(name)):
            store.pool_keys(POOL)
        assert content(directory) == before

    def test_a_directory_that_cannot_be_made(self, tmp_path: Path, clock: ManualClock) -> None:
        (tmp_path / "certs").write_text("a file")
        store = FileKeyStore(tmp_path / "certs", clock=clock)
        with pytest.raises(StoreUnavailableError):
            store.pool_keys(POOL)
        with pytest.raises(StoreUnavailableError):
            store.ping()

    def test_ping_asks_for_nothing_that_nobody_asked_for(
        self, tmp_path: Path, clock: ManualClock
    ) -> None:
        FileKeyStore(tmp_path / "certs", clock=clock).ping()
        assert not (tmp_path / "certs").exists()

    def test_ping_tries_again_what_failed(self, store: FileKeyStore, directory: Path) -> None:
        file = directory / POOL.id / "saml-signing.1.pem"
        good = file.read_bytes()
        file.write_bytes(b"")
        for ask in (lambda: store.pool_keys(POOL), store.ping):
            with pytest.raises(StoreUnavailableError, match=re.escape(file.name)):
                ask()
        file.write_bytes(good)
        store.ping()
        file.write_bytes(b"")
        store.ping()  # what was read once counts


class TestReadingAhead:
    """Of all there is, before anybody asks for it."""

    def test_makes_nothing(self, tmp_path: Path, clock: ManualClock) -> None:
        store = FileKeyStore(tmp_path / "certs", clock=clock)
        assert list(store.read([POOL])) == []
        assert not (tmp_path / "certs").exists()

    def test_what_was_read_is_kept(self, store: FileKeyStore, directory: Path) -> None:
        assert list(store.read([POOL])) == []
        (directory / POOL.id / "saml-signing.1.pem").write_bytes(b"")
        assert store.pool_keys(POOL).saml_signing

    def test_what_is_missing_is_still_made(self, store: FileKeyStore, directory: Path) -> None:
        (directory / POOL.id / "saml-signing.1.pem").unlink()
        assert list(store.read([POOL])) == []
        assert store.pool_keys(POOL).saml_signing

    @pytest.mark.parametrize("role", ["id-token.es256", "saml-encryption", "saml-encryption@Corp"])
    def test_says_every_fault(self, store: FileKeyStore, directory: Path, role: str) -> None:
        corp = IdentityProvider(name="Corp", type=ProviderType.SAML, settings=SamlSettings())
        one, two = replace(POOL, providers={"Corp": corp}), replace(POOL, id="eu-west-1_two")
        (directory / two.id).mkdir()
        for pool in (one, two):
            (directory / pool.id / f"{role}.1.pem").write_text("no key")
        faults = [str(fault) for fault in store.read([one, two])]
        expected = [one] if "@" in role else [one, two]  # which the other has no use for
        assert len(faults) == len(expected)
        for pool, fault in zip(expected, faults, strict=True):
            where = f"keys of pool {pool.id}: {directory / pool.id}: {role}.1.pem holds no private"
            assert fault.startswith(where)

    def test_a_file_that_cannot_be_read_is_no_fault_of_its_content(
        self, store: FileKeyStore, directory: Path
    ) -> None:
        file = directory / POOL.id / "saml-signing.1.pem"
        file.write_text("no key")
        assert [fault.is_content for fault in store.read([POOL])] == [True]
        file.unlink()
        file.mkdir()
        assert [fault.is_content for fault in store.read([POOL])] == [False]
