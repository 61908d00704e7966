"""``IdentityProviders`` -> identity providers, and what is checked between them and the schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.model.pool import (
    IdentityProvider,
    OAuthSettings,
    ProviderType,
    SamlSettings,
    SchemaAttribute,
)
from broker.settings.members import Entry, Taken, Values
from broker.settings.provider_tables import DETAILS, EXTRA, SAML_OWN
from broker.settings.reading import Place, Reading, nearest

_SOCIAL = frozenset(
    {ProviderType.GOOGLE, ProviderType.FACEBOOK, ProviderType.AMAZON, ProviderType.APPLE}
)
_USERNAME = "username"
"""A mapping key of OIDC and social providers that is no attribute: what the user is called by."""


def build(
    entries: Iterable[Entry],
    schema: Mapping[str, SchemaAttribute],
    reading: Reading,
    *,
    case_sensitive: bool,
) -> dict[str, IdentityProvider]:
    """The providers that could be read, by name."""
    names, identifiers = Taken(reading), Taken(reading)
    built: dict[str, IdentityProvider] = {}
    for entry in entries:
        name = entry.values.get("ProviderName")
        names.claim(name and _as_username(name, case_sensitive), entry.place, "ProviderName")
        for identifier in _identifiers(entry):
            identifiers.claim(identifier, entry.place, "IdpIdentifiers")
        if provider := _provider(entry, schema, reading):
            built[provider.name] = provider
    return built


def _as_username(name: str, case_sensitive: bool) -> str:  # noqa: FBT001  # one fact of the pool
    """A case-insensitive pool lower-cases user names with the provider's name in front."""
    return name if case_sensitive else name.lower()


def _provider(
    entry: Entry, schema: Mapping[str, SchemaAttribute], reading: Reading
) -> IdentityProvider | None:
    settings = _settings(entry, reading)
    name = entry.values.get("ProviderName")
    if settings is None or name is None:
        return None
    kind = ProviderType(entry.values["ProviderType"])
    if kind in _SOCIAL and name != kind:
        reading.warn(entry.place / "ProviderName", f"Cognito wants a {kind} provider called {kind}")
    mapping = entry.values.get("AttributeMapping", {})
    _check_mapping(mapping, schema, kind, entry.place / "AttributeMapping", reading)
    return IdentityProvider(
        name=name,
        type=kind,
        settings=settings,
        attribute_mapping=reading.shared(mapping),
        identifiers=_identifiers(entry),
    )


def _settings(entry: Entry, reading: Reading) -> SamlSettings | OAuthSettings | None:
    table = DETAILS.get(entry.values.get("ProviderType", ""))
    raw = entry.values.get("ProviderDetails")
    if table is None or raw is None:
        return None
    details = table.read(raw, entry.place / "ProviderDetails", reading)
    if details is None:
        return None
    own = _own(entry, details, reading)
    if table.name == ProviderType.SAML:
        return _saml(details, own, reading)
    if "client_secret" in table.members and not details.given & {"client_secret", "private_key"}:
        reading.fault(details.place / "client_secret", "is missing")
    return _oauth(details.values)


def _own(entry: Entry, details: Entry, reading: Reading) -> Values:
    """The broker's own SAML members may stand in ``ProviderDetails`` or beside it."""
    beside = {m.name: entry.values[m.name] for m in SAML_OWN if m.name in entry.values}
    for name in beside:
        if entry.values["ProviderType"] != ProviderType.SAML:
            reading.fault(entry.place / name, "is for SAML providers only")
        elif name in details.given:
            reading.fault(entry.place / name, "stands here and in ProviderDetails (keep one)")
    return beside


def _saml(details: Entry, own: Values, reading: Reading) -> SamlSettings | None:
    values = {**own, **details.values}
    sources = details.given & {"MetadataURL", "MetadataFile"}
    if len(sources) != 1:
        reading.fault(details.place, "must have exactly one of MetadataURL and MetadataFile")
        return None
    xml, path = _metadata(values.get("MetadataFile"), details.place / "MetadataFile", reading)
    return SamlSettings(
        metadata_url=values.get("MetadataURL"),
        metadata_path=path,
        metadata_xml=xml,
        idp_signout=values.get("IDPSignout", False),
        idp_init=values.get("IDPInit", False),
        encrypted_responses=values.get("EncryptedResponses", False),
        sign_requests="RequestSigningAlgorithm" in values,
        entity_id=values.get("EntityId"),
        allow_sha1=values.get("AllowSha1", False),
        force_authn=values.get("ForceAuthn", False),
        send_login_hint=values.get("SendLoginHint", False),
        name_id_format=values.get("NameIDFormat"),
        requested_authn_context=values.get("RequestedAuthnContext"),
    )


def _metadata(given: str | None, place: Place, reading: Reading) -> tuple[str | None, str | None]:
    """``MetadataFile`` as (XML, path); the document at a path is read when it is needed."""
    if given is None:
        return None, None
    if given.lstrip("\ufeff \t\r\n").startswith("<"):
        return given, None
    path = reading.path(given)
    if not path.is_file():
        reading.fault(place, f"there is no file {path}")
    return None, str(path)


def _oauth(values: Values) -> OAuthSettings:
    return OAuthSettings(
        client_id=values.get("client_id", ""),
        client_secret=values.get("client_secret"),
        scopes=values.get("authorize_scopes", ""),
        issuer=values.get("oidc_issuer"),
        authorize_url=values.get("authorize_url"),
        token_url=values.get("token_url"),
        attributes_url=values.get("attributes_url"),
        jwks_uri=values.get("jwks_uri"),
        attributes_method=values.get("attributes_request_method", "GET"),
        idp_signout=values.get("IDPSignout", False),
        extra={name: values[name] for name in EXTRA if name in values},
    )


def _identifiers(entry: Entry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(i.lower() for i in entry.values.get("IdpIdentifiers", ())))


def _check_mapping(
    mapping: Mapping[str, str],
    schema: Mapping[str, SchemaAttribute],
    kind: ProviderType,
    place: Place,
    reading: Reading,
) -> None:
    """What would refuse every sign-in, or every one after the first, is told beforehand."""
    for name in mapping:
        attribute = schema.get(name)
        if attribute is None and not (name == _USERNAME and kind is not ProviderType.SAML):
            guess = nearest(name, schema)
            reading.warn(place / name, f"no such attribute in the schema: sign-ins fail{guess}")
        elif attribute is not None and not attribute.mutable:
            reading.warn(
                place / name, "the attribute is not mutable: a user's second sign-in fails"
            )
    for attribute in schema.values():
        if attribute.required and attribute.name != "sub" and attribute.name not in mapping:
            reading.warn(
                place, f"the required attribute {attribute.name} is not mapped: sign-ins fail"
            )
