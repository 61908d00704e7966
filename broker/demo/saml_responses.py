"""What the demo's SAML identity provider sends: its metadata, assertions, logout answers."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lxml import etree

from broker.demo.people import Person
from broker.demo.saml_requests import ServiceProvider
from broker.demo.saml_xml import (
    EMAIL_NAME_ID,
    POST,
    PROTOCOL,
    REDIRECT,
    XML,
    Signer,
    element,
    instant,
    new_id,
)

EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
NAME = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
GROUPS = "http://schemas.xmlsoap.org/claims/Group"
"""The attribute names: those of Microsoft's directories, which most mappings are written for."""

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
REQUESTER = "urn:oasis:names:tc:SAML:2.0:status:Requester"
UNKNOWN_PRINCIPAL = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"

_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
_URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
_ASSERTION_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One sign-in to be asserted. ``request_id`` is None when nobody asked (IdP-initiated)."""

    person: Person
    session_index: str
    request_id: str | None


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes and signs in the name of one identity provider."""

    entity_id: str
    signer: Signer

    def metadata(self, *, sso_url: str, logout_url: str) -> bytes:
        """The provider's ``EntityDescriptor`` (SAML Metadata 2.4.3)."""
        role = element(
            "md:IDPSSODescriptor",
            element("md:KeyDescriptor", self._key_info(), use="signing"),
            element("md:SingleLogoutService", Binding=REDIRECT, Location=logout_url),
            element("md:NameIDFormat", EMAIL_NAME_ID),
            element("md:SingleSignOnService", Binding=REDIRECT, Location=sso_url),
            element("md:SingleSignOnService", Binding=POST, Location=sso_url),
            protocolSupportEnumeration=PROTOCOL,
        )
        return etree.tostring(element("md:EntityDescriptor", role, entityID=self.entity_id))

    def response(self, sign_in: SignIn, provider: ServiceProvider, *, now: float) -> bytes:
        """A Response of the Web SSO profile (SAML Profiles 4.1.4.2), its assertion signed."""
        assertion = element(
            "saml:Assertion",
            element("saml:Issuer", self.entity_id),
            _subject(sign_in, provider, now=now),
            _conditions(provider, now=now),
            _authn_statement(sign_in, now=now),
            _attributes(sign_in.person),
            ID=new_id(),
            Version="2.0",
            IssueInstant=instant(now),
        )
        message = element(
            "samlp:Response",
            element("saml:Issuer", self.entity_id),
            element("samlp:Status", element("samlp:StatusCode", Value=SUCCESS)),
            assertion,
            ID=new_id(),
            Version="2.0",
            IssueInstant=instant(now),
            Destination=provider.acs_url,
            InResponseTo=sign_in.request_id,
        )
        self.signer.sign(assertion)
        return etree.tostring(message)

    def logout_response(
        self, *, request_id: str, destination: str, known: bool, now: float
    ) -> bytes:
        """A signed LogoutResponse (SAML Core 3.7.2)."""
        message = element(
            "samlp:LogoutResponse",
            element("saml:Issuer", self.entity_id),
            element("samlp:Status", _logout_status(known=known)),
            ID=new_id(),
            Version="2.0",
            IssueInstant=instant(now),
            Destination=destination,
            InResponseTo=request_id,
        )
        self.signer.sign(message)
        return etree.tostring(message)

    def _key_info(self) -> XML:
        body = "".join(self.signer.key.certificate_pem.decode().splitlines()[1:-1])
        return element("ds:KeyInfo", element("ds:X509Data", element("ds:X509Certificate", body)))


def posted(message: bytes) -> str:
    """The value of the form field in the HTTP-POST binding (SAML Bindings 3.5.4)."""
    return base64.b64encode(message).decode()


def _logout_status(*, known: bool) -> XML:
    if known:
        return element("samlp:StatusCode", Value=SUCCESS)
    detail = element("samlp:StatusCode", Value=UNKNOWN_PRINCIPAL)
    return element("samlp:StatusCode", detail, Value=REQUESTER)


def _subject(sign_in: SignIn, provider: ServiceProvider, *, now: float) -> XML:
    """The person, confirmed as bearer of this message and to this address only (4.1.4.2)."""
    data = element(
        "saml:SubjectConfirmationData",
        NotOnOrAfter=instant(now + _ASSERTION_SECONDS),
        Recipient=provider.acs_url,
        InResponseTo=sign_in.request_id,
    )
    return element(
        "saml:Subject",
        element("saml:NameID", sign_in.person.email, Format=EMAIL_NAME_ID),
        element("saml:SubjectConfirmation", data, Method=_BEARER),
    )


def _conditions(provider: ServiceProvider, *, now: float) -> XML:
    audience = element("saml:Audience", provider.entity_id)
    return element(
        "saml:Conditions",
        element("saml:AudienceRestriction", audience),
        NotBefore=instant(now),
        NotOnOrAfter=instant(now + _ASSERTION_SECONDS),
    )


def _authn_statement(sign_in: SignIn, *, now: float) -> XML:
    context = element("saml:AuthnContextClassRef", _UNSPECIFIED)
    return element(
        "saml:AuthnStatement",
        element("saml:AuthnContext", context),
        AuthnInstant=instant(now),
        SessionIndex=sign_in.session_index,
    )


def _attributes(person: Person) -> XML:
    values = {EMAIL: (person.email,), NAME: (person.name,), GROUPS: person.groups}
    return element(
        "saml:AttributeStatement",
        *(_attribute(name, texts) for name, texts in values.items() if texts),
    )


def _attribute(name: str, texts: tuple[str, ...]) -> XML:
    cells = [element("saml:AttributeValue", text) for text in texts]
    return element("saml:Attribute", *cells, Name=name, NameFormat=_URI)
