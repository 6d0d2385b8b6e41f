"""The chat page: the simulated channel in a browser, with personas, working buttons and *Break something*."""

import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from importlib.resources import files

import aiohttp
from aiohttp import web

from simulator.chat_faults import BREAKAGES
from simulator.chat_feed import Feed, Typed
from simulator.chat_forms import labelled, missing, state_values
from simulator.chat_people import BACKUP_CHANNEL, PERSONAS, Person
from simulator.chat_wire import Json, LocalServer
from simulator.slack import FakeSlack
from simulator.slack_sender import NO_ANSWER, Reply, SlackSender

HEARTBEAT_S = 10.0
HTTP_OK = 200
HTTP_SUCCESS = range(200, 300)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChatPage(LocalServer):
    """One HTML page on 127.0.0.1 that shows a FakeSlack's channel and sends real signed requests to the bot.

    `render_html` turns a recorded message (or a modal's view) into the bot's own safe HTML fragment, or returns
    None to have its text drawn. Buttons in it are `<button data-action data-value data-confirm>`; fields of modals
    are plain named form fields. `sim_url` is the simulator's plain-http address.
    """

    def __init__(
        self,
        slack: FakeSlack,
        bot_url: str,
        signing_secret: str,
        sim_url: str,
        render_html: Callable[[Json], str | None],
        *,
        channel: str = BACKUP_CHANNEL,
    ) -> None:
        super().__init__()
        self._slack = slack
        self._sender = SlackSender(slack, bot_url, signing_secret)
        self._sim_url = sim_url.rstrip("/")
        self._channel = channel
        self._feed = Feed(slack, render_html, channel)
        self._typed: list[Typed] = []
        self._broken: list[str] = []
        self._stopping = False

    @property
    def url(self) -> str:
        """The page's address, to be opened in a browser."""
        return f"{self.origin}/"

    def make_app(self) -> web.Application:
        """Return the application: the page, its event stream and the posts that its buttons make."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._page)
        app.router.add_get("/events", self._events)
        app.router.add_post("/type", self._type)
        app.router.add_post("/click", self._click)
        app.router.add_post("/submit", self._submit)
        app.router.add_post("/close", self._close)
        app.router.add_post("/break", self._break)
        app.router.add_post("/mend", self._mend)
        return app

    async def stop(self) -> None:
        """Close the streams, the sender's session and the server."""
        self._stopping = True
        self._slack.changed()
        await self._sender.close()
        await super().stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names that were rebound to this address, and everything that another site posts."""
        own = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        host = request.headers.get("Host", "")
        if host not in own:
            raise web.HTTPForbidden(text="This page answers under its own address only.")
        if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
            raise web.HTTPForbidden(text="Another site may not use this page.")
        if request.method != "GET":
            if request.headers.get("Origin") != f"http://{host}":
                raise web.HTTPForbidden(text="Posts come from the page itself only.")
            if request.content_type != "application/json":
                raise web.HTTPUnsupportedMediaType(text="Posts are JSON.")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_guard_headers())
        return response

    async def _page(self, _request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        boot = {
            "people": [{"id": p.slack_id, "name": p.name, "role": p.role} for p in PERSONAS],
            "breakages": [{"id": b.id, "label": b.label, "effect": b.effect} for b in BREAKAGES],
            "channel": self._slack.space.channels[self._channel].name,
        }
        # A closing tag inside the JSON would end the script element that carries it.
        data = json.dumps(boot).replace("<", "\\u003c")
        text = files("simulator").joinpath("chat_page.html").read_text(encoding="utf-8")
        page = text.replace("{{nonce}}", nonce).replace("{{boot}}", data)
        response = web.Response(text=page, content_type="text/html")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
            "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return response

    def _person(self, value: object) -> Person:
        for person in PERSONAS:
            if person.slack_id == value:
                return person
        raise web.HTTPBadRequest(text="There is no such persona.")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request.query.get("as"))
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_guard_headers()})
        await stream.prepare(request)
        # A browser that goes away is no error.
        with contextlib.suppress(ConnectionResetError):
            await self._follow(person, stream)
        return stream

    async def _follow(self, person: Person, stream: web.StreamResponse) -> None:
        sent: dict[str, str] = {}
        last = ""
        while not self._stopping:
            seen = self._slack.version
            update = self._update(person, sent)
            rest = json.dumps({**update, "upsert": []})
            if update["upsert"] or rest != last:
                await stream.write(f"data: {json.dumps(update)}\n\n".encode())
            last = rest
            if not await self._slack.next_change(seen, HEARTBEAT_S):
                await stream.write(b": still here\n\n")

    def _update(self, person: Person, sent: dict[str, str]) -> Json:
        """Return what changed for a stream; `sent` remembers the version of each entry that it has."""
        entries = self._feed.entries(person, self._typed)
        changed = [entry for entry in entries if sent.get(entry["key"]) != entry["version"]]
        sent.clear()
        sent.update((entry["key"], entry["version"]) for entry in entries)
        return {
            "upsert": changed,
            "order": [entry["key"] for entry in entries],
            "view": self._feed.view(person),
            "broken": self._broken,
        }

    async def _type(self, request: web.Request) -> web.Response:
        body = await _body(request)
        person, text = self._person(body.get("as")), str(body.get("text", "")).strip()
        if text.startswith("/"):
            line = Typed(self._slack.space.new_ts(), person, text)
            self._typed.append(line)
            self._slack.changed()
            command, _, rest = text.partition(" ")
            reply = await self._sender.command(person, rest.strip(), channel=self._channel, command=command)
            if reply.status not in HTTP_SUCCESS:
                self._typed[self._typed.index(line)] = replace(line, note=_trouble(reply))
                self._slack.changed()
        elif text.lower().startswith("@backup"):
            await self._sender.mention(person, text[len("@backup") :].strip(), channel=self._channel)
        elif text:
            self._slack.say(person, text, self._channel)
            note = "Only lines that begin with /backup or @backup reach the bot."
            self._typed.append(Typed(self._slack.space.new_ts(), person, text, note))
            self._slack.changed()
        return web.json_response({})

    async def _click(self, request: web.Request) -> web.Response:
        body = await _body(request)
        person, action = self._person(body.get("as")), str(body.get("action", ""))
        value = None if body.get("value") is None else str(body["value"])
        if body.get("view"):
            shown = self._slack.space.views.get(str(body["view"]))
            if shown is None or not shown.open or shown.user != person.slack_id:
                raise web.HTTPNotFound(text="That dialog is no longer open.")
            reply = await self._sender.click_in_view(person, shown, action, value)
        else:
            message = self._feed.find(str(body.get("key", "")))
            if message is None or message.deleted:
                raise web.HTTPNotFound(text="That message is no longer there.")
            reply = await self._sender.click(person, message, action, value)
        return web.json_response({} if reply.status in HTTP_SUCCESS else {"trouble": _trouble(reply)})

    async def _submit(self, request: web.Request) -> web.Response:
        body = await _body(request)
        person = self._person(body.get("as"))
        shown = self._feed.open_view(person)
        if shown is None or shown.id != body.get("view"):
            raise web.HTTPNotFound(text="That dialog is no longer open.")
        filled: Mapping[str, list[str]] = {
            str(name): [str(value) for value in values] for name, values in (body.get("values") or {}).items()
        }
        empty = missing(shown.view, filled)
        if empty:
            return web.json_response({"errors": labelled(shown.view, empty)})
        reply = await self._sender.submit(person, shown, state_values(shown.view, filled))
        if reply.status != HTTP_OK:
            return web.json_response({"trouble": _trouble(reply)})
        if reply.body.get("response_action") == "errors":
            return web.json_response({"errors": labelled(shown.view, reply.body.get("errors", {}))})
        return web.json_response({})

    async def _close(self, request: web.Request) -> web.Response:
        body = await _body(request)
        person = self._person(body.get("as"))
        shown = self._feed.open_view(person)
        if shown is not None and shown.id == body.get("view"):
            await self._sender.close_view(person, shown)
        return web.json_response({})

    async def _break(self, request: web.Request) -> web.Response:
        wanted = (await _body(request)).get("id")
        chosen = next((breakage for breakage in BREAKAGES if breakage.id == wanted), None)
        if chosen is None:
            raise web.HTTPBadRequest(text="There is no such thing to break.")
        await self._simulator("POST", chosen.fault)
        self._broken.append(chosen.id)
        self._slack.changed()
        return web.json_response({})

    async def _mend(self, _request: web.Request) -> web.Response:
        await self._simulator("DELETE", None)
        self._broken.clear()
        self._slack.changed()
        return web.json_response({})

    async def _simulator(self, method: str, body: Json | None) -> None:
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.request(method, f"{self._sim_url}/_sim/faults", json=body) as answer,
            ):
                if answer.status not in HTTP_SUCCESS:
                    raise web.HTTPBadGateway(text=f"The simulator answered {answer.status}.")
        except (TimeoutError, aiohttp.ClientError):
            raise web.HTTPBadGateway(text="The simulator does not answer.") from None


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="Not JSON.") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="Not an object.")
    return body


def _guard_headers() -> dict[str, str]:
    return {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def _trouble(reply: Reply) -> str:
    if reply.status == NO_ANSWER:
        return "The bot did not answer."
    return f"The bot refused this with HTTP {reply.status}."
