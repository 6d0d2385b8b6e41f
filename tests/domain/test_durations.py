"""Durations are read and written the way people expect."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.durations import DurationError, format_age, format_ago, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("26h", 93_600),
        ("15m", 900),
        ("1d2h", 93_600),
        ("90s", 90),
        ("2w", 1_209_600),
        ("0s", 0),
        (" 1 D 2 H ", 93_600),
        ("1w2d3h4m5s", 604_800 + 172_800 + 10_800 + 240 + 5),
        ("007m", 420),
    ],
)
def test_reads(text: str, seconds: int) -> None:
    """Every documented form is read, whatever its case and blanks."""
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "26",
        "h",
        "-1h",
        "+1h",
        "1.5h",
        "1h30",
        "2h1d",
        "1h1h",
        "1 hour",
        "1mo",
        "٣h",
        "999999999999h",
        "PT1H",
    ],
)
def test_refuses(text: str) -> None:
    """What could be read in two ways, or in none, is refused."""
    with pytest.raises(DurationError, match="is not a duration"):
        parse_duration(text)


def test_refuses_what_no_clock_counts() -> None:
    """A number of weeks beyond the range of a timedelta is a mistake, not a crash."""
    with pytest.raises(DurationError, match="longer than any clock"):
        parse_duration("999999999w")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (93_600, "1d2h"), (900, "15m"), (604_800, "7d"), (3_601, "1h1s")],
)
def test_writes(seconds: int, text: str) -> None:
    """The shortest form with days as the largest unit is written."""
    assert text == format_duration(timedelta(seconds=seconds))


def test_writes_no_negative() -> None:
    """A negative duration has no form that could be read again."""
    with pytest.raises(DurationError):
        format_duration(timedelta(seconds=-1))


@settings(deadline=None)
@given(st.integers(0, 86_400 * 400_000))
def test_what_is_written_can_be_read(seconds: int) -> None:
    """Writing and reading again gives the same duration."""
    value = timedelta(seconds=seconds)

    assert value == parse_duration(format_duration(value))


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59, milliseconds=999), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=45, seconds=59), "45 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=9, minutes=59), "9 h 59 min"),
        (timedelta(hours=10, minutes=59), "10 h"),
        (timedelta(hours=31, minutes=40), "31 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(hours=48), "2 d"),
        (timedelta(hours=51), "2 d 3 h"),
        (timedelta(days=13, hours=23), "13 d 23 h"),
        (timedelta(days=20, hours=5), "20 d"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_says_an_age(age: timedelta, text: str) -> None:
    """An age has at most two units and never claims more than has passed."""
    assert text == format_age(age)


def test_says_how_long_ago() -> None:
    """An age becomes a phrase; a moment that has hardly passed is just now."""
    assert format_ago(timedelta(hours=31)) == "31 h ago"
    assert format_ago(timedelta(milliseconds=20)) == "just now"
    assert format_ago(timedelta(seconds=-3)) == "just now"
