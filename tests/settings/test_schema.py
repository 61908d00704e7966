"""The pool's schema: the standard attributes, and what the file adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.model.pool import SchemaAttribute
from tests.kit.configuration import as_it_is, pool_of


def test_the_twenty_standard_attributes(tmp_path: Path) -> None:
    schema = pool_of(tmp_path, as_it_is).schema
    assert len(schema) == 20
    assert schema["birthdate"].min_length == schema["birthdate"].max_length == 10
    assert schema["email_verified"].data_type == "Boolean"
    assert schema["updated_at"].data_type == "Number"
    assert schema["sub"].required


@pytest.mark.parametrize("member", ["Schema", "SchemaAttributes"])
@pytest.mark.parametrize("name", ["team", "custom:team"])
def test_a_custom_attribute(tmp_path: Path, member: str, name: str) -> None:
    attribute = {
        "Name": name,
        "AttributeDataType": "Number",
        "Mutable": False,
        "DeveloperOnlyAttribute": False,
        "NumberAttributeConstraints": {"MinValue": "-1", "MaxValue": "2.5"},
    }
    schema = pool_of(tmp_path, lambda p: p.update({member: [attribute]})).schema
    assert len(schema) == 21
    assert schema["custom:team"] == SchemaAttribute(
        name="custom:team", data_type="Number", mutable=False, min_value=-1, max_value=2.5
    )


def test_a_standard_attribute_changed(tmp_path: Path) -> None:
    pool = pool_of(tmp_path, lambda p: p.update(Schema=[{"Name": "email", "Required": True}]))
    assert len(pool.schema) == 20
    assert pool.schema["email"].max_length == 2048
    assert pool.required_attributes == ("email",)
