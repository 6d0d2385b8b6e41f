"""A simulated Slack on 127.0.0.1: Web API, response URLs and Socket Mode, strict where Slack is strict."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from simulator.chat_people import CAST, Person
from simulator.chat_wire import Call, Json, LocalServer, Windows, retry_after_header
from simulator.slack_context import Context
from simulator.slack_methods import ALL_SCOPES, METHODS, content
from simulator.slack_state import (
    BOT_USER,
    HTTP_BAD_REQUEST,
    OpenView,
    ResponseUrl,
    SlackError,
    SlackMessage,
    Workspace,
    default_channels,
)

SOCKETS = 10
FORM_KINDS = {"application/x-www-form-urlencoded", "multipart/form-data"}


@dataclass(frozen=True)
class Response:
    """What arrived at a response URL, who it was made for, and the error it was refused with (None: taken)."""

    url: str
    user: str
    channel: str
    body: Json
    at: float
    error: str | None = None


class FakeSlack(LocalServer):
    """Point the bot's `SLACK_API_URL` at `api_url`; everything that it does is recorded.

    `calls` are all Web API requests, `messages` is keyed by (channel, ts), `ephemerals` holds the private notices,
    `responses` what came to response URLs, `views` every modal ever opened, `homes` the home tabs by user.
    `throttle[method] = n` answers the next n calls with 429; `rate_limits` applies Slack's real ones.
    """

    def __init__(
        self,
        *,
        bot_token: str = "xoxb-simulated",  # noqa: S107 - a token of the simulation, good for nothing else
        app_token: str = "xapp-simulated",  # noqa: S107 - a token of the simulation, good for nothing else
        people: Iterable[Person] = CAST,
        now: Callable[[], float] = time.time,
        rate_limits: bool = False,
        scopes: frozenset[str] = ALL_SCOPES,
    ) -> None:
        super().__init__()
        everybody = list(people)
        self.bot_token = bot_token
        self.app_token = app_token
        self.rate_limits = rate_limits
        self.scopes = scopes
        self.space = Workspace(
            now, {person.slack_id: person for person in everybody}, channels=default_channels(everybody)
        )
        self.responses: list[Response] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.acks: dict[str, Json] = {}
        self._windows = Windows()

    @property
    def api_url(self) -> str:
        """The base address of the Web API, with the trailing slash that slack_sdk needs."""
        return f"{self.origin}/api/"

    @property
    def messages(self) -> dict[tuple[str, str], SlackMessage]:
        """Every message ever posted, deleted ones too, by (channel, ts)."""
        return self.space.messages

    @property
    def ephemerals(self) -> list[SlackMessage]:
        """Every private notice, oldest first."""
        return self.space.ephemerals

    @property
    def views(self) -> list[OpenView]:
        """Every modal ever opened, oldest first."""
        return list(self.space.views.values())

    @property
    def homes(self) -> dict[str, OpenView]:
        """The published home tabs by user id."""
        return self.space.homes

    def response_url(self, url: ResponseUrl) -> str:
        """Return the address of a response URL."""
        return f"{self.origin}/response/{url.token}"

    def say(self, person: Person, text: str, channel: str, *, thread_ts: str | None = None) -> SlackMessage:
        """Record what a person wrote into a channel; the event that tells the bot is the sender's work."""
        message = self.space.add(channel, {"text": text}, user=person.slack_id, thread_ts=thread_ts)
        self.changed()
        return message

    def make_app(self) -> web.Application:
        """Return the application: `/api/METHOD`, `/response/TOKEN` and the Socket Mode link."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/response/{token}", self._response)
        app.router.add_get("/link", self._link)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def _close_sockets(self, _app: web.Application) -> None:
        for socket in list(self.sockets):
            await socket.close()

    async def _arguments(self, request: web.Request) -> Json:
        args: Json = dict(request.query)
        if request.content_type == "application/json":
            try:
                body = await request.json()
            except ValueError:
                raise SlackError("invalid_json") from None
            if not isinstance(body, dict):
                raise SlackError("json_not_object")
            args |= body
        elif request.content_type in FORM_KINDS:
            args |= dict(await request.post())
        return args

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            args = await self._arguments(request)
        except SlackError as error:
            return web.json_response(error.body())
        # In a JSON body the token is not looked at; https://docs.slack.dev/apis/web-api.
        in_form = "" if request.content_type == "application/json" else str(args.pop("token", ""))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or in_form
        self.calls.append(Call(method, args, self.space.now(), token, dict(request.headers)))
        self.changed()
        if self._take_throttle(method):
            return self._too_many(1)

        async def effect() -> web.Response:
            return self._run(method, args, token)

        return await self.answer(request, method, effect, _refused)

    def _too_many(self, seconds: float) -> web.Response:
        body = {"ok": False, "error": "ratelimited"}
        return web.json_response(body, status=429, headers=retry_after_header(seconds))

    def _run(self, method: str, args: Json, token: str) -> web.Response:
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        try:
            self._check_token(method, token)
            wait = self._wait(method, args) if self.rate_limits else None
            if wait is not None:
                return self._too_many(wait)
            if method == "apps.connections.open":
                return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link"})
            known = METHODS[method]
            if known.scope is not None and known.scope not in self.scopes:
                body = SlackError("missing_scope").body()
                return web.json_response(body | {"needed": known.scope, "provided": headers["x-oauth-scopes"]})
            answer = known.run(Context(self.space, args, self.scopes, self.origin))
        except SlackError as error:
            return web.json_response(error.body(), headers=headers)
        self.changed()
        return web.json_response({"ok": True, **answer}, headers=headers)

    def _check_token(self, method: str, token: str) -> None:
        if method not in METHODS and method != "apps.connections.open":
            raise SlackError("unknown_method")
        if not token:
            raise SlackError("not_authed")
        if token not in {self.bot_token, self.app_token}:
            raise SlackError("invalid_auth")
        if (token == self.app_token) != (method == "apps.connections.open"):
            raise SlackError("not_allowed_token_type")

    def _wait(self, method: str, args: Json) -> float | None:
        if method == "chat.postMessage":
            return self._windows.hit(f"{method} {args.get('channel')}", [(1, 1.0)], self.space.now())
        per_minute = METHODS[method].per_minute if method in METHODS else 1
        return self._windows.hit(method, [(per_minute, 60.0)], self.space.now())

    async def _response(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except ValueError:
            return web.json_response(SlackError("invalid_json").body(), status=HTTP_BAD_REQUEST)
        if not isinstance(body, dict):
            return web.json_response(SlackError("json_not_object").body(), status=HTTP_BAD_REQUEST)
        token = request.match_info["token"]
        if self._take_throttle("response_url"):
            return self._too_many(1)

        async def effect() -> web.Response:
            return self._use_response_url(token, body)

        return await self.answer(request, "response_url", effect, _refused)

    def _use_response_url(self, token: str, body: Json) -> web.Response:
        known = self.space.response_urls.get(token)
        user, channel = (known.user, known.channel) if known else ("", "")
        error: SlackError | None = None
        try:
            self.respond(self.space.spend_response_url(token), body)
        except SlackError as refused:
            error = refused
        self.responses.append(Response(token, user, channel, body, self.space.now(), error.error if error else None))
        self.changed()
        if error is not None:
            status = error.status if error.status != web.HTTPOk.status_code else HTTP_BAD_REQUEST
            return web.json_response(error.body(), status=status)
        return web.Response(text="ok")

    def respond(self, url: ResponseUrl, body: Json) -> SlackMessage | None:
        """Do what a response asks: delete, replace, or post a message (private unless `in_channel`)."""
        original = self.space.interaction_message(url)
        if body.get("delete_original"):
            if original is not None:
                original.deleted = True
            return original
        state = content(body)
        if body.get("replace_original") and original is not None:
            original.replace(state)
            return original
        only_for = None if body.get("response_type") == "in_channel" else url.user
        thread_ts = body.get("thread_ts")
        if thread_ts is None and original is not None:
            thread_ts = original.thread_ts
        return self.space.add(url.channel, state, user=BOT_USER, thread_ts=thread_ts, only_for=only_for)

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self.sockets) >= SOCKETS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self.sockets.append(socket)
        self.changed()
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.sockets),
                "connection_info": {"app_id": "A0BACKUP"},
                "debug_info": {"host": "simulated", "approximate_connection_time": 18060},
            }
        )
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._note_ack(message.data)
        finally:
            self.sockets.remove(socket)
            self.changed()
        return socket

    def _note_ack(self, text: str) -> None:
        try:
            data = json.loads(text)
        except ValueError:
            return
        if isinstance(data, dict) and "envelope_id" in data:
            self.acks[str(data["envelope_id"])] = data.get("payload") or {}
            self.changed()

    async def send_envelope(self, kind: str, payload: Json, within_s: float = 3.0) -> Json:
        """Deliver `slash_commands`, `interactive` or `events_api` to the newest socket; return the ack's payload.

        TimeoutError when nobody acknowledges in time; LookupError when no socket is open.
        """
        if not self.sockets:
            raise LookupError("no Socket Mode connection is open")
        envelope = f"env-{next(self.space.numbers)}"
        body = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": True}
        await self.sockets[-1].send_json(body)
        await self.wait_for(lambda: envelope in self.acks, within_s)
        return self.acks[envelope]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connected client to reconnect, as Slack does every few hours, and close its socket."""
        for socket in list(self.sockets):
            await socket.send_json({"type": "disconnect", "reason": reason})
            await asyncio.sleep(0)
            await socket.close()


def _refused(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})
