"""The service provider metadata of a pool: what an identity provider is set up with.

Its bytes change when its facts do, and not otherwise. It is valid for as long as a certificate in it:
some identity providers that import it once stop talking to us on the day it says. Those that can
fetch it again are asked to do so daily (SAML metadata 2.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509

from broker.model.pool import Logo, Organization
from broker.saml.instant import write_instant
from broker.saml.metadata import POST
from broker.saml.signing import MessageSigner
from broker.saml.xml import DS, MD, MDUI, SAMLP, XENC, XENC11, escaped

_ARMOUR = re.compile(rb"-----[A-Z ]+-----|\s+")
_CACHE_DURATION = "P1D"
_LANGUAGE = "en"
"""Names must be in some language, and which one these are in is not known."""
_ENCRYPTION_METHODS = (
    f"{XENC11}aes256-gcm",
    f"{XENC11}aes128-gcm",
    f"{XENC}aes256-cbc",
    f"{XENC}aes128-cbc",
    f"{XENC}rsa-oaep-mgf1p",
    f"{XENC11}rsa-oaep",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    """The facts of one pool. The first base URL is the default; certificates are PEM, the one in
    use first, the next one after it."""

    entity_id: str
    base_urls: Sequence[str]
    signing: Sequence[bytes]
    encryption: Sequence[bytes]
    organization: Organization | None = None
    display_name: str = ""
    logo: Logo | None = None


def sp_metadata(provider: ServiceProvider, signer: MessageSigner | None = None) -> bytes:
    """An EntityDescriptor with one SPSSODescriptor (SAML metadata 2.4.4), signed if asked to."""
    xml = (
        f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{DS}" ID="{_id(provider)}"'
        f' cacheDuration="{_CACHE_DURATION}" validUntil="{_valid_until(provider.signing)}"'
        f' entityID="{escaped(provider.entity_id)}">'
        f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}">'
        f"{_extensions(provider)}"
        f"{_keys('signing', provider.signing, ())}"
        f"{_keys('encryption', provider.encryption, _ENCRYPTION_METHODS)}"
        f"{_logout_services(provider.base_urls)}{_consumer_services(provider.base_urls)}"
        f"</md:SPSSODescriptor>{_organization(provider.organization)}</md:EntityDescriptor>"
    )
    return signer.enveloped(xml) if signer else xml.encode()


def _id(provider: ServiceProvider) -> str:
    """An xs:ID that stays the same, so that equal metadata is equal bytes."""
    return "_" + re.sub(r"[^A-Za-z0-9_.-]", "_", provider.entity_id)


def _valid_until(signing: Iterable[bytes]) -> str:
    """The end of the last certificate: then, at the latest, there is other metadata."""
    certificates = [x509.load_pem_x509_certificate(pem) for pem in signing]
    return write_instant(max(c.not_valid_after_utc.timestamp() for c in certificates))


def _extensions(provider: ServiceProvider) -> str:
    """What people are shown at the identity provider (SAML metadata UI 2.1)."""
    content = f"{_display_name(provider.display_name)}{_logo(provider.logo)}"
    if not content:
        return ""
    ui_info = f'<mdui:UIInfo xmlns:mdui="{MDUI}">{content}</mdui:UIInfo>'
    return f"<md:Extensions>{ui_info}</md:Extensions>"


def _display_name(display_name: str) -> str:
    if not display_name:
        return ""
    return f'<mdui:DisplayName xml:lang="{_LANGUAGE}">{escaped(display_name)}</mdui:DisplayName>'


def _logo(logo: Logo | None) -> str:
    if logo is None:
        return ""
    size = f'height="{logo.height}" width="{logo.width}"'
    return f"<mdui:Logo {size}>{escaped(logo.url)}</mdui:Logo>"


def _organization(organization: Organization | None) -> str:
    """Who runs this (SAML metadata 2.3.2.1), for the pages of the identity provider."""
    if organization is None:
        return ""
    facts = {
        "OrganizationName": organization.name,
        "OrganizationDisplayName": organization.display_name,
        "OrganizationURL": organization.url,
    }
    content = "".join(
        f'<md:{tag} xml:lang="{_LANGUAGE}">{escaped(text)}</md:{tag}>'
        for tag, text in facts.items()
    )
    return f"<md:Organization>{content}</md:Organization>"


def _keys(use: str, certificates: Iterable[bytes], methods: Iterable[str]) -> str:
    supported = "".join(f'<md:EncryptionMethod Algorithm="{method}"/>' for method in methods)
    return "".join(
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{_ARMOUR.sub(b'', pem).decode()}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"{supported}</md:KeyDescriptor>"
        for pem in certificates
    )


def _logout_services(base_urls: Iterable[str]) -> str:
    return "".join(
        f'<md:SingleLogoutService Binding="{POST}" Location="{escaped(url)}/saml2/logout"/>'
        for url in base_urls
    )


def _consumer_services(base_urls: Iterable[str]) -> str:
    return "".join(
        f'<md:AssertionConsumerService Binding="{POST}" Location="{escaped(url)}/saml2/idpresponse"'
        f' index="{index}"{_DEFAULT if index == 0 else ""}/>'
        for index, url in enumerate(base_urls)
    )


_DEFAULT = ' isDefault="true"'
