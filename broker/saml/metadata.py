"""An identity provider's metadata (SAML metadata 2.0) as an ``IdpDescriptor``.

Reads once what a sign-in needs: where to send requests, and the keys that answers are verified
with, ready for use. Metadata is the trust, so it comes from the administrator's configuration
and never from a message. Where it is fetched and how long it is kept is the connector's business.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.model.errors import Reason
from broker.model.urls import web_problem
from broker.saml.algorithms import PublicKey, is_strong
from broker.saml.instant import read_duration, read_instant
from broker.saml.refusal import refused
from broker.saml.xml import DS, MD, METADATA, SAMLP, Element, XmlError, children, name, parse, text

ENTITY = name(MD, "EntityDescriptor")
ENTITIES = name(MD, "EntitiesDescriptor")
IDP_ROLE = name(MD, "IDPSSODescriptor")
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

_ARMOUR = re.compile(r"-----[A-Z ]+-----|\s+")
_SIGN_ON, _LOGOUT = "SingleSignOnService", "SingleLogoutService"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A key the provider may sign with.

    For reports only: ``expires_at``, which is its certificate's, and ``is_for_any_use``, which is so
    where the document does not say what it is for: it may be the one that is encrypted to.
    """

    key: PublicKey
    expires_at: float
    is_for_any_use: bool = False


class Unusable(StrEnum):
    """Why a certificate gives no key to verify with."""

    UNREADABLE = "unreadable"
    TOO_WEAK = "too weak"
    WRONG_KIND = "of a kind that SAML signatures are not made with here"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLeftOut:
    """A certificate of the document that no signature is verified with, for reports.

    One that has expired is not among them: it counts (see ``VerificationKey.expires_at``).
    """

    why: Unusable
    detail: str
    """What kind of key, or what the reader made of it. Fit for the log."""


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
    keys = list(_signing_keys(role))
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
        )
    )


def _checked(descriptor: IdpDescriptor) -> IdpDescriptor:
    if not descriptor.signing:
        # Without a key nothing could be verified, and nothing is ever accepted unverified.
        raise refused(
            Reason.SAML_METADATA_NO_KEY, "a signing key: RSA of 2048 bits, or an EC key", "none"
        )
    if descriptor.sso_redirect is None and descriptor.sso_post is None:
        raise refused(
            Reason.SAML_METADATA_NO_ENDPOINT,
            "an https SingleSignOnService (redirect, POST)",
            "none",
        )
    return descriptor


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


def _signing_keys(role: Element) -> Iterator[VerificationKey | KeyLeftOut]:
    """Certificates for signing; one without ``use`` is for everything (metadata 2.4.1.1).

    A certificate is a container for its key here: its dates and its issuer are not consulted.
    """
    for descriptor in children(role, name(MD, "KeyDescriptor")):
        use = descriptor.get("use")
        if use in (None, "signing"):
            for certificate in descriptor.iter(name(DS, "X509Certificate")):
                yield _read_key(text(certificate), is_for_any_use=use is None)


def _read_key(encoded: str, *, is_for_any_use: bool) -> VerificationKey | KeyLeftOut:
    """One that cannot be used is left out, and hides no other one of the provider."""
    try:
        certificate = x509.load_der_x509_certificate(b64decode(_ARMOUR.sub("", encoded)))
        key = certificate.public_key()
        expires_at = certificate.not_valid_after_utc.timestamp()
    except UnsupportedAlgorithm as fault:
        return KeyLeftOut(why=Unusable.WRONG_KIND, detail=str(fault)[:120])
    except Exception as fault:  # noqa: BLE001  # x509.InvalidVersion and its like share no base class
        return KeyLeftOut(why=Unusable.UNREADABLE, detail=type(fault).__name__)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return KeyLeftOut(why=Unusable.WRONG_KIND, detail=type(key).__name__)
    if not is_strong(key):
        return KeyLeftOut(why=Unusable.TOO_WEAK, detail=_described(key))
    return VerificationKey(key=key, expires_at=expires_at, is_for_any_use=is_for_any_use)


def _described(key: PublicKey) -> str:
    kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else key.curve.name
    return f"{kind}, {key.key_size} bits"


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
