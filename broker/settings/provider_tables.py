"""The members of ``ProviderDetails``, by provider type.

A type's URLs override the ones its connector has built in, or finds by discovery. The names in
``let_through`` are those that DescribeIdentityProvider adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from broker.model.pool import ProviderType
from broker.model.urls import web_problem
from broker.settings import rules, urls
from broker.settings.kinds import Boolean, Choice, Text
from broker.settings.members import Member, Table, table

_PRESENT = Text(must=rules.not_empty)
_WRITTEN = Text(must=rules.text)
_FETCHED = Text(must=web_problem)

SAML_OWN = (
    Member("EntityId", _PRESENT, "The broker's own. Which entity of the metadata is meant."),
    Member(
        "AllowSha1",
        Boolean(),
        "The broker's own. Whether SHA-1 signatures of this provider are accepted.",
        default="false",
    ),
    Member(
        "ForceAuthn",
        Boolean(),
        "The broker's own. Whether the provider must ask its users again.",
        default="false",
    ),
    Member(
        "SendLoginHint",
        Boolean(),
        "The broker's own. Whether login_hint is sent as the Subject of the request.",
        default="false",
    ),
    Member("NameIDFormat", _WRITTEN, "The broker's own. The NameID format to ask for."),
    Member(
        "RequestedAuthnContext", _WRITTEN, "The broker's own. The AuthnContextClassRef to ask for."
    ),
)
"""Members of a SAML provider's details that may stand beside ``ProviderDetails`` as well."""

_SAML = table(
    "SAML",
    Member("MetadataURL", _FETCHED, "Where the provider's metadata is. This or MetadataFile."),
    Member(
        "MetadataFile",
        _PRESENT,
        "The metadata itself (text that begins with <), or the path of a file with it.",
    ),
    Member("IDPSignout", Boolean(), "Whether /logout signs out there too.", default="false"),
    Member("IDPInit", Boolean(), "Whether sign-in may begin at the provider.", default="false"),
    Member(
        "EncryptedResponses",
        Boolean(),
        "Whether assertions must be encrypted.",
        default="false",
    ),
    Member(
        "RequestSigningAlgorithm",
        Choice(words=("rsa-sha256",)),
        "Set: requests to the provider are signed.",
    ),
    *SAML_OWN,
    let_through="SSORedirectBindingURI SLORedirectBindingURI ActiveEncryptionCertificate",
)

_ISSUER = Member("oidc_issuer", Text(must=urls.issuer_problem), "The provider's issuer.")

_ENDPOINTS = (
    Member("authorize_url", _FETCHED, "Its authorization endpoint."),
    Member("token_url", _FETCHED, "Its token endpoint."),
    Member("attributes_url", _FETCHED, "Its userinfo endpoint."),
    Member("jwks_uri", _FETCHED, "Its keys."),
    Member("IDPSignout", Boolean(), "Whether /logout signs out there too.", default="false"),
)

_CLIENT = (
    Member("client_id", _PRESENT, "What the provider calls this broker.", required=True),
    Member("authorize_scopes", Text(), "The scopes to ask for, separated as the provider likes."),
)

_SECRET = Member("client_secret", _PRESENT, "The secret shared with it.")

_PRIVATE_KEY = (
    Member("private_key", _PRESENT, "The broker's private key, PEM with or without armour."),
    Member("key_id", _PRESENT, "The id of that key."),
)

_SIGNATURES = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)

_SIGNED = (
    *_PRIVATE_KEY,
    Member(
        "token_endpoint_auth_signing_alg",
        Choice(words=_SIGNATURES),
        "The broker's own. How private_key_jwt is signed with private_key.",
    ),
    Member(
        "id_token_signed_response_alg",
        Choice(words=(*_SIGNATURES, "HS256", "HS384", "HS512")),
        "The broker's own. The one algorithm its ID tokens may have.",
        default="any of RSA, EC and EdDSA",
    ),
)
"""What a provider of plain OpenID Connect may ask for besides."""

_METHOD = Member(
    "attributes_request_method",
    Choice(words=("GET", "POST")),
    "How the userinfo endpoint is called.",
    default="GET",
)

_ADDED = "attributes_url_add_attributes token_request_method"


def _details(provider: ProviderType, *members: Member, issuer: Member = _ISSUER) -> Table:
    return table(provider, *_CLIENT, *members, issuer, *_ENDPOINTS, _METHOD, let_through=_ADDED)


DETAILS: Mapping[str, Table] = {
    ProviderType.SAML: _SAML,
    ProviderType.OIDC: _details(
        ProviderType.OIDC, _SECRET, *_SIGNED, issuer=replace(_ISSUER, required=True)
    ),
    ProviderType.GOOGLE: _details(ProviderType.GOOGLE, _SECRET),
    ProviderType.FACEBOOK: _details(
        ProviderType.FACEBOOK,
        _SECRET,
        Member("api_version", _PRESENT, "Of the Graph API.", default="v17.0"),
    ),
    ProviderType.AMAZON: _details(ProviderType.AMAZON, _SECRET),
    ProviderType.APPLE: _details(
        ProviderType.APPLE,
        Member("team_id", _PRESENT, "The Apple developer team.", required=True),
        *(replace(member, required=True) for member in _PRIVATE_KEY),
    ),
    ProviderType.MICROSOFT: _details(
        ProviderType.MICROSOFT,
        _SECRET,
        *_SIGNED,
        Member("tenant", _PRESENT, "Its id or domain, or organizations.", default="common"),
    ),
    ProviderType.GITHUB: _details(ProviderType.GITHUB, _SECRET),
}

EXTRA = (
    *("api_version", "team_id", "tenant", "private_key", "key_id"),
    *("token_endpoint_auth_signing_alg", "id_token_signed_response_alg"),
)
"""Members of some provider types only: they go to the connector by name."""
