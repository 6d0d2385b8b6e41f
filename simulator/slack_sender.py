"""Slack's side of the inbound road: signed slash commands, clicks, submissions and events as Slack sends them."""

import hashlib
import hmac
import json
import time
import urllib.parse
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from simulator.chat_people import BACKUP_CHANNEL, SLACK_TEAM, Person
from simulator.chat_wire import Json
from simulator.slack import FakeSlack
from simulator.slack_state import APP_ID, BOT_USER, OpenView, SlackMessage, interactive_elements

FORM = "application/x-www-form-urlencoded"
NO_ANSWER = 0
HTTP_OK = 200


@dataclass(frozen=True)
class Reply:
    """What the bot answered: HTTP status (0: no answer at all), text, headers and the seconds it took."""

    status: int
    text: str
    headers: dict[str, str]
    seconds: float

    @property
    def body(self) -> Json:
        """The answer's JSON object, empty when it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Sender:
    """Posts to one address of the bot over one session; an async context manager."""

    def __init__(self, url: str, *, within_s: float = 10.0) -> None:
        self.url = url
        self._within_s = within_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session; the next request opens a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, body: bytes, headers: dict[str, str], *, query: str = "") -> Reply:
        """Post raw bytes; a refused or cut connection is a Reply with status 0."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._within_s))
        started = time.perf_counter()
        try:
            async with self._session.post(
                self.url + query, data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.text()
                return Reply(answer.status, text, dict(answer.headers), time.perf_counter() - started)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Reply(NO_ANSWER, str(error) or type(error).__name__, {}, time.perf_counter() - started)


def sign(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """Return Slack's headers: `v0=` and HMAC-SHA256 of `v0:TIMESTAMP:BODY`; `at` is now unless given."""
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": "v0=" + digest.hexdigest()}


@dataclass(frozen=True)
class Forgery:
    """How a request differs from what Slack would send; the default is an honest one.

    `age_s` makes the signature older (negative: from the future), `secret` signs with another secret, `headers`
    replaces headers (an empty value takes one away), `retry` adds Slack's headers of a repeated delivery.
    """

    age_s: float = 0.0
    secret: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    retry: int = 0


HONEST = Forgery()


class SlackSender(Sender):
    """Sends to the bot's `/slack/events` what Slack would, as any person, and files the bot's direct answers."""

    def __init__(
        self,
        slack: FakeSlack,
        bot_url: str,
        signing_secret: str,
        *,
        path: str = "/slack/events",
        within_s: float = 10.0,
    ) -> None:
        super().__init__(bot_url.rstrip("/") + path, within_s=within_s)
        self.slack = slack
        self._secret = signing_secret

    async def signed(self, body: bytes, content_type: str, forgery: Forgery = HONEST) -> Reply:
        """Post a body with its signature, or with the wrong one that `forgery` describes."""
        stamp = sign(forgery.secret or self._secret, body, time.time() - forgery.age_s)
        headers = {"Content-Type": content_type, "User-Agent": "Slackbot 1.0", **stamp}
        if forgery.retry:
            headers |= {"X-Slack-Retry-Num": str(forgery.retry), "X-Slack-Retry-Reason": "http_timeout"}
        headers |= dict(forgery.headers)
        return await self.post(body, {key: value for key, value in headers.items() if value})

    async def _form(self, form: dict[str, str], forgery: Forgery) -> Reply:
        return await self.signed(urllib.parse.urlencode(form).encode(), FORM, forgery)

    async def _payload(self, payload: Json, forgery: Forgery) -> Reply:
        return await self._form({"payload": json.dumps(payload)}, forgery)

    async def command(
        self,
        person: Person,
        text: str,
        *,
        channel: str = BACKUP_CHANNEL,
        command: str = "/backup",
        forgery: Forgery = HONEST,
    ) -> Reply:
        """Send a slash command; a message in the direct answer is shown to its user as Slack does."""
        space = self.slack.space
        url = space.new_response_url(person.slack_id, channel)
        known = space.channels.get(channel)
        form = {
            "token": "deprecated",
            "team_id": person.slack_team,
            "team_domain": "contoso",
            "channel_id": channel,
            "channel_name": known.name if known else "directmessage",
            "user_id": person.slack_id,
            "user_name": person.handle,
            "command": command,
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self.slack.response_url(url),
            "trigger_id": space.new_trigger(person.slack_id),
        }
        reply = await self._form(form, forgery)
        if reply.status != HTTP_OK:
            return reply
        direct = reply.body or ({"text": reply.text} if reply.text.strip() else {})
        if direct:
            self.slack.respond(url, direct)
            self.slack.changed()
        return reply

    def _who(self, person: Person) -> Json:
        return {
            "user": {
                "id": person.slack_id,
                "username": person.handle,
                "name": person.handle,
                "team_id": person.slack_team,
            },
            "team": {"id": SLACK_TEAM, "domain": "contoso"},
            "api_app_id": APP_ID,
            "token": "deprecated",
            "is_enterprise_install": False,
            "enterprise": None,
        }

    def click_payload(self, person: Person, message: SlackMessage, action_id: str, value: str | None = None) -> Json:
        """Return the block_actions payload of a click on a message; `value` picks among equal action ids.

        Where the message holds no such element, a button with the given value is assumed.
        """
        space = self.slack.space
        channel = space.channels.get(message.channel)
        url = space.new_response_url(person.slack_id, message.channel, message.ts)
        private = message.only_for is not None
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": private,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        payload = {
            "type": "block_actions",
            **self._who(person),
            "trigger_id": space.new_trigger(person.slack_id),
            "container": container,
            "channel": {"id": message.channel, "name": channel.name if channel else "unknown"},
            "response_url": self.slack.response_url(url),
            "state": {"values": {}},
            "actions": [_action(message.blocks, action_id, value, space.new_ts())],
        }
        # Slack sends no message with a click on an ephemeral one.
        return payload if private else payload | {"message": message.as_json()}

    async def click(
        self,
        person: Person,
        message: SlackMessage,
        action_id: str,
        value: str | None = None,
        *,
        forgery: Forgery = HONEST,
    ) -> Reply:
        """Send the click of a person on a button (or an option) of a recorded message."""
        return await self._payload(self.click_payload(person, message, action_id, value), forgery)

    async def click_in_view(self, person: Person, shown: OpenView, action_id: str, value: str | None = None) -> Reply:
        """Send the click of a person on a button of an open modal or home tab."""
        payload = {
            "type": "block_actions",
            **self._who(person),
            "trigger_id": self.slack.space.new_trigger(person.slack_id),
            "container": {"type": "view", "view_id": shown.id},
            "view": shown.view,
            "actions": [_action(shown.view["blocks"], action_id, value, self.slack.space.new_ts())],
        }
        return await self._payload(payload, HONEST)

    async def submit(self, person: Person, shown: OpenView, values: Json, *, forgery: Forgery = HONEST) -> Reply:
        """Submit a modal; `values` is Slack's `{block_id: {action_id: {type, value …}}}`.

        The direct answer is obeyed: errors leave the modal open, `update` changes it, anything else closes it.
        """
        view = {**shown.view, "state": {"values": values}}
        payload = {
            "type": "view_submission",
            **self._who(person),
            "trigger_id": self.slack.space.new_trigger(person.slack_id),
            "view": view,
            "response_urls": [],
        }
        reply = await self._payload(payload, forgery)
        if reply.status == HTTP_OK:
            action = reply.body.get("response_action")
            if action == "update":
                shown.view = {**shown.view, **reply.body["view"], "id": shown.id}
                shown.history.append(shown.view)
            shown.open = action in {"errors", "update", "push"}
            self.slack.changed()
        return reply

    async def close_view(self, person: Person, shown: OpenView) -> Reply | None:
        """Dismiss a modal; the bot hears of it only when the view asked for that."""
        shown.open = False
        self.slack.changed()
        if not shown.view.get("notify_on_close"):
            return None
        payload = {"type": "view_closed", **self._who(person), "view": shown.view, "is_cleared": False}
        return await self._payload(payload, HONEST)

    async def options(self, person: Person, action_id: str, typed: str, *, block_id: str = "b1") -> Reply:
        """Ask for the options of an external select (block_suggestion)."""
        payload = {
            "type": "block_suggestion",
            **self._who(person),
            "action_id": action_id,
            "block_id": block_id,
            "value": typed,
        }
        return await self._payload(payload, HONEST)

    async def shortcut(self, person: Person, message: SlackMessage, callback_id: str) -> Reply:
        """Use a message shortcut (message_action) on a recorded message."""
        space = self.slack.space
        url = space.new_response_url(person.slack_id, message.channel, message.ts)
        payload = {
            "type": "message_action",
            **self._who(person),
            "callback_id": callback_id,
            "trigger_id": space.new_trigger(person.slack_id),
            "response_url": self.slack.response_url(url),
            "action_ts": space.new_ts(),
            "message_ts": message.ts,
            "channel": {"id": message.channel, "name": space.channels[message.channel].name},
            "message": message.as_json(),
        }
        return await self._payload(payload, HONEST)

    async def event(self, event: Json, *, event_id: str | None = None, forgery: Forgery = HONEST) -> Reply:
        """Send an event_callback around an inner event; the same `event_id` twice is a repeated delivery."""
        number = next(self.slack.space.numbers)
        body = {
            "token": "deprecated",
            "type": "event_callback",
            "team_id": SLACK_TEAM,
            "api_app_id": APP_ID,
            "event_id": event_id or f"Ev{number:08d}",
            "event_time": int(time.time()),
            "authorizations": [{"team_id": SLACK_TEAM, "user_id": BOT_USER, "is_bot": True}],
            "event": event,
        }
        return await self.signed(json.dumps(body).encode(), "application/json", forgery)

    async def mention(
        self,
        person: Person,
        text: str,
        *,
        channel: str = BACKUP_CHANNEL,
        thread_ts: str | None = None,
        forgery: Forgery = HONEST,
    ) -> Reply:
        """Write `@bot TEXT` into a channel and tell the bot (app_mention)."""
        said = self.slack.say(person, f"<@{BOT_USER}> {text}", channel, thread_ts=thread_ts)
        event: Json = {
            "type": "app_mention",
            "user": person.slack_id,
            "team": person.slack_team,
            "text": said.text,
            "ts": said.ts,
            "channel": channel,
            "event_ts": said.ts,
        }
        if thread_ts:
            event["thread_ts"] = thread_ts
        return await self.event(event, forgery=forgery)

    async def home_opened(self, person: Person) -> Reply:
        """Tell the bot that a person opened its home tab (app_home_opened)."""
        stamp = self.slack.space.new_ts()
        channel = self.slack.space.direct_channel(person.slack_id).id
        event = {"type": "app_home_opened", "user": person.slack_id, "channel": channel, "tab": "home"}
        return await self.event({**event, "event_ts": stamp})

    async def url_verification(self, challenge: str, *, forgery: Forgery = HONEST) -> Reply:
        """Ask the bot to echo the challenge, as when the address is entered in Slack's settings."""
        body = {"token": "deprecated", "type": "url_verification", "challenge": challenge}
        return await self.signed(json.dumps(body).encode(), "application/json", forgery)

    async def ssl_check(self, *, forgery: Forgery = HONEST) -> Reply:
        """Send Slack's certificate check."""
        return await self._form({"token": "deprecated", "ssl_check": "1"}, forgery)


def _action(blocks: list[Json], action_id: str, value: str | None, stamp: str) -> Json:
    """Return the `actions` entry for a click, shaped by the element that is found in the blocks.

    An element is found by its action id and, where given, its value; else by its value alone, since a page that draws
    cards by itself need not know the ids that the Slack blocks use.
    """
    elements = [(block, element) for block in blocks for element in interactive_elements(block)]
    named = [pair for pair in elements if pair[1].get("action_id") == action_id]
    for block, element in [*named, *(elements if value else [])]:
        chosen = _chosen(element, value)
        if chosen is not None:
            known = {"type": element["type"], "action_id": element["action_id"], "action_ts": stamp}
            return known | {"block_id": block.get("block_id", "")} | chosen
    button: Json = {"type": "button", "action_id": action_id, "block_id": "unknown", "action_ts": stamp}
    button["text"] = {"type": "plain_text", "text": action_id, "emoji": True}
    return button if value is None else button | {"value": value}


def _chosen(element: Json, value: str | None) -> Json | None:
    """Return what a click on an element with that value carries; None when the value is not one of its own."""
    if element["type"] == "button":
        fits = (value or None) in (None, element.get("value"))
        return {key: element[key] for key in ("text", "value", "style") if key in element} if fits else None
    groups = [group["options"] for group in element.get("option_groups", [])]
    options = [*element.get("options", []), *(option for group in groups for option in group)]
    chosen = [option for option in options if value in (None, option.get("value"))]
    return {"selected_option": chosen[0]} if chosen else None
