"""A SAML identity provider in the test process: reads AuthnRequests, answers them, really signs.

Owns the protocol side of a test login. It believes nobody and checks what it is sent (the request's
signature when there is one), so a test that signs in has also proven the request. Whatever a test
wants different it names::

    idp = SamlIdp(clock=clock)
    request = idp.read_request(location)
    form = idp.post(request, name_id="bob", attributes={"email": ["b@x.test"]}, sign="response")
"""

from __future__ import annotations

import base64
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from broker.ports import Clock
from tests.kit.saml_crypto import Encryption, sign
from tests.kit.saml_document import ASSERTION, PROTOCOL, Answer, Markup, render
from tests.kit.saml_keys import KeyPair, key_pair

METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

Signed = Literal["assertion", "response", "both", "none"]
Edit = Callable[[etree._Element], None]


@dataclass(frozen=True, kw_only=True)
class AuthnRequest:
    """What the provider took from a request (SAML core 3.4.1). ``id`` None: nobody asked."""

    acs: str
    issuer: str
    id: str | None = None
    relay_state: str | None = None
    destination: str | None = None
    signed: bool = False
    document: etree._Element | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Signing:
    """How to sign. ``pair`` None takes the provider's first key."""

    pair: KeyPair | None = None
    hash_name: str = "sha256"
    digest_name: str = ""
    inclusive_prefixes: Sequence[str] = ()
    key_info: KeyPair | None = None


@dataclass(frozen=True, kw_only=True)
class SamlIdp:
    """An identity provider. Its first key signs; all of them stand in its metadata."""

    clock: Clock
    entity_id: str = "https://idp.example/saml/metadata"
    url: str = "https://idp.example/saml"
    keys: tuple[KeyPair, ...] = field(default_factory=lambda: (key_pair("idp"),))

    # -- metadata ---------------------------------------------------------------------------

    def metadata(
        self,
        *,
        use: str | None = "signing",
        bindings: Sequence[str] = ("Redirect", "POST"),
        logout: bool = True,
    ) -> str:
        """The EntityDescriptor (SAML metadata 2.4.3), with every key of ``keys``."""
        uses = f' use="{use}"' if use else ""
        keys = "".join(
            f'<md:KeyDescriptor{uses}><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data>'
            f"<ds:X509Certificate>{pair.certificate_base64}</ds:X509Certificate>"
            "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for pair in self.keys
        )
        endpoints = [
            f'<md:{name} Binding="{BINDING}{binding}" Location="{self.url}/{path}"/>'
            for name, path in (("SingleLogoutService", "slo"), ("SingleSignOnService", "sso"))
            if logout or path == "sso"
            for binding in bindings
        ]
        return (
            f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID="{self.entity_id}">'
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">'
            f"{keys}{''.join(endpoints)}</md:IDPSSODescriptor></md:EntityDescriptor>"
        )

    # -- requests ---------------------------------------------------------------------------

    def read_request(
        self, url: str, *, certificate: x509.Certificate | None = None
    ) -> AuthnRequest:
        """The AuthnRequest in a redirect (SAML bindings 3.4.4).

        A signature that is present is verified against ``certificate``, the broker's own.
        """
        query = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
        assert url.startswith(f"{self.url}/sso?"), url
        message = zlib.decompress(base64.b64decode(query["SAMLRequest"][0], validate=True), -15)
        if "Signature" in query:
            assert certificate is not None, "the request is signed: pass the broker's certificate"
            verify_redirect(url, certificate)
        return _authn_request(message, query.get("RelayState", [None])[0], "Signature" in query)

    def read_posted_request(
        self, form: Mapping[str, str], *, certificate: x509.Certificate | None = None
    ) -> AuthnRequest:
        """The AuthnRequest in a form (SAML bindings 3.5.4); verified like ``read_request``."""
        message = base64.b64decode(form["SAMLRequest"], validate=True)
        signature = etree.fromstring(message).find(f"{{{DSIG}}}Signature")
        if signature is not None:
            assert certificate is not None, "the request is signed: pass the broker's certificate"
            verify_enveloped(message, certificate)
        return _authn_request(message, form.get("RelayState"), signature is not None)

    # -- answers ----------------------------------------------------------------------------

    def answer(self, request: AuthnRequest) -> Answer:
        """What a good identity provider says to ``request``."""
        now = self.clock.now()
        return Answer(
            response_id=fresh_id(),
            assertion_id=fresh_id(),
            response_issuer=self.entity_id,
            assertion_issuer=self.entity_id,
            destination=request.acs,
            recipient=request.acs,
            in_response_to=request.id,
            confirmation_in_response_to=request.id,
            audiences=(request.issuer,),
            issue_instant=now,
            response_issue_instant=now,
            authn_instant=now,
            not_before=now - 30,
            not_on_or_after=now + 300,
            confirmation_not_on_or_after=now + 300,
            session_not_on_or_after=now + 8 * 3600,
        )

    def document(
        self,
        request: AuthnRequest,
        *,
        sign: Signed = "assertion",
        signing: Signing | None = None,
        encryption: Encryption | None = None,
        markup: Markup | None = None,
        edit: Edit | None = None,
        **said: Any,
    ) -> etree._Element:
        """The Response as a tree. ``said`` replaces fields of ``Answer``.

        ``edit`` changes the document before anything is signed: for what ``Answer`` cannot say.
        """
        markup = markup or Markup()
        unknown = said.keys() - {each.name for each in fields(Answer)}
        assert not unknown, f"Answer has no {unknown}"
        response = render(replace(self.answer(request), **said), markup)
        if edit:
            edit(response)
        assertion = response.find(f"{{{ASSERTION}}}Assertion")
        if sign in {"assertion", "both"}:
            self._sign(assertion, signing, markup)
        if encryption:
            plaintext = etree.tostring(assertion, with_tail=False)
            response.replace(assertion, encryption.encrypt(plaintext))
        if sign in {"response", "both"}:
            self._sign(response, signing, markup)
        # lxml does not find every node that libxmlsec has made: it compares names by address.
        return etree.fromstring(etree.tostring(response))

    def respond(self, request: AuthnRequest, **how: Any) -> str:
        """The ``SAMLResponse`` form value; arguments as for ``document``."""
        return encode(self.document(request, **how))

    def post(self, request: AuthnRequest, **how: Any) -> dict[str, str]:
        """The form the browser posts to the ACS (SAML bindings 3.5.4)."""
        form = {"SAMLResponse": self.respond(request, **how)}
        if request.relay_state is not None:
            form["RelayState"] = request.relay_state
        return form

    def _sign(self, element: etree._Element, signing: Signing | None, markup: Markup) -> None:
        signing = signing or Signing()
        sign(
            element,
            signing.pair or self.keys[0],
            hash_name=signing.hash_name,
            digest_name=signing.digest_name,
            prefix=markup.signature,
            inclusive_prefixes=signing.inclusive_prefixes,
            key_info=signing.key_info,
        )


