"""What came in is worked on until it is answered, whatever happens to the worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row
from bot.workflows.drain import Drain
from tests.workflows.world import World


async def put(world: World, *ids: str, **more: object) -> None:
    async with world.store.begin() as tx:
        for row_id in ids:
            values = {"kind": "slack.command", "payload": {}, "received_at": tx.now, "state": "new", **more}
            await tx.insert(t.inbox, id=row_id, **values)


async def states(world: World) -> dict[str, str]:
    return {row["id"]: row["state"] for row in await world.store.all(sa.select(t.inbox))}


@asynccontextmanager
async def running(drain: Drain) -> AsyncIterator[None]:
    task = asyncio.create_task(drain.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await look():
            await asyncio.sleep(0.02)


def drain(world: World, work: Callable[[Row], Awaitable[None]], **more: object) -> Drain:
    return Drain(store=world.store, table=t.inbox, owner="me", work=work, **more)  # type: ignore[arg-type]  # its options


async def test_every_row_is_worked_on_once_by_two_replicas(world: World) -> None:
    """Two loops over one table: each row once."""
    seen: list[str] = []

    async def work(row: Row) -> None:
        seen.append(row["id"])

    await put(world, *(f"row-{number}" for number in range(40)))
    other = Drain(store=world.store, table=t.inbox, owner="other", work=work)

    async def done() -> bool:
        return set((await states(world)).values()) == {"done"}

    async with running(drain(world, work)), running(other):
        await until(done)
    assert sorted(seen) == sorted(f"row-{number}" for number in range(40))


async def test_what_the_dead_were_doing_is_put_back(world: World) -> None:
    """Rows of owners that are not alive are new again; those of the living are left alone."""

    async def work(row: Row) -> None:
        raise AssertionError(row)

    await put(world, "dead", state="working", owner="gone")
    await put(world, "alive", state="working", owner="other")
    await put(world, "done", state="done", owner="gone")
    one = drain(world, work)
    assert 1 == await one.adopt(frozenset({"me", "other"}))
    assert {"dead": "new", "alive": "working", "done": "done"} == await states(world)
    assert 1 == await one.adopt(frozenset())


async def test_a_row_that_fails_three_times_is_answered(sqlite_world: World) -> None:
    """Tried three times, then given up with an answer; the others are not held up."""
    tried: list[str] = []
    answered: list[str] = []

    async def work(row: Row) -> None:
        tried.append(row["id"])
        if row["id"] == "bad":
            raise KeyError("a bug")

    async def gave_up(row: Row) -> None:
        answered.append(row["id"])

    await put(sqlite_world, "bad", "good")

    async def done() -> bool:
        return {"bad": "failed", "good": "done"} == await states(sqlite_world) and bool(answered)

    async with running(drain(sqlite_world, work, gave_up=gave_up)):
        await until(done)
    assert (3, 1, ["bad"]) == (tried.count("bad"), tried.count("good"), answered)


async def test_a_failing_answer_does_not_end_the_loop(sqlite_world: World) -> None:
    """Even giving up may fail: the next row is worked on all the same."""

    async def work(row: Row) -> None:
        if row["id"] == "bad":
            raise KeyError("a bug")

    async def gave_up(row: Row) -> None:
        raise LookupError(row["id"])

    await put(sqlite_world, "bad", tries=2)
    one = drain(sqlite_world, work, gave_up=gave_up)

    async def failed() -> bool:
        return (await states(sqlite_world))["bad"] == "failed"

    async def good() -> bool:
        return (await states(sqlite_world)).get("good") == "done"

    async with running(one):
        await until(failed)
        await put(sqlite_world, "good")
        one.wake()
        await until(good)


async def test_a_database_that_is_away_is_no_reason_to_give_up(sqlite_world: World) -> None:
    """Five times the database was busy: nothing was counted against the row, and it is done in the end."""
    left = [5]

    async def work(row: Row) -> None:
        if left[0]:
            left[0] -= 1
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("database is locked"))

    await put(sqlite_world, "row")

    async def done() -> bool:
        return (await states(sqlite_world))["row"] == "done"

    async with running(drain(sqlite_world, work)):
        await until(done)
    assert [0] == left


async def test_a_row_whose_end_could_not_be_written_is_taken_up_again(sqlite_world: World) -> None:
    """The database went away while the row was worked on: it does not stay with a process that has forgotten it."""
    begin = sqlite_world.store.begin
    away = [False]

    async def work(row: Row) -> None:
        away[0] = not row["tries"]
        if away[0]:
            raise KeyError("and then the database went away")

    def begin_or_fail() -> object:
        if away[0]:
            away[0] = False
            raise sa.exc.OperationalError("BEGIN", {}, Exception("connection refused"))
        return begin()

    await put(sqlite_world, "row")
    sqlite_world.store.begin = begin_or_fail  # type: ignore[method-assign,assignment]  # a store that fails once

    async def done() -> bool:
        return (await states(sqlite_world))["row"] == "done"

    async with running(drain(sqlite_world, work)):
        await until(done)


@pytest.mark.parametrize("count", [200])
async def test_more_rows_than_one_round_takes(sqlite_world: World, count: int) -> None:
    """All of them are worked on, oldest first, without waiting for a new one to wake the loop."""
    seen: list[str] = []

    async def work(row: Row) -> None:
        seen.append(row["id"])

    await put(sqlite_world, *(f"{number:04}" for number in range(count)))

    async def done() -> bool:
        return len(seen) == count

    async with running(drain(sqlite_world, work, workers=1)):
        await until(done)
    assert count == len(set(seen))
