"""Heartbeats, the silent, and the tick."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.replicas import Replicas
from bot.workflows.ticker import LEASE
from tests.fakes.desks import WORK
from tests.workflows.world import ANA, MINUTE, World, world_on


async def nothing(_alive: frozenset[str]) -> None:
    """Nobody is looked after."""


async def test_only_those_heard_of_lately_are_alive(world: World) -> None:
    """On the database's clock: who has not beaten for 30 s is not alive; a beat brings it back."""
    here, there = (Replicas(store=world.store, me=name, on_lost=nothing) for name in ("here", "there"))
    await here.beat()
    await there.beat()
    assert frozenset({"here", "there"}) == await here.alive()
    async with world.store.begin() as tx:
        await tx.execute(
            t.replicas.update().where(t.replicas.c.executor_id == "there").values(seen=t.replicas.c.seen - 31)
        )
    assert frozenset({"here"}) == await here.alive()
    await there.beat()
    assert frozenset({"here", "there"}) == await here.alive()


async def test_a_replica_without_a_recent_beat_is_stale(sqlite_world: World) -> None:
    """It may change things only while its own last beat is younger than half the time after which others take over."""
    one = Replicas(store=sqlite_world.store, me="here", on_lost=nothing, dead_after_s=0.2)
    assert not one.fresh
    await one.beat()
    assert one.fresh
    one._beaten_at -= 0.1
    assert not one.fresh


async def test_one_replica_at_a_time_looks_after_the_silent(world: World) -> None:
    """Three look at once; on PostgreSQL one of them takes over, on SQLite there is nobody to take over from."""
    calls: list[frozenset[str]] = []

    async def lost(alive: frozenset[str]) -> None:
        calls.append(alive)
        await asyncio.sleep(0.3)

    replicas = [Replicas(store=world.store, me=f"r{number}", on_lost=lost) for number in range(3)]
    for one in replicas:
        await one.beat()
    await asyncio.gather(*(one._look_after() for one in replicas))
    postgresql = world.store.engine.dialect.name == "postgresql"
    assert ([frozenset({"r0", "r1", "r2"})] if postgresql else []) == calls


async def test_the_tick_hands_out_each_due_row_once(world: World) -> None:
    """Two replicas tick at the same moment: the work is enqueued once, and comes up again when its lease is over."""
    asked = await world.ask()
    await world.approvals.decide(asked.id, "approve", ANA)
    await world.lose_work()
    world.clock.advance(LEASE + MINUTE)
    other = type(world.ticker)(services=world.services)
    handed = await asyncio.gather(world.ticker.tick(), other.tick())
    assert 1 == sum(handed)
    assert 0 == await world.ticker.tick()
    world.clock.advance(LEASE + timedelta(seconds=1))
    assert 1 == await world.ticker.tick()
    waiting = await world.store.all(sa.select(WORK.c.id).where(WORK.c.done.is_(False)))
    assert 2 == len(waiting)


async def test_nothing_that_lives_is_without_a_due_time(database_url: str) -> None:
    """After every step of a whole story: a live row has a time at which it is looked at again, an ended one has none."""
    async with world_on(database_url) as world:
        approval_id = await world.approved(
            "grant_key_vault_access", parameters={"rights_until": "2026-11-22T05:00:00Z"}
        )
        live = {
            t.approvals: ("requested", "approved"),
            t.fix_runs: ("executing",),
            t.grants: ("armed", "revoking"),
        }
        for _ in range(40):
            for table, states in live.items():
                for row in await world.store.all(sa.select(table)):
                    assert (row["due_at"] is not None) == (row["state"] in states), (table.name, row["state"])
            await world.tick(5 * MINUTE)
            world.end_jobs()
        assert "proved" == await world.state(approval_id)
        assert [] == world.azure.assignments
