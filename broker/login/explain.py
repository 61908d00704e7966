"""What would become of the person that a captured Response names: for ``broker saml explain``.

Runs the very functions of ``attributes.py`` that a first sign-in runs, one by one. Nothing is looked up: what
is stored of the person is not known here. Findings name attributes, claims and apps, never a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from broker.login.attributes import check_required, mapped_value, may_write, username_of
from broker.model.pool import AppClient, IdentityProvider, UserPool
from broker.saml.explain import Finding, Said, attempt

_NOBODY: dict[str, str] = {}
"""What is stored of somebody who has never signed in."""


def explain_person(pool: UserPool, provider: IdentityProvider, said: Said) -> Iterator[Finding]:
    """A user name, then each attribute, as for every app that the provider is for."""
    step = "The NameID makes a user name"
    yield attempt(step, partial(username_of, said.subject, provider, pool))[0]
    apps = _alike(pool, provider)
    for client, names in apps:
        where = f" ({names})" if len(apps) > 1 else ""
        yield from _SignIn(pool=pool, provider=provider, client=client, said=said).findings(where)


def _alike(pool: UserPool, provider: IdentityProvider) -> list[tuple[AppClient, str]]:
    """One app of each ``WriteAttributes``, which is all that differs here, with the ids of those that
    have the same; an app that may write everything where there is none."""
    alike: dict[frozenset[str] | None, list[AppClient]] = {}
    for client in pool.clients.values():
        if client.supports(provider.name):
            alike.setdefault(client.write_attributes, []).append(client)
    apps = [(same[0], ", ".join(client.id for client in same)) for same in alike.values()]
    return apps or [(AppClient(id=""), "")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SignIn:
    """The first one of the person, in one app."""

    pool: UserPool
    provider: IdentityProvider
    client: AppClient
    said: Said

    def findings(self, where: str) -> Iterator[Finding]:
        set_here: dict[str, str] = {}
        for name, claim in self.provider.attribute_mapping.items():
            sent = self.said.claims if may_write(self.client, name) else {}
            check = partial(mapped_value, name, sent, self.provider, self.pool, _NOBODY)
            finding, value = attempt(f"{name} is mapped from {claim}{where}", check)
            yield self._noted(finding, name, value) if finding.passed else finding
            if isinstance(value, str):
                set_here[name] = value
        for name in self.pool.required_attributes:
            is_there = partial(check_required, name, self.provider, set_here)
            yield attempt(f"{name}, which is required, is set{where}", is_there)[0]

    def _noted(self, finding: Finding, name: str, value: object) -> Finding:
        if not may_write(self.client, name):
            return replace(finding, passed=None, note="not in WriteAttributes; an old value stays")
        if value is None:
            return replace(finding, passed=None, note="not in this assertion; an old value stays")
        is_fixed = not self.pool.schema[name].mutable
        note = "sent; it must be what it was at an earlier sign-in" if is_fixed else "sent"
        return replace(finding, note=note)
