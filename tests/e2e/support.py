"""The whole bot as its users meet it: real processes, a simulated cloud, a fake Slack, signed requests."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from adaptive_cards.identity import encode
from simulator.chat_people import BACKUP_CHANNEL, Person
from simulator.senders import AzureMonitorSender, SlackSender
from simulator.server import Simulator
from simulator.slack import FakeSlack
from simulator.slack_state import OpenView, SlackMessage
from tests.waiting import PATIENCE_S, until

PROGRAM = str(Path(sys.executable).with_name("backupbot"))
SECRET = "signing-secret-of-the-tests"
TOKEN = "webhook-token-of-the-tests"
BARE = {"PATH": os.defpath, "LANG": "C.UTF-8", "COVERAGE_PROCESS_START": os.environ.get("COVERAGE_PROCESS_START", "")}

RULES = f"""
[[route]]
vault = "*"
slack = "{BACKUP_CHANNEL}"
[[approvals.rule]]
fix = "*"
requesters = ["*"]
approvers = ["email:ana@contoso.com", "slack:U0BEN", "email:max@contoso.com", "email:uma@contoso.com", "slack:U0GUEST",
             "slack:U0EXTERN", "slack:U0ROBOT"]
break_glass = ["slack:U0MAX"]
"""


@dataclass(frozen=True)
class Ran:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


async def run(*arguments: str, env: Mapping[str, str], cwd: Path, within_s: float = PATIENCE_S) -> Ran:
    """Run `backupbot` to its end."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *arguments,
        env={**BARE, **env},
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return Ran(process.returncode or 0, out.decode(), err.decode())


@dataclass(kw_only=True)
class Bot:
    """A running `backupbot serve`."""

    process: asyncio.subprocess.Process
    url: str
    log_file: Path
    started_s: float

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return self.log_file.read_text(encoding="utf-8")

    async def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise


@asynccontextmanager
async def serving(env: Mapping[str, str], cwd: Path) -> AsyncIterator[Bot]:
    """`backupbot serve` on a free port, ready."""
    loop = asyncio.get_running_loop()
    log_file = cwd / f"serve-{len(list(cwd.glob('serve-*.log')))}.log"
    began = loop.time()
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "serve",
            env={**BARE, "BACKUPBOT_PORT": "0", **env},
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = (await process.stdout.readline()).decode().strip()
        assert line.startswith("ready http://"), f"{line!r}\n{log_file.read_text(encoding='utf-8')}"
        bot = Bot(process=process, url=line.removeprefix("ready "), log_file=log_file, started_s=loop.time() - began)
        yield bot
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(30):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@dataclass(kw_only=True)
class Stage:
    """A cloud, a chat, a bot, and hands to act with."""

    cloud: Simulator
    chat: FakeSlack
    bot: Bot
    slack: SlackSender
    monitor: AzureMonitorSender
    http: aiohttp.ClientSession
    directory: Path

    def message(self, words: str, *, since: int = 0) -> SlackMessage | None:
        """The newest message whose first line or blocks hold these words."""
        posted = [one for one in list(self.chat.messages.values())[since:] if not one.deleted]
        return next((one for one in reversed(posted) if words in json.dumps(one.state, ensure_ascii=False)), None)

    async def said(self, words: str, *, since: int = 0) -> SlackMessage:
        """Wait for such a message."""
        found: SlackMessage = await until(f"a message with {words!r}", lambda: self.message(words, since=since))
        return found

    async def told(self, person: Person, words: str, *, since: int = 0) -> SlackMessage:
        """Wait for a private notice to a person."""

        def look() -> SlackMessage | None:
            notices = self.chat.ephemerals[since:]
            found = [one for one in notices if one.only_for == person.slack_id]
            return next((one for one in found if words in json.dumps(one.state, ensure_ascii=False)), None)

        notice: SlackMessage = await until(f"a notice to {person.handle} with {words!r}", look)
        return notice

    @property
    def count(self) -> int:
        """How many messages were ever posted."""
        return len(self.chat.messages)

    @property
    def notices(self) -> int:
        """How many private notices were ever made."""
        return len(self.chat.ephemerals)

    async def press(self, person: Person, message: SlackMessage, label: str) -> None:
        """Press a button or an entry of the menu by its label."""
        action_id, value = element(message.blocks, label)
        reply = await self.slack.click(person, message, action_id, value)
        assert 200 == reply.status, reply

    async def press_value(self, person: Person, message: SlackMessage, action: str, value: str) -> None:
        """Press a button that the message does not have (any more)."""
        reply = await self.slack.click(person, message, f"{action}.0", encode(action, value))
        assert 200 == reply.status, reply

    async def press_old(self, person: Person, action: str, message: SlackMessage) -> None:
        """Press a button of an approval's earlier state, as a client does that has not drawn the new one yet."""
        payload = message.state["metadata"]["event_payload"]
        await self.press_value(person, message, action, payload["key"].partition(":")[2])

    async def form(self, person: Person, message: SlackMessage, label: str) -> OpenView:
        """Press a button that opens a form, and wait for the form."""
        before = len(self.chat.views)
        await self.press(person, message, label)
        await until("a form", lambda: len(self.chat.views) > before)
        return self.chat.views[-1]

    async def fill(self, person: Person, form: OpenView, **values: str) -> None:
        """Send a form with these fields; others keep their first value."""
        state: dict[str, Any] = {}
        for block in form.view["blocks"]:
            if block["type"] != "input":
                continue
            name = block["block_id"]
            given = values.get(name, block["element"].get("initial_value", ""))
            if block["element"]["type"] == "static_select":
                chosen = values.get(name) or (block["element"].get("initial_option") or {}).get("value")
                state[name] = {"value": {"type": "static_select", "selected_option": {"value": chosen}}}
            else:
                state[name] = {"value": {"type": "plain_text_input", "value": given or None}}
        reply = await self.slack.submit(person, form, state)
        assert 200 == reply.status, reply

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """Every changing request that reached the cloud."""
        return changes(self.cloud, since)


