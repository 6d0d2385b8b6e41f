"""Twenty people press Approve a hundred times at once, at two processes on one database, one of which is killed."""

import asyncio
import os
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from simulator.chat_people import BACKUP_CHANNEL, CAST, MAX, Person
from simulator.senders import SlackSender
from simulator.server import Simulator
from simulator.slack import FakeSlack
from simulator.slack_state import SlackMessage
from tests.cards.oracles import slack_text
from tests.e2e_teams.stage import SECRET, element
from tests.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.postgres, pytest.mark.timeout(170)]

ENTITLED = [
    Person(f"Able {n}", f"able{n}@contoso.com", f"U0ABLE{n}", f"00000000-0000-4000-b000-{n:012d}") for n in range(10)
]
OTHERS = [
    Person(f"Other {n}", f"other{n}@contoso.com", f"U0OTHER{n}", f"00000000-0000-4000-c000-{n:012d}") for n in range(10)
]
RULES = f"""
[[route]]
vault = "*"
slack = "{BACKUP_CHANNEL}"
[[approvals.rule]]
fix = "*"
requesters = ["*"]
approvers = [{", ".join(f'"email:{one.email}"' for one in ENTITLED)}]
"""
BACKUPBOT = [sys.executable, "-c", "from bot.cli import main; main()"]
ANSWERED = re.compile(
    r"It was approved already by (Able \d) at \d\d:\d\d UTC; nothing was changed by this click"
    r"|Nothing was changed: you are not among the approvers"
)


@asynccontextmanager
async def serving(
    env: Mapping[str, str], cwd: Path, name: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process of the bot and its address."""
    with (cwd / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *BACKUPBOT, "serve", env=dict(env), cwd=cwd, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode().strip()
        assert line.startswith("ready http://"), (cwd / f"{name}.log").read_text(encoding="utf-8")
        yield process, line.removeprefix("ready ")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """What the database says."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_one_decision_one_execution_and_an_answer_for_everybody(tmp_path: Path, postgres_url: str) -> None:
    """Half of them not entitled, one process killed -9 amid the clicks: one decision, one backup, everybody is told."""
    config = tmp_path / "backupbot.toml"
    config.write_text(RULES, encoding="utf-8")
    async with Simulator("contoso", speed=1000) as cloud, FakeSlack(people=[*CAST, *ENTITLED, *OTHERS]) as slack:
        env = {
            **cloud.env, "PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8",
            "COVERAGE_PROCESS_START": os.environ.get("COVERAGE_PROCESS_START", ""),
            "BACKUPBOT_CONFIG": str(config), "BACKUPBOT_PORT": "0", "BACKUPBOT_JOB_POLL": "0.3s",
            "DATABASE_URL": postgres_url, "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": slack.api_url,
        }  # fmt: skip
        async with (
            serving(env, tmp_path, "first") as (victim, first_url),
            serving(env, tmp_path, "second") as (_, second_url),
            SlackSender(slack, first_url, SECRET) as at_first,
            SlackSender(slack, second_url, SECRET) as at_second,
        ):
            assert 200 == (await at_first.command(MAX, "fix rerun_backup vm-app-01")).status
            card = await until("the request", lambda: posted(slack))
            action_id, value = element(card.blocks, "Approve")
            clicks = [
                (who, sender) for who in (*ENTITLED, *OTHERS) for sender in (at_first, at_second) * 2 + (at_first,)
            ]
            random.Random(7).shuffle(clicks)
            taken: Counter[str] = Counter()
            answered = 0

            async def press(who: Person, sender: SlackSender) -> None:
                nonlocal answered
                reply = await sender.click(who, card, action_id, value)
                if reply.status != 200:  # the process is gone: they press again, and the other one answers
                    reply = await at_second.click(who, card, action_id, value)
                assert 200 == reply.status, reply
                taken[who.slack_id] += 1
                answered += 1
                if answered == 30:
                    os.kill(victim.pid, signal.SIGKILL)

            await asyncio.gather(*(press(who, sender) for who, sender in clicks))
            assert -signal.SIGKILL == await victim.wait()
            assert 100 == sum(taken.values())
            await until(
                "the end of the fix", lambda: rows(postgres_url, "SELECT id FROM approvals WHERE state = 'proved'"), 90
            )
            # The clicks that the killed process had taken are answered by the other, once it is missed.
            await until("every answer", lambda: all_answered(slack, taken), 90)

        ((approval_id, decision),) = rows(postgres_url, "SELECT id, decision FROM approvals")
        audit = rows(postgres_url, "SELECT event FROM audit ORDER BY n")
        assert 1 == audit.count(("approval.approved",))
        assert 1 == len(
            [one for one in cloud.control.log if one["method"] == "POST" and one["path"].endswith("/backup")]
        )
        ((runs,),) = rows(postgres_url, "SELECT count(*) FROM fix_runs")
        assert 1 == runs
        winner = decision["actor"]["name"]
        assert winner in {one.name for one in ENTITLED}
        notices = [slack_text(one.blocks) for one in slack.ephemerals]
        assert not [one for one in notices if not ANSWERED.search(one)]
        assert {winner} == {match[1] for one in notices if (match := ANSWERED.search(one)) and match[1]}
        await verified(env, tmp_path)
        assert approval_id


def posted(slack: FakeSlack) -> SlackMessage | None:
    """The request's message."""
    return next((one for one in slack.messages.values() if one.text.startswith("Approval needed")), None)


def all_answered(slack: FakeSlack, taken: Mapping[str, int]) -> bool:
    """Whether each click got its notice, save the one that decided."""
    told = Counter(one.only_for for one in slack.ephemerals)
    short = sum(max(0, count - told[who]) for who, count in taken.items())
    return short <= 1


async def verified(env: Mapping[str, str], cwd: Path) -> None:
    """`backupbot audit verify` finds nothing."""
    process = await asyncio.create_subprocess_exec(
        *BACKUPBOT, "audit", "verify", env=dict(env), cwd=cwd, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    out, _ = await process.communicate()
    assert 0 == process.returncode, out
