"""Waiting for what another process or task brings about."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
PATIENCE_S = 45.0


@overload
async def until(what: str, look: Callable[[], Coroutine[Any, Any, T | None]], within_s: float = PATIENCE_S) -> T: ...


@overload
async def until(what: str, look: Callable[[], T | None], within_s: float = PATIENCE_S) -> T: ...


async def until(what: str, look: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
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
