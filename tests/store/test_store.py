"""Transactions: compare and set, insert once, moments, messages in their latest state; on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from adaptive_cards import codec
from adaptive_cards.card import Card, Text
from bot.store import tables as t
from bot.store.store import Place, Tx
from domain.actor import SYSTEM
from tests.workflows.world import World, world_on

PLACE = Place(platform="slack", channel="C0BACKUP")


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with world_on(database_url) as one:
        yield one


def card(text: str) -> Card:
    return Card(summary=text, elements=(Text(text),), severity=None, simulated=False, key="k")


async def put(tx: Tx, dedupe: str | None, row_id: str = "one") -> bool:
    return await tx.insert_new(
        t.inbox, id=row_id, dedupe=dedupe, kind="slack.command", payload={}, received_at=tx.now, state="new"
    )


async def test_a_row_is_inserted_once(world: World) -> None:
    """The first insert says so, and a second one with the same unique value says that it changed nothing."""
    async with world.store.begin() as tx:
        assert await put(tx, "event-1", "one")
    async with world.store.begin() as tx:
        assert not await put(tx, "event-1", "two")
        assert await put(tx, None, "three")
        assert await put(tx, None, "four")
    assert ["four", "one", "three"] == sorted(row["id"] for row in await world.store.all(sa.select(t.inbox.c.id)))


async def test_one_of_twenty_inserts_at_once_wins(world: World) -> None:
    """Of twenty deliveries at the same moment exactly one is new."""

    async def one(number: int) -> bool:
        async with world.store.begin() as tx:
            return await put(tx, "event-1", f"row-{number}")

    assert 1 == sum(await asyncio.gather(*(one(number) for number in range(20))))


async def test_compare_and_set_changes_once(world: World) -> None:
    """Of twenty that move a row from new to working one succeeds; from a state that it is not in, none."""
    async with world.store.begin() as tx:
        await put(tx, None)

    async def claim(number: int) -> bool:
        async with world.store.begin() as tx:
            return await tx.move(t.inbox, "one", "new", state="working", owner=str(number))

    assert 1 == sum(await asyncio.gather(*(claim(number) for number in range(20))))
    async with world.store.begin() as tx:
        assert not await tx.move(t.inbox, "one", ("new", "done"), state="failed")
        assert not await tx.move(t.inbox, "not there", "working", state="failed")
        assert await tx.move(t.inbox, "one", ("new", "working"), state="done")


async def test_nothing_of_a_failed_transaction_stays(world: World) -> None:
    """Rows, audit, messages and work go together or not at all, and nobody is woken."""
    woken: list[object] = []
    world.store.on_commit = woken.append

    async def half() -> None:
        async with world.store.begin() as tx:
            await put(tx, None)
            tx.audit("it.happened", "one", SYSTEM, {})
            await tx.say("k", PLACE, card("hello"))
            await tx.enqueue("run", "one", "start")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await half()
    for table in (t.inbox, t.audit, t.outbox):
        assert [] == await world.store.all(sa.select(table))
    assert 0 == await world.work()
    assert [] == woken


async def test_moments_keep_their_instant(world: World) -> None:
    """A moment with any offset comes back as the same instant in UTC, to the microsecond."""
    at = datetime(2026, 3, 29, 2, 30, 0, 123457, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with world.store.begin() as tx:
        await tx.insert(t.job_looks, job_id="j", progress="", changed_at=at, seen_at=at)
    row = await world.store.one(sa.select(t.job_looks))
    assert row is not None
    assert at == row["changed_at"]
    assert UTC == row["changed_at"].tzinfo
    found = await world.store.one(sa.select(t.job_looks).where(t.job_looks.c.changed_at <= at))
    assert found is not None


async def test_a_moment_without_zone_is_refused(world: World) -> None:
    """A naive moment does not go into the store."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  (what is tested)
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        async with world.store.begin() as tx:
            await tx.insert(t.job_looks, job_id="j", progress="", changed_at=naive, seen_at=naive)


async def test_the_latest_state_of_a_message_wins(world: World) -> None:
    """Saying something three times leaves one row with the last card and its revision."""
    for text in ("one", "two", "three"):
        async with world.store.begin() as tx:
            await tx.say("k", PLACE, card(text))
    rows = await world.store.all(sa.select(t.outbox))
    assert [(3, 0, "due")] == [(row["revision"], row["sent_revision"], row["state"]) for row in rows]
    assert "three" == codec.load(rows[0]["card"]).summary


async def test_a_message_said_at_once_by_many_is_one(world: World) -> None:
    """Twenty transactions that say the same message at once all succeed; it is one row that counts them."""

    async def say(number: int) -> None:
        async with world.store.begin() as tx:
            await tx.say("k", PLACE, card(str(number)))

    await asyncio.gather(*(say(number) for number in range(20)))
    rows = await world.store.all(sa.select(t.outbox))
    assert [20] == [row["revision"] for row in rows]


async def test_a_new_state_keeps_the_pause_that_was_asked_for(world: World) -> None:
    """A platform that asked to wait is not asked earlier because there is a newer state."""
    later = world.clock.now() + timedelta(minutes=5)
    async with world.store.begin() as tx:
        await tx.say("k", PLACE, card("one"))
        await tx.execute(t.outbox.update().values(due_at=later, tries=3, error="Slack asks to wait"))
    async with world.store.begin() as tx:
        await tx.say("k", PLACE, card("two"))
    row = await world.store.one(sa.select(t.outbox))
    assert row is not None
    assert (later, "due", 0) == (row["due_at"], row["state"], row["tries"])


async def test_a_message_that_was_given_up_is_tried_again_with_its_next_state(world: World) -> None:
    """A failed message becomes due with the next thing that is said."""
    async with world.store.begin() as tx:
        await tx.say("k", PLACE, card("one"))
        await tx.execute(t.outbox.update().values(state="failed", error="no such channel"))
    async with world.store.begin() as tx:
        await tx.say("k", PLACE, card("two"))
    row = await world.store.one(sa.select(t.outbox))
    assert row is not None
    assert (None, "due", "") == (row["due_at"], row["state"], row["error"])
