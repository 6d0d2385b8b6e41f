"""What messages from inside a VM give away: a full disk, and failures that a status hides."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from domain.backup import ExtensionStatus

SNAPSHOT_PUBLISHER: Final = "microsoft.azure.recoveryservices"
SNAPSHOT_TYPES: Final = frozenset({"vmsnapshot", "vmsnapshotlinux"})
WORKLOAD_PUBLISHER: Final = "microsoft.azure.recoveryservices.workloadbackup"
HANDLER: Final = "extensionhandler/"
"""How the code of a status begins that the VM agent gives to an extension's handler."""

_FULL: Final = re.compile(
    r"no space left|not enough (?:free |disk |storage )*space|insufficient (?:free |disk |storage )*space"
    r"|disk (?:is )?full|out of disk space|disk space .{0,20}exhausted|\bENOSPC\b|0x80070070|0x8004231f",
    re.IGNORECASE,
)
_STATUS_CODE: Final = re.compile(r"StatusCode\.(?P<name>\w+)")
_LONGEST: Final = 20_000


def full_disk_hint(texts: Iterable[str]) -> str:
    """The first text that speaks of a full disk, or ""."""
    return next((text for text in texts if _FULL.search(text[:_LONGEST])), "")


def is_snapshot(extension: ExtensionStatus) -> bool:
    """Whether this is the extension that takes snapshots, by publisher and type; its name may be anything."""
    return extension.publisher.casefold() == SNAPSHOT_PUBLISHER and extension.type.casefold() in SNAPSHOT_TYPES


def is_workload_backup(extension: ExtensionStatus) -> bool:
    """Whether this is the extension that backs up databases."""
    return extension.publisher.casefold() == WORKLOAD_PUBLISHER


def messages(extension: ExtensionStatus) -> tuple[str, ...]:
    """What the extension says, with the text out of the JSON in which VMSnapshotLinux wraps it."""
    return tuple(_unwrapped(message) for _, _, message in extension.statuses if message)


def hidden_failure(extension: ExtensionStatus) -> str:
    """The error that an extension's message names although its status says succeeded, or "".

    VMSnapshotLinux reports success to ARM in any case and writes the outcome into the message.
    Source: https://github.com/Azure/azure-linux-extensions/tree/master/VMBackup
    """
    for message in messages(extension):
        for found in _STATUS_CODE.finditer(message):
            name = found["name"]
            if name.startswith(("Failed", "error")):
                return name
    return ""


def _unwrapped(message: str) -> str:
    try:
        body = json.loads(message[:_LONGEST])
    except ValueError:
        return message[:_LONGEST]
    if isinstance(body, Mapping) and isinstance(body.get("messageStr"), str):
        return str(body["messageStr"])
    return message[:_LONGEST]
