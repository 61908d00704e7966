"""Times and durations of SAML messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.saml.instant import read_duration, read_instant, write_instant


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15T08:00:00", 1_800_000_000.0),
        ("2027-01-15T08:00:00.250Z", 1_800_000_000.25),
        ("2027-01-15T08:00:00.1234567Z", 1_800_000_000.123456),
        ("2027-01-15T09:30:00+01:30", 1_800_000_000.0),
    ],
)
def test_an_instant_is_read(text: str, seconds: float) -> None:
    assert read_instant(text) == pytest.approx(seconds, abs=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027-01-15",
        "2027-01-15 08:00:00Z",
        "20270115T080000Z",
        "2027-W03-5T08:00:00Z",
        "2027-13-15T08:00:00Z",
        "2027-02-30T08:00:00Z",
        "2027-01-15T08:00:61Z",
        "2027-01-15T08:00:00z",
        "-2027-01-15T08:00:00Z",
        "2027-01-15T08:00:00Z\n",
        "٢٠٢٧-01-15T08:00:00Z",
        "now",
    ],
)
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_instant(text)


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert read_instant(write_instant(seconds)) == seconds


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    for read in (read_instant, read_duration):
        try:
            read(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT6H", 21_600), ("P1D", 86_400), ("PT1M30.5S", 90), ("P1Y2M3DT4H5M6S", 36_993_906)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "-PT6H", "6H", "P6H", "PT6H "])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        read_duration(text)
