"""The member tables against the API they follow, and the schema and pages that follow them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from broker.model.pool import ProviderType
from broker.settings import json_schema
from broker.settings.client_table import CLIENT
from broker.settings.members import Table
from broker.settings.provider_tables import DETAILS
from broker.settings.tables import LAMBDA_CONFIG, POOL, PROVIDER, RESOURCE_SERVER, SCHEMA_ATTRIBUTE
from tests.kit.configuration import every_table

ROOT = Path(__file__).parents[2]
EVERY_TABLE = every_table()


@pytest.mark.parametrize(
    ("table", "shapes"),
    [
        (POOL, ("UserPoolType", "CreateUserPoolRequest", "UpdateUserPoolRequest")),
        (CLIENT, ("UserPoolClientType", "CreateUserPoolClientRequest")),
        (PROVIDER, ("IdentityProviderType", "CreateIdentityProviderRequest")),
        (RESOURCE_SERVER, ("ResourceServerType", "CreateResourceServerRequest")),
        (SCHEMA_ATTRIBUTE, ("SchemaAttributeType",)),
        (LAMBDA_CONFIG, ("LambdaConfigType",)),
    ],
)
def test_every_member_of_the_api_is_known(table: Table, shapes: tuple[str, ...]) -> None:
    api = botocore.session.get_session().get_service_model("cognito-idp")
    members = {name for shape in shapes for name in api.shape_for(shape).members}
    assert members <= set(table.known)


def test_every_provider_type_has_its_details() -> None:
    assert set(DETAILS) == set(ProviderType)


def test_the_published_schema_is_current() -> None:
    """After a change: ``python -m broker.settings.json_schema > config/broker.schema.json``."""
    published = (ROOT / "config" / "broker.schema.json").read_text()
    assert published == json_schema.as_text()


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from ([schema["$ref"]] if "$ref" in schema else [])
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = json_schema.json_schema()
    defined = {f"#/$defs/{name}" for name in schema["$defs"]}
    assert set(references(schema)) == defined


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_the_reference_page_names_every_member(table: Table) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert [name for name in table.members if f"`{name}`" not in page] == []


def test_the_schema_is_json() -> None:
    assert json.loads(json_schema.as_text())["$defs"]["UserPool"]["additionalProperties"] is False
