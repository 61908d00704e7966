"""An identity provider's metadata (SAML metadata 2.0) as an ``IdpDescriptor``.

Reads once what a sign-in needs: where to send requests, and the keys that answers are verified
with, ready for use. Metadata is the trust, so it comes from the administrator's configuration
and never from a message. The keys are read in ``metadata_keys.py``. Where it is fetched and how long
it is kept is the connector's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from broker.model.errors import Reason
from broker.model.urls import web_problem
from broker.saml.algorithms import PublicKey
from broker.saml.instant import read_duration, read_instant
from broker.saml.metadata_keys import KeyLeftOut, VerificationKey, signing_keys
from broker.saml.refusal import refused
from broker.saml.xml import DS, MD, METADATA, SAMLP, Element, XmlError, name, parse

ENTITY = name(MD, "EntityDescriptor")
ENTITIES = name(MD, "EntitiesDescriptor")
IDP_ROLE = name(MD, "IDPSSODescriptor")
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

_SIGN_ON, _LOGOUT = "SingleSignOnService", "SingleLogoutService"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a message goes, and where its answer goes when that is elsewhere."""

    location: str
    response_location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLeftOut:
    """An endpoint of the document that no browser is sent to, for reports.

    ``service`` is its element's name, ``location`` what stands there, and ``problem`` says what is
    wrong with it: it is no URL, or plain http towards another machine.
    """

    service: str
    location: str
    problem: str

    def __str__(self) -> str:
        return f"{self.service} {self.location[:200]!r} {self.problem}"


@dataclass(frozen=True, kw_only=True)
class IdpDescriptor:
    """What the broker knows of an identity provider. At least one endpoint and key is there."""

    entity_id: str
    sso_redirect: str | None
    sso_post: str | None
    slo_redirect: Endpoint | None = None
    slo_post: Endpoint | None = None
    endpoints_left_out: tuple[EndpointLeftOut, ...] = ()
    signing: tuple[VerificationKey, ...] = ()
    keys_left_out: tuple[KeyLeftOut, ...] = ()
    valid_until: float | None = None
    cache_duration: int | None = None
    is_signed_with_sha1: bool = False
    """For reports, as is what was left out."""

    @cached_property
    def keys(self) -> tuple[PublicKey, ...]:
        return tuple(verification.key for verification in self.signing)


def parse_idp_metadata(xml: bytes, entity_id: str | None = None) -> IdpDescriptor:
    """The identity provider that ``xml`` describes; ``entity_id`` picks one of several.

    Raises ``UpstreamError`` when there is none that can be used.
    """
    try:
        root = parse(xml, METADATA)
    except XmlError as fault:
        raise refused(Reason.SAML_METADATA_INVALID, fault.expected, fault.received) from fault
    entity = _entity(root, entity_id)
    role = next(_idp_roles(entity))
    keys = list(signing_keys(role))
    return _checked(
        IdpDescriptor(
            entity_id=entity.get("entityID", ""),
            sso_redirect=_location(role, REDIRECT),
            sso_post=_location(role, POST),
            slo_redirect=_endpoint(role, _LOGOUT, REDIRECT),
            slo_post=_endpoint(role, _LOGOUT, POST),
            endpoints_left_out=tuple(_endpoints_left_out(role)),
            signing=tuple(key for key in keys if isinstance(key, VerificationKey)),
            keys_left_out=tuple(key for key in keys if isinstance(key, KeyLeftOut)),
            valid_until=min(_instants(role), default=None),
            cache_duration=min(_durations(role), default=None),
            is_signed_with_sha1=_is_signed_with_sha1(entity),
        )
    )


