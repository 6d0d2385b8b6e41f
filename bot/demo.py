"""The demo: a whole incident played through the real routes, against a simulated cloud and chat, told as a story.

This module knows the stage only by its shape; ``bot.commands_sim`` builds it from the simulator.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from adaptive_cards import codec, html, slack, text
from adaptive_cards.card import Card, Form
from bot.app import App, build, running
from bot.settings import Settings, load
from bot.store import chain
from bot.store import tables as t
from bot.workflows.outbox import Messenger, Ref
from diagnostics.locate import find_item
from domain.errors import BotError

T = TypeVar("T")
STEP_LIMIT_S = 60.0
PROGRESS_EVERY_S = 3.0
WIDTH = 100


class DemoFailed(Exception):
    """A step of the story did not happen in time, or happened otherwise."""


class Actor(Protocol):
    """A person of the cast."""

    @property
    def name(self) -> str:
        """Their name."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything around the bot: environment and hands to act with."""

    environment: Mapping[str, str]
    on_call: Actor
    approver: Actor
    stranger: Actor
    channel: str
    alert: Callable[[str, Mapping[str, Any]], Awaitable[int]]
    """(bot url, alert) → HTTP status."""
    command: Callable[[str, Any, str], Awaitable[int]]
    """(bot url, person, text) → HTTP status."""
    press: Callable[[str, Any, str, str], Awaitable[int]]
    """(bot url, person, message key, label of the button) → HTTP status."""
    notices: Callable[[], Sequence[tuple[str, str]]]
    """(person's id, text) of every private notice so far."""


class RememberingMessenger:
    """Keeps each card beside the Slack blocks it became, so that the chat page can draw the bot's own HTML."""

    def __init__(self, inner: Messenger, drawn: dict[str, str]) -> None:
        self._inner = inner
        self._drawn = drawn

    def _keep(self, card: Card, revision: str) -> None:
        self._drawn[blocks_key(slack.render(card, revision=revision).blocks)] = html.render(card)

    async def post(self, channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        """Remember and post."""
        self._keep(card, "1")
        return await self._inner.post(channel, thread, card, key=key, reply=reply)

    async def update(self, ref: Ref, card: Card, *, revision: int, key: str) -> None:
        """Remember and update."""
        self._keep(card, str(revision))
        await self._inner.update(ref, card, revision=revision, key=key)

    async def whisper(self, channel: str, card: Card, *, reply: Ref) -> None:
        """Remember and whisper."""
        self._keep(card, "w")
        await self._inner.whisper(channel, card, reply=reply)

    async def find(self, channel: str, thread: Ref | None, key: str) -> Ref | None:
        """As it is."""
        return await self._inner.find(channel, thread, key)

    async def open_form(self, form: Form, *, reply: Ref) -> None:
        """Remember and open."""
        self._drawn[blocks_key(slack.render_view(form)["blocks"])] = html.render_form(form)
        await self._inner.open_form(form, reply=reply)


def blocks_key(blocks: Sequence[Mapping[str, Any]]) -> str:
    """Blocks as a key."""
    return json.dumps(list(blocks), sort_keys=True)


@dataclass
class Story:
    """Tells what happens, with a line every few seconds while it waits."""

    stage: Stage
    app: App
    url: str
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    number: int = 0
    now_in: str = ""

    def chapter(self, title: str) -> None:
        """A new step of the story."""
        self.number += 1
        self.now_in = title
        self.say(f"\n── {self.number}. {title} " + "─" * max(0, WIDTH - len(title) - 8))

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]]) -> T:
        """Wait for something, saying so; DemoFailed when it does not come."""
        began = said = time.monotonic()
        while time.monotonic() - began < STEP_LIMIT_S:
            found = await look()
            if found is not None:
                return found
            if time.monotonic() - said >= PROGRESS_EVERY_S:
                said = time.monotonic()
                self.say(f"   … {time.monotonic() - self.began:4.0f} s  waiting for {what}")
            await asyncio.sleep(0.1)
        raise DemoFailed(f"{what} did not come within {STEP_LIMIT_S:.0f} s")

    def taken(self, status: int, expected: int = 200) -> None:
        """DemoFailed unless the bot answered a request as it should."""
        if status != expected:
            raise DemoFailed(f"the bot answered {status}, not {expected}")

    async def card(self, key: str) -> Card | None:
        """The latest state of a message once it has been delivered."""
        row = await self.app.store.one(sa.select(t.outbox).where(t.outbox.c.key == key, t.outbox.c.state == "sent"))
        return codec.load(row["card"]) if row else None

    def show(self, who: str, card: Card) -> None:
        """Print a card as text, with who says it."""
        self.say(f"   {who}:")
        for line in text.render(card, width=WIDTH - 8, links=False, folds=False).splitlines():
            self.say(f"   │ {line}")

    def did(self, who: Actor, what: str) -> None:
        """Print what a person did."""
        self.say(f"   ► {who.name} {what}")


