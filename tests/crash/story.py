"""Real processes: a simulated cloud, `backupbot serve` on a database, and in this process the Slack that they talk to."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import sqlalchemy as sa

from bot.store import chain, database
from bot.store import tables as t
from simulator.chat_people import ANA, BACKUP_CHANNEL, MAX, Person
from simulator.senders import SlackSender
from simulator.slack import FakeSlack

T = TypeVar("T")
SECRET = "signing-secret-of-the-crash-suite"
SPEED = 1200
SOON_S = 90.0
LOOK_EVERY_S = 0.02
BACKUPBOT = [sys.executable, "-c", "from bot.cli import main; main()"]
CONFIG = f"""
[[route]]
vault = "*"
slack = "{BACKUP_CHANNEL}"
[[approvals.rule]]
name = "crash"
fix = "*"
requesters = ["*"]
approvers = ["email:ana@contoso.com", "slack:U0BEN"]
"""
GRANT = "/roleassignments/"
BACKUP = "/backup"


class TooLateError(AssertionError):
    """Something did not happen in time."""


async def until(what: str, look: Callable[[], Awaitable[T | None]], within_s: float = SOON_S) -> T:
    """Look again and again until there is something; TooLateError after ``within_s``."""
    deadline = time.monotonic() + within_s
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TooLateError(f"{what} did not come within {within_s:.0f} s")
        await asyncio.sleep(LOOK_EVERY_S)


@dataclass
class Program:
    """A process of ours, its first line and its log."""

    process: asyncio.subprocess.Process
    first_line: str
    log: Path

    def kill(self) -> None:
        """kill -9."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)

    async def killed(self) -> None:
        """kill -9, and gone."""
        self.kill()
        await self.process.wait()

    async def terminated(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            return await self.process.wait()


async def start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Program:
    """Start a program and wait for its first line."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *BACKUPBOT, *arguments, env=dict(environment), stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    async with asyncio.timeout(SOON_S):
        line = (await process.stdout.readline()).decode().strip()
    if not line:
        raise TooLateError(f"{arguments[0]} did not start: {log.read_text()[-2000:]}")
    return Program(process, line, log)


@dataclass
class Story:
    """One incident's worth of processes around one database."""

    directory: Path
    database_url: str
    slack: FakeSlack
    cloud: Mapping[str, Any]
    environment: Mapping[str, str]
    http: aiohttp.ClientSession
    engine: Any
    bots: list[Program] = field(default_factory=list)
    senders: dict[str, SlackSender] = field(default_factory=dict)

    # -- processes -------------------------------------------------------------------------------------------------

    async def serve(self) -> Program:
        """Start one more bot on the same database."""
        bot = await start(["serve"], self.environment, self.directory / f"serve-{len(self.bots)}.log")
        assert bot.first_line.startswith("ready http://"), bot.first_line
        self.bots.append(bot)
        return bot

    def sender(self, bot: Program) -> SlackSender:
        """Slack's way to a bot."""
        url = bot.first_line.removeprefix("ready ")
        return self.senders.setdefault(url, SlackSender(self.slack, url, SECRET, within_s=20.0))

    # -- people ----------------------------------------------------------------------------------------------------

    async def request(self, bot: Program, fix: str = "grant_key_vault_access", item: str = "vm-erp-01") -> str:
        """Max asks for a fix; the id of the request once its card is posted."""
        reply = await self.sender(bot).command(MAX, f"fix {fix} {item}")
        assert reply.status == 200, reply

        async def card() -> str | None:
            row = await self.one(sa.select(t.approvals.c.id))
            return str(row["id"]) if row and self.message(f"approval:{row['id']}") else None

        return await until("the request's card", card)

    def message(self, key: str) -> Any:
        """The message that was posted under a key, or None."""
        found = [one for one in self.slack.messages.values() if _key(one.state) == key]
        assert len(found) <= 1, f"{key} was posted {len(found)} times"
        return found[0] if found else None

    async def press(self, bot: Program, person: Person, approval_id: str, label: str = "Approve") -> int:
        """A person presses a button of the request's card; the HTTP status."""
        message = self.message(f"approval:{approval_id}")
        for block in message.blocks:
            for element in block.get("elements") or ():
                if element.get("type") == "button" and element["text"]["text"] == label:
                    reply = await self.sender(bot).click(person, message, element["action_id"], element.get("value"))
                    return reply.status
        raise LookupError(f"the card has no button {label}")

    async def approve(self, bot: Program, approval_id: str) -> None:
        """Ana approves."""
        assert 200 == await self.press(bot, ANA, approval_id)

    # -- looking ---------------------------------------------------------------------------------------------------

    async def all(self, statement: sa.Select[Any]) -> list[Mapping[str, Any]]:
        """Read rows."""
        async with self.engine.connect() as connection:
            return list((await connection.execute(statement)).mappings().all())

    async def one(self, statement: sa.Select[Any]) -> Mapping[str, Any] | None:
        """Read a row."""
        rows = await self.all(statement)
        return rows[0] if rows else None

    async def event(self, name: str, step: int = 0, within_s: float = SOON_S) -> None:
        """Wait for a line of the audit, of one step of the run where ``step`` is given."""

        async def there() -> bool:
            rows = await self.all(sa.select(t.audit.c.data).where(t.audit.c.event == name))
            return any(not step or row["data"].get("step") == step for row in rows)

        await until(f"{name} {step or ''}", there, within_s)

    async def ended(self, approval_id: str, within_s: float = SOON_S) -> str:
        """Wait for the request's end; its state."""

        async def final() -> str | None:
            row = await self.one(sa.select(t.approvals.c.state).where(t.approvals.c.id == approval_id))
            state = str(row["state"]) if row else ""
            return None if state in {"", "requested", "approved", "executing"} else state

        return await until("the end of the request", final, within_s)

    async def accepted(self, method: str, part: str) -> int:
        """How many changing requests of the operator to a path Azure took."""
        async with self.http.get(f"{self.cloud['http']}/_sim/requests") as response:
            log = await response.json()
        return sum(
            1
            for one in log
            if one["method"] == method
            and (part in one["path"].casefold() if part == GRANT else one["path"].casefold().endswith(part))
            and 200 <= one["status"] < 300
        )

    async def check(self, approval_id: str, *, grants: int = 1, within_s: float = SOON_S) -> None:
        """It ends proved, with exactly one grant and one accepted backup, one card, no lock left, and a whole record."""
        assert "proved" == await self.ended(approval_id, within_s)
        assert (grants, 1) == (await self.accepted("PUT", GRANT), await self.accepted("POST", BACKUP))
        assert [] == await self.all(sa.select(t.locks))
        verdict = chain.verify(await self.all(sa.select(t.audit).order_by(t.audit.c.n)))
        assert verdict.ok, verdict.fault
        events = [row["event"] for row in await self.all(sa.select(t.audit.c.event))]
        assert [1, 1, 1] == [events.count(one) for one in ("approval.approved", "run.started", "run.proved")]

        async def shown() -> bool:
            message = self.message(f"approval:{approval_id}")
            return message is not None and "Proved" in json.dumps(message.state)

        await until("the card that says so", shown)


def _key(state: Mapping[str, Any]) -> str:
    metadata = state.get("metadata") or {}
    return str((metadata.get("event_payload") or {}).get("key", ""))


@asynccontextmanager
async def story(directory: Path, database_url: str, speed: float = SPEED) -> AsyncIterator[Story]:
    """Simulator and Slack, without any bot yet; everything is ended at the end."""
    config = directory / "backupbot.toml"
    config.write_text(CONFIG, encoding="utf-8")
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    cloud = await start(["simulate", "--speed", str(speed)], own, directory / "simulate.log")
    described = json.loads(cloud.first_line)
    engine = database.reader(database.connect(database_url), database_url)
    async with FakeSlack() as slack, aiohttp.ClientSession() as http:
        environment = {
            **own,
            **described["env"],
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": slack.api_url,
            "BACKUPBOT_CONFIG": str(config),
            "BACKUPBOT_HOST": "127.0.0.1",
            "BACKUPBOT_PORT": "0",
            "BACKUPBOT_JOB_POLL": "0.3s",
            "DATABASE_URL": database_url,
        }
        one = Story(directory, database_url, slack, described, environment, http, engine)
        try:
            yield one
        finally:
            for sender in one.senders.values():
                await sender.close()
            for program in (*one.bots, cloud):
                await program.killed()
            await engine.dispose()
