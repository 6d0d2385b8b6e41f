"""How fast a slash command is acknowledged, and how many alerts are taken in, beside programs that only insert a row."""

import asyncio
import uuid
from pathlib import Path

from simulator.chat_people import MAX
from simulator.senders import AzureMonitorSender, SlackSender
from simulator.server import Simulator
from simulator.slack import FakeSlack
from tests.bench.processes import yardstick
from tests.bench.table import Row, ms, percentile
from tests.e2e.support import SECRET, TOKEN, alert, environment, serving

COMMANDS = 300
ALERTS = 2000
AT_ONCE = 32
PAUSE_S = 0.05


async def acknowledgement(directory: Path) -> list[Row]:
    """The same command to the bot and to the yardstick in turn, with pauses in which the bot answers."""
    async with (
        Simulator("quiet") as cloud,
        FakeSlack(rate_limits=False) as chat,
        serving(environment(cloud, chat, directory), directory) as bot,
        yardstick("slack", directory / "yardstick-slack.db") as least,
        SlackSender(chat, bot.url, SECRET) as ours,
        SlackSender(chat, least, SECRET) as theirs,
    ):
        taken: dict[SlackSender, list[float]] = {ours: [], theirs: []}
        for number in range(COMMANDS + 20):
            for sender in (ours, theirs):
                reply = await sender.command(MAX, "help")
                if reply.status != 200:
                    raise RuntimeError(f"not acknowledged: {reply}")
                if number >= 20:
                    taken[sender].append(reply.seconds)
                await asyncio.sleep(PAUSE_S)
    rows = []
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        figure, floor = percentile(taken[ours], share), percentile(taken[theirs], share)
        goal = share > 0.9
        rows.append(
            Row(
                what=f"slash command acknowledged, {name} of {COMMANDS}",
                figure=ms(figure),
                yardstick=f"{ms(floor)} empty slack-bolt app, one row",
                ratio=figure / floor,
                goal="<= 1.5" if goal else "",
                met=figure <= 1.5 * floor if goal else None,
            )
        )
    return rows


async def _pour(sender: AzureMonitorSender, count: int) -> tuple[float, list[float]]:
    """Alerts a second, and how long each took."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    left = iter(range(count))

    async def one() -> None:
        for number in left:
            body = alert(
                f"/subscriptions/s/resourceGroups/r/providers/Microsoft.RecoveryServices/vaults/v{number % 5}",
                alert_id=uuid.uuid4().hex,
            )
            reply = await sender.alert(body)
            if reply.status != 202:
                raise RuntimeError(f"not accepted: {reply}")
            taken.append(reply.seconds)

    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())
    return count / (loop.time() - began), taken


async def intake(directory: Path) -> list[Row]:
    """Alerts poured in by 32 senders at a time, into the bot and into the yardstick by turns."""
    async with (
        Simulator("quiet") as cloud,
        FakeSlack(rate_limits=False) as chat,
        serving(environment(cloud, chat, directory), directory) as bot,
        yardstick("webhook", directory / "yardstick-webhook.db") as least,
        AzureMonitorSender(bot.url, token=TOKEN, within_s=60) as ours,
        AzureMonitorSender(least, token=TOKEN, within_s=60) as theirs,
    ):
        await _pour(ours, 50)
        await _pour(theirs, 50)
        speeds: dict[AzureMonitorSender, list[float]] = {ours: [], theirs: []}
        taken: dict[AzureMonitorSender, list[float]] = {ours: [], theirs: []}
        for _ in range(2):
            for sender in (theirs, ours):
                speed, seconds = await _pour(sender, ALERTS // 2)
                speeds[sender].append(speed)
                taken[sender] += seconds
    figure, floor = (sum(speeds[one]) / len(speeds[one]) for one in (ours, theirs))
    slow, least_slow = (percentile(taken[one], 0.99) for one in (ours, theirs))
    return [
        Row(
            what=f"alerts stored, {AT_ONCE} senders",
            figure=f"{figure:.0f} /s",
            yardstick=f"{floor:.0f} /s aiohttp handler, one row",
            ratio=floor / figure,
        ),
        Row(
            what="webhook p99 under that load",
            figure=ms(slow),
            yardstick=f"{ms(least_slow)} the same handler",
            ratio=slow / least_slow,
        ),
    ]
