"""``broker saml explain``: what it says, and what it never says."""

from __future__ import annotations

import base64
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from click.testing import CliRunner, Result
from cryptography import x509

from broker.cli import main
from broker.model.errors import Reason
from broker.saml.advice import ADVICE
from broker.saml.refusal import _PUBLIC
from tests.kit.folders import everything_in
from tests.kit.metadata_site import MetadataSite, fetch_as_a_broker
from tests.kit.saml_crypto import Encryption
from tests.kit.saml_document import PASSWORD
from tests.kit.saml_idp import AuthnRequest
from tests.kit.world import EMAIL_CLAIM, ORIGIN, POOL_ID, WEB, World, saml_provider
from tests.kit.wsgi import served

ASKED = AuthnRequest(
    acs=f"{ORIGIN}/saml2/idpresponse", issuer=f"urn:amazon:cognito:sp:{POOL_ID}", id="_request-1"
)
SAID: dict[str, Any] = {
    "name_id": "very-private-name",
    "attributes": {EMAIL_CLAIM: ["private@example.test"], "department": ["private"]},
}


@pytest.fixture
def explain(
    new_world: Callable[..., World], world: World, tmp_path: Path, certs: Path, monkeypatch: Any
) -> Callable[..., Result]:
    """Run the command on a message of the world's provider."""
    providers = [
        saml_provider(world.idp),
        saml_provider(world.idp, "Portal", details={"IDPInit": "true"}),
        saml_provider(
            world.idp, "Strict", details={"ForceAuthn": "true", "RequestedAuthnContext": PASSWORD}
        ),
        saml_provider(world.idp, "Typo", AttributeMapping={"custom:team": "department"}),
    ]
    new_world(providers=providers)
    config = max(tmp_path.glob("world-*/broker.yaml"), key=lambda p: p.stat().st_mtime_ns)
    monkeypatch.setenv("BROKER_CERTS_DIR", str(certs))

    def run(text: str | bytes, *options: str, provider: str = "Corp") -> Result:
        arguments = ["saml", "explain", "-", "--config", str(config), "--provider", provider]
        return CliRunner().invoke(main, [*arguments, *options], input=text)

    return run


def test_a_good_message_passes_every_step(world: World, explain: Callable[..., Result]) -> None:
    result = explain(world.idp.respond(ASKED, **SAID))
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.output
    assert "would accept this message" in result.output
    assert "email is mapped from" in result.output


@pytest.mark.parametrize("mark", [b"", BOM_UTF8], ids=["plain", "marked"])
@pytest.mark.parametrize("form", ["field", "body", "xml"])
def test_the_message_may_be_saved_in_any_form(
    world: World, explain: Callable[..., Result], form: str, mark: bytes
) -> None:
    encoded = world.idp.respond(ASKED, **SAID)
    saved = {
        "field": encoded.encode(),
        "body": urlencode({"RelayState": "x", "SAMLResponse": encoded}).encode(),
        "xml": base64.b64decode(encoded),
    }[form]
    result = explain(mark + saved)
    assert result.exit_code == 0, result.output


def test_every_failed_step_is_named_with_what_to_do(
    world: World, explain: Callable[..., Result]
) -> None:
    result = explain(
        world.idp.respond(
            ASKED, **SAID, sign="none", audiences=("urn:other",), destination="https://x/"
        )
    )
    assert result.exit_code == 1
    for reason in (Reason.SAML_UNSIGNED, Reason.SAML_AUDIENCE, Reason.SAML_DESTINATION):
        assert f"reason    {reason}" in result.output
        assert ADVICE[reason] in result.output
    assert "urn:other" in result.output


def test_a_signed_message_must_say_where_it_goes(
    world: World, explain: Callable[..., Result]
) -> None:
    """That it is signed is still known when its signature has been verified, which takes it out."""
    result = explain(world.idp.respond(ASKED, **SAID, sign="response", destination=None))
    assert result.exit_code == 1
    assert f"reason    {Reason.SAML_DESTINATION}" in result.output
    assert "the signature of the response is the provider's" in result.output.lower()


def test_an_old_message_is_judged_by_its_own_time_unless_asked(
    world: World, explain: Callable[..., Result]
) -> None:
    encoded = world.idp.respond(ASKED, **SAID)  # the world's clock is years from the machine's
    assert explain(encoded).exit_code == 0
    judged_now = explain(encoded, "--now")
    assert judged_now.exit_code == 1
    assert Reason.SAML_NOT_YET_VALID in judged_now.output


