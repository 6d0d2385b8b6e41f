"""Durations as people write and read them.

`parse_duration` and `format_duration` are a pair for settings and chat (`26h`, `15m`, `1d2h`, `90s`);
`format_age` is what a sentence says (`31 h`, `2 d 3 h`, `45 min`).
"""

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:[0-9]{1,9}[wdhm])*(?:[0-9]{1,9}(?:\.[0-9]{1,3})?s)?")
_PART = re.compile(r"([0-9.]+)([wdhms])")

# Up to two days an age is said in hours, because RPOs are: "31 h" is compared with "26 h" at a glance.
_HOURS_UNTIL = timedelta(hours=48)
_MINUTES_UNTIL_HOUR = 10
_HOURS_UNTIL_DAY = 14


class DurationError(ValueError):
    """The text is no duration; the message says what one looks like."""


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `26h`, `15m`, `1d2h`, `90s`, `2w` or `0s`.

    Units are `w`, `d`, `h`, `m`, `s`, from large to small and each at most once; only seconds may have a
    fraction; case and blanks do not matter. A bare number is refused, because its unit would be a guess.

    Raises:
        DurationError: The text has another shape, or is longer than a timedelta can hold.
    """
    squeezed = "".join(text.split()).lower()
    problem = f"{text!r} is not a duration: write numbers with units, such as 26h, 15m, 1d2h or 90s"
    if not squeezed or not _WHOLE.fullmatch(squeezed):
        raise DurationError(problem)
    parts = [(float(count), _UNITS[unit]) for count, unit in _PART.findall(squeezed)]
    sizes = [size for _, size in parts]
    if sizes != sorted(set(sizes), reverse=True):
        raise DurationError(f"{problem} (each unit once, the largest first)")
    try:
        return timedelta(seconds=sum(count * size for count, size in parts))
    except OverflowError:
        raise DurationError(f"{text!r} is longer than any clock can count") from None


def format_duration(value: timedelta) -> str:
    """Write a duration the way `parse_duration` reads it, days being the largest unit: `1d2h`, `0s`.

    Fractions of a second are cut off, so `parse_duration(format_duration(x)) == x` for whole seconds.

    Raises:
        DurationError: The duration is negative.
    """
    if value < timedelta(0):
        raise DurationError("a negative duration has no written form")
    rest = value.days * _UNITS["d"] + value.seconds
    words = []
    for unit in "dhms":
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


def format_age(value: timedelta) -> str:
    """Say a duration in a sentence, with at most two units and rounded down.

    Seconds below a minute (`40 s`), minutes below an hour (`45 min`), hours below 48 hours with minutes only
    below ten hours (`3 h 20 min`, `31 h`), then days with hours below two weeks (`2 d 3 h`, `20 d`).
    A negative duration counts as zero: clocks of two machines differ by moments.
    """
    value = max(value, timedelta(0))
    minutes, seconds = divmod(value.days * 86_400 + value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, day_hours = divmod(hours, 24)
    if hours == 0:
        return f"{minutes} min" if minutes else f"{seconds} s"
    if value < _HOURS_UNTIL:
        return f"{hours} h {minutes} min" if hours < _MINUTES_UNTIL_HOUR and minutes else f"{hours} h"
    return f"{days} d {day_hours} h" if days < _HOURS_UNTIL_DAY and day_hours else f"{days} d"


def format_ago(value: timedelta) -> str:
    """Say how long ago something happened: `31 h ago`; below one second, `just now`."""
    return f"{format_age(value)} ago" if value >= timedelta(seconds=1) else "just now"
