"""The small part of OData that Azure's `$filter` speaks: `field eq 'value'` joined by `and`, and functions.

An unknown field, operator or value is refused with 400, never ignored.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from simulator.arm.call import ArmError

_TERM = re.compile(
    r"\s*(?:(?P<field>[A-Za-z_]\w*)\s+(?P<op>eq|ne|ge|gt|le|lt)\s+"
    r"(?P<value>'(?:[^']|'')*'|[^\s()']+)|(?P<function>[A-Za-z_]\w*)\(\s*(?P<argument>'(?:[^']|'')*')?\s*\))\s*",
    re.IGNORECASE,
)
TIME_FORMATS = ("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %H:%M:%S %p", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%SZ")


def bad_filter(text: str) -> ArmError:
    """The 400 that answers a filter which Azure would not take."""
    return ArmError(400, "BadRequest", f"The filter clause is not valid: {text}")


def _plain(text: str) -> str:
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def parse_filter(
    text: str | None, fields: Iterable[str], functions: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, str]]:
    """The fields (only `eq`) and functions of a filter, keyed as spelled in `fields` and `functions`."""
    known = {name.casefold(): name for name in fields}
    callable_names = {name.casefold(): name for name in functions}
    wanted: dict[str, str] = {}
    called: dict[str, str] = {}
    rest = (text or "").strip()
    while rest:
        match = _TERM.match(rest)
        if match is None:
            raise bad_filter(rest)
        if match["function"]:
            name = callable_names.get(match["function"].casefold())
            if name is None:
                raise bad_filter(f"unknown function '{match['function']}'")
            called[name] = _plain(match["argument"] or "")
        else:
            name = known.get(match["field"].casefold())
            if name is None or match["op"].casefold() != "eq" or name in wanted:
                raise bad_filter(f"'{match['field']} {match['op']}' is not supported here")
            wanted[name] = _plain(match["value"])
        rest = rest[match.end() :]
        if rest:
            joined = re.match(r"and\s+", rest, re.IGNORECASE)
            if joined is None:
                raise bad_filter(rest)
            rest = rest[joined.end() :]
            if not rest:
                raise bad_filter("nothing follows 'and'")
    return wanted, called


def one_of(wanted: dict[str, str], field: str, choices: Iterable[str]) -> str | None:
    """The value of an enumerated field in Azure's spelling, None when it is not asked for; 400 for another value."""
    value = wanted.get(field)
    if value is None:
        return None
    for choice in choices:
        if choice.casefold() == value.casefold():
            return choice
    raise bad_filter(f"'{value}' is not a value of '{field}'")


def filter_time(text: str) -> datetime:
    """An instant as filters write it (UTC, for example 2026-11-21 12:00:00 AM, also 00:00:00 AM); else 400."""
    for form in TIME_FORMATS:
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return found
    raise bad_filter(f"'{text}' is not a time of the form yyyy-MM-dd hh:mm:ss tt")