def test_a_message_nobody_asked_for(world: World, explain: Callable[..., Result]) -> None:
    nobody_asked = AuthnRequest(acs=ASKED.acs, issuer=ASKED.issuer)
    encoded = world.idp.respond(nobody_asked, **SAID)
    assert explain(encoded, provider="Portal").exit_code == 0
    refused = explain(encoded)
    assert refused.exit_code == 1
    assert Reason.SAML_UNSOLICITED in refused.output


def test_what_the_provider_was_asked_for_is_looked_at(
    world: World, explain: Callable[..., Result]
) -> None:
    assert explain(world.idp.respond(ASKED, **SAID), provider="Strict").exit_code == 0
    old = world.clock.now() - 600
    encoded = world.idp.respond(ASKED, **SAID, authn_instant=old, authn_context="urn:weak")
    assert explain(encoded).exit_code == 0
    refused = explain(encoded, provider="Strict")
    assert Reason.SAML_AUTHN_TOO_OLD in refused.output
    assert Reason.SAML_AUTHN_CONTEXT in refused.output


def test_it_leaves_everything_as_it_was(
    world: World, tmp_path: Path, explain: Callable[..., Result]
) -> None:
    before = everything_in(tmp_path)
    assert explain(world.idp.respond(ASKED, **SAID)).exit_code == 0
    assert everything_in(tmp_path) == before


