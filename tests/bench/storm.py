"""A storm of alerts, some of them delivered twice: until each is in the one incident of its item."""

import asyncio
import itertools
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from domain.arm import ItemId
from simulator.senders import AzureMonitorSender
from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.bench.table import Row
from tests.e2e.support import TOKEN, alert, environment, serving

AT_ONCE = 32
TRIES = 10
AGAIN = 20
"""Every so-manieth alert is delivered twice."""


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What was sent and what became of it."""

    sent: int
    items: int
    taken_in_s: float
    worked_off_s: float
    lost: int
    doubled: int
    calls: int
    finished: bool

    @property
    def sound(self) -> bool:
        """None lost, none doubled, all worked off."""
        return self.finished and self.lost == 0 and self.doubled == 0


def counted(database_url: str) -> tuple[Counter[str], list[tuple[str, int, int]], int]:
    """Alerts by state; (key, incidents, failures) of each live incident key; alerts without an incident."""
    states = "SELECT state, count(*) FROM alerts GROUP BY state"
    keys = "SELECT key, count(*), sum(failures) FROM incidents GROUP BY key"
    without = "SELECT count(*) FROM alerts WHERE state = 'done' AND incident_id IS NULL"
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            answers = [connection.execute(one).fetchall() for one in (states, keys, without)]
        finally:
            connection.close()
    else:
        with psycopg.connect(database_url) as server:
            answers = [server.execute(one.encode()).fetchall() for one in (states, keys, without)]
    return Counter(dict(answers[0])), [(str(key), int(n), int(f)) for key, n, f in answers[1]], int(answers[2][0][0])


def items_of(cloud: Simulator) -> list[str]:
    """The ids of the protected items."""
    found = []
    for item in cloud.world.items:
        ItemId.parse(item.id)
        found.append(item.id)
    return found


async def blow(
    cloud: Simulator, urls: Sequence[str], database_url: str, *, count: int, items: int, within_s: float
) -> Storm:
    """Send ``count`` alerts about ``items`` items to the bots by turns, and wait until all are in incidents."""
    ids = items_of(cloud)[:items]
    bodies = [(number, ids[number % len(ids)]) for number in range(count)]
    random.Random(1).shuffle(bodies)
    senders = [AzureMonitorSender(url, token=TOKEN, within_s=120) for url in urls]
    turn = itertools.cycle(senders)
    left = iter(bodies)
    refused: list[object] = []
    loop = asyncio.get_running_loop()
    calls, began = cloud.control.count, loop.time()

    async def one() -> None:
        for number, item in left:
            body = json.dumps(alert(item.partition("/backupFabrics")[0], item, alert_id=f"storm-{number}")).encode()
            for _ in range(2 if number % AGAIN == 0 else 1):
                reply = await next(turn).alert(body)
                for _ in range(TRIES):  # an action group sends again what was answered with 503
                    if reply.status != 503:
                        break
                    await asyncio.sleep(1.0)
                    reply = await next(turn).alert(body)
                if reply.status != 202:
                    refused.append(reply)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one())
        taken_in = loop.time() - began
        finished = False
        while not finished and loop.time() - began < within_s:
            await asyncio.sleep(0.5)
            states, _, _ = await asyncio.to_thread(counted, database_url)
            finished = states["new"] == states["working"] == 0
        worked_off = loop.time() - began
    finally:
        for sender in senders:
            await sender.close()
    if refused:
        raise RuntimeError(f"{len(refused)} alerts were refused, the first: {refused[0]}")
    states, keys, without = await asyncio.to_thread(counted, database_url)
    counts = {key: failures for key, _, failures in keys}
    return Storm(
        sent=count,
        items=len(ids),
        taken_in_s=taken_in,
        worked_off_s=worked_off,
        lost=count - sum(counts.values()) + without if sum(counts.values()) < count else without,
        doubled=sum(n - 1 for _, n, _ in keys) + max(0, sum(counts.values()) - count) + max(0, states.total() - count),
        calls=cloud.control.count - calls,
        finished=finished,
    )


async def storm(directory: Path, *, count: int = 10_000, items: int = 200, within_s: float = 120.0) -> Storm:
    """One bot on SQLite."""
    async with (
        Simulator(f"fleet:4:{items}", speed=2000.0) as cloud,
        FakeSlack(rate_limits=False) as chat,
    ):
        env = environment(cloud, chat, directory)
        async with serving(env, directory) as bot:
            return await blow(cloud, [bot.url], env["DATABASE_URL"], count=count, items=items, within_s=within_s)


async def rows(directory: Path) -> list[Row]:
    """The row of the table."""
    found = await storm(directory)
    return [
        Row(
            what=f"storm of {found.sent} alerts about {found.items} items, all in incidents",
            figure=f"{found.worked_off_s:.0f} s{'' if found.finished else ' and not done'}",
            yardstick=f"{found.taken_in_s:.0f} s until all were accepted",
            ratio=found.worked_off_s / found.taken_in_s,
            goal=f"none lost ({found.lost}), none doubled ({found.doubled})",
            met=found.sound,
        ),
        Row(what="calls to Azure during the storm", figure=str(found.calls), yardstick=f"{found.items} items"),
    ]
