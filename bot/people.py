"""Who somebody is: the platforms' own directories, ``[people]`` and Entra's groups as one directory."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from bot.gateways.azure_reader import AzureReader
from bot.settings import Person
from bot.transports import slack
from bot.workflows.inbox import Platform
from domain.actor import Actor
from domain.errors import GatewayError
from handlers.requests import Request

KEEP_GROUPS_S = 60.0


class OnePlatform(Protocol):
    """A platform's own directory."""

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person."""
        ...


@dataclass(kw_only=True)
class People:
    """:class:`domain.ports.Directory` over the platforms that are on.

    ``[people]`` joins the accounts of one human where no directory tells: what it says of ids and addresses counts as known.
    """

    on_slack: slack.SlackDirectory | None = None
    on_teams: OnePlatform | None = None
    groups: Callable[[str], Awaitable[frozenset[str] | None]] | None = None
    listed: Mapping[str, Person] = field(default_factory=dict)

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person."""
        if platform == "slack" and self.on_slack is not None:
            return self.join(await self.on_slack.actor(user_id))
        if platform == "teams" and self.on_teams is not None:
            return self.join(await self.on_teams.actor(platform, user_id))
        return Actor(platform=platform, id=user_id, known=False)

    def join(self, actor: Actor) -> Actor:
        """The same person with what ``[people]`` knows of them."""
        for name, one in self.listed.items():
            if actor.id and actor.id == (one.slack if actor.platform == "slack" else one.teams):
                email = one.email or actor.email
                return replace(
                    actor,
                    person=name,
                    entra_id=actor.entra_id or one.teams,
                    email=email,
                    email_confirmed=bool(one.email) or actor.email_confirmed,
                )
        return actor

    async def account(self, entry: str) -> str | None:
        """The Slack account that is told for an entry of a rule."""
        kind, _, value = entry.partition(":")
        for one in self.listed.values():
            if one.slack and value and value.casefold() in {one.email.casefold(), one.teams.casefold()}:
                return one.slack
        if kind == "email" and self.on_slack is not None:
            return await self.on_slack.by_email(value)
        return None if kind == "email" and self.on_teams is None else ""

    async def members(self, group: str) -> frozenset[str] | None:
        """The members of a group, None when it cannot be read."""
        if group.startswith("slack-group:") and self.on_slack is not None:
            return await self.on_slack.members(group)
        if group.startswith("entra-group:") and self.groups is not None:
            return await self.groups(group)
        return None


@dataclass
class EntraGroups:
    """Members of Entra groups, remembered for a minute; None when they cannot be read, which counts as nobody."""

    reader: AzureReader
    log: structlog.stdlib.BoundLogger
    _kept: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    async def members(self, group: str) -> frozenset[str] | None:
        """The object ids in ``entra-group:<id>``."""
        group_id = group.partition(":")[2]
        kept = self._kept.get(group_id)
        if kept and time.monotonic() - kept[0] < KEEP_GROUPS_S:
            return kept[1]
        try:
            found = await self.reader.group_members(group_id)
        except GatewayError as error:
            self.log.warning("group_unreadable", group=group_id, error=str(error))
            return None
        self._kept[group_id] = (time.monotonic(), found)
        return found


@dataclass(frozen=True)
class Joined:
    """A platform whose senders are joined with what ``[people]`` knows of them."""

    inner: Platform
    join: Callable[[Actor], Actor]

    async def request(self, kind: str, payload: Mapping[str, Any]) -> Request:
        """The request, its sender joined."""
        request = await self.inner.request(kind, payload)
        return replace(request, actor=self.join(request.actor))

    def reply(self, kind: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
        """As it is."""
        return self.inner.reply(kind, payload)
