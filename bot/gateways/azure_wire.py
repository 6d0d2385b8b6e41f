"""Reading JSON as Azure spells it: wire names, sentinels, naive times, seven-digit fractions.

Bodies are mappings: plain dictionaries or the SDK's models, which are mappings over the raw JSON. What is missing is "", None
or empty; what is there in a shape that makes no sense raises GatewayUnavailable and says which field.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn, TypeAlias

from domain.errors import GatewayUnavailable

Wire: TypeAlias = Mapping[str, object]

# "Never" is 2001-01-01 for backups and 0001-01-01 for operations that run; nothing real is that old.
_NEVER = datetime(2001, 1, 1, tzinfo=UTC)
_ISO_SPAN = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_DOTNET_SPAN = re.compile(r"(?P<sign>-)?(?:(?P<days>\d+)\.)?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+(?:\.\d+)?)")
_SECRET = re.compile(
    r"secretdata|keybackupdata|accesstokenstring|tokenextendedinformation|password|clientsecret|accesskey|sastoken"
    r"|primarykey|secondarykey|protectedsettings|securitypin",
    re.IGNORECASE,
)


def surprise(name: str, value: object) -> NoReturn:
    """Say that Azure's answer has something else than expected in the field ``name``."""
    raise GatewayUnavailable(f"Azure answered something that cannot be read: '{name}' is a {type(value).__name__}.")


def as_mapping(value: object, name: str) -> Wire:
    """``value`` as an object; {} when it is null."""
    # Nearly all are plain dictionaries, and asking an abstract class costs ten times as much.
    if type(value) is dict:
        return value
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        surprise(name, value)
    return value


def inner(body: Wire, *path: str) -> Wire:
    """The object at ``path``, {} where something on the way is missing or null."""
    for name in path:
        body = as_mapping(body.get(name), name)
    return body


def rows(body: Wire, name: str) -> list[Wire]:
    """The objects of a list; [] when it is missing or null."""
    value = body.get(name)
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Sequence):
        surprise(name, value)
    return [as_mapping(one, name) for one in value]


def text(body: Wire, *names: str) -> str:
    """The first of ``names`` that holds text, a number or a truth value, as text; "" when none does."""
    for name in names:
        value = body.get(name)
        if value is None or value == "":
            continue
        if type(value) is str:
            return value
        if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
            surprise(name, value)
        # An enumeration of the SDK prints as its Python name, not as its value.
        return str(getattr(value, "value", value))
    return ""


def texts(body: Wire, name: str) -> tuple[str, ...]:
    """A list of texts; a single text counts as a list of one, and numbers are written out."""
    value = body.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, Sequence):
        surprise(name, value)
    return tuple(str(getattr(one, "value", one)) for one in value if one is not None)


def flag(body: Wire, name: str) -> bool | None:
    """A truth value, also where Azure spells it as text; None when it is missing."""
    value = body.get(name)
    match value:
        case None | "":
            return None
        case bool():
            return value
        case str() if value.casefold() in {"true", "false"}:
            return value.casefold() == "true"
    surprise(name, value)


def whole(body: Wire, name: str) -> int | None:
    """A whole number, cut where Azure sends a fraction; None when it is missing."""
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return int(float(value))
    except (ValueError, OverflowError):
        pass
    surprise(name, value)


def moment(body: Wire, *names: str) -> datetime | None:
    """The first time of ``names`` that is really one, aware and in UTC; None for a sentinel or when all are missing."""
    for name in names:
        value = body.get(name)
        if value is None or value == "":
            continue
        found = _moment(value, name)
        if found is not None:
            return found
    return None


def _moment(value: object, name: str) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            surprise(name, value)
    if not isinstance(value, datetime):
        surprise(name, value)
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    try:
        aware = aware.astimezone(UTC)
    except OverflowError:
        return None  # the first day of year 1 in a zone east of Greenwich: a sentinel
    return None if aware <= _NEVER else aware


def span(body: Wire, name: str) -> timedelta | None:
    """A duration, in ISO 8601 (``PT1H2M3.4S``) or as .NET writes it (``13.23:59:42``); None when it is missing."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, timedelta):
        return value
    found = isinstance(value, str) and (_ISO_SPAN.fullmatch(value) or _DOTNET_SPAN.fullmatch(value))
    if not found:
        surprise(name, value)
    parts = found.groupdict()
    length = timedelta(
        **{unit: float(parts[unit]) for unit in ("days", "hours", "minutes", "seconds") if parts[unit] is not None}
    )
    return -length if parts["sign"] else length


def plain(value: object) -> object:
    """``value`` as plain dictionaries, lists and values, whatever kind of mapping it came in, without secrets."""
    if isinstance(value, Mapping):
        return {
            str(name): "(secret)" if one and _SECRET.fullmatch(str(name)) else plain(one) for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return getattr(value, "value", value)


def plain_mapping(body: Wire) -> dict[str, object]:
    """The same for a whole object."""
    return {str(name): "(secret)" if one and _SECRET.fullmatch(str(name)) else plain(one) for name, one in body.items()}
