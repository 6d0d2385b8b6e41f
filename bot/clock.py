"""Clocks: the machine's, and that of a simulated cloud."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import aiohttp


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()


class SimulatedClock(SystemClock):
    """Wall time plus the offset by which the simulated cloud has been moved ahead."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Now, in the simulated world."""
        return super().now() + self._offset

    async def refresh(self, http: aiohttp.ClientSession) -> None:
        """Ask the simulated cloud for its time; when it cannot be asked the known offset stays."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            async with asyncio.timeout(2), http.get(self._url, allow_redirects=False) as response:
                told = datetime.fromisoformat((await response.json())["now"])
                self._offset = told - super().now()

    async def follow(self, http: aiohttp.ClientSession, every_s: float = 0.5) -> None:
        """Keep asking until cancelled."""
        while True:
            await self.refresh(http)
            await asyncio.sleep(every_s)
