"""The file's ``UserPools`` -> user pools, and what is checked between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.model.pool import (
    Conformance,
    Logo,
    Organization,
    ResourceServer,
    SigningAlgorithm,
    UserPool,
)
from broker.settings import clients, providers, schema, urls
from broker.settings.kinds import collection
from broker.settings.members import Entry, Taken
from broker.settings.reading import Place, Reading, nearest
from broker.settings.tables import POOL

USER_POOLS = "UserPools"
ASIDE = "x-"
"""Top-level members that begin so are the file's own: a place for YAML anchors."""


def build(tree: object, base_domain: str, reading: Reading) -> dict[str, UserPool]:
    """The pools by id, in file order. ``tree`` is used up: a large one is freed as it is read."""
    pools: dict[str, UserPool] = {}
    ids, hosts, issuers = Taken(reading), Taken(reading), Taken(reading)
    items = _items(tree, reading)
    for index in range(len(items)):
        raw, items[index] = items[index], None
        entry = POOL.read(raw, Place() / USER_POOLS / index, reading)
        if entry is None:
            continue
        ids.claim(entry.values.get("Id"), entry.place, "Id")
        pool = _pool(entry, base_domain, reading)
        if pool is None:
            continue
        issuers.claim(pool.issuer, entry.place, "Issuer")
        for domain in pool.domains:
            hosts.claim(urls.authority(domain), entry.place, "Domain")
        pools[pool.id] = pool
    return pools


def _items(tree: object, reading: Reading) -> list[Any]:
    if tree is not None and not isinstance(tree, dict):
        reading.fault(Place(), f"the file must begin with {USER_POOLS}: and have its list below it")
        return []
    members = tree or {}
    for name in members:
        if name != USER_POOLS and not name.startswith(ASIDE):
            reading.fault(Place() / name, f"unknown member{nearest(name, [USER_POOLS])}")
    items = collection(members.get(USER_POOLS), list, Place() / USER_POOLS, reading)
    if items == []:
        reading.fault(Place() / USER_POOLS, "is missing or empty: there must be a pool")
    return items or []


def _pool(entry: Entry, base_domain: str, reading: Reading) -> UserPool | None:
    """None when the pool has no usable id or domain; the rest of it is read even so."""
    values = entry.values
    domains = _domains(entry, base_domain, reading)
    attributes = schema.build(
        _either(entry, "SchemaAttributes", "Schema", reading) or (),
        entry.place / "SchemaAttributes",
        reading,
    )
    case_sensitive = values.get("UsernameConfiguration", {}).get("CaseSensitive", True)
    upstream = values.get("IdentityProviders", ())
    found = providers.build(upstream, attributes, reading, case_sensitive=case_sensitive)
    servers = _resource_servers(values.get("ResourceServers", ()), reading)
    around = clients.Surroundings(
        providers=frozenset(
            p.values["ProviderName"] for p in upstream if "ProviderName" in p.values
        ),
        custom_scopes=frozenset(f"{s.identifier}/{n}" for s in servers.values() for n in s.scopes),
        attributes=frozenset(attributes),
    )
    apps = clients.build(values.get("UserPoolClients", ()), around, reading)
    if "CustomDomain" in values:
        reading.warn(entry.place / "CustomDomain", "is not used (add it to the Domain list)")
    if "Id" not in values or not domains:
        return None
    name = _either(entry, "Name", "PoolName", reading) or ""
    return UserPool(
        id=values["Id"],
        name=name,
        domains=domains,
        issuer=values.get("Issuer", f"{domains[0]}/{values['Id']}"),
        clients=apps,
        providers=found,
        resource_servers=servers,
        schema=attributes,
        signing_algorithm=SigningAlgorithm(values.get("SigningAlgorithm", SigningAlgorithm.RS256)),
        conformance=Conformance(values.get("Conformance", Conformance.COGNITO)),
        case_sensitive=case_sensitive,
        supplementary_characters=values.get("AllowSupplementaryCharacters", False),
        organization=_organization(values.get("Organization", {})),
        display_name=values.get("DisplayName", name),
        logo=_logo(values.get("Logo", {})),
    )


def _organization(values: Mapping[str, Any]) -> Organization | None:
    if not {"Name", "URL"} <= values.keys():
        return None
    name = values["Name"]
    return Organization(name=name, display_name=values.get("DisplayName", name), url=values["URL"])


def _logo(values: Mapping[str, Any]) -> Logo | None:
    if not {"URL", "Width", "Height"} <= values.keys():
        return None
    return Logo(url=values["URL"], width=values["Width"], height=values["Height"])


def _domains(entry: Entry, base_domain: str, reading: Reading) -> tuple[str, ...]:
    """The base URLs that ``Domain`` stands for; empty after a fault."""
    given = entry.values.get("Domain")
    if given == ():
        reading.fault(entry.place / "Domain", "must not be empty")
    found = tuple(dict.fromkeys(urls.base_url(domain, base_domain) for domain in given or ()))
    problems = [problem for url in found if (problem := urls.base_url_problem(url))]
    for problem in problems:
        reading.fault(entry.place / "Domain", problem)
    return () if problems else found


def _either(entry: Entry, describe: str, create: str, reading: Reading) -> Any:
    """A member that Create and Describe calls name differently."""
    if describe in entry.given and create in entry.given:
        reading.fault(entry.place / create, f"means the same as {describe} (keep one)")
    return entry.values.get(describe, entry.values.get(create))


def _resource_servers(entries: tuple[Entry, ...], reading: Reading) -> dict[str, ResourceServer]:
    servers: dict[str, ResourceServer] = {}
    taken = Taken(reading)
    for entry in entries:
        identifier = entry.values.get("Identifier")
        taken.claim(identifier, entry.place, "Identifier")
        scopes = _scopes(entry.values.get("Scopes", ()), reading)
        if identifier is not None:
            name = entry.values.get("Name", "")
            servers[identifier] = ResourceServer(identifier=identifier, name=name, scopes=scopes)
    return servers


def _scopes(entries: tuple[Entry, ...], reading: Reading) -> tuple[str, ...]:
    taken = Taken(reading)
    for entry in entries:
        taken.claim(entry.values.get("ScopeName"), entry.place, "ScopeName")
    return tuple(e.values["ScopeName"] for e in entries if "ScopeName" in e.values)
