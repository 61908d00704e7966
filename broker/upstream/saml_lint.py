"""What an administrator should know of a SAML provider before its people find out: ``broker check``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from broker.model.errors import UpstreamError
from broker.model.pool import SamlSettings
from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_party import SamlParty

SOON_SECONDS = 30 * 86400


class Weight(StrEnum):
    """How much a remark matters."""

    FAULT = "fault"
    """Nobody can sign in through this provider as it is configured."""
    WARNING = "warning"
    NOTE = "note"
    """Nothing will go wrong; somebody may wonder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    text: str
    weight: Weight = Weight.WARNING


def lint(party: SamlParty) -> Iterator[Remark]:
    """Remarks on one provider. Fetches metadata that has a URL; never raises."""
    try:
        descriptor = party.descriptor()
    except UpstreamError as error:
        # A URL may answer tomorrow; what stands in the configuration stays as wrong as it is.
        is_lasting = party.settings.metadata_url is None
        yield Remark(text=_said(error), weight=Weight.FAULT if is_lasting else Weight.WARNING)
        return
    now = party.clock.now()
    yield from _renewal(party)
    yield from _certificates(descriptor, now)
    yield from _keys(descriptor)
    yield from _validity(descriptor, now)
    yield from _settings(party.settings, descriptor)
    yield from _addresses(descriptor)


def lint_together(parties: Iterable[SamlParty]) -> Iterator[tuple[SamlParty, Remark]]:
    """What is remarkable only of several providers beside each other. Never raises."""
    known: dict[tuple[str, str], SamlParty] = {}
    for party in parties:
        with suppress(UpstreamError):  # ``lint`` has remarked on it
            entity_id = party.descriptor().entity_id
            first = known.setdefault((party.pool.id, entity_id), party)
            if first is not party:
                yield party, Remark(text=_same(first, entity_id))


def _same(first: SamlParty, entity_id: str) -> str:
    return (
        f"it has the entity id of {first.provider.name} too, {entity_id}: a person who signs in through "
        "both is two users, and a sign-out at the provider ends the sessions of both"
    )


def _renewal(party: SamlParty) -> Iterator[Remark]:
    if error := party.metadata.failure(party.provider):
        yield Remark(text=f"the last good copy of the metadata is in use: {_said(error)}")


def _certificates(descriptor: IdpDescriptor, now: float) -> Iterator[Remark]:
    """Expiry is reported, not enforced: the metadata is what is trusted. The last one counts."""
    ends = sorted(verification.expires_at for verification in descriptor.signing)
    last = ends[-1]
    if last <= now:
        yield Remark(text=f"every signing certificate has expired, the last one {_day(last)}")
        return
    if last <= now + SOON_SECONDS:
        yield Remark(
            text=f"the last signing certificate expires {_day(last)}: ask for the next one"
        )
    for end in ends:
        if end <= now:
            yield Remark(
                text=f"a signing certificate expired {_day(end)}; its key counts until the metadata "
                "is without it",
                weight=Weight.NOTE,
            )


def _keys(descriptor: IdpDescriptor) -> Iterator[Remark]:
    """What counts though it need not, and what does not count though it was meant to."""
    for key in descriptor.keys_left_out:
        yield Remark(text=f"a signing key of the metadata is left out: it is {key}")
    if any(key.is_for_any_use for key in descriptor.signing):
        yield Remark(
            text="a key of the metadata has no use attribute: it counts for signing and for encryption"
        )
    if any(key.is_certified_by_sha1 for key in descriptor.signing):
        yield Remark(
            text="a signing certificate is itself signed with SHA-1, which is no harm: its key counts",
            weight=Weight.NOTE,
        )
    if descriptor.is_signed_with_sha1:
        yield Remark(
            text="the metadata is signed with SHA-1: answers that are so as well will be refused"
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


def _addresses(descriptor: IdpDescriptor) -> Iterator[Remark]:
    for left_out in descriptor.endpoints_left_out:
        yield Remark(text=f"an address of the metadata is left out: {left_out}")
    endpoints = (descriptor.sso_redirect, descriptor.sso_post)
    if any(endpoint is not None and endpoint.startswith("http:") for endpoint in endpoints):
        yield Remark(text="the sign-in address of the provider is http")


def _said(error: UpstreamError) -> str:
    return f"{error.reason}: expected {error.expected}, received {error.received}"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
