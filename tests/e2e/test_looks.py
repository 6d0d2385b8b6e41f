"""A running bot remembers what it saw of a running job."""

import json
from pathlib import Path

import pytest

from simulator.chat_people import MAX
from tests.e2e.support import Stage, stage
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("e2e-installations")


async def stuck(world: Stage) -> str:
    """Ask for a diagnosis of the machine whose backup hangs, and wait for what the new card says of it."""
    since = world.count
    assert 200 == (await world.slack.command(MAX, "diagnose vm-big-01")).status
    card = await world.said("a snapshot takes minutes", since=since)
    return json.dumps(card.state, ensure_ascii=False)


async def test_the_second_question_hears_of_the_first(tmp_path: Path) -> None:
    """Three hours of the watched world later the same command knows what was seen then."""
    async with stage(tmp_path) as world:
        assert "No progress since" not in await stuck(world)
        assert "No progress since" not in await stuck(world)  # a moment later there is nothing to tell
        async with world.http.post(f"{world.cloud.http}/_sim/clock", json={"advance_s": 3 * 3600}) as response:
            assert 200 == response.status

        async def remembered() -> str | None:  # the bot follows the clock of the watched world within a second
            said = await stuck(world)
            return said if "the look of 3 h" in said else None

        assert await until("what the first look saw", remembered)
