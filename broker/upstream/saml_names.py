"""What the SAML providers of this installation are called, as far as that is known here.

Anybody can send a message that makes us look for its sender. So nobody is asked over the network, and a
document is looked at once: its name is remembered. Finding the document is left to ``saml_metadata.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.model.errors import UpstreamError
from broker.model.pool import IdentityProvider, SamlSettings
from broker.ports import Clock
from broker.saml.aggregate import stated_entity_id
from broker.saml.metadata import parse_idp_metadata
from broker.upstream.saml_renewal import User

LOOK_AGAIN_SECONDS = 60
"""How long what is not here is not looked for again. Another process may fetch it meanwhile."""


@dataclass(frozen=True, slots=True)
class _Name:
    entity_id: str | None
    """None: there is no document, or none that names one entity."""
    good_until: float = math.inf


@dataclass(frozen=True, kw_only=True)
class ProviderNames:
    """One for each provider at most, and each at most as long as its document says."""

    document: Callable[[IdentityProvider], bytes | None]
    """The provider's metadata, if it is here. Asks nobody."""
    clock: Clock
    _names: dict[User, _Name] = field(default_factory=dict, init=False)

    def of(self, user: User, provider: IdentityProvider) -> str | None:
        """The provider's entityID; None when it is not known here."""
        known = self._names.get(user)
        if known is None or known.good_until <= self.clock.now():
            known = self._names[user] = self._looked_up(provider)
        return known.entity_id

    def learn(self, user: User, entity_id: str) -> None:
        """From a descriptor that was read anyway."""
        self._names[user] = _Name(entity_id)

    def forget(self, user: User) -> None:
        """Have the document looked at when the name is next asked for: there is a new one."""
        self._names.pop(user, None)

    def miss(self, user: User) -> None:
        """There is nothing usable of that name, for now."""
        self._names[user] = self._nothing()

    def _looked_up(self, provider: IdentityProvider) -> _Name:
        settings = provider.settings
        if isinstance(settings, SamlSettings) and settings.entity_id is not None:
            return _Name(settings.entity_id)
        document = self.document(provider)
        return self._nothing() if document is None else _Name(_read(document))

    def _nothing(self) -> _Name:
        return _Name(None, self.clock.now() + LOOK_AGAIN_SECONDS)


def _read(document: bytes) -> str | None:
    """Nearly always the name is at the very beginning; an aggregate is read for the one in it."""
    stated = stated_entity_id(document)
    if stated is not None:
        return stated
    try:
        return parse_idp_metadata(document).entity_id
    except UpstreamError:
        return None
