"""A pool's keys are exchanged for others, and a provider gets one of its own, while people sign in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from broker.stores.key_rotation import KeyRotation
from tests.kit.clock import ManualClock
from tests.kit.saml_crypto import Encryption
from tests.kit.saml_idp import SamlIdp
from tests.kit.world import POOL_ID, WEB, World, callback, make_world, saml_provider

MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
CERTIFICATE = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"


@pytest.fixture
def own_certs(tmp_path: Path) -> Path:
    """Not those that all tests share: they are changed here."""
    return tmp_path / "own-certs"


def new_worker(folder: Path, certs: Path) -> World:
    """A process over the same keys, with two providers."""
    idp = SamlIdp(clock=ManualClock())
    corp = saml_provider(idp, details={"RequestSigningAlgorithm": "rsa-sha256"})
    other = saml_provider(idp, "Other")
    client = {**WEB, "SupportedIdentityProviders": ["Corp", "Other"]}
    return make_world(
        folder,
        certs,
        clients=[client],
        providers=[corp, other],
        pool={"SigningAlgorithm": "ES256"},
    )


@pytest.fixture
def world(tmp_path: Path, own_certs: Path) -> Iterator[World]:
    world = new_worker(tmp_path, own_certs)
    yield world
    world.close()


@pytest.fixture
def rotation(world: World, own_certs: Path) -> KeyRotation:
    return KeyRotation(directory=own_certs, clock=world.clock)


def published(world: World, use: str, query: str = "") -> list[x509.Certificate]:
    """Certificates in the pool's metadata, in their order."""
    root = etree.fromstring(world.browser().get(f"/saml2/metadata{query}").data)
    bodies = [
        certificate.text
        for key in root.iter(f"{MD}KeyDescriptor")
        if key.get("use") == use
        for certificate in key.iter(CERTIFICATE)
    ]
    pem = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    return [x509.load_pem_x509_certificate(pem.format(body).encode()) for body in bodies]


def sign_in(
    world: World, *, encrypted_for: x509.Certificate | None = None, provider: str = "Corp"
) -> dict[str, str]:
    """What the app gets at its callback; the request is verified with the first certificate."""
    browser = world.browser()
    response = browser.get(world.authorize_url(identity_provider=provider))
    (signing, *_) = published(world, "signing")
    request = world.idp.read_request(response.headers["Location"], certificate=signing)
    encryption = None if encrypted_for is None else Encryption(certificate=encrypted_for)
    form = world.idp.post(request, encryption=encryption)
    return callback(browser.post("/saml2/idpresponse", form))


def signs_in(world: World, *, encrypted_for: x509.Certificate, provider: str = "Corp") -> bool:
    return "code" in sign_in(world, encrypted_for=encrypted_for, provider=provider)


def tokens_of(world: World) -> dict[str, str]:
    tokens: dict[str, str] = json.loads(world.redeem(sign_in(world)["code"]).data)
    return tokens


def kids(world: World) -> list[str]:
    document = json.loads(world.browser().get("/.well-known/jwks.json").data)
    return [key["kid"] for key in document["keys"]]


def test_a_rotation_refuses_nobody(world: World, rotation: KeyRotation) -> None:
    pool = world.broker.pools[POOL_ID]
    (old_signing,), (old_encryption,) = published(world, "signing"), published(world, "encryption")
    before, old_kids = tokens_of(world), kids(world)

    rotation.rotate(pool)
    assert published(world, "signing")[0] == old_signing
    old, new = published(world, "encryption")
    assert old == old_encryption
    assert signs_in(world, encrypted_for=old)
    assert signs_in(world, encrypted_for=new)
    during = tokens_of(world)
    assert set(old_kids) < set(kids(world))
    for tokens in (before, during):
        assert world.verified(tokens["id_token"])
        assert world.userinfo(tokens["access_token"]).status_code == 200

    (_, next_signing) = published(world, "signing")
    rotation.retire(rotation.retirable(pool))
    assert published(world, "signing") == [next_signing]
    assert published(world, "encryption") == [new]
    assert not set(old_kids) & set(kids(world))
    assert signs_in(world, encrypted_for=new)
    assert not signs_in(world, encrypted_for=old)
    assert world.userinfo(during["access_token"]).status_code == 200
    assert world.userinfo(before["access_token"]).status_code == 401


def test_a_provider_may_have_a_key_of_its_own(
    world: World, tmp_path: Path, own_certs: Path
) -> None:
    colleague = new_worker(tmp_path, own_certs)
    (pools,) = published(world, "encryption")
    assert not signs_in(colleague, encrypted_for=_stranger(tmp_path))
    own, also = published(world, "encryption", "?provider=Corp")
    assert also == pools
    assert published(world, "encryption", "?provider=Corp") == [own, pools]
    assert published(world, "encryption") == [pools]
    for worker in (world, colleague):
        assert signs_in(worker, encrypted_for=own)
        assert signs_in(worker, encrypted_for=pools)
        assert not signs_in(worker, encrypted_for=own, provider="Other")
    (others, _) = published(world, "encryption", "?provider=Other")
    assert others not in (own, pools)
    colleague.close()


def test_its_own_key_is_rotated_with_the_others(world: World, rotation: KeyRotation) -> None:
    pool = world.broker.pools[POOL_ID]
    own, _ = published(world, "encryption", "?provider=Corp")
    rotation.rotate(pool)
    first, second, *_ = published(world, "encryption", "?provider=Corp")
    assert first == own
    for certificate in (first, second):
        assert signs_in(world, encrypted_for=certificate)
    rotation.retire(rotation.retirable(pool))
    assert published(world, "encryption", "?provider=Corp")[0] == second
    assert not signs_in(world, encrypted_for=own)


def test_nobody_gets_a_key_by_asking_for_another_name(world: World, own_certs: Path) -> None:
    for name in ("Nobody", "..", "%2e%2e%2f"):
        assert world.browser().get(f"/saml2/metadata?provider={name}").status_code == 404
    assert len(list((own_certs / POOL_ID).glob("saml-encryption*"))) <= 1


def test_where_no_key_can_be_made_that_of_the_pool_serves(world: World, own_certs: Path) -> None:
    pools = published(world, "encryption")
    (own_certs / POOL_ID).rename(own_certs / "away")
    (own_certs / POOL_ID).write_text("as good as read-only, also for root")
    assert published(world, "encryption", "?provider=Corp") == pools


def _stranger(folder: Path) -> x509.Certificate:
    world = make_world(folder, folder / "strangers-certs", pool={"SigningAlgorithm": "ES256"})
    (certificate,) = published(world, "encryption")
    world.close()
    return certificate
