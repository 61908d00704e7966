"""``python -m benchmarks --providers 10000``: what many SAML providers cost a sign-in, the start and memory.

Starts a broker with one provider and one with many, spread over pools, and signs people in: the same four at
one provider, and somebody new each time at all of them in turn, so that most are the first at theirs.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks import op
from benchmarks.driver import CALLBACK, CLIENT, SAML, SECRET, Person
from benchmarks.idp import Idp
from benchmarks.op import Op
from benchmarks.processes import ServerProcess, broker, free_port

POOLS = 34
KEYS_OF_A_POOL = 4
_QUIET_SECONDS = 0.05
"""CPU in a second below which a start is over: keys are made in the background."""


@dataclass(frozen=True)
class Tenant:
    """One provider of one pool."""

    host: str
    provider: str
    idp: Idp


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    ready_seconds: float
    start_mib: float
    one_provider_ms: float
    all_providers_ms: float
    end_mib: float


def measure(providers: int, metadata: str, *, workers: int, rounds: int, seconds: float) -> None:
    """Print the cost of one provider and of ``providers``, and the ratio."""
    with op.served() as provider:
        costs = [
            _cost(count, metadata, provider, workers=workers, rounds=rounds, seconds=seconds)
            for count in (1, providers)
        ]
    print("| Providers | ready s | MiB at start | login ms | new, at all in turn ms | MiB after |")
    print("|---|---|---|---|---|---|")
    for count, cost in zip((1, providers), costs, strict=True):
        print(
            f"| {count} | {cost.ready_seconds:.1f} | {cost.start_mib:.0f} | {cost.one_provider_ms:.2f} | "
            f"{cost.all_providers_ms:.2f} | {cost.end_mib:.0f} |"
        )
    one, many = costs
    ratio = many.one_provider_ms / one.one_provider_ms
    in_turn = many.all_providers_ms / one.all_providers_ms
    print(f"\nlogin: {ratio:.2f} x, at all in turn {in_turn:.2f} x", file=sys.stderr)


def _cost(
    count: int, metadata: str, provider: Op, *, workers: int, rounds: int, seconds: float
) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        tenants = list(_tenants(count))
        config = folder / "broker.yaml"
        document = _configuration(tenants, port, folder if metadata == "files" else None)
        config.write_text(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
        with broker(config, port, workers=workers, environ={"BROKER_LOG": "json"}) as server:
            pools = len({tenant.host for tenant in tenants})
            _settle(server, folder / "var" / "certs", keys=KEYS_OF_A_POOL * pools)
            start = server.rss_mib()
            logins = [_Logins(port, provider, f"person-{n}", tenants) for n in range(4)]
            one = _median_ms(server, [each.at_one for each in logins], rounds, seconds)
            spread = _median_ms(server, [each.at_all for each in logins], rounds, seconds)
            return Cost(
                ready_seconds=server.ready_seconds,
                start_mib=start,
                one_provider_ms=one,
                all_providers_ms=spread,
                end_mib=server.rss_mib(),
            )


class _Logins:
    """One browser's sign-ins."""

    def __init__(self, port: int, provider: Op, name_id: str, tenants: list[Tenant]) -> None:
        self._people: dict[str, Person] = {}
        self._port, self._op, self._name_id = port, provider, name_id
        self._first = tenants[0]
        self._number = itertools.count()
        # Each begins elsewhere, and walks through all of them.
        offset = hash(name_id) % len(tenants)
        self._turn = itertools.cycle(tenants[offset:] + tenants[:offset])

    def at_one(self) -> None:
        self._sign_in(self._first, self._name_id)

    def at_all(self) -> None:
        self._sign_in(next(self._turn), f"{self._name_id}-{next(self._number)}")

    def _sign_in(self, tenant: Tenant, name_id: str) -> None:
        person = self._people.get(tenant.host)
        if person is None:
            person = self._people[tenant.host] = Person(
                port=self._port,
                idp=tenant.idp,
                op=self._op,
                name_id=self._name_id,
                host=tenant.host,
            )
        person.name_id = name_id
        person.saml_login_at(tenant.provider, tenant.idp)


def _tenants(count: int) -> Iterator[Tenant]:
    idp = Idp()
    for number in range(count):
        entity = f"https://idp-{number}.bench.test/metadata"
        host = f"pool{number % POOLS}.localhost"
        yield Tenant(host, f"{SAML}{number}", replace(idp, entity=entity))


def _configuration(tenants: list[Tenant], port: int, folder: Path | None) -> dict[str, Any]:
    """Each pool with its share of the providers, all of them for one client."""
    pools: dict[str, list[Tenant]] = {}
    for tenant in tenants:
        pools.setdefault(tenant.host, []).append(tenant)
    return {
        "UserPools": [
            {
                "Id": f"local_Bench{number:02}",
                "Domain": f"http://{host}:{port}",
                "UserPoolClients": [
                    {
                        "ClientId": CLIENT,
                        "ClientSecret": SECRET,
                        "CallbackURLs": [CALLBACK],
                        "AllowedOAuthFlowsUserPoolClient": True,
                        "AllowedOAuthFlows": ["code"],
                        "AllowedOAuthScopes": ["openid", "email", "profile"],
                        "SupportedIdentityProviders": [tenant.provider for tenant in theirs],
                    }
                ],
                "IdentityProviders": [
                    {
                        "ProviderName": tenant.provider,
                        "ProviderType": "SAML",
                        "ProviderDetails": {"MetadataFile": _metadata(tenant, folder)},
                        "AttributeMapping": {"email": "email", "name": "displayName"},
                        "IdpIdentifiers": [f"{tenant.provider.lower()}.example.com"],
                    }
                    for tenant in theirs
                ],
            }
            for number, (host, theirs) in enumerate(pools.items())
        ]
    }


def _metadata(tenant: Tenant, folder: Path | None) -> str:
    if folder is None:
        return tenant.idp.metadata()
    path = folder / f"{tenant.provider}.xml"
    path.write_text(tenant.idp.metadata())
    return str(path)


def _settle(server: ServerProcess, certs: Path, *, keys: int) -> None:
    """Wait until the broker has made all keys and has nothing left to do."""
    for _ in range(300):
        before = server.cpu_seconds()
        time.sleep(1)
        made = len(list(certs.glob("*/*.pem")))
        if made == keys and server.cpu_seconds() - before < _QUIET_SECONDS:
            return
    raise SystemExit("The broker does not come to rest.")


def _median_ms(
    server: ServerProcess, operations: list[Callable[[], None]], rounds: int, seconds: float
) -> float:
    costs = []
    for _ in range(rounds):
        cpu = server.cpu_seconds()
        count = _repeat(operations, seconds)
        costs.append((server.cpu_seconds() - cpu) / count * 1000)
    return statistics.median(costs)


def _repeat(operations: list[Callable[[], None]], seconds: float) -> int:
    end = time.monotonic() + seconds

    def repeat(operation: Callable[[], None]) -> int:
        count = 0
        while time.monotonic() < end:
            operation()
            count += 1
        return count

    with ThreadPoolExecutor(len(operations)) as pool:
        return sum(pool.map(repeat, operations))
