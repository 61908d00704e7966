"""A web of SAML metadata in the test process, a clock's worth of time, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider, ProviderType, SamlSettings, UserPool
from broker.upstream.saml_metadata import SamlMetadata
from broker.upstream.saml_renewal import Fetched, Validators
from broker.upstream.saml_sharing import Machines, NoOtherMachines
from tests.kit.clock import ManualClock
from tests.saml import builders

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
URL = "https://idp.example.com/metadata"
POOL = "eu-west-1_Example01"


def document(
    entity_id: str = "urn:idp", more: str = "", *, days: int = 365, owners: str = "idp"
) -> str:
    """An EntityDescriptor with a key for each of ``owners``; ``days`` until certificates expire."""
    keys = "".join(
        "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
        f"{builders.certificate(builders.rsa_key(owner), days=days)}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for owner in owners.split()
    )
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{builders.DS}" entityID="{entity_id}"{more}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{builders.SAMLP}">{keys}'
        '<md:SingleSignOnService Location="https://idp.example.com/sso"'
        ' Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"/></md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    )


def aggregate(*documents: str, more: str = "") -> str:
    return (
        f'<md:EntitiesDescriptor xmlns:md="{MD}"{more}>{"".join(documents)}</md:EntitiesDescriptor>'
    )


@dataclass
class Web:
    """A web of one document; it counts its visitors, and may be down."""

    answer: str | None = field(default_factory=document)
    etag: str = ""
    last_modified: str = ""
    visits: int = 0
    unchanged: int = 0
    """How many of the visits were answered with 304."""

    def __call__(self, url: str, known: Validators) -> Fetched:
        self.visits += 1
        if self.answer is None:
            raise UpstreamError(Reason.SAML_METADATA_UNAVAILABLE, "down", received="timeout")
        validators = Validators(self.etag, self.last_modified)
        if known == validators != Validators():
            self.unchanged += 1
            return Fetched(None)
        return Fetched(self.answer.encode(), validators)


@dataclass
class Later:
    """Background work: done at once, or when the test says so."""

    at_once: bool = True
    work: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, work: Callable[[], None]) -> None:
        if self.at_once:
            work()
        else:
            self.work.append(work)

    def run(self) -> None:
        while self.work:
            self.work.pop()()


@dataclass(kw_only=True)
class Installation:
    """What stays when a process ends: the web, the clock and the disk."""

    folder: Path
    web: Web = field(default_factory=Web)
    clock: ManualClock = field(default_factory=lambda: ManualClock(builders.NOW))
    later: Later = field(default_factory=Later)

    def process(
        self,
        *,
        since: float = 0.0,
        capacity: int = 2_000,
        machines: Machines = NoOtherMachines(),  # noqa: B008  # it holds nothing
    ) -> SamlMetadata:
        """A new process: one more worker, or the same after a restart."""
        return SamlMetadata(
            fetch=self.web,
            directory=self.folder / "metadata",
            clock=self.clock,
            since=since,
            capacity=capacity,
            later=self.later,
            chance=lambda: 0.0,
            machines=machines,
        )


def provider(name: str = "Corp", **settings: object) -> IdentityProvider:
    return IdentityProvider(
        name=name,
        type=ProviderType.SAML,
        settings=SamlSettings(**settings),  # type: ignore[arg-type]  # names and values are the test's
    )


def pool(*providers: IdentityProvider) -> UserPool:
    return UserPool(
        id=POOL,
        domains=("https://auth.example.com",),
        issuer="https://auth.example.com",
        providers={p.name: p for p in providers},
    )


REMOTE = provider(metadata_url=URL)
