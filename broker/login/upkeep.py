"""What a worker does behind the back of the requests. How often is said in ``server.py``."""

from __future__ import annotations

import logging
from collections.abc import Callable

from broker.login.broker import Broker
from broker.model.errors import StoreUnavailableError

_log = logging.getLogger("broker.upkeep")


def warm_up(broker: Broker) -> None:
    """Make what takes time before the first person has to wait for it: keys, metadata."""
    for pool in broker.pools.values():
        _try("keys", lambda: broker.issuers.of(pool))  # noqa: B023  # called at once
    keep_up(broker)


def keep_up(broker: Broker) -> None:
    """What is to be done about once a minute: fetch metadata that is due, remove expired rows."""
    for part, work in broker.upkeep.items():
        _try(part, work)


def _try(part: str, work: Callable[[], object]) -> None:
    """One part of the upkeep; the others go on without it, and the next minute may be better."""
    try:
        work()
    except StoreUnavailableError as error:
        _log.warning("upkeep_failed", extra={"part": part, "fault": str(error)})
    except Exception:  # noqa: BLE001  # whatever it is, the next minute may be better
        _log.exception("upkeep_failed", extra={"part": part})
