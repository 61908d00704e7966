"""What ``broker check`` says of a SAML provider's metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from broker.model.pool import IdentityProvider, ProviderType, SamlSettings, UserPool
from broker.saml.metadata import Endpoint, IdpDescriptor
from broker.saml.metadata_keys import VerificationKey
from broker.upstream.saml_lint import lint
from broker.upstream.saml_party import SamlParty
from tests.kit.clock import ManualClock
from tests.kit.saml_keys import key_pair

NOW = 1_800_000_000.0
DAY = 86400.0
KEY = cast("Any", key_pair("idp").private).public_key()
GOOD = IdpDescriptor(
    entity_id="https://idp.example",
    sso_redirect="https://idp.example/sso",
    sso_post=None,
    slo_redirect=Endpoint(location="https://idp.example/slo", response_location=""),
    signing=(VerificationKey(key=KEY, expires_at=NOW + 400 * DAY),),
)


@dataclass(frozen=True)
class Known:
    descriptor: IdpDescriptor

    def of(self, pool_id: str, provider: IdentityProvider) -> IdpDescriptor:
        return self.descriptor

    def failure(self, provider: IdentityProvider) -> None:
        """Nothing is fetched."""


def remarks(descriptor: IdpDescriptor, **settings: Any) -> list[str]:
    provider = IdentityProvider(
        name="Corp", type=ProviderType.SAML, settings=SamlSettings(**settings)
    )
    pool = UserPool(id="eu_A1", domains=("https://a.test",), issuer="https://a.test/eu_A1")
    unused = cast("Any", None)
    party = SamlParty(
        pool=pool,
        provider=provider,
        metadata=Known(descriptor),
        keys=unused,
        replay=unused,
        clock=ManualClock(NOW),
    )
    return [remark.text for remark in lint(party)]


def signed_until(*ends: float) -> IdpDescriptor:
    return replace(GOOD, signing=tuple(VerificationKey(key=KEY, expires_at=end) for end in ends))


def test_nothing_is_said_of_good_metadata() -> None:
    assert remarks(GOOD, idp_signout=True) == []


@pytest.mark.parametrize(
    ("descriptor", "settings", "text"),
    [
        (signed_until(NOW - DAY), {}, "every signing certificate has expired"),
        (signed_until(NOW + 29 * DAY), {}, "the last signing certificate expires 2027-02-13"),
        (replace(GOOD, valid_until=NOW - 1), {}, "the metadata was valid until"),
        (replace(GOOD, slo_redirect=None), {"idp_signout": True}, "no SingleLogoutService"),
        (GOOD, {"allow_sha1": True}, "AllowSha1 is on"),
        (GOOD, {"metadata_url": "http://localhost/m"}, "MetadataURL is http"),
        (replace(GOOD, sso_redirect="http://localhost/sso"), {}, "is http"),
    ],
)
def test_what_will_go_wrong_is_said(
    descriptor: IdpDescriptor, settings: dict[str, Any], text: str
) -> None:
    (remark,) = remarks(descriptor, **settings)
    assert text in remark


def test_an_old_certificate_beside_a_new_one_is_a_roll_over() -> None:
    """Nothing to worry about, but the old key still counts."""
    (remark,) = remarks(signed_until(NOW - DAY, NOW + 400 * DAY))
    assert "a signing certificate expired" in remark
