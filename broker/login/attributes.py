"""What a provider says of a person + attribute mapping -> name and attributes of a user of the pool.

Owns which claim becomes which attribute, the form of multi-valued ones, and the schema's rules. It
decides nothing about users: whether an attribute is written is the flow's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from broker.model.errors import ErrorCode, Reason, UpstreamError
from broker.model.pool import AppClient, IdentityProvider, ProviderType, SchemaAttribute, UserPool

MAX_VALUE = 2048
MAX_USERNAME = 128

_PHONE = re.compile(r"\+[0-9]{1,15}")
_BIRTHDATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""NUL and halves of surrogate pairs: JSON can carry them, databases and UTF-8 cannot."""
_UNSTORABLE = "Invalid characters"
_BEYOND_BMP = re.compile(r"[\U00010000-\U0010ffff]")
_NAMES_THE_USER = "username"


Claims = Mapping[str, tuple[str, ...]]
"""Claim name -> its values in order."""


def mapped_attributes(
    claims: Claims,
    provider: IdentityProvider,
    client: AppClient,
    pool: UserPool,
    stored: Mapping[str, str],
) -> dict[str, str]:
    """The attributes this sign-in sets. Claims that are absent set nothing, so old values stay.

    Raises ``UpstreamError`` for a value the schema refuses, a mapping the schema does not know, and
    a required attribute that is neither sent nor ``stored``.
    """
    mapped: dict[str, str] = {}
    for name in provider.attribute_mapping:
        sent = claims if may_write(client, name) else {}
        value = mapped_value(name, sent, provider, pool, stored)
        if value is not None:
            mapped[name] = value
    for name in pool.required_attributes:
        check_required(name, provider, {**stored, **mapped})
    return mapped


def mapped_value(
    name: str,
    claims: Claims,
    provider: IdentityProvider,
    pool: UserPool,
    stored: Mapping[str, str],
) -> str | None:
    """What ``claims`` set the mapped attribute ``name`` to; None: nothing.

    Raises ``UpstreamError``, also where nothing would be set, for a name the schema does not know.
    """
    if name == _NAMES_THE_USER and provider.type is not ProviderType.SAML:
        return None  # OIDC and social providers list it; the subject names the user anyway
    attribute = _schema_attribute(name, provider, pool)
    values = _present(claims.get(provider.attribute_mapping[name], ()))
    if not values:
        return None
    _check_characters(attribute, values, provider, pool)
    value = flattened(values)
    _check_value(attribute, value, provider, stored.get(name))
    return value


def check_required(name: str, provider: IdentityProvider, known: Mapping[str, str]) -> None:
    """``known``: what is stored of the user and what is sent. Raises ``UpstreamError``."""
    if not known.get(name):
        text = f"{name}: The attribute is required"
        raise _refused(Reason.ATTRIBUTE_REQUIRED, provider, text, name)


def username_of(subject: str, provider: IdentityProvider, pool: UserPool) -> str:
    """``<Provider>_<subject>``; lower-cased where the pool's user names ignore case.

    Raises ``UpstreamError`` for a subject that is empty, too long or holds control characters.
    """
    username = provider.username(subject)
    if subject_fault(subject) is not None:
        raise _refused(
            Reason.USERNAME_INVALID, provider, "username: Invalid characters", "username"
        )
    if len(username) > MAX_USERNAME:
        raise UpstreamError(
            Reason.USERNAME_INVALID,
            f"{_prefix(provider)}1 validation error detected: Value at 'userName' failed to "
            "satisfy constraint: Member must have length less than or equal to 128",
            expected=f"at most {MAX_USERNAME} characters",
            received=f"{len(username)} characters",
        )
    return pool.as_kept(username)


def subject_fault(subject: str) -> str | None:
    """What is wrong with a provider's name for a person; None when it is good."""
    if not subject:
        return "it is empty"
    return "it has control characters" if _CONTROL.search(subject) else None


def flattened(values: tuple[str, ...]) -> str:
    """Several values become one ``[a, b]``, each form-url-encoded where it has other characters
    than alphanumerics and ``. - * _``; a single one stays as it is; empty ones do not count."""
    present = _present(values)
    if len(present) <= 1:
        return present[0] if present else ""
    encoded = (quote_plus(value, safe="*").replace("~", "%7E") for value in present)
    return f"[{', '.join(encoded)}]"


def _present(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value.strip())


