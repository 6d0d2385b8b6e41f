"""Ten thousand open approvals: what they cost in memory and in processor time while nothing happens."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bot.store import database
from bot.store import tables as t
from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.bench.processes import MIB, mib, processor_s, resident
from tests.bench.table import Row
from tests.e2e.support import environment, serving
from tests.workflows.world import world_on

COUNT = 10_000
SETTLE_S = 6.0
IDLE_S = 12.0
MOST = 150 * MIB


async def _many(path: Path) -> None:
    """One request as the bot itself makes it, ten thousand times with other names, reminders some minutes ahead."""
    url = f"sqlite:///{path}"
    engine = database.connect(url)
    await database.migrate(engine)
    await engine.dispose()
    async with world_on(url) as world:
        asked = await world.ask()
        row = dict(await world.row(asked.id))
        now = datetime.now(UTC)
        later = {"created_at": now, "expires_at": now + timedelta(hours=4), "due_at": now + timedelta(minutes=10)}
        if row["remind_at"] is not None:
            later["remind_at"] = now + timedelta(minutes=10)
        rows = [
            row | later | {"id": f"APR-{number:08}", "subject_key": f"{row['subject_key']}-{number}"}
            for number in range(COUNT - 1)
        ]
        async with world.store.begin() as tx:
            await tx.execute(sa.update(t.approvals).values(**later))
            await tx.execute(sa.update(t.outbox).values(state="sent"))
            await tx.connection.execute(t.approvals.insert(), rows)


async def _idle(directory: Path, cloud: Simulator, chat: FakeSlack) -> tuple[int, float]:
    """Memory, and share of one processor, of a bot to which nobody speaks."""
    async with serving(environment(cloud, chat, directory), directory) as bot:
        await asyncio.sleep(SETTLE_S)
        before = processor_s(bot.process.pid)
        await asyncio.sleep(IDLE_S)
        return resident(bot.process.pid), (processor_s(bot.process.pid) - before) / IDLE_S


async def rows(directory: Path) -> list[Row]:
    """The same bot with none and with ten thousand."""
    none, many = directory / "none", directory / "many"
    none.mkdir()
    many.mkdir()
    await _many(directory / "made.db")
    shutil.move(directory / "made.db", many / "bot.db")
    async with Simulator("quiet") as cloud, FakeSlack(rate_limits=False) as chat:
        little, idle = await _idle(none, cloud, chat)
        much, busy = await _idle(many, cloud, chat)
    return [
        Row(
            what=f"{COUNT} open approvals: memory",
            figure=mib(much),
            yardstick=f"{mib(little)} without any",
            ratio=much / little,
            goal=f"<= {mib(MOST)} more",
            met=much - little <= MOST,
        ),
        Row(
            what=f"{COUNT} open approvals: idle processor time",
            figure=f"{100 * busy:.1f} %",
            yardstick=f"{100 * idle:.1f} % without any",
            ratio=busy / idle if idle else None,
        ),
    ]