def test_keys_are_needed_for_what_is_encrypted_alone(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    explain: Callable[..., Result],
) -> None:
    keys = world.broker.issuers.keys.pool_keys(world.broker.pools[POOL_ID])
    ours = x509.load_pem_x509_certificate(keys.saml_encryption[0].certificate_pem)
    encrypted = world.idp.respond(ASKED, **SAID, encryption=Encryption(certificate=ours))
    assert explain(encrypted).exit_code == 0
    monkeypatch.setenv("BROKER_STATE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("BROKER_CERTS_DIR", str(tmp_path / "elsewhere" / "certs"))
    assert explain(world.idp.respond(ASKED, **SAID)).exit_code == 0
    refused = explain(encrypted)
    assert refused.exit_code == 1
    assert "the message is encrypted" in refused.output
    assert "a broker makes them at its start" in refused.output
    assert not (tmp_path / "elsewhere").exists()


def test_the_copy_of_metadata_that_the_broker_has_counts(
    world: World, tmp_path: Path, explain: Callable[..., Result]
) -> None:
    config = max(tmp_path.glob("world-*/broker.yaml"), key=lambda p: p.stat().st_mtime_ns)
    document = yaml.safe_load(config.read_text())
    encoded = world.idp.respond(ASKED, **SAID)
    with served(MetadataSite(world.idp.metadata)) as url:
        details = {"MetadataURL": f"{url}/metadata"}
        document["UserPools"][0]["IdentityProviders"][0]["ProviderDetails"] = details
        config.write_text(yaml.safe_dump(document))
        assert explain(encoded).exit_code == 0
        fetch_as_a_broker(config)
    assert explain(encoded).exit_code == 0, "the site is gone"


def test_nothing_private_is_printed(world: World, explain: Callable[..., Result]) -> None:
    encoded = world.idp.respond(ASKED, **SAID)
    for result in (explain(encoded), explain(encoded, "--request-id", "_other")):
        assert "private" not in result.output
        assert encoded[:40] not in result.output


@pytest.mark.parametrize(
    "text", ["", "garbage!", "<a/>", "SAMLResponse=%%%", "<a" * 100, b"\xff\xfe<\0a\0"]
)
def test_garbage_is_explained_too(explain: Callable[..., Result], text: str | bytes) -> None:
    result = explain(text)
    assert result.exit_code == 1
    assert "FAIL  The message is a SAML Response" in result.output
    assert Reason.SAML_UNSOLICITED not in result.output, "nobody knows what it is"


REFUSED_BY_THE_POOL: dict[str, tuple[dict[str, Any], str, Reason, str]] = {
    "a NameID that is too long": (
        {"name_id": "private" * 20},
        "Corp",
        Reason.USERNAME_INVALID,
        "NameID",
    ),
    "a value that is too long": (
        {"attributes": {EMAIL_CLAIM: ["private" * 300]}},
        "Corp",
        Reason.ATTRIBUTE_INVALID,
        f"email is mapped from {EMAIL_CLAIM}",
    ),
    "a character of four bytes": (
        {"attributes": {"displayName": ["private \U0001f600"]}},
        "Corp",
        Reason.ATTRIBUTE_INVALID,
        "name is mapped from displayName",
    ),
    "an attribute that is not in the schema": (
        {},
        "Typo",
        Reason.ATTRIBUTE_UNKNOWN,
        "custom:team is mapped from department",
    ),
}


@pytest.mark.parametrize(
    ("said", "provider", "reason", "step"), REFUSED_BY_THE_POOL.values(), ids=REFUSED_BY_THE_POOL
)
def test_what_the_pool_refuses_is_said_without_the_value(
    *,
    world: World,
    explain: Callable[..., Result],
    said: dict[str, Any],
    provider: str,
    reason: Reason,
    step: str,
) -> None:
    result = explain(world.idp.respond(ASKED, **{**SAID, **said}), provider=provider)
    assert result.exit_code == 1
    assert "\n1 of " in result.output, result.output
    assert f"reason    {reason}" in result.output
    assert ADVICE[reason] in result.output
    assert any(step in line for line in result.output.splitlines() if line.startswith("FAIL"))
    assert "private" not in result.output


@pytest.fixture
def explain_in(explain: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Run the command on a message, after members of the pool were changed."""

    def run(text: str, **members: Any) -> Result:
        config = max(tmp_path.glob("world-*/broker.yaml"), key=lambda p: p.stat().st_mtime_ns)
        document = yaml.safe_load(config.read_text())
        document["UserPools"][0].update(members)
        config.write_text(yaml.safe_dump(document))
        return explain(text)

    return run


def test_a_required_attribute_may_be_there_already(
    world: World, explain_in: Callable[..., Result]
) -> None:
    required = [{"Name": "name", "Required": True}]
    refused = explain_in(world.idp.respond(ASKED, **SAID), SchemaAttributes=required)
    assert refused.exit_code == 1
    assert "FAIL  name, which is required, is set" in refused.output
    assert Reason.ATTRIBUTE_REQUIRED in refused.output
    assert "must be there from an earlier sign-in" in refused.output
    sent = {EMAIL_CLAIM: ["a@b.test"], "displayName": ["Anna"]}
    assert explain_in(world.idp.respond(ASKED, attributes=sent)).exit_code == 0


def test_an_attribute_of_the_wrong_type(world: World, explain_in: Callable[..., Result]) -> None:
    schema = [{"Name": "name", "AttributeDataType": "Number"}]
    sent = {"displayName": ["private"]}
    refused = explain_in(world.idp.respond(ASKED, attributes=sent), SchemaAttributes=schema)
    assert "Number is not a decimal number" in refused.output
    assert "private" not in refused.output


def test_apps_that_may_write_other_attributes_are_told_apart(
    world: World, explain_in: Callable[..., Result]
) -> None:
    clients = [WEB, {**WEB, "ClientId": "mail", "WriteAttributes": ["email"]}]
    result = explain_in(
        world.idp.respond(ASKED, attributes={"displayName": ["private \U0001f600"]}),
        UserPoolClients=clients,
    )
    assert "FAIL  name is mapped from displayName (web)" in result.output
    assert "name is mapped from displayName (mail): not in WriteAttributes" in result.output


def test_an_attribute_that_cannot_change_is_named(
    world: World, explain_in: Callable[..., Result]
) -> None:
    fixed = [{"Name": "name", "Mutable": False}]
    sent = {"displayName": ["Anna"]}
    result = explain_in(world.idp.respond(ASKED, attributes=sent), SchemaAttributes=fixed)
    assert result.exit_code == 0, result.output
    assert "displayName: sent; it must be what it was at an earlier sign-in" in result.output


def test_unknown_names_are_told_the_known_ones(explain: Callable[..., Result]) -> None:
    result = explain("x", provider="Nobody")
    assert result.exit_code == 2
    assert "Corp, Portal, Strict, Typo" in result.output


def test_every_reason_of_a_response_has_its_advice() -> None:
    of_responses = {r for r in _PUBLIC if r.startswith("saml_") and "metadata" not in r}
    assert of_responses <= set(ADVICE)
