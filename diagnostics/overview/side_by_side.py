"""Asking every vault at once, within a limit, and keeping what could not be read with its reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from diagnostics.verdicts import why_blind
from domain.backup import Vault
from domain.errors import GatewayError
from domain.overview import UnreadSubscription
from domain.ports import BackupReader

T = TypeVar("T")

READ_VAULTS: Final = "Microsoft.RecoveryServices/Vaults/read"
AT_ONCE: Final = 16
LIMIT_S: Final = 25.0
_VAULTS_API: Final = "2024-04-01"


async def of_each_vault(
    read: BackupReader,
    look: Callable[[Vault], Awaitable[T]],
    unread: Callable[[Vault, str], T],
    now: datetime,
    *,
    permissions: tuple[str, ...],
    limit_s: float = LIMIT_S,
    at_once: int = AT_ONCE,
) -> tuple[tuple[T, ...], tuple[UnreadSubscription, ...]]:
    """``look`` at every vault, by name; ``unread(vault, why)`` stands for one that fails or does not answer in time.

    ``permissions`` are named when Azure denies a look without saying which right it missed.

    Raises:
        GatewayError: not even the vaults could be listed.
    """
    places = asyncio.Semaphore(at_once)
    vaults = sorted(await read.vaults(), key=lambda one: (one.id.name.casefold(), one.id.key))

    async def one(vault: Vault) -> T:
        async with places:
            try:
                return await look(vault)
            except GatewayError as error:
                return unread(vault, why_blind(error, permissions, now))

    looks = [asyncio.ensure_future(one(vault)) for vault in vaults]
    others = asyncio.ensure_future(_unread_subscriptions(read, vaults, now))
    late = f"Azure did not answer within {limit_s:g} seconds."
    try:
        await asyncio.wait({*looks, others}, timeout=limit_s)
        found = [
            task.result() if task.done() else unread(vault, late) for vault, task in zip(vaults, looks, strict=True)
        ]
        missing = others.result() if others.done() else (UnreadSubscription(subscription="*", why=late),)
    finally:
        cancelled = [task for task in (*looks, others) if task.cancel()]
        await asyncio.gather(*cancelled, return_exceptions=True)
    return tuple(found), missing


async def _unread_subscriptions(
    read: BackupReader, vaults: Sequence[Vault], now: datetime
) -> tuple[UnreadSubscription, ...]:
    """The subscriptions that show no vault because they cannot be read; an empty one is just empty."""
    seen = {vault.id.subscription.casefold() for vault in vaults}
    silent = [name for name in await read.subscriptions() if name.casefold() not in seen]

    async def look(name: str) -> UnreadSubscription | None:
        try:
            missed = await read.resources(
                f"/subscriptions/{name}/providers/Microsoft.RecoveryServices/vaults", _VAULTS_API
            )
        except GatewayError as error:
            return UnreadSubscription(subscription=name, why=why_blind(error, (READ_VAULTS,), now))
        if missed:
            return UnreadSubscription(subscription=name, why="Its vaults could not be read at first; ask again.")
        return None

    return tuple(one for one in await asyncio.gather(*(look(name) for name in silent)) if one is not None)
