"""The engine: carries work from a commit to a running function once, and finds it again after a crash."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.store import database
from bot.workflows.engine import DbosEngine

pytestmark = pytest.mark.xdist_group("engine")


class Works:
    """What was driven, and an engine that drives it."""

    def __init__(self, url: str, executor_id: str = "single") -> None:
        self.engine = DbosEngine(url, executor_id=executor_id, poll_s=0.05)
        self.db = database.connect(url)
        self.driven: list[tuple[str, str]] = []
        self.fail = False
        self.hold: asyncio.Event | None = None

    async def drive(self, kind: str, row_id: str) -> None:
        self.driven.append((kind, row_id))
        if self.hold is not None:
            await self.hold.wait()
        if self.fail:
            raise RuntimeError("a driver failed")

    async def enqueue(self, row_id: str, tag: str, *, fail: bool = False) -> None:
        async with self.db.begin() as connection:
            await connection.run_sync(lambda sync: self.engine.enqueue(sync, "run", row_id, tag))
            if fail:
                raise ZeroDivisionError

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.driven) < count:
                await asyncio.sleep(0.02)

    async def status(self, row_id: str, tag: str, wanted: str) -> None:
        async with asyncio.timeout(30):
            while await self.engine.status("run", row_id, tag) != wanted:
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def works_on(url: str, executor_id: str = "single") -> AsyncIterator[Works]:
    works = Works(url, executor_id)
    await works.engine.start(works.drive)
    try:
        yield works
    finally:
        await works.engine.stop()
        await works.db.dispose()


async def test_the_port(database_url: str) -> None:
    """Committed work runs once for its tag; rolled back work never; failures are told; ended work can be pruned."""
    async with works_on(database_url) as works:
        with pytest.raises(ZeroDivisionError):
            await works.enqueue("rolled-back", "t", fail=True)
        await works.enqueue("a", "t")
        await works.enqueue("a", "t")
        await works.until(1)
        await works.status("a", "t", "done")
        await works.enqueue("a", "t")
        await works.enqueue("a", "another tag")
        await works.until(2)
        await works.status("a", "another tag", "done")
        works.fail = True
        await works.enqueue("b", "t")
        await works.status("b", "t", "failed")
        assert [("run", "a"), ("run", "a"), ("run", "b")] == works.driven
        assert await works.engine.status("run", "rolled-back", "t") is None
        assert 0 == await works.engine.prune(timedelta(days=1))
        assert 3 == await works.engine.prune(timedelta(seconds=-5))
        assert await works.engine.status("run", "a", "t") is None


async def test_a_driver_runs_on_our_own_loop_and_ends_before_the_engine_stops(sqlite_url: str) -> None:
    """Stopping waits for what runs; nothing is cut off in the middle."""
    async with works_on(sqlite_url) as works:
        works.hold = asyncio.Event()
        await works.enqueue("a", "t")
        await works.until(1)
        asyncio.get_running_loop().call_later(0.5, works.hold.set)
    rows = await _statuses(sqlite_url)
    assert {"run:a:t": "SUCCESS"} == rows


async def _statuses(url: str) -> dict[str, str]:
    engine = database.connect(url)
    table = "dbos.workflow_status" if url.startswith("postgresql") else "workflow_status"
    async with engine.connect() as connection:
        found = await connection.execute(sa.text(f"SELECT workflow_uuid, status FROM {table}"))  # noqa: S608
        rows = {str(row[0]): str(row[1]) for row in found}
    await engine.dispose()
    return rows


async def test_work_that_waits_can_be_cancelled(sqlite_url: str) -> None:
    """What has not begun is forgotten."""
    async with works_on(sqlite_url) as works:
        works.hold = asyncio.Event()
        for number in range(40):
            await works.enqueue(f"{number:02}", "t")
        await works.until(32)
        assert "waiting" == await works.engine.status("run", "39", "t")
        await works.engine.cancel("run", "39", "t")
        works.hold.set()
        await works.status("38", "t", "done")
        assert ("run", "39") not in works.driven


# A process that begins work and then hangs until it is killed.
HANGS = """
import asyncio, sys
from bot.store import database
from bot.workflows.engine import DbosEngine

async def main(url, me):
    engine = DbosEngine(url, executor_id=me, poll_s=0.05)
    async def drive(kind, row_id):
        print("begun", kind, row_id, flush=True)
        await asyncio.sleep(600)
    await engine.start(drive)
    db = database.connect(url)
    async with db.begin() as connection:
        await connection.run_sync(lambda sync: engine.enqueue(sync, "run", "a", "t"))
    await asyncio.sleep(600)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def begun_and_killed(url: str, executor_id: str) -> None:
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HANGS, url, executor_id),
        stdout=asyncio.subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=dict(os.environ) | {"PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert b"begun run a\n" == await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.crash
async def test_work_of_a_killed_process_runs_again_under_the_same_name(database_url: str) -> None:
    """On SQLite the next process has the same identity: what was running when it was killed is run again at start."""
    await begun_and_killed(database_url, "single")
    async with works_on(database_url) as works:
        await works.until(1)
        await works.status("a", "t", "done")


@pytest.mark.crash
async def test_work_of_a_killed_replica_is_taken_over(postgres_url: str) -> None:
    """A replica with a name of its own takes nothing by itself, and everything of the silent when told who is alive."""
    await begun_and_killed(postgres_url, "gone")
    async with works_on(postgres_url, "here") as works:
        assert 0 == await works.engine.take_over(frozenset({"gone", "here"}))
        await asyncio.sleep(0.3)
        assert ([], "running") == (works.driven, await works.engine.status("run", "a", "t"))
        assert 1 == await works.engine.take_over(frozenset({"here"}))
        await works.until(1)
        await works.status("a", "t", "done")
        assert 0 == await works.engine.take_over(frozenset({"here"}))


async def test_work_needs_an_engine_that_was_started(sqlite_url: str) -> None:
    """A store without an engine refuses to enqueue instead of losing work."""
    works = Works(sqlite_url)
    with pytest.raises(RuntimeError, match="not been started"):
        await works.enqueue("a", "t")
    await works.engine.stop()
    await works.db.dispose()
