"""Slack: signed requests in through Bolt, cards out through the Web API. Thin: what is said is decided elsewhere."""

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from adaptive_cards import slack as renderer
from adaptive_cards.card import Card, Form
from adaptive_cards.cards.message import WORKING
from bot.transports.slack_payload import is_ours, reply_of, request_of, user_of
from bot.workflows.outbox import MessengerError, Ref
from domain.actor import Actor
from handlers.requests import Request

Put = Callable[[str, Mapping[str, Any], str | None], Awaitable[bool]]

METADATA = "backupbot_message"
PATIENCE = aiohttp.ClientTimeout(total=10)
LONGEST_WAIT_S = 3600
KEEP_PEOPLE_S = 300.0
KEEP_GROUPS_S = 60.0
REDIRECTS = range(300, 400)
# What no second attempt changes, https://docs.slack.dev/reference/methods/chat.postMessage#errors
NOT_THERE = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "no_permission",
        "team_access_not_granted",
    }
)
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "user_not_in_channel", "user_not_found"}
_WRONG = {"invalid_blocks", "msg_blocks_too_long", "msg_too_long", "invalid_arguments", "missing_scope"}
_TOKEN = {"invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed"}
_TRIGGER = {"expired_trigger_id", "trigger_expired", "trigger_exchanged", "invalid_trigger_id"}
PERMANENT = NOT_THERE | _GONE | _WRONG | _TOKEN | _TRIGGER
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


def api_url(url: str) -> str:
    """Slack's client wants the trailing slash."""
    return url.rstrip("/") + "/"


def response_url_allowed(url: str, slack_api_url: str) -> bool:
    """Only https on Slack's own host, or the exact origin of ``SLACK_API_URL``: it comes from a request body."""
    try:
        wanted, api = urlsplit(url), urlsplit(slack_api_url)
    except ValueError:
        return False
    if (wanted.scheme, wanted.netloc) == (api.scheme, api.netloc):
        return True
    return wanted.scheme == "https" and wanted.netloc == "hooks.slack.com"