def may_write(client: AppClient, name: str) -> bool:
    """An attribute outside ``WriteAttributes`` is skipped, not refused: the sign-in goes on."""
    return client.write_attributes is None or name in client.write_attributes


def _schema_attribute(name: str, provider: IdentityProvider, pool: UserPool) -> SchemaAttribute:
    attribute = pool.schema.get(name)
    if attribute is not None and name != "sub":
        return attribute
    if name.startswith("custom:"):
        raise _refused(
            Reason.ATTRIBUTE_UNKNOWN,
            provider,
            f"Type for attribute {{{name}}} could not be determined",
            name,
        )
    text = f"{name}: Attribute does not exist in the schema. "
    raise _refused(Reason.ATTRIBUTE_UNKNOWN, provider, text, name)


def _check_characters(
    attribute: SchemaAttribute, values: tuple[str, ...], provider: IdentityProvider, pool: UserPool
) -> None:
    """Of the values as they came: several are percent-encoded, all in ASCII, when they are one.

    Cognito takes no characters of four bytes from an assertion; a pool may.
    """
    is_narrow = provider.type is ProviderType.SAML and not pool.supplementary_characters
    for value in values:
        if _NOT_STORABLE.search(value):
            raise _invalid(attribute, provider, _UNSTORABLE)
        if is_narrow and _BEYOND_BMP.search(value):
            raise _invalid(attribute, provider, "4-byte UTF-8 characters are not supported")


def _check_value(
    attribute: SchemaAttribute, value: str, provider: IdentityProvider, stored: str | None
) -> None:
    """The rules for one value. ``stored`` is what an immutable attribute must equal."""
    fault = value_fault(attribute, value)
    if not attribute.mutable and stored is not None and stored != value:
        fault = "Attribute cannot be updated. "
    if fault is not None:
        raise _invalid(attribute, provider, fault)


def _invalid(attribute: SchemaAttribute, provider: IdentityProvider, fault: str) -> UpstreamError:
    return _refused(
        Reason.ATTRIBUTE_INVALID, provider, f"{attribute.name}: {fault}", attribute.name
    )


def value_fault(attribute: SchemaAttribute, value: str) -> str | None:
    """What the schema has against ``value``, without repeating it; None when it is good."""
    if _NOT_STORABLE.search(value):
        return _UNSTORABLE
    return (
        _length_fault(attribute, value)
        or _type_fault(attribute, value)
        or _format_fault(attribute.name, value)
    )


def _length_fault(attribute: SchemaAttribute, value: str) -> str | None:
    longest = MAX_VALUE
    if attribute.data_type == "String" and attribute.max_length is not None:
        longest = min(longest, attribute.max_length)
    if len(value) > longest:
        return f"String must be at most {longest} characters"
    if attribute.data_type == "String" and len(value) < (attribute.min_length or 0):
        return f"String must be at least {attribute.min_length} characters"
    return None


def _type_fault(attribute: SchemaAttribute, value: str) -> str | None:
    if attribute.data_type == "Boolean" and value.lower() not in ("true", "false"):
        return "Boolean must be true or false"
    if attribute.data_type != "Number":
        return None
    if not _NUMBER.fullmatch(value):
        return "Number is not a decimal number"
    number = float(value)
    low, high = attribute.min_value, attribute.max_value
    if (low is not None and number < low) or (high is not None and number > high):
        return "Number is out of range"
    return None


def _format_fault(name: str, value: str) -> str | None:
    if name == "phone_number" and not _PHONE.fullmatch(value):
        return "Invalid phone number format."
    if name == "email" and _CONTROL.search(value):
        return "Invalid email address format."
    if name == "birthdate" and not _BIRTHDATE.fullmatch(value):
        return "Invalid birthdate format, should be YYYY-MM-DD."
    return None


def _refused(reason: Reason, provider: IdentityProvider, text: str, name: str) -> UpstreamError:
    """The wire's text, which names the attribute and never the value."""
    return UpstreamError(
        reason,
        f"{_prefix(provider)}Invalid user attributes: {text}",
        code=ErrorCode.SERVER_ERROR
        if provider.type is ProviderType.SAML
        else ErrorCode.INVALID_REQUEST,
        expected=f"a valid {name} (claim {provider.attribute_mapping.get(name, 'unmapped')})",
        received=text,
    )


def _prefix(provider: IdentityProvider) -> str:
    if provider.type is ProviderType.SAML:
        return "Error in SAML response processing: "
    return ""
