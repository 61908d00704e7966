"""What decrypts, what does not, and that nobody can tell why."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import Reason, UpstreamError
from broker.saml.assertion import Assertion
from broker.saml.encryption import DecryptionError, decrypt, read_within
from broker.saml.expectations import Expectations
from broker.saml.node import Node
from broker.saml.response import read_response
from broker.saml.xml import XmlError, parse
from tests.saml import builders
from tests.saml.builders import ACS, DS, IDP, NOW, REQUEST, SAML, SP, XENC, Message, encoded, sign

XENC11 = "http://www.w3.org/2009/xmlenc11#"
MGF1P = f"{XENC}rsa-oaep-mgf1p"
OAEP11 = f"{XENC11}rsa-oaep"
PLAIN = f'<saml:Assertion xmlns:saml="{SAML}" ID="_a1"/>'
GOOD = Message()


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """How to encrypt; each field is a thing that can be wrong or done in another way."""

    cipher: str = f"{XENC11}aes256-gcm"
    transport: str = MGF1P
    digest: str | None = None
    mgf: str | None = None
    label: bytes = b""
    key_beside: bool = False
    to: tuple[str, ...] = ("pool",)
    spoil: bool = False
    pad: int | None = None
    """The length that the padding claims to have."""

    def xml(self, plaintext: str) -> str:
        key = secrets.token_bytes(16 if "128" in self.cipher else 32)
        value = self._sealed(key, plaintext.encode())
        if self.spoil:
            value = value[:-1] + bytes([value[-1] ^ 1])
        keys = "".join(self._encrypted_key(key, builders.rsa_key(owner)) for owner in self.to)
        inside, beside = ("", keys) if self.key_beside else (keys, "")
        return (
            f'<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element">'
            f'<xenc:EncryptionMethod Algorithm="{self.cipher}"/>'
            f'<ds:KeyInfo xmlns:ds="{DS}">{inside}</ds:KeyInfo>{_data(value)}'
            f"</xenc:EncryptedData>{beside}</saml:EncryptedAssertion>"
        )

    def _sealed(self, key: bytes, plaintext: bytes) -> bytes:
        if "gcm" in self.cipher:
            nonce = secrets.token_bytes(12)
            return nonce + AESGCM(key).encrypt(nonce, plaintext, None)
        vector = secrets.token_bytes(16)
        count = 16 - len(plaintext) % 16
        padded = plaintext + secrets.token_bytes(count - 1) + bytes([self.pad or count])
        encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        return vector + encryptor.update(padded) + encryptor.finalize()

    def _encrypted_key(self, key: bytes, recipient: rsa.RSAPrivateKey) -> str:
        digest = hashes.SHA256() if "sha256" in (self.digest or "") else hashes.SHA1()
        mask = hashes.SHA256() if "sha256" in (self.mgf or "") else hashes.SHA1()
        scheme: padding.AsymmetricPadding = padding.OAEP(
            padding.MGF1(mask), digest, self.label or None
        )
        if self.transport.endswith("rsa-1_5"):
            scheme = padding.PKCS1v15()
        wrapped = recipient.public_key().encrypt(key, scheme)
        method = _element("ds:DigestMethod", self.digest) + _element("xenc11:MGF", self.mgf)
        if self.label:
            method += f"<xenc:OAEPparams>{b64encode(self.label).decode()}</xenc:OAEPparams>"
        return (
            f'<xenc:EncryptedKey xmlns:xenc="{XENC}" xmlns:xenc11="{XENC11}" xmlns:ds="{DS}">'
            f'<xenc:EncryptionMethod Algorithm="{self.transport}">{method}'
            f"</xenc:EncryptionMethod>{_data(wrapped)}</xenc:EncryptedKey>"
        )


def _element(name: str, algorithm: str | None) -> str:
    return "" if algorithm is None else f'<{name} Algorithm="{algorithm}"/>'


def _data(value: bytes) -> str:
    text = b64encode(value).decode()
    return f"<xenc:CipherData><xenc:CipherValue>\n{text}\n</xenc:CipherValue></xenc:CipherData>"


def opened(envelope: Envelope, plaintext: str = PLAIN, *owners: str) -> str | None:
    holder = parse(f'<r xmlns:saml="{SAML}">{envelope.xml(plaintext)}</r>'.encode())[0]
    keys = [builders.rsa_key(owner) for owner in owners or ("pool",)]
    return read_within(decrypt(Node(holder), keys), holder).get("ID")


def read(
    envelope: Envelope, *signed: str, plaintext: str | None = None, **changes: object
) -> Assertion:
    """Read a Response around an encrypted assertion, signed at these elements."""
    inner = GOOD.assertion() if plaintext is None else plaintext
    if "_a1" in signed:
        inner = sign(inner, "_a1", builders.rsa_key("idp"))
    xml = GOOD.response(envelope.xml(inner))
    if "_r1" in signed:
        xml = sign(xml, "_r1", builders.rsa_key("idp"))
    expected = Expectations(
        acs_url=ACS,
        audience=SP,
        issuer=IDP,
        keys=(builders.rsa_key("idp").public_key(),),
        request_id=REQUEST,
        now=NOW,
        decryption_keys=lambda: (builders.rsa_key("pool"),),
    )
    return read_response(encoded(xml), replace(expected, **changes))  # type: ignore[arg-type]  # names and values are the test's


@pytest.mark.parametrize(
    "cipher",
    [f"{XENC}aes128-cbc", f"{XENC}aes256-cbc", f"{XENC11}aes128-gcm", f"{XENC11}aes256-gcm"],
)
@pytest.mark.parametrize(
    "transport",
    [
        {},
        {"digest": f"{DS}sha1"},
        {"digest": f"{XENC}sha256"},
        {"transport": OAEP11},
        {"transport": OAEP11, "digest": f"{XENC}sha256", "mgf": f"{XENC11}mgf1sha256"},
        {"transport": OAEP11, "digest": f"{XENC}sha256", "mgf": f"{XENC11}mgf1sha1"},
        {"label": b"label"},
        {"key_beside": True},
    ],
)
def test_aes_with_oaep(cipher: str, transport: dict[str, str]) -> None:
    assert opened(Envelope(cipher=cipher, **transport)) == "_a1"  # type: ignore[arg-type]  # fields by name


def test_every_key_of_ours_and_every_key_in_the_message_is_tried() -> None:
    assert opened(Envelope(to=("other", "pool")), PLAIN, "idp", "pool") == "_a1"


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(to=("other",)),
        Envelope(to=()),
        Envelope(to=("pool",) * 9),
        Envelope(spoil=True),
        Envelope(spoil=True, cipher=f"{XENC}aes256-cbc"),
        Envelope(transport=f"{XENC}rsa-1_5"),
        Envelope(transport=""),
        Envelope(transport=OAEP11, mgf="urn:x"),
        Envelope(digest="urn:x"),
        Envelope(cipher=f"{XENC}tripledes-cbc"),
        Envelope(cipher=""),
    ],
)
def test_all_failures_are_one(envelope: Envelope) -> None:
    for signed in (("_r1",), ("_a1",), ("_a1", "_r1")):
        with pytest.raises(UpstreamError) as refusal:
            read(envelope, *signed)
        told = (refusal.value.reason, refusal.value.public, refusal.value.received)
        assert told == (
            Reason.SAML_DECRYPTION,
            "Invalid SAML response received: SAML Assertion signature is invalid. ",
            "one that does not decrypt",
        )


@pytest.mark.parametrize(
    "plaintext",
    [
        "",
        "text",
        "<saml:Assertion/>x",
        "<saml:Assertion/><saml:Assertion/>",
        "x<saml:Assertion/>",
        "<!DOCTYPE a><a/>",
    ],
)
def test_a_plaintext_that_is_no_document_fails_like_the_rest(plaintext: str) -> None:
    for cipher in (f"{XENC}aes128-cbc", f"{XENC11}aes128-gcm"):
        with pytest.raises(DecryptionError, match="does not decrypt"):
            opened(Envelope(cipher=cipher), plaintext)


def test_a_padding_longer_than_a_block_fails() -> None:
    roomy = PLAIN + " " * 64
    assert opened(Envelope(cipher=f"{XENC}aes128-cbc", pad=16), roomy) == "_a1"
    for pad in (17, 32, 255):
        with pytest.raises(DecryptionError):
            opened(Envelope(cipher=f"{XENC}aes128-cbc", pad=pad), roomy)


def test_a_bad_signature_below_the_encryption_sounds_the_same() -> None:
    forged = sign(GOOD.assertion(), "_a1", builders.rsa_key("other"))
    with pytest.raises(UpstreamError) as below:
        read(Envelope(), plaintext=forged)
    with pytest.raises(UpstreamError) as above:
        read(Envelope(spoil=True), plaintext=forged)
    assert below.value.public == above.value.public
    assert below.value.reason == Reason.SAML_ASSERTION_SIGNATURE


def test_as_much_private_key_work_is_done_for_a_failure() -> None:
    """No early exit: how long it takes does not tell whether, or which, a key fitted."""
    used: list[str] = []

    class Counted:
        def __init__(self, owner: str) -> None:
            self.owner = owner

        def decrypt(self, value: bytes, scheme: padding.AsymmetricPadding) -> bytes:
            used.append(self.owner)
            return builders.rsa_key(self.owner).decrypt(value, scheme)

    holder = parse(f'<r xmlns:saml="{SAML}">{Envelope().xml(PLAIN)}</r>'.encode())[0]
    decrypt(Node(holder), [Counted("pool"), Counted("other")])  # type: ignore[list-item]  # a key that counts
    assert used == ["pool", "other"]


def test_prefixes_declared_around_the_ciphertext_hold_inside() -> None:
    """xmlsec encrypts an element in place and leaves declarations of its ancestors out."""
    assert opened(Envelope(), '<saml:Assertion ID="_a1"><saml:Issuer/></saml:Assertion>') == "_a1"


def test_an_xml_declaration_in_the_plaintext_is_fine() -> None:
    assert opened(Envelope(), f'<?xml version="1.0"?>{PLAIN}') == "_a1"


@pytest.mark.parametrize("signed", [("_a1",), ("_r1",), ("_a1", "_r1")])
def test_an_encrypted_assertion_is_read(signed: tuple[str, ...]) -> None:
    for required in (True, False):
        assert read(Envelope(), *signed, require_encryption=required).name_id.value == "alice"


def test_encryption_proves_nothing() -> None:
    """CVE-2026-2092: anybody can encrypt for us."""
    with pytest.raises(UpstreamError) as refusal:
        read(Envelope())
    assert refusal.value.reason == Reason.SAML_UNSIGNED


def test_a_plain_assertion_refuses_where_encryption_is_required() -> None:
    with pytest.raises(UpstreamError) as refusal:
        read_plain(require_encryption=True)
    assert refusal.value.reason == Reason.SAML_NOT_ENCRYPTED
    assert read_plain(require_encryption=False).id == "_a1"


def read_plain(*, require_encryption: bool) -> Assertion:
    xml = sign(GOOD.response(), "_a1", builders.rsa_key("idp"))
    expected = Expectations(
        acs_url=ACS,
        audience=SP,
        issuer=IDP,
        keys=(builders.rsa_key("idp").public_key(),),
        request_id=REQUEST,
        now=NOW,
        require_encryption=require_encryption,
    )
    return read_response(encoded(xml), expected)


@pytest.mark.parametrize(
    "plaintext",
    [
        GOOD.response(),
        f'<saml:Advice xmlns:saml="{SAML}">{GOOD.assertion()}</saml:Advice>',
        GOOD.but(
            more=f"<saml:Advice>{GOOD.but(assertion_id='_a2').assertion()}</saml:Advice>"
        ).assertion(),
        Envelope().xml(GOOD.assertion()).replace("<saml:E", f'<saml:E xmlns:saml="{SAML}" ', 1),
    ],
)
def test_the_plaintext_is_one_assertion(plaintext: str) -> None:
    with pytest.raises(UpstreamError) as refusal:
        read(Envelope(), "_r1", plaintext=plaintext)
    assert refusal.value.reason == Reason.SAML_DECRYPTION


def test_two_encrypted_assertions_refuse() -> None:
    twice = Envelope().xml(GOOD.assertion()) + Envelope().xml(GOOD.assertion())
    xml = sign(GOOD.response(twice), "_r1", builders.rsa_key("idp"))
    expected = Expectations(
        acs_url=ACS,
        audience=SP,
        issuer=IDP,
        keys=(builders.rsa_key("idp").public_key(),),
        request_id=REQUEST,
        now=NOW,
    )
    with pytest.raises(UpstreamError) as refusal:
        read_response(encoded(xml), expected)
    assert refusal.value.reason == Reason.SAML_ASSERTION_PLACEMENT


SEALED = f'<r xmlns:saml="{SAML}">{Envelope().xml(PLAIN)}</r>'


@given(st.integers(0, len(SEALED) - 1), st.characters(codec="ascii"))
def test_any_change_decrypts_to_the_same_or_not_at_all(position: int, character: str) -> None:
    changed = SEALED[:position] + character + SEALED[position + 1 :]
    try:
        assert (
            decrypt(Node(parse(changed.encode())[0]), [builders.rsa_key("pool")]) == PLAIN.encode()
        )
    except (DecryptionError, XmlError, IndexError):
        return


@pytest.mark.parametrize(
    ("space", "is_fine"), [(" \t\r\n", True), ("\u00a0", False), ("\u3000", False)]
)
def test_a_ciphertext_may_have_xmls_white_space_and_no_other(space: str, is_fine: bool) -> None:
    spaced = SEALED.replace("<xenc:CipherValue>", f"<xenc:CipherValue>{space}")
    holder, keys = parse(spaced.encode())[0], [builders.rsa_key("pool")]
    if is_fine:
        assert decrypt(Node(holder), keys) == PLAIN.encode()
    else:
        with pytest.raises(DecryptionError):
            decrypt(Node(holder), keys)
