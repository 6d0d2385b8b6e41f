"""What is uploaded to Slack and Teams to install the bot there: their manifests, made from the bot's own commands."""

import io
import json
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from handlers.router import CommandSpec

Json = dict[str, Any]
Pixel = tuple[int, int, int, int]

NAME = "Backup ChatOps"
SHORT = "Diagnose and mend Azure Backup from chat, with approval and proof"
LONG = (
    "Says why a backup failed and whether it can still be restored, with its evidence; offers the fix, has it approved by "
    "somebody who may, does exactly what was approved, and calls it done when a new recovery point proves it."
)
TEAMS_VERSION = "1.30"
TEAMS_SCHEMA = f"https://developer.microsoft.com/json-schemas/teams/v{TEAMS_VERSION}/MicrosoftTeams.schema.json"
APP_VERSION = "1.0.0"
NO_APP_ID = "00000000-0000-0000-0000-000000000000"
"""Stands where ``TEAMS_APP_ID`` is not known yet; such a package cannot be uploaded."""
EXAMPLE_URL = "https://example.com"
COMMANDS_MAX = 12
"""Of one list in Teams' menu: the manifest's schema."""
TITLE_MAX = 128
# What is needed in a hurry comes first; what no list has room for is still understood, and found by `help`.
FIRST = (
    "help",
    "status",
    "diagnose",
    "incidents",
    "approvals",
    "jobs",
    "rpo",
    "check-restore",
    "fix",
    "explain",
    "incident",
    "posture",
)
ACCENT = (0x0F, 0x6C, 0xBD)
# The shield of the icons, in parts of their side.
_TOP, _SHOULDER, _POINT, _HALF_WIDTH, _HALF_STROKE = 0.16, 0.52, 0.86, 0.34, 0.045
_NAMESPACE = uuid.UUID("6f0c5a52-6c2b-5e0e-9c77-4b8f5a0d9d51")
# A zip without times, so that the same bot makes the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def in_order(commands: Mapping[str, CommandSpec]) -> list[CommandSpec]:
    """Every command, the ones that matter most first, the others by name."""
    known = [commands[name] for name in FIRST if name in commands]
    return known + [spec for name, spec in sorted(commands.items()) if name not in FIRST]


def teams_manifest(commands: Mapping[str, CommandSpec], *, app_id: str, public_url: str = "") -> Json:
    """The manifest of the Teams app, version 1.30 of its schema.

    ``public_url`` is the company's page about the bot, which the schema demands; anything but https is left out. Messages
    that do not mention the bot stay unseen: no resource-specific consent is asked for.
    """
    page = _https(public_url) or EXAMPLE_URL
    listed = in_order(commands)[:COMMANDS_MAX]
    return {
        "$schema": TEAMS_SCHEMA,
        "manifestVersion": TEAMS_VERSION,
        "version": APP_VERSION,
        "id": str(uuid.uuid5(_NAMESPACE, app_id.lower() or NO_APP_ID)),
        "developer": {
            "name": NAME,
            "websiteUrl": page,
            "privacyUrl": f"{page}/privacy",
            "termsOfUseUrl": f"{page}/terms",
        },
        "name": {"short": NAME, "full": NAME},
        "description": {"short": SHORT, "full": LONG},
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": "#" + bytes(ACCENT).hex().upper(),
        "bots": [
            {
                "botId": app_id or NO_APP_ID,
                "scopes": ["personal", "team", "groupChat"],
                "supportsFiles": False,
                "isNotificationOnly": False,
                "supportsTargetedMessages": True,
                "commandLists": [
                    {
                        "scopes": ["personal", "team", "groupChat"],
                        "triggers": ["mention"],
                        "commands": [_listed(spec, "") for spec in listed],
                    },
                    {
                        "scopes": ["team", "groupChat"],
                        "triggers": ["slash"],
                        "commands": [_listed(spec, "backup ") for spec in listed],
                    },
                ],
            }
        ],
        "permissions": ["identity", "messageTeamMembers"],
        "validDomains": [],
        "supportsChannelFeatures": "tier1",
        "defaultInstallScope": "team",
        "defaultGroupCapability": {"team": "bot", "groupchat": "bot"},
    }


def _listed(spec: CommandSpec, prefix: str) -> Json:
    # The title is what Teams types for the person, so it is the command without its arguments.
    return {"title": f"{prefix}{spec.name}"[:TITLE_MAX], "description": f"{spec.about} {spec.usage}"}


