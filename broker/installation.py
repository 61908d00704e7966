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
from broker.stores import redis_client
from broker.stores.engine import make_engine
from broker.stores.keys import FileKeyStore, KeyFault
from broker.stores.migrate import migrate
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
    faults += redis_faults(settings)
    if faults:
        raise ConfigurationError(tuple(faults))
    prepare_database(settings)
    return Installation(settings=settings, keys=keys, documents=documents)


def prepare_database(settings: Settings) -> None:
    """Bring the database up to date, once, before any worker serves. Leaves no connection open.

    Raises ``ConfigurationError`` and ``StoreUnavailableError``.
    """
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = (
            f"BROKER_STATE_DIR: {settings.state_dir} cannot be made: {error.strerror}. Name a "
            "directory that the user who runs this may write to"
        )
        raise ConfigurationError((fault,)) from error
    engine = make_engine(settings.database_url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def redis_faults(settings: Settings) -> Iterable[str]:
    """Of the URL alone, which every worker would find out by failing. Nothing is asked of Redis."""
    if settings.redis_url is None:
        return ()
    try:
        redis_client.connect(settings.redis_url)
    except ConfigurationError as error:
        return error.faults
    return ()


def key_faults(settings: Settings) -> Iterable[KeyFault]:
    """Of the key files that there are."""
    return FileKeyStore(settings.certs_dir, clock=wiring.SystemClock()).read(
        settings.pools.values()
    )