@dataclass(kw_only=True)
class SlackApi:
    """The Web API with failures as :class:`MessengerError`."""

    token: str
    url: str
    http: aiohttp.ClientSession

    def __post_init__(self) -> None:
        self.client = AsyncWebClient(token=self.token, base_url=api_url(self.url), timeout=10, session=self.http)

    async def call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call of the Web API that changes something: its arguments travel as JSON."""
        return await self._send(method, {"json": dict(arguments)})

    async def ask(self, method: str, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """One call that reads: these methods take a form and ignore a JSON body, https://docs.slack.dev/apis/web-api."""
        return await self._send(method, {"data": dict(arguments)})

    async def _send(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        # slack_sdk's client follows redirects, and would take the token along.
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with self.http.post(
                api_url(self.url) + method, headers=headers, allow_redirects=False, timeout=PATIENCE, **body
            ) as response:
                status, wait = response.status, response.headers.get("Retry-After", "")
                try:
                    answer = await response.json(content_type=None)
                except ValueError:
                    answer = None
        except _LOST as error:
            raise MessengerError(f"Slack did not answer {method}: {type(error).__name__}") from error
        data: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        if data.get("ok") is True and status == HTTPStatus.OK:
            return data
        name = str(data.get("error", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS or name in {"ratelimited", "rate_limited"}:
            seconds = min(int(wait), LONGEST_WAIT_S) if wait.isascii() and wait.isdecimal() else 1
            raise MessengerError(f"Slack asks to wait ({method})", retry_after=timedelta(seconds=seconds))
        raise MessengerError(f"Slack refused {method}: {name or f'HTTP {status}'}", permanent=name in PERMANENT)


def _shown(message: renderer.SlackMessage) -> dict[str, Any]:
    """What a message says. Slack would take ``*`` and ``_`` of a name in `text` for emphasis, which nothing can escape."""
    return {"text": message.text, "mrkdwn": False, "blocks": message.blocks}


@dataclass(kw_only=True)
class SlackMessenger:
    """:class:`bot.workflows.outbox.Messenger` for Slack."""

    api: SlackApi

    async def post(self, channel: str, thread: Ref | None, card: Card, *, key: str, reply: Ref | None) -> Ref:
        """Post to the channel; where the bot is not in it, answer the person through their command's way back."""
        message = renderer.render(card, revision="1")
        arguments: dict[str, Any] = {
            "channel": channel,
            **_shown(message),
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": METADATA, "event_payload": {"key": key}},
        }
        if thread and thread.get("ts"):
            arguments["thread_ts"] = thread["ts"]
        try:
            answer = await self.api.call("chat.postMessage", arguments)
        except MessengerError as error:
            if (
                error.permanent
                and reply
                and reply.get("response_url")
                and any(name in str(error) for name in NOT_THERE)
            ):
                await self._respond(reply["response_url"], message, replace_original=False)
                return {"response_url": reply["response_url"], "channel": channel}
            raise
        return {"channel": str(answer.get("channel", channel)), "ts": str(answer.get("ts", ""))}

    async def update(self, ref: Ref, card: Card, *, revision: int, key: str) -> None:
        """Replace the message."""
        if ref.get("response_url") and card.key == WORKING:
            return  # a response address takes five messages, which are for answers
        message = renderer.render(card, revision=str(revision))
        if ref.get("response_url"):
            await self._respond(ref["response_url"], message, replace_original=True)
            return
        await self.api.call(
            "chat.update",
            {
                "channel": ref["channel"],
                "ts": ref["ts"],
                **_shown(message),
                "metadata": {"event_type": METADATA, "event_payload": {"key": key}},
            },
        )

    async def whisper(self, channel: str, card: Card, *, reply: Ref) -> None:
        """A notice for one person."""
        message = renderer.render(card, revision="w")
        try:
            await self.api.call(
                "chat.postEphemeral",
                {"channel": channel, "user": reply.get("user", ""), **_shown(message)},
            )
        except MessengerError as error:
            if not (error.permanent and reply.get("response_url")):
                raise
            await self._respond(reply["response_url"], message, replace_original=False)

    async def find(self, channel: str, thread: Ref | None, key: str) -> Ref | None:
        """Look for a message whose answer was lost, by the key in its metadata."""
        arguments = {"channel": channel, "limit": "50", "include_all_metadata": "true"}
        method = "conversations.history"
        if thread and thread.get("ts"):
            method, arguments["ts"] = "conversations.replies", thread["ts"]
        try:
            answer = await self.api.ask(method, arguments)
        except MessengerError as error:
            if error.permanent:
                return None  # without the history scope a doubled message is the lesser evil
            raise
        for message in answer.get("messages", ()):
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == METADATA and (metadata.get("event_payload") or {}).get("key") == key:
                return {"channel": channel, "ts": str(message.get("ts", ""))}
        return None

    async def open_form(self, form: Form, *, reply: Ref) -> None:
        """Open a modal view."""
        view = renderer.render_view(form)
        view["private_metadata"] = json.dumps(
            {"identity": view["private_metadata"], "channel": reply.get("channel", "")}
        )
        await self.api.call("views.open", {"trigger_id": reply.get("trigger_id", ""), "view": view})

    async def _respond(self, url: str, message: renderer.SlackMessage, *, replace_original: bool) -> None:
        if not response_url_allowed(url, self.api.url):
            raise MessengerError("the response address is not Slack's, so nothing was sent there", permanent=True)
        body = {
            "response_type": "ephemeral",
            "replace_original": replace_original,
            **_shown(message),
        }
        try:
            async with self.api.http.post(url, json=body, allow_redirects=False) as response:
                if not response.ok or response.status in REDIRECTS:
                    over = response.status < HTTPStatus.INTERNAL_SERVER_ERROR
                    raise MessengerError(f"Slack refused the answer: HTTP {response.status}", permanent=over)
        except _LOST as error:
            raise MessengerError(f"Slack did not take the answer: {type(error).__name__}") from error


@dataclass(kw_only=True)
class SlackDirectory:
    """Who people are, asked of Slack and remembered for a few minutes."""

    api: SlackApi
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)
    _people: dict[str, tuple[float, Actor]] = field(default_factory=dict)
    _groups: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)
    team_id: str = ""

    async def actor(self, user_id: str) -> Actor:
        """The person; ``known`` is False when Slack could not be asked."""
        kept = self._people.get(user_id)
        if kept and time.monotonic() - kept[0] < KEEP_PEOPLE_S:
            return kept[1]
        if not self.team_id:
            await who_we_are(self.api, self)  # Slack was down when the bot started
        try:
            answer = await self.api.ask("users.info", {"user": user_id})
        except MessengerError as error:
            self.log.warning("user_unreadable", user=user_id, error=str(error))
            return Actor(platform="slack", id=user_id, known=False)
        user = answer.get("user")
        if not isinstance(user, Mapping):
            return Actor(platform="slack", id=user_id, known=False)
        person = self._person(user_id, user)
        self._people[user_id] = (time.monotonic(), person)
        return person

    def _person(self, user_id: str, user: Mapping[str, Any]) -> Actor:
        profile = user.get("profile") or {}
        email = str(profile.get("email") or user.get("email") or "")
        team = str(user.get("team_id") or "")
        return Actor(
            platform="slack",
            id=user_id,
            name=str(
                user.get("real_name")
                or profile.get("real_name")
                or profile.get("display_name")
                or user.get("name")
                or ""
            ),
            email=email,
            # A missing flag counts as unconfirmed: linking by an unproved address would let anybody be anybody.
            email_confirmed=bool(email) and user.get("is_email_confirmed", False) is True,
            is_bot=bool(user.get("is_bot")) or user_id == "USLACKBOT",
            is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            is_foreign=bool(user.get("is_stranger")) or bool(team and self.team_id and team != self.team_id),
            is_deactivated=bool(user.get("deleted")),
        )

    async def by_email(self, email: str) -> str | None:
        """The id of the account with that address; None when there is none or it cannot be asked."""
        try:
            answer = await self.api.ask("users.lookupByEmail", {"email": email})
        except MessengerError as error:
            self.log.info("email_unknown", error=str(error))
            return None
        user = answer.get("user")
        return str(user["id"]) if isinstance(user, Mapping) and user.get("id") and not user.get("deleted") else None

    async def members(self, group: str) -> frozenset[str] | None:
        """The members of ``slack-group:S…``."""
        group_id = group.partition(":")[2]
        kept = self._groups.get(group_id)
        if kept and time.monotonic() - kept[0] < KEEP_GROUPS_S:
            return kept[1]
        try:
            answer = await self.api.ask("usergroups.users.list", {"usergroup": group_id})
        except MessengerError as error:
            self.log.warning("group_unreadable", group=group_id, error=str(error))
            return None
        users = answer.get("users")
        if not isinstance(users, list):
            return None
        found = frozenset(str(one) for one in users)
        self._groups[group_id] = (time.monotonic(), found)
        return found


@dataclass(kw_only=True)
class SlackPlatform:
    """:class:`bot.workflows.inbox.Platform` for Slack."""

    directory: SlackDirectory

    async def request(self, kind: str, payload: Mapping[str, Any]) -> Request:
        """The request with its sender looked up."""
        user_id, name, team = user_of(kind, payload)
        actor = await self.directory.actor(user_id)
        if not actor.name:
            actor = replace(actor, name=name)
        ours = self.directory.team_id
        if team and ours and team != ours:
            actor = replace(actor, is_foreign=True)
        return request_of(kind, payload, actor)

    def reply(self, kind: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
        """The way back to the sender."""
        found = reply_of(kind, payload)
        channel = (payload.get("channel") or {}).get("id") if kind == "action" else payload.get("channel_id")
        return found | ({"channel": str(channel)} if channel else {})


def build_bolt(signing_secret: str, api: SlackApi, directory: SlackDirectory, put: Put) -> AsyncApp:
    """The Bolt app: every listener stores, then acknowledges."""

    async def authorize(**_: Any) -> AuthorizeResult:  # noqa: ANN401  (Bolt passes what it likes)
        # Bolt would ask auth.test before the first acknowledgement; who we are is asked at start instead.
        return AuthorizeResult(enterprise_id=None, team_id=directory.team_id or None, bot_token=api.token)

    app = AsyncApp(
        logger=logging.getLogger("slack_bolt"),
        client=api.client,
        signing_secret=signing_secret,
        authorize=authorize,
        process_before_response=True,
    )
    everything = re.compile(".*")

    async def store(kind: str, body: Mapping[str, Any], ack: AsyncAck, *, dedupe: str | None = None) -> None:
        if not is_ours(kind, body):
            await ack()
            return
        try:
            await put(f"slack.{kind}", body, dedupe)
        except (SQLAlchemyError, OSError):
            if kind == "command":
                await ack("The bot cannot store anything right now, so nothing was done. Try again in a minute.")
                return
            raise
        await ack()

    @app.command(everything)
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        await store("command", body, ack)

    @app.action(everything)
    async def action(ack: AsyncAck, body: dict[str, Any]) -> None:
        await store("action", body, ack)

    @app.view(everything)
    async def view(ack: AsyncAck, body: dict[str, Any]) -> None:
        await store("view", body, ack)

    @app.event("app_mention")
    async def mention(ack: AsyncAck, body: dict[str, Any]) -> None:
        await store("event", body, ack, dedupe=str(body.get("event_id") or "") or None)

    @app.event(everything)
    async def other_event(ack: AsyncAck) -> None:
        await ack()

    return app


def signable(request: web.Request) -> bool:
    """Bolt's verifier answers 500 to malformed headers; 401 is right."""
    stamp = request.headers.get("X-Slack-Request-Timestamp", "0")
    signature = request.headers.get("X-Slack-Signature", "")
    return len(stamp) <= 20 and stamp.isascii() and stamp.isdecimal() and signature.isascii()  # noqa: PLR2004


def route(app: AsyncApp) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of ``POST /slack/events``."""

    async def slack_events(request: web.Request) -> web.Response:
        if not signable(request):
            return web.json_response({"error": "invalid request"}, status=401)
        try:
            bolt_request = await to_bolt_request(request)
        except UnicodeDecodeError:
            return web.json_response({"error": "invalid request"}, status=401)  # Slack signs nothing that is not text
        return await to_aiohttp_response(await app.async_dispatch(bolt_request))

    return slack_events


async def who_we_are(api: SlackApi, directory: SlackDirectory) -> str:
    """Ask Slack for our team and return a line for the log; a failure is said, not raised."""
    try:
        answer = await api.call("auth.test", {})
    except MessengerError as error:
        return f"Slack could not be asked who we are: {error}"
    directory.team_id = str(answer.get("team_id") or "")
    return f"Slack team {directory.team_id}"


def socket_mode(app: AsyncApp, app_token: str, url: str) -> AsyncSocketModeHandler:
    """The way in without an open port; the app-level token needs a client of its own."""
    return AsyncSocketModeHandler(app, app_token, web_client=AsyncWebClient(token=app_token, base_url=api_url(url)))
