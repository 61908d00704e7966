"""AuthnRequest (SAML core 3.4.1): what we ask of an identity provider.

A request is text around an ID and an instant. The text is computed once per provider and kept,
so that a sign-in costs no tree and no escaping.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from broker.model.identifiers import new_uuid
from broker.saml.instant import write_instant
from broker.saml.xml import SAML, SAMLP, escaped

HTTP_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthnRequest:
    """Everything about a request that stays the same from one sign-in to the next."""

    issuer: str
    destination: str
    acs_url: str
    force_authn: bool = False
    name_id_format: str | None = None
    authn_contexts: tuple[str, ...] = ()
    """AuthnContextClassRefs, any of which will do."""

    def xml(self, *, request_id: str, now: float, subject: str | None = None) -> str:
        """The message with this ID, issued now; ``subject`` names who is expected to sign in.

        Raises ``XmlError`` for a value that no XML document can hold.
        """
        head, issuer, tail = _text(self)
        instant = write_instant(now)
        return f'{head} ID="{request_id}" IssueInstant="{instant}"{issuer}{_subject(subject)}{tail}'


def new_id() -> str:
    """An ID nobody can guess (SAML core 1.3.4), and an xs:ID: it begins with no digit."""
    return f"_{new_uuid()}"


@lru_cache(maxsize=4096)
def _text(request: AuthnRequest) -> tuple[str, str, str]:
    head = f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"'
    force = ' ForceAuthn="true"' if request.force_authn else ""
    issuer = (
        f' Version="2.0" Destination="{escaped(request.destination)}"{force}'
        f' AssertionConsumerServiceURL="{escaped(request.acs_url)}" ProtocolBinding="{HTTP_POST}">'
        f"<saml:Issuer>{escaped(request.issuer)}</saml:Issuer>"
    )
    options = f"{_name_id_policy(request.name_id_format)}{_contexts(request.authn_contexts)}"
    return head, issuer, f"{options}</samlp:AuthnRequest>"


def _subject(name: str | None) -> str:
    """Core 3.4.1: who the result is asked for. Of no stated format, since people type it."""
    if name is None:
        return ""
    return f"<saml:Subject><saml:NameID>{escaped(name)}</saml:NameID></saml:Subject>"


def _name_id_policy(name_format: str | None) -> str:
    """Core 3.4.1.1. Left out unless asked for: the provider knows best what it can name."""
    if name_format is None:
        return ""
    return f'<samlp:NameIDPolicy Format="{escaped(name_format)}" AllowCreate="true"/>'


def _contexts(references: tuple[str, ...]) -> str:
    """Core 3.3.2.2.1."""
    if not references:
        return ""
    classes = "".join(
        f"<saml:AuthnContextClassRef>{escaped(reference)}</saml:AuthnContextClassRef>"
        for reference in references
    )
    return (
        f'<samlp:RequestedAuthnContext Comparison="exact">{classes}</samlp:RequestedAuthnContext>'
    )
