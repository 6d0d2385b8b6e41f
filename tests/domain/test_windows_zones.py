"""The Windows time zones are complete, loadable, and at the offset that Windows shows for them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.windows_zones import WINDOWS_ZONES, iana_zone

DATA = Path(__file__).parents[2] / "../shared/data"

# Standard time of each zone in minutes east of UTC, as `tzutil /l` lists them on Windows; where a country has
# moved its clocks since, the offset of 2026.
STANDARD = {
    -720: ["Dateline Standard Time"],
    -660: ["UTC-11"],
    -600: ["Aleutian Standard Time", "Hawaiian Standard Time"],
    -570: ["Marquesas Standard Time"],
    -540: ["Alaskan Standard Time", "UTC-09"],
    -480: ["Pacific Standard Time (Mexico)", "UTC-08", "Pacific Standard Time"],
    -420: [
        "US Mountain Standard Time",
        "Mountain Standard Time (Mexico)",
        "Mountain Standard Time",
        "Yukon Standard Time",
    ],
    -360: [
        "Central America Standard Time",
        "Central Standard Time",
        "Easter Island Standard Time",
        "Central Standard Time (Mexico)",
        "Canada Central Standard Time",
    ],
    -300: [
        "SA Pacific Standard Time",
        "Eastern Standard Time (Mexico)",
        "Eastern Standard Time",
        "Haiti Standard Time",
        "Cuba Standard Time",
        "US Eastern Standard Time",
        "Turks And Caicos Standard Time",
    ],
    -240: [
        "Atlantic Standard Time",
        "Venezuela Standard Time",
        "Central Brazilian Standard Time",
        "SA Western Standard Time",
        "Pacific SA Standard Time",
    ],
    -210: ["Newfoundland Standard Time"],
    -180: [
        "Paraguay Standard Time",
        "Tocantins Standard Time",
        "E. South America Standard Time",
        "SA Eastern Standard Time",
        "Argentina Standard Time",
        "Montevideo Standard Time",
        "Magallanes Standard Time",
        "Saint Pierre Standard Time",
        "Bahia Standard Time",
    ],
    -120: ["Greenland Standard Time", "UTC-02"],
    -60: ["Azores Standard Time", "Cape Verde Standard Time"],
    0: [
        "UTC",
        "Coordinated Universal Time",
        "GMT Standard Time",
        "Greenwich Standard Time",
        "Sao Tome Standard Time",
    ],
    60: [
        "W. Europe Standard Time",
        "Central Europe Standard Time",
        "Romance Standard Time",
        "Central European Standard Time",
        "W. Central Africa Standard Time",
    ],
    120: [
        "GTB Standard Time",
        "Middle East Standard Time",
        "Egypt Standard Time",
        "E. Europe Standard Time",
        "West Bank Standard Time",
        "South Africa Standard Time",
        "FLE Standard Time",
        "Israel Standard Time",
        "South Sudan Standard Time",
        "Kaliningrad Standard Time",
        "Sudan Standard Time",
        "Libya Standard Time",
        "Namibia Standard Time",
    ],
    180: [
        "Jordan Standard Time",
        "Syria Standard Time",
        "Turkey Standard Time",
        "Belarus Standard Time",
        "Russian Standard Time",
        "E. Africa Standard Time",
        "Volgograd Standard Time",
        "Arabic Standard Time",
        "Arab Standard Time",
    ],
    210: ["Iran Standard Time"],
    240: [
        "Astrakhan Standard Time",
        "Russia Time Zone 3",
        "Saratov Standard Time",
        "Arabian Standard Time",
        "Azerbaijan Standard Time",
        "Mauritius Standard Time",
        "Georgian Standard Time",
        "Caucasus Standard Time",
    ],
    270: ["Afghanistan Standard Time"],
    300: [
        "West Asia Standard Time",
        "Qyzylorda Standard Time",
        "Ekaterinburg Standard Time",
        "Pakistan Standard Time",
    ],
    330: ["India Standard Time", "Sri Lanka Standard Time"],
    345: ["Nepal Standard Time"],
    360: ["Central Asia Standard Time", "Bangladesh Standard Time", "Omsk Standard Time"],
    390: ["Myanmar Standard Time"],
    420: [
        "SE Asia Standard Time",
        "Altai Standard Time",
        "W. Mongolia Standard Time",
        "North Asia Standard Time",
        "N. Central Asia Standard Time",
        "Tomsk Standard Time",
    ],
    480: [
        "China Standard Time",
        "North Asia East Standard Time",
        "Singapore Standard Time",
        "Taipei Standard Time",
        "Ulaanbaatar Standard Time",
        "W. Australia Standard Time",
    ],
    525: ["Aus Central W. Standard Time"],
    540: [
        "Transbaikal Standard Time",
        "Tokyo Standard Time",
        "North Korea Standard Time",
        "Korea Standard Time",
        "Yakutsk Standard Time",
    ],
    570: ["Cen. Australia Standard Time", "AUS Central Standard Time"],
    600: [
        "E. Australia Standard Time",
        "AUS Eastern Standard Time",
        "West Pacific Standard Time",
        "Tasmania Standard Time",
        "Vladivostok Standard Time",
    ],
    630: ["Lord Howe Standard Time"],
    660: [
        "Magadan Standard Time",
        "Sakhalin Standard Time",
        "Russia Time Zone 10",
        "Bougainville Standard Time",
        "Norfolk Standard Time",
        "Central Pacific Standard Time",
    ],
    720: ["Russia Time Zone 11", "New Zealand Standard Time", "UTC+12", "Fiji Standard Time"],
    765: ["Chatham Islands Standard Time"],
    780: ["UTC+13", "Tonga Standard Time", "Samoa Standard Time"],
    840: ["Line Islands Standard Time"],
}
# Its clocks stand still for Ramadan instead of moving forward in summer; tested by a day of each.
MOROCCO = "Morocco Standard Time"


def minutes_east(zone: str, moment: datetime) -> int:
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return round(offset / timedelta(minutes=1))


def test_every_zone_loads_and_has_its_standard_offset() -> None:
    """The smaller of the January and July offsets is standard time, for every zone of the table."""
    expected = {name: minutes for minutes, names in STANDARD.items() for name in names}

    january, july = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)
    found = {
        name: min(minutes_east(iana, january), minutes_east(iana, july))
        for name, iana in WINDOWS_ZONES.items()
        if name != MOROCCO
    }

    assert expected == found


def test_morocco_is_an_hour_ahead_except_in_ramadan() -> None:
    """Ramadan of 2026 runs from 18 February to 19 March, and Casablanca is then at UTC."""
    zone = WINDOWS_ZONES[MOROCCO]

    assert 60 == minutes_east(zone, datetime(2026, 1, 15, tzinfo=UTC))
    assert 0 == minutes_east(zone, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "january", "july"),
    [
        ("Pacific Standard Time", -480, -420),
        ("US Mountain Standard Time", -420, -420),
        ("GMT Standard Time", 0, 60),
        ("Greenwich Standard Time", 0, 0),
        ("W. Europe Standard Time", 60, 120),
        ("Egypt Standard Time", 120, 180),
        ("E. South America Standard Time", -180, -180),
        ("AUS Eastern Standard Time", 660, 600),
        ("E. Australia Standard Time", 600, 600),
        ("Lord Howe Standard Time", 660, 630),
        ("Chatham Islands Standard Time", 825, 765),
        ("Hawaiian Standard Time", -600, -600),
        ("Aleutian Standard Time", -600, -540),
    ],
)
def test_neighbours_differ_where_their_summers_do(name: str, january: int, july: int) -> None:
    """Zones that share a standard time are told apart by daylight saving."""
    zone = WINDOWS_ZONES[name]

    assert january == minutes_east(zone, datetime(2026, 1, 15, tzinfo=UTC))
    assert july == minutes_east(zone, datetime(2026, 7, 15, tzinfo=UTC))


def test_names_are_found_whatever_their_case() -> None:
    """ARM bodies are not consistent about case."""
    assert "America/Los_Angeles" == iana_zone(" pacific standard TIME ")


@pytest.mark.parametrize("name", ["", "Mars Standard Time", "Europe/Berlin", "Mid-Atlantic Standard Time"])
def test_an_unknown_name_is_no_zone(name: str) -> None:
    """Nothing is put in the place of a name that is not in the table."""
    assert iana_zone(name) is None


def zone_names() -> Iterator[str]:
    for file in sorted(DATA.rglob("*.json*")):
        text = file.read_text(encoding="utf-8")
        for quoted in re.findall(r'\\?"[tT]imeZone\\?"\s*:\s*("(?:[^"\\]|\\.)*")', text):
            yield json.loads(quoted)


@pytest.mark.skipif(not DATA.exists(), reason="the shared recordings are not beside this project")
def test_every_zone_of_the_recordings_is_known() -> None:
    """Each time zone in a recorded or specified body has its IANA zone, but for the specs' filler text."""
    names = {name for name in zone_names() if set(name) != {"a"}}

    assert len(names) >= 4
    assert [] == [name for name in sorted(names) if iana_zone(name) is None]