async def settings_for(stage: Stage, directory: Path) -> Settings:
    """The bot's settings: the stage's environment and a small file with one route and one rule."""
    config = directory / "backupbot.toml"
    config.write_text(
        f"""
[[route]]
vault = "*"
slack = "{stage.channel}"
mention = ["slack-group:S0ONCALL"]
[[approvals.rule]]
name = "demo"
fix = "*"
requesters = ["*"]
approvers = ["email:ana@contoso.com", "email:max@contoso.com", "slack:U0BEN"]
""",
        encoding="utf-8",
    )
    environ = {
        **stage.environment,
        "BACKUPBOT_CONFIG": str(config),
        "BACKUPBOT_HOST": "127.0.0.1",
        "BACKUPBOT_PORT": "0",
        "BACKUPBOT_JOB_POLL": "1s",
        "DATABASE_URL": f"sqlite:///{directory / 'demo.db'}",
    }
    return load(environ, directory=directory)


@asynccontextmanager
async def bot_on(stage: Stage, directory: Path, drawn: dict[str, str]) -> AsyncIterator[tuple[App, str]]:
    """The real bot on the stage."""
    settings = await settings_for(stage, directory)
    async with (
        build(settings, dress=lambda _, inner: RememberingMessenger(inner, drawn)) as app,
        running(app) as url,
    ):
        yield app, url


async def alert_for(app: App, vault_name: str, item_name: str) -> dict[str, Any]:
    """The alert that Azure Monitor would send for the newest failed backup of an item."""
    read, now = app.services.read(), app.services.clock.now()
    vault, item = await find_item(read, item_name, vault_name)
    failed = [
        job
        for job in await read.jobs(vault.id, now - timedelta(days=7), now, status="Failed")
        if job.item_name.casefold() == item.name.casefold()
    ]
    if not failed:
        raise DemoFailed(f"{item_name} has no failed backup to send an alert about")
    newest = failed[0]
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": f"/subscriptions/{vault.id.subscription}/providers/Microsoft.AlertsManagement/alerts/{newest.id}",
                "alertRule": "Backup Failure",
                "severity": "Sev1",
                "signalType": "Log",
                "monitorCondition": "Fired",
                "monitoringService": "Azure Backup",
                "alertTargetIDs": [vault.id.id.lower()],
                "configurationItems": [vault.id.name],
                "originAlertId": newest.id,
                "firedDateTime": now.isoformat(),
                "description": "The backup of the virtual machine failed.",
                "essentialsVersion": "1.0",
                "alertContextVersion": "1.0",
            },
            "alertContext": {
                "category": "Jobs",
                "sourceType": "VM",
                "protectedItemId": item.id.id,
                "linkedResourceId": item.source_id,
                "extendedInfo": {"jobId": newest.id, "recommendedActions": "", "occurrenceCount": 1},
            },
        },
    }


async def play(stage: Stage, app: App, url: str, say: Callable[[str], None]) -> None:
    """Alert → card → diagnosis → fix asked for → four eyes → approved → grant → backup → new point → incident closed.

    Raises:
        DemoFailed: with the step at which the story stopped.
    """
    story = Story(stage, app, url, say)
    try:
        incident_id = await _alert(story)
        approval_id = await _ask(story, incident_id)
        await _four_eyes(story, approval_id)
        await _approve(story, approval_id)
        await _ended(story, incident_id)
        await _record(story)
    except (DemoFailed, BotError, LookupError) as error:
        raise DemoFailed(f"at step {story.number}, {story.now_in}: {error}") from error
    say(f"\n   The whole story took {time.monotonic() - story.began:.0f} s.")


async def _alert(story: Story) -> str:
    story.chapter("Azure Monitor says that a backup failed")
    status = await story.stage.alert(story.url, await alert_for(story.app, "vault-prod-01", "vm-erp-01"))
    story.taken(status, HTTPStatus.ACCEPTED)
    story.say("   The alert was stored and answered 202. The bot opens an incident and diagnoses it.")

    async def incident() -> str | None:
        row = await story.app.store.one(sa.select(t.incidents.c.id).where(t.incidents.c.diagnosis_state == "done"))
        return str(row["id"]) if row else None

    incident_id = await story.until("the diagnosis", incident)
    post = await story.until("the incident's post", lambda: _card_with(story, f"incident:{incident_id}", "breached"))
    story.show("backupbot, in the incident channel", post)
    story.chapter("The diagnosis arrives in the thread")
    story.show(
        "backupbot, in the thread",
        await story.until("the diagnosis card", lambda: story.card(f"incident:{incident_id}:diagnosis")),
    )
    return incident_id


