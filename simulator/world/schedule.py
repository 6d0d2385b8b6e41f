"""When a policy starts its backups; Azure writes such times as wall-clock time in the policy's own time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONES = {
    "UTC": "Etc/UTC",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Romance Standard Time": "Europe/Paris",
    "FLE Standard Time": "Europe/Kyiv",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "India Standard Time": "Asia/Kolkata",
    "Singapore Standard Time": "Asia/Singapore",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
}
"""Windows zone names, as policies carry them, and the same zones as IANA calls them (CLDR windowsZones)."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Starts on `days` at `minutes` past local midnight in the zone with the Windows name `zone`."""

    minutes: tuple[int, ...]
    days: tuple[str, ...] = ()
    zone: str = "UTC"

    def runs(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Every start with after <= start < until, in order."""
        zone = ZoneInfo(ZONES[self.zone])
        day = (after.astimezone(zone) - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        while True:
            if not self.days or WEEKDAYS[day.weekday()] in self.days:
                for minute in self.minutes:
                    start = (day + timedelta(minutes=minute)).astimezone(UTC)
                    if start >= until:
                        return
                    if start >= after:
                        yield start
            day += timedelta(days=1)
            if day.astimezone(UTC) >= until:
                return

    def preceding(self, instant: datetime) -> datetime | None:
        """The last start at or before `instant`; None when there was none in a fortnight."""
        cached = _LAST.get(self)
        if cached is not None and cached[0] <= instant < cached[1]:
            return cached[0]
        found = list(self.runs(instant - timedelta(days=15), instant + timedelta(seconds=1)))
        if not found:
            return None
        _LAST[self] = (found[-1], self.following(instant + timedelta(seconds=1)))
        return found[-1]

    def following(self, instant: datetime) -> datetime:
        """The first start at or after `instant`."""
        return next(self.runs(instant, instant + timedelta(days=15)))


_LAST: dict[Schedule, tuple[datetime, datetime]] = {}
"""The last start of each schedule and the one after it: large estates ask for it a hundred thousand times."""
