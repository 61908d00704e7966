"""Parameters, as they are read from a query or a form."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.model.parameters import MAX_PARAMETERS, Parameters

_PIECES = st.sampled_from(
    [
        "a",
        "b",
        "name",
        "%41",
        "%2b",
        "%2B",
        "%",
        "%4",
        "%zz",
        "%E2%82%AC",
        "%FF",
        "+",
        "=",
        "&",
        "é",
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
@example("a=1&&b&=c&a=%FF&a==&+=+")
def test_a_form_is_read_as_the_standard_library_reads_it(encoded: str) -> None:
    pairs = parse_qsl(encoded, keep_blank_values=True, errors="surrogateescape")
    assert Parameters.parse(encoded.encode()) == Parameters.of(pairs)


@given(st.binary(max_size=60))
def test_what_is_no_utf_8_goes_back_as_it_came(value: bytes) -> None:
    encoded = b"state=" + b"".join(b"%%%02X" % byte for byte in value)
    read = Parameters.parse(encoded)
    assert Parameters.parse(read.encoded().encode()) == read
    assert (read.get("state") or "").encode("utf-8", "surrogateescape") == value


def test_bytes_and_percent_encoded_bytes_make_characters_together() -> None:
    assert Parameters.parse(b"a=\xc3%A9").get("a") == "é"


def test_there_is_room_for_so_many_and_no_more() -> None:
    assert (
        len(Parameters.parse(b"&".join(b"p%d=x" % n for n in range(MAX_PARAMETERS))).values) == 200
    )
    with pytest.raises(ValueError, match="more than 200"):
        Parameters.parse(b"&" * MAX_PARAMETERS)
