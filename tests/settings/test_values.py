"""What the forms of a value become: references, domains, and a pool's own members."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.model.pool import Conformance, Flow, SigningAlgorithm
from tests.kit import configuration
from tests.kit.configuration import Tree, as_it_is, changed, client, client_of, pool_of


def test_the_good_pool_as_the_model_sees_it(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, as_it_is)
    assert (pool.id, pool.domains, pool.issuer) == (
        "eu-west-1_Example01",
        ("https://auth.example.com",),
        "https://auth.example.com/eu-west-1_Example01",
    )
    assert (pool.signing_algorithm, pool.conformance) == (
        SigningAlgorithm.RS256,
        Conformance.COGNITO,
    )
    assert pool.case_sensitive
    assert pool.custom_scopes == {"api/read"}
    web = pool.clients["web"]
    assert web.providers == ("CorpSAML", "Google")
    assert web.flows == {Flow.CODE}
    assert web.oauth_enabled
    assert web.revocation
    assert not web.require_pkce
    assert pool.providers["CorpSAML"].identifiers == ("example.com",)
    assert pool.providers["CorpSAML"].attribute_mapping == {"email": "mail"}


class TestReferences:
    def test_a_variable_anywhere_in_a_value(self, tmp_path: Path) -> None:
        found = client_of(
            tmp_path, lambda p: client(p).update(ClientSecret="${A}-${B}"), A="one", B="two"
        )
        assert found.secret == "one-two"

    def test_what_a_variable_holds_is_not_read_again(self, tmp_path: Path) -> None:
        found = client_of(tmp_path, lambda p: client(p).update(ClientSecret="${A}"), A="${B}")
        assert found.secret == "${B}"

    @pytest.mark.parametrize(
        ("written", "meant"), [("$${A}", "${A}"), ("pa$$word", "pa$$word"), ("$A${", "$A${")]
    )
    def test_other_dollars_stay(self, tmp_path: Path, written: str, meant: str) -> None:
        assert client_of(tmp_path, lambda p: client(p).update(ClientSecret=written)).secret == meant

    def test_a_missing_variable(self, tmp_path: Path) -> None:
        text = changed(lambda p: client(p).update(ClientSecret="${NOT_THERE}"))
        (fault,) = configuration.faults(tmp_path, text)
        assert fault.endswith("ClientSecret: the environment variable NOT_THERE is not set")

    def test_a_reference_without_a_name(self, tmp_path: Path) -> None:
        text = changed(lambda p: client(p).update(ClientSecret="${1 }"))
        (fault,) = configuration.faults(tmp_path, text)
        assert "holds no variable name" in fault

    def test_a_file_beside_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("${from a file}\n")
        found = client_of(tmp_path, lambda p: client(p).update(ClientSecret="file:secret"))
        assert found.secret == "${from a file}"

    def test_a_file_whose_folder_is_a_variable(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("from a file")
        found = client_of(
            tmp_path,
            lambda p: client(p).update(ClientSecret="file:${DIR}/secret"),
            DIR=str(tmp_path),
        )
        assert found.secret == "from a file"

    @pytest.mark.parametrize("name", ["nothing", ".", "\\0", "binary"])
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        text = changed(lambda p: client(p).update(ClientSecret=f"file:{name}"))
        (fault,) = configuration.faults(tmp_path, text)
        assert "ClientSecret: the file " in fault

    def test_a_flag_and_a_number_from_the_environment(self, tmp_path: Path) -> None:
        def refer(pool: Tree) -> None:
            client(pool).update(RequirePkce="${PKCE}", AccessTokenValidity="${HOURS}")

        found = client_of(tmp_path, refer, PKCE="true", HOURS="2")
        assert found.require_pkce
        assert found.lifetimes.access == 7200


class TestDomain:
    @pytest.mark.parametrize(
        ("written", "base_domain", "meant"),
        [
            ("https://auth.example.com/", "", "https://auth.example.com"),
            ("https://Auth.Example.com:443", "", "https://auth.example.com"),
            ("http://localhost:8080", "", "http://localhost:8080"),
            ("http://a.localhost", "", "http://a.localhost"),
            ("http://[::1]:8080", "", "http://[::1]:8080"),
            ("auth.example.com", "", "https://auth.example.com"),
            ("auth.example.com:8443", "", "https://auth.example.com:8443"),
            ("example", "", "http://example.localhost:8080"),
            ("example", "localhost", "http://example.localhost"),
            ("example", "auth.example.org", "https://example.auth.example.org"),
            ("example", "auth.example.org:8443", "https://example.auth.example.org:8443"),
        ],
    )
    def test_forms(self, tmp_path: Path, written: str, base_domain: str, meant: str) -> None:
        pool = pool_of(tmp_path, lambda p: p.update(Domain=written), BROKER_BASE_DOMAIN=base_domain)
        assert pool.domains == (meant,)
        assert pool.issuer == f"{meant}/{pool.id}"

    def test_a_list_begins_with_the_main_one(self, tmp_path: Path) -> None:
        pool = pool_of(
            tmp_path, lambda p: p.update(Domain=["example", "auth.example.com", "example"])
        )
        assert pool.domains == ("http://example.localhost:8080", "https://auth.example.com")
        assert pool.domain == "http://example.localhost:8080"

    @pytest.mark.parametrize("written", ["a b", "localhost:8080", "ftp://a.example.com", "-", ""])
    def test_other_forms_are_faults(self, tmp_path: Path, written: str) -> None:
        (fault, *_) = configuration.faults(tmp_path, changed(lambda p: p.update(Domain=written)))
        assert fault.startswith("UserPools[0].Domain")

    def test_a_prefix_under_an_address(self, tmp_path: Path) -> None:
        text = changed(lambda p: p.update(Domain="example"))
        (fault,) = configuration.faults(tmp_path, text, BROKER_BASE_DOMAIN="127.0.0.1:8080")
        assert fault == "UserPools[0].Domain: must name a possible host"

    def test_an_issuer_of_its_own(self, tmp_path: Path) -> None:
        issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01"
        assert pool_of(tmp_path, lambda p: p.update(Issuer=issuer)).issuer == issuer


def test_own_members_of_a_pool(tmp_path: Path) -> None:
    pool = pool_of(
        tmp_path,
        lambda p: p.update(
            SigningAlgorithm="ES256",
            Conformance="oidc",
            UsernameConfiguration={"CaseSensitive": False},
            AllowSupplementaryCharacters=True,
        ),
    )
    assert pool.supplementary_characters
    assert (pool.signing_algorithm, pool.conformance, pool.case_sensitive) == (
        SigningAlgorithm.ES256,
        Conformance.OIDC,
        False,
    )