def teams_package(commands: Mapping[str, CommandSpec], *, app_id: str, public_url: str = "") -> bytes:
    """The zip that is uploaded to Teams: manifest and icons. The same input makes the same bytes."""
    manifest = teams_manifest(commands, app_id=app_id, public_url=public_url)
    files = {
        "manifest.json": (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode(),
        "color.png": color_icon(),
        "outline.png": outline_icon(),
    }
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return package.getvalue()


def slack_manifest(commands: Mapping[str, CommandSpec], *, public_url: str = "") -> Json:
    """The manifest of the Slack app: over HTTP at ``public_url``, without one in Socket Mode, which needs no open port."""
    base = _https(public_url)
    events = f"{base}/slack/events"
    where: Json = {"url": events} if base else {}
    request: Json = {"request_url": events} if base else {}
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": NAME,
            "description": SHORT,
            "background_color": "#" + bytes(ACCENT).hex(),
        },
        "features": {
            "bot_user": {"display_name": NAME, "always_online": True},
            "slash_commands": [
                {
                    "command": "/backup",
                    "description": SHORT,
                    "usage_hint": " | ".join(spec.name for spec in in_order(commands)[:6]),
                    "should_escape": False,
                    **where,
                }
            ],
        },
        "oauth_config": {
            "scopes": {
                "bot": [
                    "app_mentions:read",
                    "chat:write",
                    "commands",
                    "usergroups:read",
                    "users:read",
                    "users:read.email",
                ]
            }
        },
        "settings": {
            "event_subscriptions": {"bot_events": ["app_mention"], **request},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not base,
            "token_rotation_enabled": False,
        },
    }


def _https(url: str) -> str:
    """The address without a trailing slash if it is https, "" otherwise."""
    parts = urlsplit(url)
    return url.rstrip("/") if parts.scheme == "https" and parts.hostname else ""


def png(size: int, pixel: Callable[[float, float], Pixel]) -> bytes:
    """A square picture; ``pixel`` gives the colour and opacity at a place, both coordinates from 0 to 1."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def row(y: int) -> Iterable[int]:
        for x in range(size):
            yield from _smooth(pixel, x, y, size)

    lines = b"".join(b"\0" + bytes(row(y)) for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)  # 8 bits, red green blue and opacity
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


def _smooth(pixel: Callable[[float, float], Pixel], x: int, y: int, size: int) -> Pixel:
    """The mean of four places within a pixel, so that edges are not jagged; clear places lend no colour."""
    four = [pixel((x + dx) / size, (y + dy) / size) for dx in (0.25, 0.75) for dy in (0.25, 0.75)]
    opacity = sum(one[3] for one in four)
    if not opacity:
        return (0, 0, 0, 0)
    red, green, blue = (sum(one[part] * one[3] for one in four) // opacity for part in range(3))
    return (red, green, blue, opacity // 4)


def _in_shape(x: float, y: float) -> bool:
    """A shield with a tick: protection that was proved."""
    curve = max(0.0, y - _SHOULDER) / (_POINT - _SHOULDER)
    half = _HALF_WIDTH * max(0.0, 1 - curve**2)
    return _TOP <= y <= _POINT and abs(x - 0.5) <= half and not _in_tick(x, y)


def _in_tick(x: float, y: float) -> bool:
    strokes = (((0.36, 0.50), (0.46, 0.61)), ((0.46, 0.61), (0.65, 0.36)))
    return any(_distance(x, y, start, end) < _HALF_STROKE for start, end in strokes)


def _distance(x: float, y: float, start: tuple[float, float], end: tuple[float, float]) -> float:
    """From a place to a line between two places."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = min(1.0, max(0.0, ((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)))
    return float(((x - start[0] - along * dx) ** 2 + (y - start[1] - along * dy) ** 2) ** 0.5)


def color_icon() -> bytes:
    """192 × 192 pixels in colour, without clear places."""
    return png(192, lambda x, y: (255, 255, 255, 255) if _in_shape(x, y) else (*ACCENT, 255))


def outline_icon() -> bytes:
    """32 × 32 pixels, white on nothing, as Teams demands of the small icon."""
    return png(32, lambda x, y: (255, 255, 255, 255 if _in_shape(x, y) else 0))
