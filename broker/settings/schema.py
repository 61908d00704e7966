"""``SchemaAttributes`` -> the pool's schema: Cognito's standard attributes and what the file adds.

A pool that says nothing about its schema shares one object with all others that do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.model.pool import STANDARD_ATTRIBUTES, VERIFIED_FLAGS, SchemaAttribute
from broker.settings.members import Entry, Values
from broker.settings.reading import Place, Reading

_CUSTOM = "custom:"
_PREFIXES = (_CUSTOM, "dev:")
_IDENTITIES = "identities"
"""Described once a pool has a provider; the broker writes it, nobody configures it."""
_CUSTOM_NAME_MAX = 20
_CUSTOM_MAX = 50


def _standard(name: str) -> SchemaAttribute:
    if name in VERIFIED_FLAGS:
        return SchemaAttribute(name=name, data_type="Boolean")
    if name == "updated_at":
        return SchemaAttribute(name=name, data_type="Number", min_value=0)
    if name == "birthdate":
        return SchemaAttribute(name=name, min_length=10, max_length=10)
    return SchemaAttribute(name=name, min_length=0, max_length=2048)


_SUB = SchemaAttribute(name="sub", mutable=False, required=True, min_length=1, max_length=2048)
STANDARD: Mapping[str, SchemaAttribute] = {
    _SUB.name: _SUB,
    **{name: _standard(name) for name in (*STANDARD_ATTRIBUTES, *VERIFIED_FLAGS)},
}
"""The 20 attributes every pool has (DescribeUserPool)."""


def build(
    entries: Iterable[Entry], place: Place, reading: Reading
) -> Mapping[str, SchemaAttribute]:
    """The standard attributes with the configured ones over them."""
    own: dict[str, SchemaAttribute] = {}
    for entry in entries:
        name = _full_name(entry.values.get("Name", _IDENTITIES))
        if name in own:
            reading.fault(entry.place / "Name", f"the attribute {name} stands twice")
        elif name != _IDENTITIES:
            own[name] = _attribute(name, entry, reading)
    if sum(name not in STANDARD for name in own) > _CUSTOM_MAX:
        reading.warn(place, f"Cognito allows at most {_CUSTOM_MAX} custom attributes")
    return {**STANDARD, **own} if own else STANDARD


def _full_name(name: str) -> str:
    """CreateUserPool names a custom attribute without its prefix, DescribeUserPool with it."""
    if name in STANDARD or name == _IDENTITIES or name.startswith(_PREFIXES):
        return name
    return _CUSTOM + name


def _attribute(name: str, entry: Entry, reading: Reading) -> SchemaAttribute:
    values = entry.values
    standard = STANDARD.get(name, SchemaAttribute(name=name))
    if name not in STANDARD:
        _warn_custom(name, entry, reading)
    text = values.get("StringAttributeConstraints", {})
    number = values.get("NumberAttributeConstraints", {})
    _in_order(text, "MinLength", "MaxLength", entry.place / "StringAttributeConstraints", reading)
    _in_order(number, "MinValue", "MaxValue", entry.place / "NumberAttributeConstraints", reading)
    return SchemaAttribute(
        name=name,
        data_type=values.get("AttributeDataType", standard.data_type),
        mutable=values.get("Mutable", standard.mutable),
        required=values.get("Required", standard.required),
        min_length=text.get("MinLength", standard.min_length),
        max_length=text.get("MaxLength", standard.max_length),
        min_value=number.get("MinValue", standard.min_value),
        max_value=number.get("MaxValue", standard.max_value),
    )


def _warn_custom(name: str, entry: Entry, reading: Reading) -> None:
    if len(name.removeprefix(_CUSTOM)) > _CUSTOM_NAME_MAX:
        reading.warn(
            entry.place / "Name", f"Cognito allows names of at most {_CUSTOM_NAME_MAX} characters"
        )
    if entry.values.get("Required"):
        reading.warn(entry.place / "Required", "Cognito does not allow required custom attributes")


def _in_order(limits: Values, low: str, high: str, place: Place, reading: Reading) -> None:
    if low in limits and high in limits and limits[low] > limits[high]:
        reading.fault(place, f"{low} is more than {high}")