async def _card_with(story: Story, key: str, word: str) -> Card | None:
    card = await story.card(key)
    return card if card is not None and word in text.render(card) else None


async def _ask(story: Story, incident_id: str) -> str:
    story.chapter("Somebody on call asks for the fix")
    story.did(story.stage.on_call, 'presses "Grant Key Vault access"')
    story.taken(
        await story.stage.press(story.url, story.stage.on_call, f"incident:{incident_id}", "Grant Key Vault access")
    )

    async def request() -> str | None:
        row = await story.app.store.one(sa.select(t.approvals.c.id))
        return str(row["id"]) if row else None

    approval_id = await story.until("the request", request)
    story.show(
        "backupbot, to the approvers", await story.until("the card", lambda: story.card(f"approval:{approval_id}"))
    )
    return approval_id


async def _four_eyes(story: Story, approval_id: str) -> None:
    story.chapter("Four eyes: neither the requester nor a stranger can approve")
    for who in (story.stage.on_call, story.stage.stranger):
        before = len(story.stage.notices())
        story.did(who, 'presses "Approve"')
        story.taken(await story.stage.press(story.url, who, f"approval:{approval_id}", "Approve"))

        async def notice(before: int = before) -> str | None:
            notices = story.stage.notices()
            return notices[-1][1] if len(notices) > before else None

        story.say(f"   Only they see: {await story.until('the private notice', notice)}")
    row = await story.app.store.get(t.approvals, approval_id)
    if row is None or row["state"] != "requested":
        raise DemoFailed("a click of somebody who may not approve changed the request")


async def _approve(story: Story, approval_id: str) -> None:
    story.chapter("Another person, who may, approves")
    story.did(story.stage.approver, 'presses "Approve" and confirms')
    story.taken(await story.stage.press(story.url, story.stage.approver, f"approval:{approval_id}", "Approve"))
    seen: list[str] = []

    async def ended() -> str | None:
        row = await story.app.store.get(t.approvals, approval_id)
        run = await story.app.store.one(sa.select(t.fix_runs).where(t.fix_runs.c.approval_id == approval_id))
        for number, step in enumerate(run["steps"] if run else (), start=1):
            percent = f" {step['percent']} %" if step.get("percent") is not None else ""
            line = f"step {number}: {step['state']}{percent}{' · ' + step['note'] if step.get('note') else ''}"
            if line not in seen:
                seen.append(line)
                story.say(f"   {time.monotonic() - story.began:5.1f} s  {line}")
        return str(row["state"]) if row and row["state"] in {"proved", "failed", "unproved", "unclear"} else None

    state = await story.until("the end of the fix", ended)
    card = await story.until(
        "the card", lambda: _card_with(story, f"approval:{approval_id}", "roved" if state == "proved" else "a")
    )
    story.show("backupbot, same message, now", card)
    if state != "proved":
        raise DemoFailed(f"the fix ended {state}, not proved")


async def _ended(story: Story, incident_id: str) -> None:
    story.chapter("A new recovery point proves it, and the incident closes")
    post = await story.until("the closed incident", lambda: _card_with(story, f"incident:{incident_id}", "Closed"))
    story.show("backupbot, in the incident channel", post)


async def _record(story: Story) -> None:
    story.chapter("The record")
    rows = await story.app.store.all(sa.select(t.audit).order_by(t.audit.c.n))
    for row in rows:
        actor = row["actor"].get("name") or row["actor"].get("id")
        story.say(
            f"   {row['n']:3} {row['at'][11:19]} {row['event']:26} {actor:12} {row['subject']:13} {row['hash'][:12]}"
        )
    verdict = chain.verify(rows)
    if not verdict.ok:
        raise DemoFailed(f"the record's chain is broken: {verdict.fault}")
    story.say(f"   The chain holds: {verdict.lines} lines, head {verdict.head[:12]}.")


NEXT = """
   Three things to try next:
     1. make serve-demo                 the same in a chat page in your browser; break something there
     2. backupbot simulate              a simulated cloud for the command line; put its env into your shell, then
        backupbot diagnose vault-prod-01 vm-web-01
     3. docs/install.md                 the bot on your own Azure, read-only first"""


def explain(error: BaseException) -> str:
    """Why the demo stopped: the first cause, in words."""
    if isinstance(error, BaseExceptionGroup):
        return explain(error.exceptions[0])
    return str(error) if isinstance(error, DemoFailed | BotError) else f"{type(error).__name__}: {error}"
