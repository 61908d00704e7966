"""An identity provider of the file as the model sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from broker.model.pool import OAuthSettings, SamlSettings
from tests.kit import configuration
from tests.kit.configuration import Tree, as_it_is, changed, details, pool_of, provider


def saml_of(folder: Path, change: Callable[[Tree], object]) -> SamlSettings:
    settings = pool_of(folder, change).providers["CorpSAML"].settings
    assert isinstance(settings, SamlSettings)
    return settings


def google_of(folder: Path, change: Callable[[Tree], object]) -> OAuthSettings:
    settings = pool_of(folder, change).providers["Google"].settings
    assert isinstance(settings, OAuthSettings)
    return settings


def test_saml_defaults(tmp_path: Path) -> None:
    assert saml_of(tmp_path, as_it_is) == SamlSettings(
        metadata_url="https://idp.example.com/metadata"
    )


def test_every_saml_member(tmp_path: Path) -> None:
    members: Tree = {
        "IDPSignout": "true",
        "IDPInit": True,
        "EncryptedResponses": "TRUE",
        "RequestSigningAlgorithm": "rsa-sha256",
        "EntityId": "urn:idp",
        "AllowSha1": "true",
        "ForceAuthn": "true",
        "NameIDFormat": "urn:format",
        "RequestedAuthnContext": "urn:context",
    }
    meant = SamlSettings(
        metadata_url="https://idp.example.com/metadata",
        idp_signout=True,
        idp_init=True,
        encrypted_responses=True,
        sign_requests=True,
        entity_id="urn:idp",
        allow_sha1=True,
        force_authn=True,
        name_id_format="urn:format",
        requested_authn_context="urn:context",
    )
    assert saml_of(tmp_path, lambda p: details(p).update(members)) == meant


def test_own_saml_members_beside_the_details(tmp_path: Path) -> None:
    settings = saml_of(tmp_path, lambda p: provider(p).update(ForceAuthn=True, EntityId="urn:x"))
    assert (settings.force_authn, settings.entity_id) == (True, "urn:x")


@pytest.mark.parametrize("xml", ["<md/>", "\n  <?xml version='1.0'?><md/>", "\ufeff<md/>"])
def test_metadata_in_the_file(tmp_path: Path, xml: str) -> None:
    def inline(pool: Tree) -> None:
        pool["IdentityProviders"][0]["ProviderDetails"] = {"MetadataFile": xml}

    settings = saml_of(tmp_path, inline)
    assert (settings.metadata_xml, settings.metadata_path) == (xml, None)


@pytest.mark.parametrize("absolute", [True, False])
def test_metadata_in_another_file(tmp_path: Path, absolute: bool) -> None:
    path = tmp_path / "idp.xml"
    path.write_text("<md/>")

    def name_it(pool: Tree) -> None:
        given = str(path) if absolute else "idp.xml"
        pool["IdentityProviders"][0]["ProviderDetails"] = {"MetadataFile": given}

    settings = saml_of(tmp_path, name_it)
    assert (settings.metadata_xml, settings.metadata_path) == (None, str(path))


def test_metadata_read_by_reference(tmp_path: Path) -> None:
    (tmp_path / "idp.xml").write_text("<md/>\n")

    def refer(pool: Tree) -> None:
        pool["IdentityProviders"][0]["ProviderDetails"] = {"MetadataFile": "file:idp.xml"}

    assert saml_of(tmp_path, refer).metadata_xml == "<md/>"


def test_metadata_in_a_missing_file(tmp_path: Path) -> None:
    def name_it(pool: Tree) -> None:
        pool["IdentityProviders"][0]["ProviderDetails"] = {"MetadataFile": "idp.xml"}

    (fault,) = configuration.faults(tmp_path, changed(name_it))
    assert fault.endswith(f"MetadataFile: there is no file {tmp_path / 'idp.xml'}")


def test_urls_override_the_built_in_ones(tmp_path: Path) -> None:
    url = "http://localhost:9000/token"
    settings = google_of(tmp_path, lambda p: details(p, 1).update(token_url=url))
    assert settings.token_url == url
    assert settings.authorize_url is None


def test_a_private_key_instead_of_a_secret(tmp_path: Path) -> None:
    def sign(pool: Tree) -> None:
        provider(pool, 1).update(
            ProviderType="OIDC",
            ProviderDetails={
                "client_id": "broker",
                "private_key": "a key",
                "key_id": "1",
                "token_endpoint_auth_signing_alg": "PS256",
                "oidc_issuer": "https://login.example.com",
            },
        )

    settings = google_of(tmp_path, sign)
    assert settings.client_secret is None
    assert settings.extra == {
        "private_key": "a key",
        "key_id": "1",
        "token_endpoint_auth_signing_alg": "PS256",
    }


def test_apple(tmp_path: Path) -> None:
    (tmp_path / "apple.p8").write_text("a key\nof two lines\n")

    def apple(pool: Tree) -> None:
        pool["UserPoolClients"] = []
        provider(pool, 1).update(
            ProviderName="SignInWithApple",
            ProviderType="SignInWithApple",
            ProviderDetails={
                "client_id": "com.example",
                "team_id": "T",
                "key_id": "K",
                "private_key": "file:apple.p8",
                "authorize_scopes": "email name",
            },
        )

    settings = pool_of(tmp_path, apple).providers["SignInWithApple"].settings
    assert isinstance(settings, OAuthSettings)
    assert settings.extra == {"team_id": "T", "key_id": "K", "private_key": "a key\nof two lines"}
    assert (settings.client_secret, settings.scopes) == (None, "email name")


def test_equal_mappings_are_one_object(tmp_path: Path) -> None:
    def twice(pool: Tree) -> None:
        provider(pool, 1).update(AttributeMapping={"email": "mail"})

    providers = pool_of(tmp_path, twice).providers
    assert providers["CorpSAML"].attribute_mapping is providers["Google"].attribute_mapping
