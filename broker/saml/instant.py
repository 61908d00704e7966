"""Points in time and durations as SAML writes them, and the broker's epoch seconds."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_DURATION = re.compile(
    r"P(?:([0-9]{1,4})Y)?(?:([0-9]{1,5})M)?(?:([0-9]{1,6})D)?"
    r"(?:T(?:([0-9]{1,7})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.[0-9]+)?S)?)?"
)
_SECONDS = (365 * 86400, 30 * 86400, 86400, 3600, 60, 1)


@lru_cache(256)  # a message names the same few moments again and again
def read_instant(text: str) -> float:
    """``xs:dateTime`` to epoch seconds; without a zone it is UTC (SAML core 1.3.3).

    Raises ``ValueError``.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("not an xs:dateTime")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def write_instant(seconds: float) -> str:
    """Epoch seconds as UTC ``xs:dateTime``, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def read_duration(text: str) -> int:
    """``xs:duration`` to seconds, with years of 365 and months of 30 days.

    Raises ``ValueError``, also for a negative one: nothing lasts less than no time.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError("not an xs:duration")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _SECONDS, strict=True))
