"""A simulated Teams, the bot's real route on a real server, and an inbox that remembers what was stored."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy.exc import OperationalError

from adaptive_cards.card import Card
from bot.settings import Settings, load
from bot.transports.teams import Teams, build_teams
from domain.actor import Actor
from simulator.senders import TeamsSender
from simulator.teams import FakeTeams
from simulator.teams_issuer import Issuer
from simulator.teams_state import TeamsMessage

COMMANDS = frozenset({"help", "status", "diagnose", "fix"})
FORMS = frozenset({"approval.reject_send"})
_KEYS = Issuer()  # making RSA keys takes longer than most tests


class MemoryReferences:
    """References in a dictionary."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, str]] = {}

    async def get(self, key: str) -> Mapping[str, str] | None:
        """The record."""
        return self.records.get(key)

    async def put(self, key: str, record: Mapping[str, str]) -> None:
        """Keep it."""
        self.records[key] = dict(record)


@dataclass
class Desk:
    """What the rest of the bot would be: the inbox, the views and the cards, with what a test wants of them."""

    stored: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    is_down: bool = False
    views: dict[tuple[str, str], Card] = field(default_factory=dict)
    cards: dict[tuple[str, str], Card] = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    asked_views: list[tuple[str, Actor]] = field(default_factory=list)

    async def put(self, kind: str, payload: Mapping[str, Any], dedupe: str | None) -> bool:
        """Store unless the key is there already."""
        if self.is_down:
            raise OperationalError("INSERT", None, Exception("no connection"))
        if dedupe and f"{kind}:{dedupe}" in self.keys:
            return False
        self.keys.add(f"{kind}:{dedupe}")
        self.stored.append((kind, payload))
        return True

    async def view_for(self, approval_id: str, actor: Actor) -> Card | None:
        """A view for whoever has one."""
        self.asked_views.append((approval_id, actor))
        return self.views.get((approval_id, actor.entra_id))

    async def card_at(self, conversation: str, message: str) -> Card | None:
        """What a message shows."""
        return self.cards.get((conversation, message))

    async def approvers_of(self, card: Card) -> tuple[str, ...]:
        """Who may decide."""
        return self.approvers


@dataclass
class World:
    """Everything together."""

    fake: FakeTeams
    sender: TeamsSender
    desk: Desk
    references: MemoryReferences
    bot: Teams
    http: aiohttp.ClientSession
    url: str

    @property
    def kinds(self) -> list[str]:
        """What was stored, by kind."""
        return [kind for kind, _ in self.desk.stored]


def settings_for(fake: FakeTeams, directory: Path, **more: str) -> Settings:
    """The settings that point the bot at the fake."""
    environ = {
        "TEAMS_APP_ID": fake.app_id,
        "TEAMS_APP_PASSWORD": fake.app_password,
        "TEAMS_TENANT_ID": fake.tenant_id,
        "TEAMS_SERVICE_URL": fake.service_url,
        "TEAMS_OPENID_METADATA_URL": fake.metadata_url,
        "TEAMS_TOKEN_ISSUER": fake.issuer.issuer,
        "TEAMS_OUTBOUND_TOKEN_URL": fake.token_url,
        **more,
    }
    return load({name: value for name, value in environ.items() if value}, directory=directory)


@asynccontextmanager
async def world(directory: Path, **more: str) -> AsyncIterator[World]:
    """A running world."""
    desk, references = Desk(), MemoryReferences()
    issuer = Issuer(key=_KEYS.key, stray_key=_KEYS.stray_key)
    async with FakeTeams(issuer=issuer) as fake, aiohttp.ClientSession() as http:
        bot = build_teams(
            settings_for(fake, directory, **more),
            http,
            references,
            desk.put,
            commands=COMMANDS,
            forms=FORMS,
            view_for=desk.view_for,
            card_at=desk.card_at,
            approvers=desk.approvers_of,
        )
        assert bot is not None
        app = web.Application()
        app.router.add_post("/api/messages", bot.route)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with TeamsSender(fake, url) as sender:
            yield World(fake, sender, desk, references, bot, http, url)
        await runner.cleanup()
        await bot.close()


def sent(teams: World, ref: Any) -> TeamsMessage:
    """The message behind a reference."""
    return teams.fake.messages[ref["conversation"], ref["id"]]


def hurry(teams: World, seconds: float = 2.0) -> None:
    """Let the time between edits pass."""
    now = teams.bot.messenger.monotonic()
    teams.bot.messenger.monotonic = lambda: now + seconds
