"""Looks at running jobs: what is remembered, on both databases, and when many look at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.ledger import StoreLedger
from tests.workflows.world import World, world_on

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A world on each database."""
    async with world_on(database_url) as one:
        yield one


async def stored(world: World) -> list[tuple[str, str, datetime, datetime, int]]:
    """The rows: job, progress, since when, last seen, how often it moved."""
    looks = t.job_looks.c
    found = await world.store.all(sa.select(t.job_looks).order_by(looks.job_id))
    return [tuple(row[name] for name in ("job_id", "progress", "changed_at", "seen_at", "moves")) for row in found]


async def test_a_job_is_followed_from_look_to_look(world: World) -> None:
    """First nothing is known; then since when it stands; a move begins anew and is remembered as one."""
    ledger = StoreLedger(world.store)
    assert await ledger.look("j", "40 %", AT) is None
    for hours in (1, 2):
        earlier = await ledger.look("j", "40 %", AT + hours * HOUR)
        assert earlier is not None
        assert ("40 %", AT, AT + (hours - 1) * HOUR, False) == (
            earlier.progress,
            earlier.since,
            earlier.seen_at,
            earlier.moved,
        )
    earlier = await ledger.look("j", "60 %", AT + 5 * HOUR)
    assert earlier is not None
    assert ("40 %", AT, AT + 2 * HOUR) == (earlier.progress, earlier.since, earlier.seen_at)
    earlier = await ledger.look("j", "60 %", AT + 6 * HOUR)
    assert earlier is not None
    assert ("60 %", AT + 5 * HOUR, True) == (earlier.progress, earlier.since, earlier.moved)
    assert await ledger.look("other", "60 %", AT) is None
    assert [
        ("j", "60 %", AT + 5 * HOUR, AT + 6 * HOUR, 1),
        ("other", "60 %", AT, AT, 0),
    ] == await stored(world)


async def test_of_thirty_first_looks_at_once_one_is_the_first(world: World) -> None:
    """Thirty diagnoses of one job at the same moment: one row, one first look, and the others know of it."""
    ledger = StoreLedger(world.store)
    looks = await asyncio.gather(*(ledger.look("j", "40 %", AT) for _ in range(30)))
    assert 1 == looks.count(None)
    assert {(AT, AT, False)} == {(one.since, one.seen_at, one.moved) for one in looks if one is not None}
    assert [("j", "40 %", AT, AT, 0)] == await stored(world)


async def test_looks_that_are_stored_in_another_order_than_they_began(world: World) -> None:
    """The newest look wins whoever is quicker; what stood before all of them is known to each."""
    ledger = StoreLedger(world.store)
    await ledger.look("j", "40 %", AT)
    moments = [AT + 5 * HOUR + timedelta(seconds=(7 * number) % 20) for number in range(20)]
    looks = await asyncio.gather(*(ledger.look("j", "40 %", at) for at in moments))
    assert {AT} == {one.since for one in looks if one is not None}
    assert None not in looks
    assert all(one.seen_at <= at for one, at in zip(looks, moments, strict=True) if one is not None)
    assert [("j", "40 %", AT, max(moments), 0)] == await stored(world)


async def test_a_late_look_does_not_turn_the_job_back(world: World) -> None:
    """A diagnosis that began before the job moved and is stored after it makes no second move of it."""
    ledger = StoreLedger(world.store)
    await ledger.look("j", "40 %", AT)
    await ledger.look("j", "60 %", AT + 2 * HOUR)
    assert await ledger.look("j", "40 %", AT + HOUR) is None
    assert [("j", "60 %", AT + 2 * HOUR, AT + 2 * HOUR, 1)] == await stored(world)


async def test_jobs_that_nobody_sees_running_any_more_are_forgotten(world: World) -> None:
    """What was last seen before the given moment goes; what was seen at it or since stays with all that is known."""
    ledger = StoreLedger(world.store)
    await ledger.look("ended", "99 %", AT)
    await ledger.look("runs", "40 %", AT)
    await ledger.look("runs", "40 %", AT + HOUR)
    assert 1 == await ledger.prune(AT + HOUR)
    assert [("runs", "40 %", AT, AT + HOUR, 0)] == await stored(world)
    assert 0 == await ledger.prune(AT + HOUR)
