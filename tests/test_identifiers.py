"""Random names."""

from __future__ import annotations

from collections import Counter
from uuid import RFC_4122, UUID

from broker.model.identifiers import new_uuid


def test_they_are_random_uuids_in_their_usual_form() -> None:
    made = [new_uuid() for _ in range(2000)]
    assert len(set(made)) == len(made)
    for text in made:
        read = UUID(text)
        assert (str(read), read.version, read.variant) == (text, 4, RFC_4122)


def test_every_digit_but_the_version_is_random() -> None:
    """Each of 122 bits is set in about half of them."""
    made = [UUID(new_uuid()).int for _ in range(2000)]
    fixed = {*range(76, 80), 62, 63}  # counted from the right: version and variant
    for bit in set(range(128)) - fixed:
        seen = Counter(number >> bit & 1 for number in made)
        assert min(seen[0], seen[1]) > 700, bit  # thirteen standard deviations from the middle
