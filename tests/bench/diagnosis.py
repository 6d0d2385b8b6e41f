"""A full diagnosis of one virtual machine at 80 ms latency, beside what the order of its calls makes unavoidable."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import aiohttp

from bot import routing
from bot.azure import Azure, azure
from bot.clock import SystemClock
from bot.settings import load
from diagnostics import registry
from diagnostics.locate import find_item
from diagnostics.runner import diagnose
from domain.ports import Clock
from tests.bench.processes import simulating
from tests.bench.table import Row, ms, percentile

VAULT, ITEM = "vault-prod-01", "vm-erp-01"
LATENCY_MS, MORE_MS = 80, 480
ROUNDS = 7
MOST_CALLS = 20


@dataclass(frozen=True)
class _Stopped:
    """One instant, so that checks asked one by one may share their reads."""

    clock: Clock
    at: datetime

    def now(self) -> datetime:
        """The instant."""
        return self.at

    def monotonic(self) -> float:
        """Seconds, which go on."""
        return self.clock.monotonic()


@dataclass(kw_only=True)
class _Place:
    cloud: Azure
    http_url: str
    context: registry.Context
    checks: Mapping[str, registry.Check] = field(default_factory=registry.discover)

    async def calls(self) -> int:
        """How many requests the cloud has had."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.http_url}/_sim/requests") as answer:
            return len(await answer.json())

    async def once(self) -> float:
        """A diagnosis from the names to the causes, in seconds."""
        loop = asyncio.get_running_loop()
        began, read = loop.time(), self.cloud.read()
        vault, item = await find_item(read, ITEM, VAULT)
        found = await diagnose(replace(self.context, vault=vault, item=item, read=read), self.checks)
        if not found.complete or found.blind:
            raise RuntimeError(f"the diagnosis was not complete: {found}")
        return loop.time() - began

    async def in_turn(self) -> float:
        """The same checks one after the other, sharing what was read."""
        loop = asyncio.get_running_loop()
        began, read = loop.time(), self.cloud.read()
        vault, item = await find_item(read, ITEM, VAULT)
        context = replace(self.context, vault=vault, item=item, read=read)
        for check in self.checks.values():
            if check.about == "item" and item.workload in check.workloads:
                await diagnose(context, self.checks, only=(check.id,))
        return loop.time() - began


@asynccontextmanager
async def _place(directory: Path, latency_ms: int) -> AsyncIterator[_Place]:
    async with simulating("--latency-ms", str(latency_ms), cwd=directory) as program:
        described = program.described
        settings = load(described["env"], directory=directory)
        clock = SystemClock()
        async with azure(settings) as cloud:
            read = cloud.read()
            vault, item = await find_item(read, ITEM, VAULT)
            context = registry.Context(
                vault=vault,
                item=item,
                read=read,
                clock=_Stopped(clock, clock.now()),
                rpo=routing.rpo_rules(settings),
                limits=routing.limits(settings),
            )
            yield _Place(cloud=cloud, http_url=described["http"], context=context)


async def rows(directory: Path) -> list[Row]:
    """The chain is what one more millisecond of latency adds to the whole, since work of the processor cancels out."""
    async with _place(directory, LATENCY_MS) as near, _place(directory, MORE_MS) as far:
        await near.once()
        before = await near.calls()
        await near.once()
        calls = await near.calls() - before
        close = [await near.once() for _ in range(ROUNDS)]
        distant = [await far.once() for _ in range(3)]
        in_turn = [await near.in_turn() for _ in range(3)]
    took = percentile(close, 0.5)
    slope = (min(distant) - min(close)) / (MORE_MS - LATENCY_MS) * 1000
    chain = max(1, round(slope))
    floor = chain * LATENCY_MS / 1000
    return [
        Row(
            what=f"diagnosis of a VM at {LATENCY_MS} ms latency, median of {ROUNDS}",
            figure=ms(took),
            yardstick=f"{ms(floor)} chain of {chain} calls ({slope:.2f} measured)",
            ratio=took / floor,
            goal="<= 1.25",
            met=took <= 1.25 * floor,
        ),
        Row(
            what="the best of these",
            figure=ms(min(close)),
            yardstick=f"{ms(floor)} the same chain",
            ratio=min(close) / floor,
        ),
        Row(
            what="the same checks one after another",
            figure=ms(percentile(in_turn, 0.5)),
            yardstick=f"{ms(took)} side by side",
            ratio=percentile(in_turn, 0.5) / took,
        ),
        Row(
            what="calls to Azure for a diagnosis, finding the item included",
            figure=str(calls),
            goal=f"<= {MOST_CALLS}",
            met=calls <= MOST_CALLS,
        ),
    ]
