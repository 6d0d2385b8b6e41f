"""A simulated cloud in this process with the bot's own reader against it, and diagnoses of what is in it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot import routing
from bot.azure import Azure, azure
from bot.clock import SimulatedClock
from bot.settings import Settings, load
from diagnostics import registry
from diagnostics.locate import find_item, find_vault
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Vault
from domain.finding import Diagnosis
from domain.ports import BackupReader
from simulator.server import Simulator

HERE = Path(__file__).parent


@dataclass(kw_only=True)
class Scene:
    """Asks what people ask, and remembers which checks broke."""

    cloud: Simulator
    settings: Settings
    azure: Azure
    clock: SimulatedClock
    bugs: list[str] = field(default_factory=list)

    @property
    def estate(self) -> dict[str, list[dict[str, Any]]]:
        """What `GET /_sim/estate` answers."""
        return self.cloud.control.estate()

    def context(self, read: BackupReader, vault: Vault, item: ProtectedItem | None) -> registry.Context:
        """What checks may look at, with the settings of the scene."""
        return registry.Context(
            vault=vault,
            item=item,
            read=read,
            clock=self.clock,
            rpo=routing.rpo_rules(self.settings),
            limits=routing.limits(self.settings),
        )

    async def diagnose(self, vault: str, item: str, *, limit_s: float = 25.0, each_s: float = 20.0) -> Diagnosis:
        """One diagnosis from the names to the causes, as `backupbot diagnose` does it."""
        read = self.azure.read()
        if item == "-":
            found, protected = await find_vault(read, vault), None
        else:
            found, protected = await find_item(read, item, vault)
        return await diagnose(
            self.context(read, found, protected),
            registry.discover(),
            limit_s=limit_s,
            each_s=each_s,
            on_bug=lambda check, error: self.bugs.append(f"{vault} {item} {check}: {error!r}"),
        )


@asynccontextmanager
async def looking(cloud: Simulator, directory: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Scene]:
    """The bot's reader against a running cloud; ``env`` where it goes there by another way."""
    settings = load(env or cloud.env, directory=directory)
    clock = SimulatedClock(settings.clock_url)
    async with aiohttp.ClientSession() as http, azure(settings) as both:
        await clock.refresh(http)
        yield Scene(cloud=cloud, settings=settings, azure=both, clock=clock)


@asynccontextmanager
async def scene(
    estate: str | Path, directory: Path, *, speed: float = 240.0, latency_ms: int = 0
) -> AsyncIterator[Scene]:
    """The cloud and the reader, closed at the end."""
    async with Simulator(estate, speed=speed, latency_ms=latency_ms) as cloud, looking(cloud, directory) as found:
        yield found
