"""Single logout as the identity provider sees it (SAML profiles 4.4), signed with the kit's keys.

The broker's LogoutRequest comes by redirect and is always signed; answers and requests of the
provider go back as posted forms, because ``/saml2/logout`` takes nothing else.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from lxml import etree

from tests.kit.saml_crypto import sign
from tests.kit.saml_document import ASSERTION, PROTOCOL, SUCCESS, instant
from tests.kit.saml_idp import SamlIdp, encode, fresh_id, verify_redirect
from tests.kit.saml_keys import KeyPair


@dataclass(frozen=True, kw_only=True)
class LogoutRequest:
    """What the provider took from the broker's request (SAML core 3.7.1)."""

    id: str
    issuer: str
    name_id: str
    name_id_format: str | None
    session_index: str | None
    relay_state: str | None


def read_logout_request(idp: SamlIdp, url: str, certificate: x509.Certificate) -> LogoutRequest:
    """The LogoutRequest in a redirect; unsigned or wrongly signed ones fail the test."""
    assert url.startswith(f"{idp.url}/slo?"), url
    verify_redirect(url, certificate)
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    root = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15))
    assert root.tag == f"{{{PROTOCOL}}}LogoutRequest", root.tag
    name_id = root.find(f"{{{ASSERTION}}}NameID")
    assert name_id is not None
    return LogoutRequest(
        id=root.attrib["ID"],
        issuer=root.findtext(f"{{{ASSERTION}}}Issuer") or "",
        name_id=name_id.text or "",
        name_id_format=name_id.get("Format"),
        session_index=root.findtext(f"{{{PROTOCOL}}}SessionIndex"),
        relay_state=query.get("RelayState", [None])[0],
    )


def logout_response(
    idp: SamlIdp,
    *,
    in_response_to: str,
    destination: str,
    issuer: str | None = None,
    status: str = SUCCESS,
    pair: KeyPair | None = None,
    signed: bool = True,
) -> str:
    """The ``SAMLResponse`` form value of a LogoutResponse."""
    body = f"<samlp:Status><samlp:StatusCode Value={quoteattr(status)}/></samlp:Status>"
    root = _message(idp, "LogoutResponse", destination, issuer, body)
    root.set("InResponseTo", in_response_to)
    return _signed(idp, root, pair, signed=signed)


def logout_request(
    idp: SamlIdp,
    *,
    name_id: str,
    destination: str,
    session_index: str | None = None,
    name_id_format: str | None = None,
    issuer: str | None = None,
    not_on_or_after: float | None = None,
    issue_instant: float | None = None,
    pair: KeyPair | None = None,
    signed: bool = True,
) -> str:
    """The ``SAMLRequest`` form value of a LogoutRequest that the provider begins."""
    form = f" Format={quoteattr(name_id_format)}" if name_id_format else ""
    body = f"<saml:NameID{form}>{escape(name_id)}</saml:NameID>"
    if session_index is not None:
        body += f"<samlp:SessionIndex>{escape(session_index)}</samlp:SessionIndex>"
    root = _message(idp, "LogoutRequest", destination, issuer, body)
    if issue_instant is not None:
        root.set("IssueInstant", instant(issue_instant))
    if not_on_or_after is not None:
        root.set("NotOnOrAfter", instant(not_on_or_after))
    return _signed(idp, root, pair, signed=signed)


def _message(
    idp: SamlIdp, name: str, destination: str, issuer: str | None, body: str
) -> etree._Element:
    return etree.fromstring(
        f'<samlp:{name} xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="{fresh_id()}" '
        f'Version="2.0" IssueInstant="{instant(idp.clock.now())}" '
        f"Destination={quoteattr(destination)}>"
        f"<saml:Issuer>{escape(issuer or idp.entity_id)}</saml:Issuer>{body}</samlp:{name}>"
    )


def _signed(idp: SamlIdp, root: etree._Element, pair: KeyPair | None, *, signed: bool) -> str:
    if signed:
        sign(root, pair or idp.keys[0])
    return encode(root)
