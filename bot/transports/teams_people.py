"""Who people are, asked of the rosters of Teams, and how stored activities become requests."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import structlog

from bot.transports.teams_addresses import Addresses, channel_of
from bot.transports.teams_connector import Connector, TeamsRefused
from bot.transports.teams_payload import (
    BOT_PREFIX,
    Payload,
    conversation_of,
    reply_of,
    request_of,
    sender_of,
)
from bot.workflows.outbox import MessengerError
from domain.actor import Actor
from handlers.requests import Request

KEEP_PEOPLE_S = 300.0
_GUEST_MARK = "#ext#"
Groups = Callable[[str], Awaitable[frozenset[str] | None]]


async def no_groups(_group: str) -> frozenset[str] | None:
    """No group can be read, so nobody is known to be in one."""
    return None


@dataclass(kw_only=True)
class TeamsDirectory:
    """:class:`domain.ports.Directory` for Teams: people by their Entra object id (or Teams id), kept for a few minutes.

    What cannot be read is nobody who may act. The connector knows no groups, so ``groups`` asks Microsoft Graph where the
    composition root gives it. ``rosters`` are conversations in which somebody who never wrote to the bot is looked for:
    the routes' channels.
    """

    connector: Connector
    addresses: Addresses
    tenant_id: str
    rosters: tuple[str, ...] = ()
    groups: Groups = no_groups
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    monotonic: Callable[[], float] = time.monotonic
    _people: dict[str, tuple[float, Actor, str]] = field(default_factory=dict)

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person; nobody who may act for another platform than Teams."""
        if platform != "teams":
            return Actor(platform=platform, id=user_id, known=False)
        return await self.person(user_id)

    async def members(self, group: str) -> frozenset[str] | None:
        """The Entra object ids in ``entra-group:…``, as ``groups`` reads them; None when they cannot be read."""
        return await self.groups(group) if group.startswith("entra-group:") else None

    async def person(self, user_id: str, *, seen_in: str = "") -> Actor:
        """The person; ``known`` is False when Teams could not be asked or no roster has them.

        ``seen_in`` is a conversation in which they are for certain.
        """
        return (await self._look_up(user_id, seen_in))[0]

    async def teams_id(self, user_id: str) -> str:
        """The bot's own id for a person (``29:…``), which views and private messages need; "" when unknown."""
        return (await self._look_up(user_id, ""))[1]

    async def _look_up(self, user_id: str, seen_in: str) -> tuple[Actor, str]:
        key = user_id if ":" in user_id else user_id.lower()  # Entra's ids know no case, those of Teams do
        kept = self._people.get(key)
        if kept and self.monotonic() - kept[0] < KEEP_PEOPLE_S:
            return kept[1], kept[2]
        nobody = Actor(platform="teams", id=user_id, known=False)
        if not user_id or user_id.startswith(BOT_PREFIX):
            return replace(nobody, is_bot=bool(user_id)), ""
        try:
            member = await self._member(key, seen_in)
        except MessengerError as error:
            self.log.warning("teams_user_unreadable", user=user_id, error=str(error))
            return nobody, ""
        if member is None:
            return nobody, ""
        person, teams_id = self._person(key, member), str(member.get("id") or "")
        self._people[key] = (self.monotonic(), person, teams_id)
        return person, teams_id

    async def _member(self, user_id: str, seen_in: str) -> Mapping[str, Any] | None:
        places = dict.fromkeys((channel_of(seen_in), await self.addresses.seen_in(user_id), *self.rosters))
        for place in places:
            if not place:
                continue
            try:
                return await self.connector.call(
                    "GET", await self.addresses.service_url(place), (place, "members", user_id)
                )
            except TeamsRefused as error:
                if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
                    raise
        return None

    def _person(self, user_id: str, member: Mapping[str, Any]) -> Actor:
        """A roster entry as an actor: https://learn.microsoft.com/microsoftteams/platform/bots/how-to/get-teams-context."""
        entra_id = str(member.get("aadObjectId") or member.get("objectId") or "").lower()
        principal = str(member.get("userPrincipalName") or "")
        email = str(member.get("email") or principal)
        tenant = str(member.get("tenantId") or "")
        is_guest = _GUEST_MARK in principal.casefold() or str(member.get("userRole") or "").casefold() not in {
            "",
            "user",
        }
        is_foreign = tenant.casefold() != self.tenant_id.casefold() if tenant else False
        return Actor(
            platform="teams",
            id=entra_id or user_id,
            name=str(member.get("name") or ""),
            email=email,
            # The home directory vouches for the addresses of its own members, for nobody else's.
            email_confirmed=bool(email and entra_id) and not (is_guest or is_foreign),
            entra_id=entra_id,
            is_guest=is_guest or not entra_id,
            is_foreign=is_foreign,
        )


@dataclass(kw_only=True)
class TeamsPlatform:
    """:class:`bot.workflows.inbox.Platform` for Teams; ``forms`` are the actions that answer forms."""

    directory: TeamsDirectory
    forms: frozenset[str]

    async def request(self, kind: str, payload: Payload) -> Request:
        """The request with its sender looked up."""
        sender = sender_of(payload)
        actor = await self.directory.person(sender.id, seen_in=conversation_of(payload))
        if not actor.name:
            actor = replace(actor, name=sender.name)
        if sender.tenant and sender.tenant.casefold() != self.directory.tenant_id.casefold():
            actor = replace(actor, is_foreign=True)
        return request_of(kind, payload, actor, self.forms)

    def reply(self, kind: str, payload: Payload) -> Mapping[str, str]:
        """The way back to the sender."""
        return reply_of(kind, payload)
