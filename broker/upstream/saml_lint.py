"""What an administrator should know of a SAML provider before its people find out: ``broker check``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.model.errors import UpstreamError
from broker.model.pool import SamlSettings
from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_party import SamlParty

SOON_SECONDS = 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """``is_fault``: nobody can sign in through this provider as it is configured."""

    text: str
    is_fault: bool = False


def lint(party: SamlParty) -> Iterator[Remark]:
    """Remarks on one provider. Fetches metadata that has a URL; never raises."""
    try:
        descriptor = party.descriptor()
    except UpstreamError as error:
        # A URL may answer tomorrow; what stands in the configuration stays as wrong as it is.
        yield Remark(
            text=f"{error.reason}: expected {error.expected}, received {error.received}",
            is_fault=party.settings.metadata_url is None,
        )
        return
    now = party.clock.now()
    yield from _certificates(descriptor, now)
    yield from _validity(descriptor, now)
    yield from _settings(party.settings, descriptor)
    yield from _plain_http(descriptor)


def _certificates(descriptor: IdpDescriptor, now: float) -> Iterator[Remark]:
    """Expiry is reported, not enforced: the metadata is what is trusted. The last one counts."""
    last = max(verification.expires_at for verification in descriptor.signing)
    if last <= now:
        yield Remark(text=f"every signing certificate has expired, the last one {_day(last)}")
    elif last <= now + SOON_SECONDS:
        yield Remark(
            text=f"the last signing certificate expires {_day(last)}: ask for the next one"
        )


def _validity(descriptor: IdpDescriptor, now: float) -> Iterator[Remark]:
    if descriptor.valid_until is not None and descriptor.valid_until <= now:
        yield Remark(text=f"the metadata was valid until {_day(descriptor.valid_until)}")


def _settings(settings: SamlSettings, descriptor: IdpDescriptor) -> Iterator[Remark]:
    if settings.allow_sha1:
        yield Remark(
            text="AllowSha1 is on: SHA-1 signatures can be forged; use SHA-256 at the provider"
        )
    if settings.idp_signout and descriptor.slo_redirect is None and descriptor.slo_post is None:
        yield Remark(text="IDPSignout is on, and the metadata has no SingleLogoutService")
    if settings.metadata_url is not None and settings.metadata_url.startswith("http:"):
        yield Remark(
            text="MetadataURL is http: whoever is on the way chooses whose signatures count"
        )


def _plain_http(descriptor: IdpDescriptor) -> Iterator[Remark]:
    endpoints = (descriptor.sso_redirect, descriptor.sso_post)
    if any(endpoint is not None and endpoint.startswith("http:") for endpoint in endpoints):
        yield Remark(text="the sign-in address of the provider is http")


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
