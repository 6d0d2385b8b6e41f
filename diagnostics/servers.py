"""Machines outside Azure: finding an item's own among the vault's servers, and comparing versions."""

import re
from collections.abc import Sequence
from typing import Final

from domain.backup import ProtectedItem, Server

_VERSION: Final = re.compile(r"\d+(?:\.\d+)*")


def version(text: str) -> tuple[int, ...]:
    """A version as numbers, so that 2.0.9250 is newer than 2.0.927; () when there is none in the text."""
    found = _VERSION.search(text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def older(text: str, minimum: str) -> bool:
    """Whether a reported version is below ``minimum``; a version that was not reported is not."""
    return bool(version(text)) and version(text) < version(minimum)


def server_of(item: ProtectedItem, servers: Sequence[Server], kind: str) -> Server | None:
    """The server that the item lies on, by the name of its container or of the server that the item tells."""
    names = {item.server_name, item.id.container.rpartition(";")[2], item.id.container, item.parent_name}
    wanted = {name.casefold() for name in names if name}
    mine = [one for one in servers if one.kind == kind]
    for one in mine:
        if one.name.casefold() in wanted:
            return one
    short = {name.partition(".")[0] for name in wanted}
    return next((one for one in mine if one.name.casefold().partition(".")[0] in short), None)
