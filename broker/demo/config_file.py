"""The configuration the demo's broker is started with: what a user would write, generated.

One pool, one confidential client, one provider of each protocol.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

import yaml

from broker.demo import saml_responses

POOL_ID = "local_Demo01"
SAML_PROVIDER = "DemoSAML"
OIDC_PROVIDER = "DemoOIDC"
SAML_METADATA_FILE = "saml-idp.xml"
_CLIENT_ID = "sampleapp"
_UPSTREAM_CLIENT_ID = "demo-broker"
_ATTRIBUTES = ["email", "email_verified", "name", "custom:groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything answers. The identity providers have another host name than the broker, so
    that browsers see what they see in life: messages from one site to another."""

    broker: str
    app: str
    saml_idp: str
    oidc_op: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the demo's four parties agreed on."""

    at: Addresses
    client_id: str = _CLIENT_ID
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    upstream_client_id: str = _UPSTREAM_CLIENT_ID
    upstream_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def issuer(self) -> str:
        return f"{self.at.broker}/{POOL_ID}"

    @property
    def unsolicited_relay_state(self) -> str:
        """Where sign-in that begins at the SAML provider ends: the app's own door for it."""
        return urlencode(
            {
                "identity_provider": SAML_PROVIDER,
                "client_id": self.client_id,
                "redirect_uri": f"{self.at.app}/start",
                "response_type": "code",
                "scope": "openid email profile",
            }
        )

    def config_file(self) -> str:
        """``broker.yaml`` for ``broker serve``."""
        pool = {
            "Id": POOL_ID,
            "Name": "demo",
            "Domain": self.at.broker,
            "SchemaAttributes": [
                {"Name": "groups", "AttributeDataType": "String", "Mutable": True},
            ],
            "UserPoolClients": [self._client()],
            "IdentityProviders": [self._saml_provider(), self._oidc_provider()],
        }
        return yaml.safe_dump({"UserPools": [pool]}, sort_keys=False)

    def _client(self) -> dict[str, object]:
        return {
            "ClientId": self.client_id,
            "ClientName": "Sample app",
            "ClientSecret": self.client_secret,
            "CallbackURLs": [f"{self.at.app}/callback", f"{self.at.app}/start"],
            "LogoutURLs": [f"{self.at.app}/"],
            "AllowedOAuthFlowsUserPoolClient": True,
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": ["openid", "email", "profile"],
            "SupportedIdentityProviders": [SAML_PROVIDER, OIDC_PROVIDER],
            "ReadAttributes": _ATTRIBUTES,
            "WriteAttributes": _ATTRIBUTES,
        }

    def _saml_provider(self) -> dict[str, object]:
        return {
            "ProviderName": SAML_PROVIDER,
            "ProviderType": "SAML",
            "ProviderDetails": {
                "MetadataFile": SAML_METADATA_FILE,
                "RequestSigningAlgorithm": "rsa-sha256",
                "IDPSignout": "true",
                "IDPInit": "true",
            },
            "AttributeMapping": {
                "email": saml_responses.EMAIL,
                "name": saml_responses.NAME,
                "custom:groups": saml_responses.GROUPS,
            },
        }

    def _oidc_provider(self) -> dict[str, object]:
        return {
            "ProviderName": OIDC_PROVIDER,
            "ProviderType": "OIDC",
            "ProviderDetails": {
                "oidc_issuer": self.at.oidc_op,
                "client_id": self.upstream_client_id,
                "client_secret": self.upstream_secret,
                "authorize_scopes": "openid email profile",
                "attributes_request_method": "GET",
            },
            "AttributeMapping": {
                "email": "email",
                "email_verified": "email_verified",
                "name": "name",
                "custom:groups": "groups",
                "username": "sub",
            },
        }
