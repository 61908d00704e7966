"""The JSON schema of the configuration file, for editors: made from the member tables.

``python -m broker.settings.json_schema > config/broker.schema.json`` after a table has changed.
It describes the form of a file and is stricter than the reader nowhere that matters; what is
checked between members (``broker check``) is beyond it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from broker.settings.kinds import Boolean, Choice, Kind, ListOf, MapOf, Number, Text, Whole
from broker.settings.members import Member, Object, Objects, Table
from broker.settings.pools import ASIDE, USER_POOLS
from broker.settings.provider_tables import DETAILS
from broker.settings.tables import POOL, PROVIDER

Schema = dict[str, Any]

_TEXT: Schema = {"type": ["string", "number"]}
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{|^file:"}
_NUMERAL: Schema = {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"}


def json_schema() -> Schema:
    """The whole schema (JSON Schema 2020-12)."""
    definitions: dict[str, Schema] = {}
    _define(POOL, definitions)
    for details in DETAILS.values():
        _define(details, definitions)
    definitions[PROVIDER.name]["allOf"] = [_details_of(kind) for kind in DETAILS]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the federation broker",
        "type": "object",
        "properties": {USER_POOLS: {"type": "array", "minItems": 1, "items": _reference(POOL)}},
        "patternProperties": {f"^{ASIDE}": True},
        "required": [USER_POOLS],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _define(table: Table, definitions: dict[str, Schema]) -> None:
    """Put ``table`` and the tables inside it among the definitions."""
    properties: dict[str, Schema | bool] = dict.fromkeys(sorted(table.let_through), True)
    definitions[table.name] = {"type": "object", "additionalProperties": False}
    for member in table.members.values():
        properties[member.name] = _described(member)
        inside = getattr(member.kind, "table", None)
        if inside is not None:
            _define(inside, definitions)
    definitions[table.name]["properties"] = properties
    definitions[table.name] |= _requirement(table, properties)


def _requirement(table: Table, properties: dict[str, Schema | bool]) -> Schema:
    required: Schema = {"required": sorted(table.required)} if table.required else {}
    if table.wrapper is None:
        return required
    properties[table.wrapper] = {"type": "object"}
    return {"anyOf": [required, {"required": [table.wrapper]}]}


def _described(member: Member) -> Schema:
    default = f" Default: {member.default}." if member.default else ""
    return {"description": member.says + default, **_form(member.kind)}


def _form(kind: Kind) -> Schema:
    match kind:
        case Text():
            return _TEXT
        case Boolean():
            return _or_reference({"type": "boolean"}, {"enum": ["true", "false"]})
        case Whole(low=low, high=high):
            return _or_reference({"type": "integer", "minimum": low, "maximum": high}, _NUMERAL)
        case Number():
            return _or_reference({"type": "number"}, _NUMERAL)
        case Choice(words=words):
            return _or_reference({"enum": list(words)})
        case _:
            return _collection(kind)


def _collection(kind: Kind) -> Schema:
    match kind:
        case ListOf(item=item, alone=alone):
            many: Schema = {"type": ["array", "null"], "items": _form(item)}
            return {"anyOf": [_form(item), many]} if alone else many
        case MapOf(value=value):
            return {"type": ["object", "null"], "additionalProperties": _form(value)}
        case Object(table=table):
            return {"anyOf": [_reference(table), {"type": "null"}]}
        case Objects(table=table):
            return {"type": ["array", "null"], "items": _reference(table)}
        case _:
            return {}


def _or_reference(*forms: Schema) -> Schema:
    return {"anyOf": [*forms, _REFERENCE]}


def _reference(table: Table) -> Schema:
    return {"$ref": f"#/$defs/{table.name}"}


def _details_of(kind: str) -> Schema:
    """``ProviderDetails`` depend on the ``ProviderType`` beside them."""
    return {
        "if": {"properties": {"ProviderType": {"const": kind}}, "required": ["ProviderType"]},
        "then": {"properties": {"ProviderDetails": _reference(DETAILS[kind])}},
    }


def as_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text())
