"""``broker check`` looks at the providers too."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from lxml import etree

from broker import wiring
from broker.cli import main
from tests.kit.clock import ManualClock
from tests.kit.folders import everything_in
from tests.kit.metadata_site import MetadataSite, fetch_as_a_broker
from tests.kit.saml_crypto import sign
from tests.kit.saml_idp import SamlIdp
from tests.kit.saml_keys import KeyPair, key_pair
from tests.kit.world import POOL_ID, WEB, saml_provider
from tests.kit.wsgi import served

IDP = SamlIdp(clock=ManualClock())


@pytest.fixture
def check(tmp_path: Path, monkeypatch: Any) -> Callable[..., Result]:
    def run(*options: str, pool: Mapping[str, Any] | None = None, **provider: Any) -> Result:
        document = {
            "UserPools": [
                {
                    "Id": POOL_ID,
                    "Domain": "https://auth.example.test",
                    "UserPoolClients": [{**WEB, "AllowedOAuthScopes": ["openid"]}],
                    "IdentityProviders": [saml_provider(IDP, **provider)],
                    **(pool or {}),
                }
            ]
        }
        config = tmp_path / "broker.yaml"
        config.write_text(yaml.safe_dump(document))
        return CliRunner().invoke(main, ["check", "--config", str(config), *options])

    return run


def metadata(*keys: KeyPair, **how: Any) -> dict[str, str]:
    """``ProviderDetails`` of a provider with these keys."""
    return {"MetadataFile": replace(IDP, keys=keys or IDP.keys).metadata(**how)}


def signed_metadata(hash_name: str) -> str:
    document = etree.fromstring(IDP.metadata())
    document.set("ID", "_metadata")
    sign(document, key_pair("idp"), hash_name=hash_name)
    return etree.tostring(document, encoding="unicode")


def certified_by_sha1(pair: KeyPair) -> str:
    """Metadata with the pair's certificate, said to be signed with SHA-1: no library still does."""
    der = base64.b64decode(pair.certificate_base64).replace(_RSA_SHA256, _RSA_SHA1)
    good = IDP.metadata()
    return good.replace(IDP.keys[0].certificate_base64, base64.b64encode(der).decode())


_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01"
_RSA_SHA256, _RSA_SHA1 = _RSA + b"\x0b", _RSA + b"\x05"

GOOD = key_pair("idp")
HTTP_SSO = f'Location="{IDP.url}/sso"', 'Location="http://idp.example/sso"'


def test_a_good_provider_is_not_remarked_on(check: Callable[..., Result]) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert "no faults. 1 pool(s), 1 client(s), 1 provider(s), 0 warning(s)" in result.output


_NO_CERTIFICATE = (
    '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
    "<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    "</md:KeyDescriptor>"
)
_BARE_KEY = (
    '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
    "<ds:KeyName>bare</ds:KeyName></ds:KeyInfo></md:KeyDescriptor>"
)

