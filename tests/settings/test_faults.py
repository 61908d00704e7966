"""What makes a configuration unservable: all of it is said at once, each with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.model.errors import ConfigurationError
from broker.settings import load
from tests.kit import configuration
from tests.kit.configuration import GOOD, Tree, changed, client, details, provider

POOL = "UserPools[0]"
CLIENT = f"{POOL}.UserPoolClients[0]"
PROVIDER = f"{POOL}.IdentityProviders[0]"
DETAILS = f"{PROVIDER}.ProviderDetails"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    def break_much(pool: Tree) -> None:
        client(pool)["CallbackUrls"] = []
        client(pool)["CallbackURLs"] = ["http://app.example.com/"]
        provider(pool)["ProviderType"] = "SAMl"
        pool["Id"] = "example"

    assert configuration.faults(tmp_path, changed(break_much), BROKER_LOG="xml") == (
        "BROKER_LOG: must be json or text",
        f"{POOL}.Id: must be <region>_<letters and digits>",
        (
            f"{CLIENT}.CallbackURLs[0]: must be https"
            " (plain http is for localhost, *.localhost, 127.0.0.1 and [::1])"
        ),
        f"{CLIENT}.CallbackUrls: unknown member; did you mean CallbackURLs?",
        (
            f"{PROVIDER}.ProviderType: must be SAML or OIDC or Google or Facebook or LoginWithAmazon"
            " or SignInWithApple or Microsoft or GitHub; did you mean SAML?"
        ),
    )


def test_a_key_that_describe_does_not_show_is_all_that_is_missing(tmp_path: Path) -> None:
    def as_described(pool: Tree) -> None:
        provider(pool, 1).update(
            ProviderType="SignInWithApple",
            ProviderDetails={"client_id": "a", "team_id": "b", "key_id": "c"},
        )

    assert configuration.faults(tmp_path, changed(as_described)) == (
        f"{POOL}.IdentityProviders[1].ProviderDetails.private_key: is missing",
    )


FAULTS: dict[str, tuple[Any, str]] = {
    "a port that there is not": (
        lambda pool: pool.update(Domain="https://auth.example.com:99999"),
        f"{POOL}.Domain: must have a port from 1 to 65535, or none",
    ),
    "a port that is no number": (
        lambda pool: pool.update(Domain="https://auth.example.com:https"),
        f"{POOL}.Domain: must have a port from 1 to 65535, or none",
    ),
    "unknown member of a pool": (
        lambda pool: pool.update(Domains=[]),
        f"{POOL}.Domains: unknown member; did you mean Domain?",
    ),
    "unknown member far from any": (
        lambda pool: pool.update(Zebra=1),
        f"{POOL}.Zebra: unknown member",
    ),
    "unknown provider detail": (
        lambda pool: details(pool).update(IDPSignOut="true"),
        f"{DETAILS}.IDPSignOut: unknown member; did you mean IDPSignout?",
    ),
    "detail of another provider type": (
        lambda pool: details(pool).update(client_id="x"),
        f"{DETAILS}.client_id: unknown member",
    ),
    "text that no XML can hold": (
        lambda pool: pool.update(Organization={"Name": "A\x07", "URL": "https://a.example"}),
        f"{POOL}.Organization.Name: must not have control characters",
    ),
    "a name that no XML can hold": (
        lambda pool: pool.update(Name="A\x07"),
        f"{POOL}.Name: must not have control characters",
    ),
    "a name for people that is empty": (
        lambda pool: pool.update(DisplayName=" "),
        f"{POOL}.DisplayName: must not be empty",
    ),
    "a logo without a size": (
        lambda pool: pool.update(Logo={"URL": "https://a.example/logo.png", "Width": 10}),
        f"{POOL}.Logo.Height: is missing",
    ),
    "a logo of no size": (
        lambda pool: pool.update(Logo={"URL": "https://a.example/l", "Width": 0, "Height": 1}),
        f"{POOL}.Logo.Width: must be a whole number from 1 to 10000",
    ),
    "a logo over plain http": (
        lambda pool: pool.update(Logo={"URL": "http://a.example/l", "Width": 1, "Height": 1}),
        f"{POOL}.Logo.URL: must be https (plain http is for localhost, *.localhost, 127.0.0.1 and [::1])",
    ),
    "a request that no XML can hold": (
        lambda pool: provider(pool, 0).update(NameIDFormat="urn:a\x0b"),
        f"{POOL}.IdentityProviders[0].NameIDFormat: must not have control characters",
    ),
    "list where text is meant": (
        lambda pool: client(pool).update(ClientName=["a"]),
        f"{CLIENT}.ClientName: must be text, not a list",
    ),
    "text where a list is meant": (
        lambda pool: client(pool).update(CallbackURLs="https://app.example.com/"),
        f"{CLIENT}.CallbackURLs: must be a list, not a single value",
    ),
    "no value": (
        lambda pool: client(pool).update(ClientSecret=None),
        f"{CLIENT}.ClientSecret: has no value (it must be text; or leave the member out)",
    ),
    "neither true nor false": (
        lambda pool: client(pool).update(RequirePkce="maybe"),
        f"{CLIENT}.RequirePkce: must be true or false",
    ),
    "no whole number": (
        lambda pool: client(pool).update(AccessTokenValidity="an hour"),
        f"{CLIENT}.AccessTokenValidity: must be a whole number from 1 to 315360000",
    ),
    "a token that is never valid": (
        lambda pool: client(pool).update(AccessTokenValidity=0),
        f"{CLIENT}.AccessTokenValidity: must be a whole number from 1 to 315360000",
    ),
    "unknown flow": (
        lambda pool: client(pool).update(AllowedOAuthFlows=["Code"]),
        (
            f"{CLIENT}.AllowedOAuthFlows[0]: must be code or implicit or client_credentials;"
            " did you mean code?"
        ),
    ),
    "unknown provider": (
        lambda pool: client(pool).update(SupportedIdentityProviders=["CorpSaml"]),
        (
            f"{CLIENT}.SupportedIdentityProviders: no identity provider is called CorpSaml;"
            " did you mean CorpSAML?"
        ),
    ),
    "default redirect that is not registered": (
        lambda pool: client(pool).update(DefaultRedirectURI="https://app.example.com/other"),
        f"{CLIENT}.DefaultRedirectURI: must be one of CallbackURLs",
    ),
    "empty secret": (
        lambda pool: client(pool).update(ClientSecret=""),
        f"{CLIENT}.ClientSecret: must be 1 to 256 printable ASCII characters",
    ),
    "client id with a colon": (
        lambda pool: client(pool).update(ClientId="a:b"),
        f"{CLIENT}.ClientId: must be 1 to 256 printable ASCII characters without a colon",
    ),
    "client id twice": (
        lambda pool: pool["UserPoolClients"].append(client(pool)),
        f"{POOL}.UserPoolClients[1].ClientId: web is already taken by {CLIENT}",
    ),
    "provider name with an underscore": (
        lambda pool: provider(pool, 1).update(ProviderName="A_b"),
        (
            f"{POOL}.IdentityProviders[1].ProviderName: must not contain _"
            " (user names are <ProviderName>_<id>, split at the first _)"
        ),
    ),
    "provider name too short": (
        lambda pool: provider(pool, 1).update(ProviderName="Ab"),
        f"{POOL}.IdentityProviders[1].ProviderName: must have at least 3 characters",
    ),
    "provider name with a space": (
        lambda pool: provider(pool, 1).update(ProviderName="Corp\u00a0SAML"),
        f"{POOL}.IdentityProviders[1].ProviderName: must not contain spaces or control characters",
    ),
    "provider called as the pool's own users": (
        lambda pool: provider(pool, 1).update(ProviderName="Cognito"),
        (
            f"{POOL}.IdentityProviders[1].ProviderName: is reserved"
            " (COGNITO means the pool's own users)"
        ),
    ),
    "provider name twice": (
        lambda pool: pool["IdentityProviders"].append({**provider(pool), "IdpIdentifiers": []}),
        f"{POOL}.IdentityProviders[2].ProviderName: CorpSAML is already taken by {PROVIDER}",
    ),
    "provider names that a case-insensitive pool mixes up": (
        lambda pool: (
            pool.update(UsernameConfiguration={"CaseSensitive": False}),
            pool["IdentityProviders"].append(
                {**provider(pool), "ProviderName": "corpsaml", "IdpIdentifiers": []}
            ),
        ),
        f"{POOL}.IdentityProviders[2].ProviderName: corpsaml is already taken by {PROVIDER}",
    ),
    "identifier of two providers": (
        lambda pool: provider(pool, 1).update(IdpIdentifiers=["example.COM"]),
        f"{POOL}.IdentityProviders[1].IdpIdentifiers: example.com is already taken by {PROVIDER}",
    ),
    "no metadata": (
        lambda pool: details(pool).clear(),
        f"{DETAILS}: must have exactly one of MetadataURL and MetadataFile",
    ),
    "two sources of metadata": (
        lambda pool: details(pool).update(MetadataFile="<x/>"),
        f"{DETAILS}: must have exactly one of MetadataURL and MetadataFile",
    ),
    "metadata over plain http": (
        lambda pool: details(pool).update(MetadataURL="http://idp.example.com/metadata"),
        (
            f"{DETAILS}.MetadataURL: must be https"
            " (plain http is for localhost, *.localhost, 127.0.0.1 and [::1])"
        ),
    ),
    "SAML members at another provider": (
        lambda pool: provider(pool, 1).update(ForceAuthn=True),
        f"{POOL}.IdentityProviders[1].ForceAuthn: is for SAML providers only",
    ),
    "SAML member in both places": (
        lambda pool: (provider(pool).update(EntityId="a"), details(pool).update(EntityId="b")),
        f"{PROVIDER}.EntityId: stands here and in ProviderDetails (keep one)",
    ),
    "client secret of a provider missing": (
        lambda pool: details(pool, 1).pop("client_secret"),
        f"{POOL}.IdentityProviders[1].ProviderDetails.client_secret: is missing",
    ),
    "provider without details": (
        lambda pool: provider(pool).pop("ProviderDetails"),
        f"{PROVIDER}.ProviderDetails: is missing",
    ),
    "pool without a domain": (
        lambda pool: pool.pop("Domain"),
        f"{POOL}.Domain: is missing",
    ),
    "empty list of domains": (
        lambda pool: pool.update(Domain=[]),
        f"{POOL}.Domain: must not be empty",
    ),
    "domain with a path": (
        lambda pool: pool.update(Domain="https://example.com/auth"),
        f"{POOL}.Domain: must not have a path (the broker serves whole hosts)",
    ),
    "issuer with a query": (
        lambda pool: pool.update(Issuer="https://example.com/?a"),
        f"{POOL}.Issuer: must not have a query",
    ),
    "resource server twice": (
        lambda pool: pool["ResourceServers"].append({"Identifier": "api"}),
        f"{POOL}.ResourceServers[1].Identifier: api is already taken by {POOL}.ResourceServers[0]",
    ),
    "scope twice": (
        lambda pool: pool["ResourceServers"][0]["Scopes"].append({"ScopeName": "read"}),
        (
            f"{POOL}.ResourceServers[0].Scopes[1].ScopeName: read is already taken by"
            f" {POOL}.ResourceServers[0].Scopes[0]"
        ),
    ),
    "scope name with a slash": (
        lambda pool: pool["ResourceServers"][0]["Scopes"].append({"ScopeName": "a/b"}),
        (
            f"{POOL}.ResourceServers[0].Scopes[1].ScopeName: must not contain /"
            " (a scope is <Identifier>/<ScopeName>, split at the last /)"
        ),
    ),
    "resource server with a space": (
        lambda pool: pool["ResourceServers"].append({"Identifier": "my api"}),
        f"{POOL}.ResourceServers[1].Identifier: must not contain spaces, quotes or backslashes",
    ),
    "attribute twice": (
        lambda pool: pool.update(Schema=[{"Name": "team"}, {"Name": "custom:team"}]),
        f"{POOL}.Schema[1].Name: the attribute custom:team stands twice",
    ),
    "schema under both names": (
        lambda pool: pool.update(Schema=[], SchemaAttributes=[]),
        f"{POOL}.Schema: means the same as SchemaAttributes (keep one)",
    ),
    "limits in the wrong order": (
        lambda pool: pool.update(
            Schema=[
                {"Name": "a", "StringAttributeConstraints": {"MinLength": "9", "MaxLength": "1"}}
            ]
        ),
        f"{POOL}.Schema[0].StringAttributeConstraints: MinLength is more than MaxLength",
    ),
    "wrapper and a member beside it": (
        lambda pool: pool["ResourceServers"].append(
            {"Identifier": "a", "ResourceServer": {"Identifier": "b"}}
        ),
        f"{POOL}.ResourceServers[1].Identifier: stands here and inside ResourceServer (keep one)",
    ),
}


@pytest.mark.parametrize(("change", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_names_its_place_and_what_to_do(tmp_path: Path, change: Any, fault: str) -> None:
    assert fault in configuration.faults(tmp_path, changed(change))


def test_the_good_configuration_has_neither_faults_nor_warnings(tmp_path: Path) -> None:
    assert configuration.loaded(tmp_path, changed(lambda _: None)).warnings == ()


@pytest.mark.parametrize(
    ("other", "member"),
    [
        ({"Id": "eu-west-1_Example01", "Domain": "https://b.example.com"}, "Id"),
        ({"Id": "eu-west-1_B", "Domain": "https://AUTH.example.com:443/"}, "Domain"),
        (
            {
                "Id": "eu-west-1_B",
                "Domain": "https://b.example.com",
                "Issuer": "https://auth.example.com/eu-west-1_Example01",
            },
            "Issuer",
        ),
    ],
)
def test_two_pools_are_told_apart(tmp_path: Path, other: Tree, member: str) -> None:
    text = str({"UserPools": [GOOD["UserPools"][0], other]})
    (fault,) = configuration.faults(tmp_path, text)
    assert fault.startswith(f"UserPools[1].{member}: ")
    assert fault.endswith("is already taken by UserPools[0]")


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    secret = "s3cr3t-\u00e9-that-nobody-may-see"  # not ASCII: at fault as a ClientSecret

    def misplace(pool: Tree) -> None:
        client(pool)["ClientSecret"] = secret
        client(pool)["ClientSecert"] = secret
        client(pool)["RequirePkce"] = secret
        client(pool)["CallbackURLs"] = [secret, f"https://u:{secret}@app.example.com/"]
        details(pool, 1)["client_secret"] = [secret]
        details(pool, 1)["token_url"] = secret
        provider(pool)["ProviderType"] = secret

    faults = configuration.faults(tmp_path, changed(misplace), BROKER_DATABASE_URL=secret)
    assert len(faults) == 9
    assert not any("s3cr3t" in fault for fault in faults)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.yaml: cannot be read"):
        load(tmp_path / "nothing.yaml", {})
