"""The output of Describe calls, pasted in as it comes, makes the same pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from broker.model.pool import Flow, OAuthSettings, ProviderType, SamlSettings, TokenLifetimes
from tests.kit import configuration

CLIENT = """
{
    "UserPoolClient": {
        "UserPoolId": "us-west-2_aaaaaaaaa",
        "ClientName": "my-web-app",
        "ClientId": "1example23456789",
        "ClientSecret": "13ka4h7u28d9oo44tqpq9djqsfvhvu8rk4d2ighvpu0k8fj1c2r9",
        "LastModifiedDate": "2025-03-13T14:22:28.912000-07:00",
        "CreationDate": 1586805132.424,
        "RefreshTokenValidity": 30,
        "AccessTokenValidity": 30,
        "IdTokenValidity": 30,
        "TokenValidityUnits": {
            "AccessToken": "minutes",
            "IdToken": "minutes",
            "RefreshToken": "days"
        },
        "ReadAttributes": ["address", "email", "email_verified", "name", "phone_number"],
        "WriteAttributes": ["address", "email", "name"],
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "SupportedIdentityProviders": ["COGNITO", "MySAML", "Facebook"],
        "CallbackURLs": ["https://auth.example.com/", "https://www.example.com/cb"],
        "LogoutURLs": ["https://auth.example.com/sign-out"],
        "DefaultRedirectURI": "https://www.example.com/cb",
        "AllowedOAuthFlows": ["code", "implicit"],
        "AllowedOAuthScopes": ["aws.cognito.signin.user.admin", "email", "openid", "profile"],
        "AllowedOAuthFlowsUserPoolClient": true,
        "AnalyticsConfiguration": {"ApplicationId": "d7", "RoleArn": "arn:aws:iam::1:role/x"},
        "PreventUserExistenceErrors": "ENABLED",
        "EnableTokenRevocation": true,
        "EnablePropagateAdditionalUserContextData": false,
        "AuthSessionValidity": 3
    },
    "ResponseMetadata": {"HTTPStatusCode": 200}
}
"""

SAML = """
{
    "IdentityProvider": {
        "UserPoolId": "us-west-2_aaaaaaaaa",
        "ProviderName": "MySAML",
        "ProviderType": "SAML",
        "ProviderDetails": {
            "ActiveEncryptionCertificate": "MIICvTCCAaWgAwIBAgIJAM",
            "EncryptedResponses": "true",
            "IDPInit": "true",
            "IDPSignout": "true",
            "MetadataURL": "https://auth.example.com/saml/metadata/app_id",
            "RequestSigningAlgorithm": "rsa-sha256",
            "SLORedirectBindingURI": "https://auth.example.com/slo/saml",
            "SSORedirectBindingURI": "https://auth.example.com/sso/saml"
        },
        "AttributeMapping": {"email": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"},
        "IdpIdentifiers": ["IdP1", "example.com"],
        "LastModifiedDate": 1701129701.653,
        "CreationDate": 1701129701.653
    }
}
"""

FACEBOOK = """
{
    "IdentityProvider": {
        "UserPoolId": "us-west-2_aaaaaaaaa",
        "ProviderName": "Facebook",
        "ProviderType": "Facebook",
        "ProviderDetails": {
            "api_version": "v17.0",
            "attributes_url": "https://graph.facebook.com/v17.0/me?fields=",
            "attributes_url_add_attributes": "true",
            "authorize_scopes": "public_profile, email",
            "authorize_url": "https://www.facebook.com/v17.0/dialog/oauth",
            "client_id": "100020003",
            "client_secret": "provider-app-secret",
            "token_request_method": "GET",
            "token_url": "https://graph.facebook.com/v17.0/oauth/access_token"
        },
        "AttributeMapping": {"email": "email", "username": "id"},
        "IdpIdentifiers": [],
        "LastModifiedDate": 1701129701.653,
        "CreationDate": 1701129701.653
    }
}
"""

OIDC = """
{
    "IdentityProvider": {
        "ProviderName": "Partner",
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "attributes_request_method": "GET",
            "attributes_url": "https://auth.example.com/userInfo",
            "attributes_url_add_attributes": "false",
            "authorize_scopes": "openid profile email",
            "authorize_url": "https://auth.example.com/authorize",
            "client_id": "1example23456789",
            "client_secret": "provider-app-client-secret",
            "jwks_uri": "https://auth.example.com/.well-known/jwks.json",
            "oidc_issuer": "https://auth.example.com",
            "token_url": "https://example.com/token"
        },
        "AttributeMapping": {"email": "email", "username": "sub"}
    }
}
"""

POOL = """
{
    "UserPool": {
        "Id": "us-west-2_aaaaaaaaa",
        "Name": "my pool",
        "Policies": {"PasswordPolicy": {"MinimumLength": 8}},
        "DeletionProtection": "INACTIVE",
        "LambdaConfig": {},
        "LastModifiedDate": 1689721665.239,
        "CreationDate": 1689721665.239,
        "SchemaAttributes": [
            {
                "Name": "sub", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
                "Mutable": false, "Required": true,
                "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "2048"}
            },
            {
                "Name": "updated_at", "AttributeDataType": "Number", "Mutable": true,
                "Required": false, "NumberAttributeConstraints": {"MinValue": "0"}
            },
            {
                "Name": "identities", "AttributeDataType": "String", "Mutable": true,
                "StringAttributeConstraints": {}
            },
            {
                "Name": "custom:team", "AttributeDataType": "String", "Mutable": true,
                "StringAttributeConstraints": {"MaxLength": "256"}
            }
        ],
        "AutoVerifiedAttributes": ["email"],
        "MfaConfiguration": "OFF",
        "EstimatedNumberOfUsers": 166,
        "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
        "UserPoolTags": {"Yes": "1"},
        "Domain": "my-pool",
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true},
        "UsernameConfiguration": {"CaseSensitive": false},
        "Arn": "arn:aws:cognito-idp:us-west-2:1:userpool/us-west-2_aaaaaaaaa",
        "AccountRecoverySetting": {"RecoveryMechanisms": []},
        "UserPoolTier": "ESSENTIALS"
    }
}
"""


def described() -> dict[str, Any]:
    pool: dict[str, Any] = json.loads(POOL)
    pool["UserPoolClients"] = [json.loads(CLIENT)]
    pool["IdentityProviders"] = [json.loads(SAML), json.loads(FACEBOOK), json.loads(OIDC)]
    pool["ResourceServers"] = [{"ResourceServer": {"Identifier": "api", "Name": "api"}}]
    return {"UserPools": [pool]}


def test_described_objects_are_read_as_they_are(tmp_path: Path) -> None:
    settings = configuration.loaded(tmp_path, json.dumps(described()))
    assert settings.warnings == ()
    pool = settings.pools["us-west-2_aaaaaaaaa"]
    assert pool.domain == "http://my-pool.localhost:8080"
    assert not pool.case_sensitive
    assert len(pool.schema) == 21

    client = pool.clients["1example23456789"]
    assert client.providers == ("MySAML", "Facebook")
    assert client.flows == {Flow.CODE, Flow.IMPLICIT}
    assert client.lifetimes == TokenLifetimes(access=1800, id=1800)
    assert client.default_redirect_uri == "https://www.example.com/cb"

    saml = pool.providers["MySAML"].settings
    assert isinstance(saml, SamlSettings)
    assert saml.encrypted_responses
    assert pool.providers["MySAML"].identifiers == ("idp1", "example.com")

    facebook = pool.providers["Facebook"]
    assert facebook.type is ProviderType.FACEBOOK
    assert isinstance(facebook.settings, OAuthSettings)
    assert facebook.settings.extra == {"api_version": "v17.0"}
    assert facebook.settings.token_url == "https://graph.facebook.com/v17.0/oauth/access_token"

    oidc = pool.providers["Partner"].settings
    assert isinstance(oidc, OAuthSettings)
    assert oidc.jwks_uri == "https://auth.example.com/.well-known/jwks.json"


def test_a_fault_inside_a_wrapper_names_the_wrapper(tmp_path: Path) -> None:
    tree = described()
    tree["UserPools"][0]["UserPoolClients"][0]["UserPoolClient"]["CallbackUrls"] = []
    (fault,) = configuration.faults(tmp_path, json.dumps(tree))
    assert fault.startswith("UserPools[0].UserPoolClients[0].UserPoolClient.CallbackUrls: ")
