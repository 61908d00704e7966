"""What has to be in order before a configuration is served: key files, metadata documents, the database.

Read by the process that has workers to come, at its start and at each reload, so that a fault is told
once and changes nothing that serves already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broker import wiring
from broker.model.errors import ConfigurationError
from broker.settings import Settings
from broker.stores.keys import FileKeyStore, KeyFault
from broker.upstream import saml_documents
from broker.upstream.saml_documents import Documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A configuration with the files it goes by, good all of them: what workers are made of."""

    settings: Settings
    keys: FileKeyStore
    documents: Documents


def install(settings: Settings, before: Installation | None = None) -> Installation:
    """Read the files, in a process that has workers to come: they inherit what it has read.

    At a start a provider whose metadata is faulty is left to its own sign-ins; in the place of what
    was there ``before`` it is a fault. Raises ``ConfigurationError`` with every fault, and
    ``StoreUnavailableError``.
    """
    pools = settings.pools.values()
    keys = FileKeyStore(settings.certs_dir, clock=wiring.SystemClock())
    documents = saml_documents.documents(pools)
    faults = list(map(str, keys.read(pools)))
    if before is not None:
        faults += saml_documents.faults(pools, documents, before.documents)
    if faults:
        raise ConfigurationError(tuple(faults))
    wiring.prepare(settings)
    return Installation(settings=settings, keys=keys, documents=documents)


def key_faults(settings: Settings) -> Iterable[KeyFault]:
    """Of the key files that there are."""
    return FileKeyStore(settings.certs_dir, clock=wiring.SystemClock()).read(
        settings.pools.values()
    )