REMARKS: dict[str, tuple[dict[str, str], int, str]] = {
    "certificates that have expired": (
        metadata(key_pair("old", expired=True)),
        0,
        "warning  eu-west-1_Test01 Corp: every signing certificate has expired, the last one 1999",
    ),
    "one certificate that has": (
        metadata(key_pair("old", expired=True), GOOD),
        0,
        "note     eu-west-1_Test01 Corp: a signing certificate expired 1999-01-01; its key counts",
    ),
    "a key that may be for anything": (metadata(use=None), 0, "has no use attribute"),
    "an RSA key that is too short": (
        metadata(key_pair("weak", "rsa-1024"), GOOD),
        0,
        "is left out: it is too weak (RSA, 1024 bits)",
    ),
    "an EC key that is too short": (
        metadata(key_pair("weak", "ec-192"), GOOD),
        0,
        "is left out: it is too weak (secp192r1, 192 bits)",
    ),
    "a key that nothing is verified with": (
        metadata(key_pair("new", "ed25519"), GOOD),
        0,
        "is left out: it is of a kind that SAML signatures are not made with here (Ed25519)",
    ),
    "a certificate that is none": (
        {
            "MetadataFile": IDP.metadata().replace(
                "<md:KeyDescriptor ", f"{_NO_CERTIFICATE}<md:KeyDescriptor ", 1
            )
        },
        0,
        "is left out: it is unreadable (ValueError)",
    ),
    "a key without a certificate": (
        {
            "MetadataFile": IDP.metadata().replace(
                "<md:KeyDescriptor ", f"{_BARE_KEY}<md:KeyDescriptor ", 1
            )
        },
        0,
        "is left out: it is unreadable (no certificate)",
    ),
    "no key that is good enough": (
        metadata(key_pair("weak", "rsa-1024")),
        1,
        "saml_metadata_no_key: expected a signing key: RSA of 2048 bits, or an EC key, received too weak",
    ),
    "a certificate signed with SHA-1": (
        {"MetadataFile": certified_by_sha1(GOOD)},
        0,
        "note     eu-west-1_Test01 Corp: a signing certificate is itself signed with SHA-1",
    ),
    "metadata signed with SHA-1": (
        {"MetadataFile": signed_metadata("sha1")},
        0,
        "the metadata is signed with SHA-1",
    ),
    "an address that is not https": (
        {"MetadataFile": IDP.metadata(bindings=["Redirect"]).replace(*HTTP_SSO)},
        1,
        "received SingleSignOnService 'http://idp.example/sso'",
    ),
    "one address that is not https": (
        {"MetadataFile": IDP.metadata().replace(*HTTP_SSO, 1)},
        0,
        "is left out: SingleSignOnService 'http://idp.example/sso' must be https",
    ),
    "an address on this machine": (
        {"MetadataFile": IDP.metadata().replace(IDP.url, "http://localhost:8081")},
        0,
        "the sign-in address of the provider is http",
    ),
    "metadata that is no longer valid": (
        {
            "MetadataFile": IDP.metadata().replace(
                " entityID", ' validUntil="2001-01-01T00:00:00Z" entityID'
            )
        },
        0,
        "the metadata was valid until 2001-01-01",
    ),
    "metadata that is no XML": ({"MetadataFile": "<nonsense"}, 1, "saml_metadata_invalid"),
    "metadata without a key": (
        {"MetadataFile": IDP.metadata().replace("KeyDescriptor", "Nothing")},
        1,
        "saml_metadata_no_key",
    ),
    "metadata of several": (
        {"EntityId": "https://other.example"},
        1,
        "saml_metadata_entity",
    ),
    "SHA-1 allowed": ({"AllowSha1": "true"}, 0, "AllowSha1 is on"),
    "no place to sign out": (
        {"MetadataFile": IDP.metadata(logout=False), "IDPSignout": "true"},
        0,
        "no SingleLogoutService",
    ),
}


@pytest.mark.parametrize(("details", "code", "text"), REMARKS.values(), ids=REMARKS)
def test_what_is_wrong_is_said(
    check: Callable[..., Result], details: dict[str, str], code: int, text: str
) -> None:
    result = check(details=details)
    assert text in result.output, result.output
    assert result.exit_code == code
    assert f"{POOL_ID} Corp: " in result.output


def test_one_provider_under_two_names(check: Callable[..., Result]) -> None:
    names = ("Corp", "Portal", "Other")
    other = SamlIdp(clock=ManualClock(), entity_id="https://other.example")
    idps = dict(zip(names, (IDP, IDP, other), strict=True))
    providers = [saml_provider(idp, name) for name, idp in idps.items()]
    result = check(pool={"IdentityProviders": providers})
    assert (
        f"warning  {POOL_ID} Portal: it has the entity id of Corp too, {IDP.entity_id}: a person who signs "
        "in through both is two users, and a sign-out at the provider ends the sessions of both"
    ) in result.output
    assert "1 warning(s)" in result.output
    assert result.exit_code == 0


def test_honest_signatures_are_not_remarked_on(check: Callable[..., Result]) -> None:
    assert "0 warning(s)" in check(details={"MetadataFile": signed_metadata("sha256")}).output


def test_a_note_is_no_warning(check: Callable[..., Result]) -> None:
    result = check(details=metadata(key_pair("old", expired=True), GOOD))
    assert "note" in result.output
    assert "no faults" in result.output
    assert "0 warning(s)" in result.output


