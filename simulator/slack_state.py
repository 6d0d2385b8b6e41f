"""What the simulated Slack workspace holds: people, channels, messages, views, triggers and response URLs."""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simulator.chat_people import (
    ANA,
    APPROVER_GROUP,
    BACKUP_CHANNEL,
    BEN,
    CAST,
    MAX,
    ON_CALL_GROUP,
    SLACK_TEAM,
    Person,
)
from simulator.chat_wire import Json

TRIGGER_LIFE_S = 3
RESPONSE_URL_LIFE_S = 30 * 60
RESPONSE_URL_USES = 5
BOT_USER = "U0BOT"
BOT_ID = "B0BOT"
APP_ID = "A0BACKUP"
HTTP_NOT_FOUND = 404
HTTP_BAD_REQUEST = 400


class SlackError(Exception):
    """An answer with `ok: false`: Slack's error name and the lines of `response_metadata.messages`."""

    def __init__(self, error: str, *messages: str, status: int = 200) -> None:
        super().__init__(error, *messages)
        self.error = error
        self.messages = list(messages)
        self.status = status

    def body(self) -> Json:
        """Return the JSON answer."""
        extra = {"response_metadata": {"messages": [f"[ERROR] {line}" for line in self.messages]}}
        return {"ok": False, "error": self.error, **(extra if self.messages else {})}


@dataclass
class Channel:
    """A conversation; `members` are user ids and the bot's own id where it has joined."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    archived: bool = False
    im: bool = False
    ext_shared: bool = False


@dataclass
class SlackMessage:
    """A message with every state it ever had; `only_for` is set for an ephemeral one, `state` is the latest."""

    channel: str
    ts: str
    user: str
    state: Json
    thread_ts: str | None = None
    only_for: str | None = None
    history: list[Json] = field(default_factory=list)
    deleted: bool = False

    @property
    def text(self) -> str:
        """The latest top-level text."""
        return str(self.state.get("text") or "")

    @property
    def blocks(self) -> list[Json]:
        """The latest blocks, with the ids that Slack filled in."""
        return list(self.state.get("blocks") or [])

    def replace(self, state: Json) -> None:
        """Take a new state and keep the earlier ones in `history`."""
        self.state = state
        self.history.append(state)

    def as_json(self, *, metadata: bool = True) -> Json:
        """Return the message as Slack's read methods show it."""
        body: Json = {"type": "message", "ts": self.ts, "user": self.user, "team": SLACK_TEAM, **self.state}
        if self.user == BOT_USER:
            body |= {"bot_id": BOT_ID, "app_id": APP_ID}
        if self.thread_ts:
            body["thread_ts"] = self.thread_ts
        if not metadata:
            body.pop("metadata", None)
        return body


@dataclass
class OpenView:
    """A modal or home tab of one user; `view` is the latest state as the API returns it."""

    id: str
    user: str
    view: Json
    history: list[Json] = field(default_factory=list)
    open: bool = True


@dataclass
class Trigger:
    """A trigger id: good for one view within 3 seconds of its making."""

    user: str
    made_at: float
    used: bool = False


@dataclass
class ResponseUrl:
    """A response URL: five uses within 30 minutes, tied to the interaction's message if there was one."""

    token: str
    user: str
    channel: str
    made_at: float
    message_ts: str | None = None
    uses: int = 0


def user_json(person: Person, *, with_email: bool = True) -> Json:
    """Return Slack's user object for somebody of the cast."""
    profile: Json = {"real_name": person.name, "display_name": person.handle}
    if with_email and not person.is_bot:
        profile["email"] = person.email
    return {
        "id": person.slack_id,
        "team_id": person.slack_team,
        "name": person.handle,
        "real_name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_restricted": person.restricted,
        "is_ultra_restricted": person.ultra_restricted,
        "is_stranger": person.stranger,
        "is_email_confirmed": person.email_confirmed,
        "tz": person.tz,
        "profile": profile,
    }


def default_channels(people: Iterable[Person]) -> dict[str, Channel]:
    """Return the backup channel, an archived one and one that the bot has not joined."""
    everybody = {person.slack_id for person in people}
    return {
        BACKUP_CHANNEL: Channel(BACKUP_CHANNEL, "backup", everybody | {BOT_USER}),
        "C0OPS": Channel("C0OPS", "ops", everybody | {BOT_USER}),
        "C0ATTIC": Channel("C0ATTIC", "attic", everybody | {BOT_USER}, archived=True),
        "C0PRIVATE": Channel("C0PRIVATE", "private", set(everybody)),
    }


def default_groups() -> dict[str, list[str]]:
    """Return the user groups: on call, and those who approve."""
    return {ON_CALL_GROUP: [MAX.slack_id], APPROVER_GROUP: [ANA.slack_id, BEN.slack_id]}


def with_ids(blocks: list[Json], numbers: "itertools.count[int]") -> list[Json]:
    """Return a copy of the blocks in which Slack's generated block and action ids are filled in."""
    copy: list[Json] = json.loads(json.dumps(blocks))
    for block in copy:
        block.setdefault("block_id", f"blk{next(numbers)}")
        for element in interactive_elements(block):
            element.setdefault("action_id", f"act{next(numbers)}")
    return copy


