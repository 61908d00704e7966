"""When the metadata of a SAML provider is fetched: rules about times, and nothing else.

Whoever fetches writes down when, and when the next time is; every process of a machine reads that.
"""

from __future__ import annotations

from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_copies import Note

REFRESH_SECONDS = 6 * 3600
SOONEST_SECONDS = 300
"""However short a document's own cacheDuration: nobody's metadata is fetched all the time."""

RETRY_SECONDS = 30
"""After a first failure; doubled with each that follows."""
LONGEST_RETRY_SECONDS = 3600
LONGEST_RETRY_WITHOUT_COPY_SECONDS = 300
"""While nobody can sign in, the provider's return is to be noticed soon."""

HURRY_SECONDS = 60
"""For each MiB, the least time between a fetch and one because of an unknown key. Anybody may send
a message with such a key: it must cost the provider, and us, next to nothing."""

SPREAD = 0.1
"""The part of a wait that chance decides, so that not everything falls due in one moment."""


def is_due(note: Note | None, now: float, since: float) -> bool:
    """Whether to fetch, as far as time goes: what was tried before ``since`` is, once.

    A clock that was set back makes everything due rather than good for longer.
    """
    return note is None or note.tried_at < since or not note.tried_at <= now < note.next_at


def may_hurry(note: Note | None, now: float) -> bool:
    """Whether an unknown key is reason enough to fetch now."""
    if note is None or now < note.tried_at:
        return True
    mebibytes = 1 + (note.size >> 20)
    return now - note.tried_at >= HURRY_SECONDS * mebibytes


def refresh_wait(descriptor: IdpDescriptor, now: float, chance: float) -> float:
    """Seconds until a good document is fetched again: some hours, or less if it says so itself
    (metadata 2.3.2). Before it expires there must be time for a second try."""
    hours = min(REFRESH_SECONDS, descriptor.cache_duration or REFRESH_SECONDS)
    wait = hours * (1 - SPREAD * chance)
    if descriptor.valid_until is not None:
        wait = min(wait, (descriptor.valid_until - now) * 3 / 4)
    return max(wait, SOONEST_SECONDS)


def retry_wait(failures: int, chance: float, *, has_copy: bool) -> float:
    """Seconds until the next try after ``failures`` in a row."""
    longest = LONGEST_RETRY_SECONDS if has_copy else LONGEST_RETRY_WITHOUT_COPY_SECONDS
    doubled: float = RETRY_SECONDS * 2 ** min(failures - 1, 16)
    return min(doubled, longest) * (1 - SPREAD * chance)
