"""What is served even though Cognito would refuse it, or though it cannot work as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit import configuration
from tests.kit.configuration import Tree, changed, client, provider

POOL = "UserPools[0]"
CLIENT = f"{POOL}.UserPoolClients[0]"
PROVIDER = f"{POOL}.IdentityProviders[0]"

WARNINGS: dict[str, tuple[Any, str]] = {
    "client id outside the pattern": (
        lambda pool: client(pool).update(ClientId="my-app"),
        f"{CLIENT}.ClientId: Cognito would refuse this: it is empty or has other characters",
    ),
    "long pool name": (
        lambda pool: pool.update(Name="n" * 129),
        f"{POOL}.Name: Cognito would refuse this: it is empty or has other characters",
    ),
    "long pool id": (
        lambda pool: pool.update(Id=f"eu-west-1_{'a' * 46}"),
        f"{POOL}.Id: Cognito allows at most 55 characters",
    ),
    "many callbacks": (
        lambda pool: client(pool).update(
            CallbackURLs=[f"https://app.example.com/{i}" for i in range(101)]
        ),
        f"{CLIENT}.CallbackURLs: Cognito allows at most 100",
    ),
    "identifier outside the pattern": (
        lambda pool: provider(pool).update(IdpIdentifiers=["a/b"]),
        (
            f"{PROVIDER}.IdpIdentifiers[0]: Cognito would refuse this:"
            " it is empty or has other characters"
        ),
    ),
    "custom attribute with a long name": (
        lambda pool: pool.update(Schema=[{"Name": "b" * 21}]),
        f"{POOL}.Schema[0].Name: Cognito allows names of at most 20 characters",
    ),
    "many custom attributes": (
        lambda pool: pool.update(SchemaAttributes=[{"Name": f"a{i}"} for i in range(51)]),
        f"{POOL}.SchemaAttributes: Cognito allows at most 50 custom attributes",
    ),
    "required custom attribute": (
        lambda pool: (
            pool.update(Schema=[{"Name": "b", "Required": True}]),
            provider(pool).update(AttributeMapping={"custom:b": "b"}),
            provider(pool, 1).update(AttributeMapping={"custom:b": "b"}),
        ),
        f"{POOL}.Schema[0].Required: Cognito does not allow required custom attributes",
    ),
    "short tokens": (
        lambda pool: client(pool).update(
            AccessTokenValidity=60, TokenValidityUnits={"AccessToken": "seconds"}
        ),
        f"{CLIENT}.AccessTokenValidity: Cognito allows 5 minutes to 1 day",
    ),
    "long refresh tokens": (
        lambda pool: client(pool).update(RefreshTokenValidity=4000),
        f"{CLIENT}.RefreshTokenValidity: Cognito allows 1 hour to 10 years",
    ),
    "long grace": (
        lambda pool: client(pool).update(
            RefreshTokenRotation={"Feature": "ENABLED", "RetryGracePeriodSeconds": 61}
        ),
        f"{CLIENT}.RefreshTokenRotation.RetryGracePeriodSeconds: Cognito allows at most 60 seconds",
    ),
    "social provider under another name": (
        lambda pool: (
            provider(pool, 1).update(ProviderName="Gugel"),
            client(pool).update(SupportedIdentityProviders=["Gugel"]),
        ),
        f"{POOL}.IdentityProviders[1].ProviderName: Cognito wants a Google provider called Google",
    ),
    "mapped attribute that does not exist": (
        lambda pool: provider(pool).update(AttributeMapping={"e-mail": "mail"}),
        (
            f"{PROVIDER}.AttributeMapping.e-mail: no such attribute in the schema: sign-ins fail;"
            " did you mean email?"
        ),
    ),
    "user name mapped at a SAML provider": (
        lambda pool: provider(pool).update(AttributeMapping={"username": "mail"}),
        (
            f"{PROVIDER}.AttributeMapping.username: no such attribute in the schema: sign-ins fail;"
            " did you mean name?"
        ),
    ),
    "mapped attribute that cannot change": (
        lambda pool: (
            pool.update(Schema=[{"Name": "email", "Mutable": False}]),
            provider(pool, 1).update(AttributeMapping={"username": "sub"}),
        ),
        (
            f"{PROVIDER}.AttributeMapping.email: the attribute is not mutable:"
            " a user's second sign-in fails"
        ),
    ),
    "required attribute that is not mapped": (
        lambda pool: (
            pool.update(Schema=[{"Name": "name", "Required": True}]),
            provider(pool, 1).update(AttributeMapping={"name": "name"}),
        ),
        f"{PROVIDER}.AttributeMapping: the required attribute name is not mapped: sign-ins fail",
    ),
    "scope that no resource server defines": (
        lambda pool: client(pool).update(AllowedOAuthScopes=["openid", "api/raed"]),
        (
            f"{CLIENT}.AllowedOAuthScopes: no resource server defines api/raed: it is never granted;"
            " did you mean api/read?"
        ),
    ),
    "readable attribute that does not exist": (
        lambda pool: client(pool).update(ReadAttributes=["emial"]),
        f"{CLIENT}.ReadAttributes: no attribute of the schema is emial; did you mean email?",
    ),
    "OAuth members without OAuth": (
        lambda pool: client(pool).pop("AllowedOAuthFlowsUserPoolClient"),
        f"{CLIENT}.AllowedOAuthFlows: without effect until AllowedOAuthFlowsUserPoolClient is true",
    ),
    "client_credentials beside code": (
        lambda pool: client(pool).update(AllowedOAuthFlows=["code", "client_credentials"]),
        f"{CLIENT}.AllowedOAuthFlows: Cognito allows client_credentials only alone",
    ),
    "client_credentials without a secret": (
        lambda pool: (
            client(pool).pop("ClientSecret"),
            client(pool).update(AllowedOAuthFlows=["client_credentials"]),
        ),
        (
            f"{CLIENT}.AllowedOAuthFlows:"
            " client_credentials needs a ClientSecret: it is refused without"
        ),
    ),
    "nobody to sign in with": (
        lambda pool: client(pool).update(SupportedIdentityProviders=["COGNITO"]),
        f"{CLIENT}.SupportedIdentityProviders: names no provider: nobody can sign in",
    ),
    "secret to be generated": (
        lambda pool: (client(pool).pop("ClientSecret"), client(pool).update(GenerateSecret=True)),
        (
            f"{CLIENT}.GenerateSecret:"
            " no secret is made here: without a ClientSecret the client is public"
        ),
    ),
    "public client without PKCE": (
        lambda pool: (client(pool).pop("ClientSecret"), client(pool).update(RequirePkce=False)),
        f"{CLIENT}.RequirePkce: a public client without PKCE can lose its codes",
    ),
    "custom domain of a Describe call": (
        lambda pool: pool.update(CustomDomain="auth.example.org"),
        f"{POOL}.CustomDomain: is not used (add it to the Domain list)",
    ),
}


@pytest.mark.parametrize(("change", "warning"), WARNINGS.values(), ids=WARNINGS.keys())
def test_one_line_warns_and_the_configuration_is_served(
    tmp_path: Path, change: Any, warning: str
) -> None:
    assert configuration.loaded(tmp_path, changed(change)).warnings == (warning,)


def test_a_long_mapping_key(tmp_path: Path) -> None:
    text = changed(lambda pool: provider(pool).update(AttributeMapping={"a" * 33: "a"}))
    assert (
        f"{PROVIDER}.AttributeMapping: Cognito allows names of at most 32 characters"
        in configuration.loaded(tmp_path, text).warnings
    )


def test_an_inactive_scope_stays_on_the_client(tmp_path: Path) -> None:
    """Asking for it is no fault of the app; it is the token that goes without."""

    def forget(pool: Tree) -> None:
        pool["ResourceServers"] = []

    pools = configuration.loaded(tmp_path, changed(forget)).pools
    assert "api/read" in pools["eu-west-1_Example01"].clients["web"].scopes