def interactive_elements(block: Json) -> list[Json]:
    """Return the elements of a block that can carry an action id."""
    found = list(block.get("elements", [])) if block.get("type") == "actions" else []
    found += [block[key] for key in ("accessory", "element") if isinstance(block.get(key), dict)]
    return [element for element in found if element.get("type") != "image"]


@dataclass
class Workspace:
    """The state behind the fake Web API; `now` is the clock for timestamps and expiry (seconds since the epoch)."""

    now: Callable[[], float] = time.time
    people: dict[str, Person] = field(default_factory=lambda: {p.slack_id: p for p in CAST})
    groups: dict[str, list[str]] = field(default_factory=default_groups)
    channels: dict[str, Channel] = field(default_factory=lambda: default_channels(CAST))
    messages: dict[tuple[str, str], SlackMessage] = field(default_factory=dict)
    ephemerals: list[SlackMessage] = field(default_factory=list)
    views: dict[str, OpenView] = field(default_factory=dict)
    homes: dict[str, OpenView] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def new_ts(self) -> str:
        """Return the next message timestamp, unique in the workspace."""
        return f"{int(self.now())}.{next(self.numbers):06d}"

    def channel(self, wanted: object) -> Channel:
        """Return a channel by id, `#name` or name, or the direct channel of a user id; else `channel_not_found`."""
        name = str(wanted or "")
        if name in self.channels:
            return self.channels[name]
        if name in self.people:
            return self.direct_channel(name)
        for channel in self.channels.values():
            if channel.name == name.removeprefix("#"):
                return channel
        raise SlackError("channel_not_found")

    def direct_channel(self, user: str) -> Channel:
        """Return the direct conversation of the bot with a user, opened if need be."""
        if user not in self.people:
            raise SlackError("user_not_found")
        key = f"D{user[1:]}"
        return self.channels.setdefault(key, Channel(key, user, {user, BOT_USER}, im=True))

    def writable(self, wanted: object) -> Channel:
        """Return a channel in which the bot may post; else `is_archived` or `not_in_channel`."""
        channel = self.channel(wanted)
        if channel.archived:
            raise SlackError("is_archived")
        if BOT_USER not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def message(self, channel: str, ts: object) -> SlackMessage:
        """Return a message that still exists, else `message_not_found`."""
        found = self.messages.get((channel, str(ts)))
        if found is None or found.deleted:
            raise SlackError("message_not_found")
        return found

    def add(
        self,
        channel: str,
        state: Json,
        *,
        user: str = BOT_USER,
        thread_ts: str | None = None,
        only_for: str | None = None,
    ) -> SlackMessage:
        """Record a message, or an ephemeral one when `only_for` names its reader."""
        if isinstance(state.get("blocks"), list):
            state = {**state, "blocks": with_ids(state["blocks"], self.numbers)}
        message = SlackMessage(channel, self.new_ts(), user, state, thread_ts, only_for, [state])
        if only_for is None:
            self.messages[channel, message.ts] = message
        else:
            self.ephemerals.append(message)
        return message

    def replies(self, channel: str, ts: str) -> list[SlackMessage]:
        """Return a thread: its first message and the replies that still exist, oldest first."""
        return [
            message
            for message in self.messages.values()
            if message.channel == channel and not message.deleted and ts in {message.ts, message.thread_ts}
        ]

    def new_trigger(self, user: str) -> str:
        """Return a trigger id for one view of that user."""
        trigger = f"{next(self.numbers)}.{secrets.token_hex(8)}"
        self.triggers[trigger] = Trigger(user, self.now())
        return trigger

    def spend_trigger(self, trigger_id: object) -> str:
        """Use up a trigger id and return its user; else Slack's error for an unknown, used or old one."""
        trigger = self.triggers.get(str(trigger_id))
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.now() - trigger.made_at > TRIGGER_LIFE_S:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def new_response_url(self, user: str, channel: str, message_ts: str | None = None) -> ResponseUrl:
        """Make a response URL for an interaction of a user, on a message if there is one."""
        made = ResponseUrl(secrets.token_hex(12), user, channel, self.now(), message_ts)
        self.response_urls[made.token] = made
        return made

    def spend_response_url(self, token: str) -> ResponseUrl:
        """Count one use of a response URL; `expired_url` or `used_url` (HTTP 404) when it is spent."""
        url = self.response_urls.get(token)
        if url is None or self.now() - url.made_at > RESPONSE_URL_LIFE_S:
            raise SlackError("expired_url", status=HTTP_NOT_FOUND)
        if url.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url", status=HTTP_NOT_FOUND)
        url.uses += 1
        return url

    def interaction_message(self, url: ResponseUrl) -> SlackMessage | None:
        """Return the message, ephemeral or not, that a response URL may replace or delete."""
        if url.message_ts is None:
            return None
        everything = [*self.messages.values(), *self.ephemerals]
        wanted = (url.channel, url.message_ts)
        return next((m for m in everything if (m.channel, m.ts) == wanted and not m.deleted), None)
