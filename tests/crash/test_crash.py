"""kill -9 at the worst moments: what was begun goes on, and nothing happens twice."""

from pathlib import Path

import pytest

from simulator.chat_people import EVE, MAX
from tests.crash.story import Story, story

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("crash")]

POINTS = [("run.intended", 1), ("run.sent", 2)]


async def killed_at(one: Story, event: str, step: int) -> None:
    """Ask, approve, kill the bot as soon as the line is in the record, start it again, and look at the end."""
    bot = await one.serve()
    approval_id = await one.request(bot)
    await one.approve(bot, approval_id)
    await one.event(event, step)
    await bot.killed()
    await one.serve()
    await one.check(approval_id)


@pytest.mark.parametrize(("event", "step"), POINTS)
async def test_a_killed_bot_goes_on(tmp_path: Path, database_url: str, event: str, step: int) -> None:
    """Killed right after a line of the run was written, and started again: proved, one grant, one backup."""
    async with story(tmp_path, database_url) as one:
        await killed_at(one, event, step)


async def test_a_request_waits_through_a_crash(tmp_path: Path, sqlite_url: str) -> None:
    """Killed while the request waits: the old card's buttons work after the restart, for those who may."""
    async with story(tmp_path, sqlite_url) as one:
        bot = await one.serve()
        approval_id = await one.request(bot)
        await bot.killed()
        bot = await one.serve()
        for person in (MAX, EVE):
            assert 200 == await one.press(bot, person, approval_id)
        await one.event("approval.refused_click")
        await one.approve(bot, approval_id)
        await one.check(approval_id)


async def test_sigterm_drains_and_exits_with_0(tmp_path: Path, sqlite_url: str) -> None:
    """Stopped politely in the middle of a run: exit code 0, and the next process goes on."""
    async with story(tmp_path, sqlite_url) as one:
        bot = await one.serve()
        approval_id = await one.request(bot)
        await one.approve(bot, approval_id)
        await one.event("run.sent", 1)
        assert 0 == await bot.terminated(), bot.log.read_text()[-3000:]
        await one.serve()
        await one.check(approval_id)


async def test_another_replica_takes_over(tmp_path: Path, postgres_url: str) -> None:
    """Two bots on one PostgreSQL; the one that runs the fix is killed, the other ends it within 60 s."""
    async with story(tmp_path, postgres_url) as one:
        first = await one.serve()
        await one.serve()
        approval_id = await one.request(first)
        await one.approve(first, approval_id)
        await one.event("run.intended", 1)
        await first.killed()
        await one.check(approval_id, within_s=60.0)
