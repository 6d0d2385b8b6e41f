"""What is uploaded to Teams and Slack: valid by the vendor's own schema, made of the bot's commands, the same each time."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from bot import manifest
from handlers import router
from handlers.grammar import parse
from handlers.router import CommandSpec
from tests.transports.teams_world import COMMANDS

Json = dict[str, Any]
APP_ID = "b07b07b0-0000-4000-8000-00000000b070"
SCHEMA = json.loads((Path(__file__).parent / "teams-manifest-1.30.schema.json").read_text(encoding="utf-8"))


def faults(value: Json) -> list[str]:
    """What the schema says; it is not checked itself, since Python's re does not know its pattern of letters."""
    return [f"{'/'.join(map(str, one.path))}: {one.message}" for one in Draft4Validator(SCHEMA).iter_errors(value)]


@pytest.fixture(scope="module")
def commands() -> Mapping[str, CommandSpec]:
    """The bot's own commands."""
    return router.build().commands


@pytest.mark.parametrize("public_url", ["", "https://backup.contoso.com/", "http://insecure.example"])
@pytest.mark.parametrize("app_id", [APP_ID, ""])
def test_the_manifest_is_valid(commands: Mapping[str, CommandSpec], app_id: str, public_url: str) -> None:
    """With and without an application id and a page of one's own."""
    made = manifest.teams_manifest(commands, app_id=app_id, public_url=public_url)
    assert faults(made) == []
    page = "https://backup.contoso.com" if "contoso" in public_url else "https://example.com"
    assert made["developer"]["websiteUrl"] == page
    assert made["bots"][0]["botId"] == (app_id or "00000000-0000-0000-0000-000000000000")


def test_the_schema_bites(commands: Mapping[str, CommandSpec]) -> None:
    """A manifest with a key too many, a command too many or a wrong id is refused, so the test above says something."""
    for change in (
        {"surprise": 1},
        {"id": "x"},
        {"accentColor": "blue"},
        {"bots": [{"botId": APP_ID, "scopes": ["nowhere"]}]},
    ):
        assert faults(manifest.teams_manifest(commands, app_id=APP_ID) | change) != []


def test_the_menus_offer_the_commands_that_exist(commands: Mapping[str, CommandSpec]) -> None:
    """Twelve at most, each understood as the command of its name when a person picks it, with and without the slash."""
    mention, slash = manifest.teams_manifest(commands, app_id=APP_ID)["bots"][0]["commandLists"]
    assert (mention["triggers"], slash["triggers"]) == (["mention"], ["slash"])
    assert "personal" not in slash["scopes"]
    for menu in (mention, slash):
        titles = [one["title"] for one in menu["commands"]]
        assert len(titles) == len(set(titles)) == min(12, len(commands))
        assert {parse(title).command for title in titles} <= set(commands)
        assert {"help", "status", "diagnose"} <= {parse(title).command for title in titles}
        for one in menu["commands"]:
            assert commands[parse(one["title"]).command].about in one["description"]


def test_every_command_has_its_place(commands: Mapping[str, CommandSpec]) -> None:
    """The order loses and doubles none, and knows no command that does not exist."""
    names = [spec.name for spec in manifest.in_order(commands)]
    assert sorted(names) == sorted(commands)
    assert set(manifest.FIRST) <= set(commands)
    few = {name: commands[name] for name in sorted(COMMANDS)}
    assert [spec.name for spec in manifest.in_order(few)] == ["help", "status", "diagnose", "fix"]


def test_the_package_is_the_same_each_time(commands: Mapping[str, CommandSpec]) -> None:
    """Three files at the top, no times; another application gets another id."""
    first = manifest.teams_package(commands, app_id=APP_ID)
    assert first == manifest.teams_package(commands, app_id=APP_ID)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["manifest.json", "color.png", "outline.png"]
        inside = json.loads(archive.read("manifest.json"))
        assert {inside["icons"]["color"], inside["icons"]["outline"]} < set(archive.namelist())
        assert all(one.date_time[0] == 1980 for one in archive.infolist())
    other = manifest.teams_manifest(commands, app_id=APP_ID.replace("b0", "c0"))
    assert inside["id"] != other["id"]
    assert inside["id"] == manifest.teams_manifest(commands, app_id=APP_ID.upper())["id"]


def pixels(picture: bytes) -> tuple[int, list[tuple[int, ...]]]:
    """(side, every pixel) of a PNG, read by its own description: https://www.w3.org/TR/png-3/."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    place, parts = 8, dict[bytes, bytes]()
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        kind, body = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        assert struct.unpack(">I", picture[place + 8 + length : place + 12 + length]) == (zlib.crc32(kind + body),)
        parts[kind] = body
        place += 12 + length
    width, height, depth, colours, *rest = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert (width, depth, colours, rest) == (height, 8, 6, [0, 0, 0])
    raw = zlib.decompress(parts[b"IDAT"])
    assert len(raw) == height * (1 + 4 * width)
    lines = [raw[y * (1 + 4 * width) : (y + 1) * (1 + 4 * width)] for y in range(height)]
    assert all(line[0] == 0 for line in lines)
    return width, [tuple(line[1 + 4 * x : 5 + 4 * x]) for line in lines for x in range(width)]


def test_the_icons_are_as_teams_wants_them() -> None:
    """192 pixels in colour without clear places, 32 pixels white on nothing; both show something."""
    side, colour = pixels(manifest.color_icon())
    assert side == 192
    assert {one[3] for one in colour} == {255}
    assert {(15, 108, 189, 255), (255, 255, 255, 255)} <= set(colour)
    side, outline = pixels(manifest.outline_icon())
    assert side == 32
    assert {one[:3] for one in outline if one[3]} == {(255, 255, 255)}
    shown = sum(one[3] == 255 for one in outline) / len(outline)
    assert 0.1 < shown < 0.6
    assert outline[0][3] == 0


def test_slack_over_http_and_in_socket_mode(commands: Mapping[str, CommandSpec]) -> None:
    """HTTP names one address three times; Socket Mode names none."""
    over_http = manifest.slack_manifest(commands, public_url="https://bot.contoso.com/")
    address = "https://bot.contoso.com/slack/events"
    (command,) = over_http["features"]["slash_commands"]
    assert (command["command"], command["url"]) == ("/backup", address)
    assert over_http["settings"]["event_subscriptions"]["request_url"] == address
    assert over_http["settings"]["interactivity"] == {"is_enabled": True, "request_url": address}
    assert over_http["settings"]["socket_mode_enabled"] is False

    socket = manifest.slack_manifest(commands)
    assert socket["settings"]["socket_mode_enabled"] is True
    assert "http" not in json.dumps(socket)
    assert {"commands", "chat:write", "app_mentions:read", "users:read", "users:read.email"} <= set(
        socket["oauth_config"]["scopes"]["bot"]
    )
    # https://docs.slack.dev/reference/app-manifest: what a description and a name may hold
    assert len(socket["display_information"]["name"]) <= 35
    assert len(socket["display_information"]["description"]) <= 140
    assert len(socket["features"]["slash_commands"][0]["usage_hint"]) <= 1000