def changes(cloud: Simulator, since: int = 0) -> list[dict[str, Any]]:
    """Every request since number `since` that could change something; a query of Resource Graph is a read."""
    return [
        one
        for one in cloud.control.log
        if one["n"] > since and one["method"] != "GET" and "resourcegraph" not in one["path"].casefold()
    ]


def element(blocks: list[dict[str, Any]], label: str) -> tuple[str, str | None]:
    """(action id, value) of a button or menu entry."""
    for block in blocks:
        for one in block.get("elements") or ():
            if one.get("type") == "button" and one["text"]["text"] == label:
                return one["action_id"], one.get("value")
            for option in one.get("options") or ():
                if option["text"]["text"] == label:
                    return one["action_id"], option["value"]
    raise LookupError(f"no button {label} in {json.dumps(blocks)[:2000]}")


def environment(cloud: Simulator, chat: FakeSlack, directory: Path, toml: str = RULES, **more: str) -> dict[str, str]:
    """What `serve` needs; an empty value takes a variable away."""
    config = directory / "backupbot.toml"
    config.write_text(toml, encoding="utf-8")
    env = {
        **cloud.env,
        "BACKUPBOT_CONFIG": str(config),
        "BACKUPBOT_JOB_POLL": "0.3s",
        "DATABASE_URL": f"sqlite:///{directory / 'bot.db'}",
        "SLACK_BOT_TOKEN": chat.bot_token,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": chat.api_url,
        "WEBHOOK_TOKEN": TOKEN,
        "HOME": str(directory),
        **more,
    }
    return {name: value for name, value in env.items() if value}


@asynccontextmanager
async def stage(
    directory: Path,
    *,
    toml: str = RULES,
    estate: str = "contoso",
    speed: float = 2000.0,
    chat: FakeSlack | None = None,
    **more: str,
) -> AsyncIterator[Stage]:
    """Everything, running."""
    async with Simulator(estate, speed=speed) as cloud, chat or FakeSlack() as slack:
        env = environment(cloud, slack, directory, toml, **more)
        async with (
            serving(env, directory) as bot,
            SlackSender(slack, bot.url, SECRET) as sender,
            AzureMonitorSender(bot.url, token=TOKEN) as monitor,
            aiohttp.ClientSession() as http,
        ):
            yield Stage(cloud=cloud, chat=slack, bot=bot, slack=sender, monitor=monitor, http=http, directory=directory)


def alert(vault_id: str, item_id: str = "", *, alert_id: str = "a-1", condition: str = "Fired", **more: Any) -> Any:
    """An alert of Azure Monitor in the common schema, about a failed backup."""
    essentials = {
        "alertId": f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{alert_id}",
        "alertRule": "Backup Failure",
        "severity": "Sev1",
        "signalType": "Log",
        "monitorCondition": condition,
        "monitoringService": "Azure Backup",
        "alertTargetIDs": [vault_id],
        "originAlertId": "origin",
        "firedDateTime": "2026-11-22T10:00:00Z",
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
    }
    context = {"protectedItemId": item_id, "extendedInfo": {}} if item_id else {}
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {"essentials": essentials | more, "alertContext": context},
    }


__all__ = [
    "BARE",
    "PROGRAM",
    "RULES",
    "SECRET",
    "TOKEN",
    "Bot",
    "Ran",
    "Stage",
    "alert",
    "changes",
    "element",
    "environment",
    "run",
    "serving",
    "stage",
]