def encode(response: etree._Element) -> str:
    """A tree as the base64 of the POST binding."""
    return base64.b64encode(etree.tostring(response)).decode()


def fresh_id() -> str:
    return "_" + secrets.token_hex(16)


def verify_redirect(url: str, certificate: x509.Certificate) -> None:
    """Verify a redirect-binding signature over the query's own octets (SAML bindings 3.4.4.1)."""
    raw = dict(part.split("=", 1) for part in urlsplit(url).query.split("&"))
    message = next(name for name in ("SAMLRequest", "SAMLResponse") if name in raw)
    signed = "&".join(f"{n}={raw[n]}" for n in (message, "RelayState", "SigAlg") if n in raw)
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query["SigAlg"] == [RSA_SHA256], query["SigAlg"]
    public = certificate.public_key()
    assert isinstance(public, RSAPublicKey)
    signature = base64.b64decode(query["Signature"][0], validate=True)
    public.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def verify_enveloped(message: bytes, certificate: x509.Certificate) -> None:
    """Verify the enveloped signature of a posted message with libxmlsec."""
    root = etree.fromstring(message)
    context = xmlsec.SignatureContext()
    context.register_id(root, "ID")
    pem = certificate.public_bytes(Encoding.PEM)
    context.key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.CERT_PEM)
    context.verify(root.find(f"{{{DSIG}}}Signature"))


def _authn_request(message: bytes, relay_state: str | None, signed: bool) -> AuthnRequest:
    root = etree.fromstring(message)
    assert root.tag == f"{{{PROTOCOL}}}AuthnRequest", root.tag
    return AuthnRequest(
        id=root.attrib["ID"],
        acs=root.attrib["AssertionConsumerServiceURL"],
        issuer=root.findtext(f"{{{ASSERTION}}}Issuer") or "",
        relay_state=relay_state,
        destination=root.get("Destination"),
        signed=signed,
        document=root,
    )