def test_a_certificate_that_expires_soon(check: Callable[..., Result], monkeypatch: Any) -> None:
    end = GOOD.certificate.not_valid_after_utc.timestamp()
    clock = ManualClock(end - 29 * 86400)
    monkeypatch.setattr(wiring, "SystemClock", lambda: clock)
    assert "the last signing certificate expires 2099-01-01" in check().output
    clock.advance(-2 * 86400)
    assert "0 warning(s)" in check().output


def test_what_is_mapped_and_what_is_required(check: Callable[..., Result]) -> None:
    required = {"SchemaAttributes": [{"Name": "family_name", "Required": True}]}
    result = check(pool=required, AttributeMapping={"custom:team": "team"})
    assert result.exit_code == 0
    assert "AttributeMapping.custom:team: no such attribute in the schema" in result.output
    assert "the required attribute family_name is not mapped" in result.output


def test_a_copy_is_not_taken_for_an_answer(tmp_path: Path, check: Callable[..., Result]) -> None:
    """The provider's site is asked now, however new the copy of its metadata is."""
    site = MetadataSite(IDP.metadata)
    with served(site) as url:
        details = {"MetadataURL": f"{url}/metadata"}
        first = check(ProviderDetails=details)
        fetch_as_a_broker(tmp_path / "broker.yaml")
        site.status = "503 Service Unavailable"
        second = check(ProviderDetails=details)
    assert "MetadataURL is http" in first.output
    assert "in use" not in first.output
    assert (
        "the last good copy of the metadata is in use: saml_metadata_unavailable" in second.output
    )
    assert "received HTTP status 503" in second.output
    assert second.exit_code == 0


def test_metadata_that_cannot_be_fetched_is_a_warning(check: Callable[..., Result]) -> None:
    unreachable = {"MetadataURL": "http://127.0.0.1:1/metadata"}
    result = check(ProviderDetails=unreachable)
    assert "saml_metadata_unavailable" in result.output
    assert result.exit_code == 0


def test_no_database_is_asked(
    check: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be run before an upgrade, or on another machine."""
    monkeypatch.setenv("BROKER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/broker")
    result = check(ProviderDetails={"MetadataURL": "http://127.0.0.1:1/metadata"})
    assert "saml_metadata_unavailable" in result.output
    assert caplog.messages == ["saml_metadata_not_renewed"]


def test_it_leaves_everything_as_it_was(tmp_path: Path, check: Callable[..., Result]) -> None:
    """A configuration is often checked on another machine, or by another user, than it is for."""
    site = MetadataSite(IDP.metadata)
    with served(site) as url:
        result = check(ProviderDetails={"MetadataURL": f"{url}/metadata"})
    assert (result.exit_code, site.visits) == (0, 1), result.output
    assert everything_in(tmp_path).keys() == {"broker.yaml"}


def test_a_state_directory_that_cannot_be_written_is_none_of_its_business(
    tmp_path: Path, check: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BROKER_STATE_DIR", str(tmp_path / "file" / "var"))
    assert check().exit_code == 0


def test_a_key_file_that_cannot_be_used_is_a_fault(
    tmp_path: Path, check: Callable[..., Result]
) -> None:
    file = tmp_path / "var" / "certs" / POOL_ID / "saml-signing.1.pem"
    file.parent.mkdir(parents=True)
    file.write_text("no key")
    result = check("--offline")
    assert f"fault    keys of pool {POOL_ID}: " in result.output
    assert "saml-signing.1.pem holds no private key" in result.output
    assert result.exit_code == 1
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        result = CliRunner().invoke(main, ["check", "--config", str(path)])
        assert result.exit_code == 1
        assert f"fault    {path}: cannot be read (" in result.output


def test_offline_looks_at_the_file_alone(check: Callable[..., Result]) -> None:
    result = check("--offline", details={"MetadataFile": "<nonsense"})
    assert result.exit_code == 0


def test_a_redis_url_is_looked_at_and_nothing_asked(
    check: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_REDIS_URL", "redis://:a-password@nowhere.example/0")
    assert check().exit_code == 0
    monkeypatch.setenv("BROKER_REDIS_URL", "redis://:a-password@nowhere.example/0?socket_timeout=9")
    result = check()
    assert result.exit_code == 1
    assert "fault    BROKER_REDIS_URL: socket_timeout is not for the URL to say" in result.output
    assert "a-password" not in result.output