def _checked(descriptor: IdpDescriptor) -> IdpDescriptor:
    if not descriptor.signing:
        # Without a key nothing could be verified, and nothing is ever accepted unverified.
        raise refused(
            Reason.SAML_METADATA_NO_KEY,
            "a signing key: RSA of 2048 bits, or an EC key",
            _listed(descriptor.keys_left_out),
        )
    if descriptor.sso_redirect is None and descriptor.sso_post is None:
        raise refused(
            Reason.SAML_METADATA_NO_ENDPOINT,
            "an https SingleSignOnService (redirect, POST)",
            _listed(descriptor.endpoints_left_out),
        )
    return descriptor


def _listed(left_out: Iterable[KeyLeftOut | EndpointLeftOut]) -> str:
    return "; ".join(map(str, left_out)) or "none"


def _entity(root: Element, entity_id: str | None) -> Element:
    """The one identity provider of the document, or of an aggregate the one that was named."""
    entities = [e for e in root.iter(ENTITY) if next(_idp_roles(e), None) is not None]
    if root.tag not in (ENTITY, ENTITIES) or not entities:
        raise refused(Reason.SAML_METADATA_INVALID, "an IDPSSODescriptor", str(root.tag))
    chosen = [e for e in entities if entity_id is None or e.get("entityID") == entity_id]
    if len(chosen) != 1 or not chosen[0].get("entityID"):
        names = ", ".join(e.get("entityID", "") for e in entities[:5])
        raise refused(Reason.SAML_METADATA_ENTITY, entity_id or "one entity", names)
    return chosen[0]


def _idp_roles(entity: Element) -> Iterator[Element]:
    for role in entity.iterchildren(IDP_ROLE):
        if SAMLP in role.get("protocolSupportEnumeration", "").split():
            yield role


def _location(role: Element, binding: str) -> str | None:
    endpoint = _endpoint(role, _SIGN_ON, binding)
    return endpoint.location if endpoint else None


def _endpoint(role: Element, service: str, binding: str) -> Endpoint | None:
    """The first endpoint of that service and binding that a browser may be sent to."""
    for element in _services(role, service, binding):
        location, answer = _address(element, "Location"), _address(element, "ResponseLocation")
        if web_problem(location) is None:
            has_own = web_problem(answer) is None
            return Endpoint(location=location, response_location=answer if has_own else location)
    return None


def _endpoints_left_out(role: Element) -> Iterator[EndpointLeftOut]:
    for service, binding in product((_SIGN_ON, _LOGOUT), (REDIRECT, POST)):
        for element in _services(role, service, binding):
            for attribute in ("Location", "ResponseLocation"):
                location = _address(element, attribute)
                problem = web_problem(location) if attribute in element.attrib else None
                if problem is not None:
                    yield EndpointLeftOut(service=service, location=location, problem=problem)


def _services(role: Element, service: str, binding: str) -> Iterator[Element]:
    for element in role.iterchildren(name(MD, service)):
        if element.get("Binding") == binding:
            yield element


def _address(element: Element, attribute: str) -> str:
    return element.get(attribute, "").strip()


def _is_signed_with_sha1(entity: Element) -> bool:
    """Nobody verifies that signature here, but who makes it so may sign answers so as well."""
    path = "/".join(name(DS, step) for step in ("Signature", "SignedInfo", "SignatureMethod"))
    return any(m.get("Algorithm", "").endswith("sha1") for m in entity.iterfind(path))


def _instants(role: Element) -> Iterator[float]:
    for value in _inherited(role, "validUntil"):
        try:
            yield read_instant(value)
        except ValueError as fault:
            raise refused(Reason.SAML_METADATA_INVALID, "a time in validUntil", value) from fault


def _durations(role: Element) -> Iterator[int]:
    for value in _inherited(role, "cacheDuration"):
        try:
            yield read_duration(value)
        except ValueError as fault:
            raise refused(
                Reason.SAML_METADATA_INVALID, "a duration in cacheDuration", value
            ) from fault


def _inherited(role: Element, attribute: str) -> Iterator[str]:
    """The attribute of the role and of everything around it: the strictest one counts."""
    for element in (role, *role.iterancestors()):
        if value := element.get(attribute):
            yield value.strip()
