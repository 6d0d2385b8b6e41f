"""Waiting for what another process or task brings about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 45.0


async def until(what: str, look: Callable[[], Awaitable[T | None] | T | None], within_s: float = PATIENCE_S) -> T:
    """What ``look`` finds, as soon as it is there; TimeoutError names it when it does not come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        found = look()
        value = await found if isinstance(found, Awaitable) else found
        if value:
            return value
        if loop.time() > deadline:
            raise TimeoutError(f"{what} did not come within {within_s:.0f} s")
        await asyncio.sleep(0.05)
