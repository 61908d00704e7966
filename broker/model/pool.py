"""A user pool as configured: its clients, identity providers, resource servers and schema.

Everything here is read once from the configuration and never changes while it is served. The
types answer the questions the rest of the broker asks ("does this client allow that provider?"),
so that no caller compares strings of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

STANDARD_ATTRIBUTES = (
    "address",
    "birthdate",
    "email",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
)
"""The 17 standard attributes that can be mapped and written (OIDC Core 5.1)."""

VERIFIED_FLAGS = ("email_verified", "phone_number_verified")
"""Boolean companions of ``email`` and ``phone_number``: readable by default, mappable."""


class ProviderType(StrEnum):
    """``ProviderType`` of an identity provider; the last two are the broker's own."""

    SAML = "SAML"
    OIDC = "OIDC"
    GOOGLE = "Google"
    FACEBOOK = "Facebook"
    AMAZON = "LoginWithAmazon"
    APPLE = "SignInWithApple"
    MICROSOFT = "Microsoft"
    GITHUB = "GitHub"


class Flow(StrEnum):
    """A member of ``AllowedOAuthFlows``."""

    CODE = "code"
    IMPLICIT = "implicit"
    CLIENT_CREDENTIALS = "client_credentials"


class SigningAlgorithm(StrEnum):
    """How a pool signs its tokens. RS256 is what Cognito does; ES256 costs a twelfth."""

    RS256 = "RS256"
    ES256 = "ES256"


