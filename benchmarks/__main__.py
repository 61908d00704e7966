"""``python -m benchmarks``: measure a broker and print the table of RESULTS.md.

Reports server CPU per operation (user and system time of the whole process group) beside the floor of
the same run. It decides nothing: a regression shows as a changed table in the change that caused it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import bare, floor, op, scale, stall
from benchmarks.driver import Person, configuration
from benchmarks.idp import Idp
from benchmarks.processes import ServerProcess, broker, free_port
from benchmarks.servers import postgresql, redis

_SIGNATURES = {
    "saml_login": (2, 1),
    "saml_idp_initiated": (2, 1),
    "oidc_login": (2, 1),
    "refresh": (2, 0),
    "client_credentials": (1, 0),
    "userinfo": (0, 1),
}
_BUDGETS = {
    "saml_login": 2.4,
    "saml_idp_initiated": 1.9,
    "oidc_login": 2.9,
    "refresh": 0.85,
    "client_credentials": 0.45,
    "userinfo": 0.30,
    "jwks": 0.12,
    "discovery": 0.12,
}


_SIGNATURE_THERE = 0.235
_EMPTY_VIEW_THERE = 0.105
"""Milliseconds for a signature of RSA-2048, and for a view of Flask that does nothing, under granian, on the
machine that the budgets were written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    operation: str
    stores: str
    cpu_ms: float
    per_second: float
    here: floor.Floor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per round and operation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--operations", nargs="+", choices=list(_BUDGETS), default=list(_BUDGETS))
    parser.add_argument("--stall", action="store_true", help="latency beside a stalled provider")
    parser.add_argument("--stores", choices=["sqlite", "servers", "both"], default="both")
    parser.add_argument("--providers", type=int, help="compare one SAML provider with so many")
    parser.add_argument("--metadata", choices=["inline", "files"], default="inline")
    options = parser.parse_args()
    if options.providers:
        scale.measure(
            options.providers,
            options.metadata,
            workers=options.workers,
            rounds=options.rounds,
            seconds=options.seconds,
        )
        return
    results = []
    for result in _measure_all(options):
        results.append(result)
        print(f"{result.stores}: {result.operation} {result.cpu_ms:.3f} ms", file=sys.stderr)
    here = _described([result.here for result in results])
    empty = next(result.cpu_ms for result in results if result.operation == "empty")
    print("| Operation | Stores | CPU ms | x floor | by floor | by both | budget | per second |")
    print("|---|---|---|---|---|---|---|---|")
    for result in results:
        print(_row(result, here, empty))


def _measure_all(options: argparse.Namespace) -> Iterator[Measured]:
    with bare.served(options.workers) as (lean, callers):
        for operation in ("empty", "refresh", "saml_login"):
            yield _rounds(operation, "bare Flask", lean, callers, options=options)
        for stores in ("sqlite", "servers") if options.stores == "both" else (options.stores,):
            with _environment(stores) as environ:
                yield from _measure(stores, environ, options)


def _described(looks: Sequence[floor.Floor]) -> floor.Floor:
    """The medians of all looks, said on standard error with how far apart they were: hosts that are shared
    change by 10 % within minutes."""

    def median(name: str, values: list[float]) -> float:
        middle = statistics.median(values)
        spread = f"{min(values):.4f} to {max(values):.4f}"
        print(f"{name}: {middle:.4f} ms ({spread})", file=sys.stderr)
        return middle

    return floor.Floor(
        sign=median("floor, signature", [look.sign for look in looks]),
        verify=median("floor, verification", [look.verify for look in looks]),
    )


@contextmanager
def _environment(stores: str) -> Iterator[dict[str, str]]:
    """Where the broker keeps its state: the embedded default, or real servers on free ports."""
    with ExitStack() as stack:
        if stores == "sqlite":
            yield {}
            return
        yield {
            "BROKER_DATABASE_URL": stack.enter_context(postgresql()),
            "BROKER_REDIS_URL": stack.enter_context(redis()),
        }


def _measure(
    stores: str,
    environ: dict[str, str],
    options: argparse.Namespace,
) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as folder, op.served() as provider:
        port, idp = free_port(), Idp()
        config = Path(folder) / "broker.yaml"
        config.write_text(yaml.safe_dump(configuration(port, idp, provider)))
        environ = {**environ, "BROKER_LOG": "json"}
        with broker(config, port, workers=options.workers, environ=environ) as server:
            people = [
                Person(port=port, idp=idp, op=provider, name_id=f"person-{n}") for n in range(4)
            ]
            for person in people:
                person.saml_login()
            for operation in options.operations:
                yield _rounds(operation, stores, server, people, options=options)
            for name, latency in stall.measure(port, idp, provider) if options.stall else ():
                print(f"{stores}: SAML login, {name}: {latency}", file=sys.stderr)
            print(
                f"{stores}: ready in {server.ready_seconds:.2f} s, {server.rss_mib():.0f} MiB",
                file=sys.stderr,
            )


def _rounds(
    operation: str,
    stores: str,
    server: ServerProcess,
    people: Sequence[object],
    *,
    options: argparse.Namespace,
) -> Measured:
    here = floor.measure()
    rounds = _timed(operation, server, people, rounds=options.rounds, seconds=options.seconds)
    return Measured(
        operation=operation,
        stores=stores,
        cpu_ms=statistics.median(cpu for cpu, _ in rounds),
        per_second=statistics.median(rate for _, rate in rounds),
        here=here,
    )


def _timed(
    operation: str,
    server: ServerProcess,
    people: Sequence[object],
    *,
    rounds: int,
    seconds: float,
) -> list[tuple[float, float]]:
    """For each round milliseconds of CPU for one operation, and how many there were in a second."""
    _round([getattr(person, operation) for person in people], 0.3)
    found = []
    for _ in range(rounds):
        start, cpu = time.monotonic(), server.cpu_seconds()
        count = _round([getattr(person, operation) for person in people], seconds)
        spent, elapsed = server.cpu_seconds() - cpu, time.monotonic() - start
        found.append((spent / count * 1000, count / elapsed))
    return found


def _round(operations: list[Callable[[], None]], seconds: float) -> int:
    """Run each operation over and over on a thread of its own; how many there were."""
    end = time.monotonic() + seconds

    def repeat(operation: Callable[[], None]) -> int:
        count = 0
        while time.monotonic() < end:
            operation()
            count += 1
        return count

    with ThreadPoolExecutor(len(operations)) as pool:
        return sum(pool.map(repeat, operations))


def _row(result: Measured, here: floor.Floor, empty: float) -> str:
    """``by floor`` and ``by both``: milliseconds there, if all were faster as signatures are, or only the
    signatures, and the rest as an empty view is."""
    signatures, verifications = _SIGNATURES.get(result.operation, (0, 0))
    bound = here.of(signatures=signatures, verifications=verifications)
    ratio = f"{result.cpu_ms / bound:.1f}" if signatures else "-"
    by_floor = _SIGNATURE_THERE / here.sign
    by_both = bound * by_floor + (result.cpu_ms - bound) * _EMPTY_VIEW_THERE / empty
    return (
        f"| {result.operation} | {result.stores} | {result.cpu_ms:.3f} | {ratio} | "
        f"{result.cpu_ms * by_floor:.2f} | {by_both:.2f} | "
        f"{_BUDGETS.get(result.operation, '-')} | {result.per_second:.0f} |"
    )


if __name__ == "__main__":
    main()
