"""``broker check`` looks at the providers too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from broker.cli import main
from tests.kit.clock import ManualClock
from tests.kit.saml_idp import SamlIdp
from tests.kit.world import POOL_ID, WEB, saml_provider

IDP = SamlIdp(clock=ManualClock())


@pytest.fixture
def check(tmp_path: Path, monkeypatch: Any) -> Callable[..., Result]:
    def run(*options: str, **provider: Any) -> Result:
        document = {
            "UserPools": [
                {
                    "Id": POOL_ID,
                    "Domain": "https://auth.example.test",
                    "UserPoolClients": [{**WEB, "AllowedOAuthScopes": ["openid"]}],
                    "IdentityProviders": [saml_provider(IDP, **provider)],
                }
            ]
        }
        config = tmp_path / "broker.yaml"
        config.write_text(yaml.safe_dump(document))
        return CliRunner().invoke(main, ["check", "--config", str(config), *options])

    return run


def test_a_good_provider_is_not_remarked_on(check: Callable[..., Result]) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert "no faults. 1 pool(s), 1 client(s), 1 provider(s), 0 warning(s)" in result.output


REMARKS: dict[str, tuple[dict[str, str], int, str]] = {
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


def test_offline_looks_at_the_file_alone(check: Callable[..., Result]) -> None:
    result = check("--offline", details={"MetadataFile": "<nonsense"})
    assert result.exit_code == 0
