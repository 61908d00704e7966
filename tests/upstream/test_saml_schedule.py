"""When metadata is fetched."""

from __future__ import annotations

import pytest

from broker.saml.metadata import IdpDescriptor
from broker.upstream.saml_copies import Note
from broker.upstream.saml_schedule import (
    HURRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    LONGEST_RETRY_WITHOUT_COPY_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    SOONEST_SECONDS,
    is_due,
    may_hurry,
    refresh_wait,
    retry_wait,
)

NOW = 1_800_000_000.0
NOTE = Note(tried_at=NOW, next_at=NOW + 100)


def descriptor(
    *, valid_for: float | None = None, cache_duration: int | None = None
) -> IdpDescriptor:
    return IdpDescriptor(
        entity_id="urn:idp",
        sso_redirect="https://idp.example.com",
        sso_post=None,
        valid_until=None if valid_for is None else NOW + valid_for,
        cache_duration=cache_duration,
    )


@pytest.mark.parametrize(
    ("note", "now", "since", "due"),
    [
        (None, NOW, 0.0, True),
        (NOTE, NOW, 0.0, False),
        (NOTE, NOW + 99, 0.0, False),
        (NOTE, NOW + 100, 0.0, True),
        (NOTE, NOW - 1, 0.0, True),  # the clock was set back
        (NOTE, NOW + 1, NOW + 1, True),  # read again since
        (NOTE, NOW + 1, NOW, False),
    ],
)
def test_due(note: Note | None, now: float, since: float, due: bool) -> None:
    assert is_due(note, now, since) is due


@pytest.mark.parametrize(
    ("size", "after", "may"),
    [
        (0, HURRY_SECONDS - 1, False),
        (0, HURRY_SECONDS, True),
        (0, -1, True),
        ((1 << 20) - 1, HURRY_SECONDS, True),
        (1 << 20, 2 * HURRY_SECONDS - 1, False),
        (1 << 20, 2 * HURRY_SECONDS, True),
        (64 << 20, 64 * HURRY_SECONDS, False),
    ],
)
def test_hurrying(size: int, after: float, may: bool) -> None:
    note = Note(tried_at=NOW, next_at=NOW, size=size)
    assert may_hurry(note, NOW + after) is may
    assert may_hurry(None, NOW)


@pytest.mark.parametrize(
    ("says", "wait"),
    [
        (descriptor(), REFRESH_SECONDS),
        (descriptor(cache_duration=3600), 3600),
        (descriptor(cache_duration=7 * 86400), REFRESH_SECONDS),
        (descriptor(cache_duration=1), SOONEST_SECONDS),
        (descriptor(cache_duration=0), REFRESH_SECONDS),
        (descriptor(valid_for=4000), 3000),
        (descriptor(valid_for=10 * 86400), REFRESH_SECONDS),
        (descriptor(valid_for=60), SOONEST_SECONDS),
        (descriptor(valid_for=4000, cache_duration=1000), 1000),
    ],
)
def test_a_good_document_waits_as_long_as_it_says(says: IdpDescriptor, wait: float) -> None:
    assert refresh_wait(says, NOW, 0.0) == wait


def test_failures_wait_longer_and_longer() -> None:
    waits = [retry_wait(n, 0.0, has_copy=True) for n in (1, 2, 3, 4, 5, 50, 5000)]
    assert waits == [30, 60, 120, 240, 480, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS]
    assert waits[0] == RETRY_SECONDS
    assert retry_wait(50, 0.0, has_copy=False) == LONGEST_RETRY_WITHOUT_COPY_SECONDS


def test_chance_makes_waits_shorter_never_longer() -> None:
    assert refresh_wait(descriptor(), NOW, 1.0) == pytest.approx(0.9 * REFRESH_SECONDS)
    assert refresh_wait(descriptor(cache_duration=1), NOW, 1.0) == SOONEST_SECONDS
    assert retry_wait(1, 1.0, has_copy=True) == pytest.approx(0.9 * RETRY_SECONDS)