class Conformance(StrEnum):
    """Whose value types and attribute placement: Cognito's, or those of OIDC Core."""

    COGNITO = "cognito"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLifetimes:
    """Seconds."""

    access: int = 3600
    id: int = 3600
    refresh: int = 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRotation:
    """``RefreshTokenRotation`` when its ``Feature`` is ``ENABLED``."""

    grace_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppClient:
    """An app client (relying party). ``secret`` is None for a public client."""

    id: str
    name: str = ""
    secret: str | None = field(default=None, repr=False)
    oauth_enabled: bool = False
    flows: frozenset[Flow] = frozenset()
    scopes: tuple[str, ...] = ()
    callback_urls: tuple[str, ...] = ()
    logout_urls: tuple[str, ...] = ()
    default_redirect_uri: str | None = None
    providers: tuple[str, ...] = ()
    """Names in ``SupportedIdentityProviders`` in their order, ``COGNITO`` left out."""
    read_attributes: frozenset[str] = frozenset((*STANDARD_ATTRIBUTES, *VERIFIED_FLAGS))
    write_attributes: frozenset[str] | None = None
    """None (``WriteAttributes`` not set): every mapped attribute may be written."""
    lifetimes: TokenLifetimes = TokenLifetimes()
    revocation: bool = True
    rotation: RefreshRotation | None = None
    require_pkce: bool = False

    @property
    def is_public(self) -> bool:
        return self.secret is None

    @property
    def revokes(self) -> bool:
        """Whether its tokens can be revoked, and name the family they are of (``origin_jti``)."""
        return self.revocation or self.rotation is not None

    def allows(self, flow: Flow) -> bool:
        """Whether this client may use ``flow``; ``AllowedOAuthFlowsUserPoolClient`` rules all."""
        return self.oauth_enabled and flow in self.flows

    def supports(self, provider: str) -> bool:
        return provider in self.providers


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlSettings:
    """``ProviderDetails`` of a SAML provider. Exactly one of the three metadata sources is set."""

    metadata_url: str | None = None
    metadata_path: str | None = None
    metadata_xml: str | None = field(default=None, repr=False)
    idp_signout: bool = False
    idp_init: bool = False
    encrypted_responses: bool = False
    sign_requests: bool = False
    entity_id: str | None = None
    allow_sha1: bool = False
    force_authn: bool = False
    send_login_hint: bool = False
    name_id_format: str | None = None
    requested_authn_context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """``ProviderDetails`` of an OIDC or social provider. URLs left out are discovered or built in."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: str = ""
    """As configured: the separator (space, or Facebook's comma) is the provider's business."""
    issuer: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    attributes_url: str | None = None
    jwks_uri: str | None = None
    attributes_method: str = "GET"
    idp_signout: bool = False
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Keys of one provider only: ``api_version``, ``team_id``, ``key_id``, ``private_key`` ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """One upstream identity provider of a pool."""

    name: str
    type: ProviderType
    settings: SamlSettings | OAuthSettings
    attribute_mapping: Mapping[str, str] = field(default_factory=dict)
    """Pool attribute -> the IdP's claim or ``Attribute@Name``."""
    identifiers: tuple[str, ...] = ()
    """Lower-cased ``IdpIdentifiers``."""

    @property
    def saml(self) -> SamlSettings:
        """The settings of a SAML provider. Of another one they are none: ``TypeError``."""
        if not isinstance(self.settings, SamlSettings):
            raise TypeError(f"{self.name} is of another type than SAML")
        return self.settings

    def username(self, subject: str) -> str:
        return f"{self.name}_{subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaAttribute:
    """One attribute of the pool's schema; ``custom:`` is part of a custom attribute's name."""

    name: str
    data_type: str = "String"
    mutable: bool = True
    required: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServer:
    identifier: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    """Scope names without the identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Who runs a pool, for identity providers to show."""

    name: str
    display_name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """An image of a pool, for identity providers to show; its size is in pixels."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class UserPool:
    """One tenant. ``domains`` are base URLs without a trailing slash; the first is the main one."""

    id: str
    name: str = ""
    domains: tuple[str, ...]
    issuer: str
    clients: Mapping[str, AppClient] = field(default_factory=dict)
    providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    resource_servers: Mapping[str, ResourceServer] = field(default_factory=dict)
    schema: Mapping[str, SchemaAttribute] = field(default_factory=dict)
    signing_algorithm: SigningAlgorithm = SigningAlgorithm.RS256
    conformance: Conformance = Conformance.COGNITO
    case_sensitive: bool = True
    supplementary_characters: bool = False
    """Whether attributes of SAML providers may have characters that are four bytes in UTF-8."""
    organization: Organization | None = None
    display_name: str = ""
    """What identity providers call the pool to people."""
    logo: Logo | None = None

    @property
    def domain(self) -> str:
        return self.domains[0]

    def as_kept(self, username: str) -> str:
        """A user name as the pool keeps it: one that ignores case keeps lower case."""
        return username if self.case_sensitive else username.lower()

    def group_of(self, provider: IdentityProvider) -> str:
        """The group that everybody is in who came by ``provider``."""
        return f"{self.id}_{provider.name}"

    @property
    def sp_entity_id(self) -> str:
        """The entity id and audience of the pool as SAML service provider."""
        return f"urn:amazon:cognito:sp:{self.id}"

    @cached_property
    def custom_scopes(self) -> frozenset[str]:
        return frozenset(
            f"{server.identifier}/{scope}"
            for server in self.resource_servers.values()
            for scope in server.scopes
        )

    @cached_property
    def longest_refresh(self) -> int:
        """For how many seconds a refresh token of any client may be good."""
        return max((client.lifetimes.refresh for client in self.clients.values()), default=0)

    @cached_property
    def required_attributes(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.schema.values() if a.required and a.name != "sub")

    @cached_property
    def _by_identifier(self) -> Mapping[str, IdentityProvider]:
        return {i: p for p in self.providers.values() for i in p.identifiers}

    def provider_by_identifier(self, identifier: str) -> IdentityProvider | None:
        """The provider that lists ``identifier``, compared lower-cased."""
        return self._by_identifier.get(identifier.lower())

    def providers_of(self, client: AppClient) -> tuple[IdentityProvider, ...]:
        """The client's providers that exist, in the client's order."""
        return tuple(self.providers[n] for n in client.providers if n in self.providers)
