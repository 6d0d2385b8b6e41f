"""Doors of our own between the Playground and the bot: one signs what comes from this machine, one takes what the bot sends.

The Playground signs nothing. Rather than switching the bot's check off, this puts under each activity what Microsoft's
channel would: a token of the local issuer. It knows neither the bot nor its secrets.
"""

import html
import ipaddress
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import jwt
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from simulator.chat_people import Person
from simulator.chat_wire import Json, LocalServer
from simulator.teams import BOT_AUDIENCE
from simulator.teams_issuer import Issuer

FORWARD_S = 30.0
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Who are you?</title>
<style>body { font: 16px system-ui; margin: 2rem; color-scheme: light dark } button { display: block; margin: .5rem 0;
  padding: .5rem 1rem; font: inherit; min-width: 20rem; text-align: left } [aria-pressed=true] { font-weight: bold }</style>
<h1>Who writes and clicks in the Playground?</h1><form method="post" action="/as">%s</form>
<p>The Playground itself keeps showing %s; the bot sees who is chosen here.</p></html>"""


def is_loopback(address: str | None) -> bool:
    """Whether a peer's address is this machine's own."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


class SigningProxy(LocalServer):
    """`/api/messages` for the Playground, `/_connector` for the bot, and `/` to choose who is writing; `who` is that person.

    Refused are other machines, other host names and every web page of another origin: none of them may get a signature.
    """

    def __init__(self, issuer: Issuer, app_id: str, people: Sequence[Person]) -> None:
        super().__init__()
        self.issuer = issuer
        self.app_id = app_id
        self.people = people
        self.who = people[0]
        self.bot_url = ""
        self.playground_url = ""
        """Where the Playground answers; `start` does not need it."""

    @property
    def service_url(self) -> str:
        """The `serviceUrl` of every activity."""
        return f"{self.origin}/_connector"

    def make_app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=1024 * 1024, middlewares=[self._only_from_here])
        app.router.add_post("/api/messages", self._messages)
        app.router.add_route("*", "/_connector/{tail:.*}", self._connector)
        app.router.add_get("/", self._page)
        app.router.add_post("/as", self._choose)
        return app

    @web.middleware
    async def _only_from_here(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if not is_loopback(request.remote) or urlsplit(f"//{request.host}").hostname not in {"127.0.0.1", "localhost"}:
            raise web.HTTPForbidden(text="Only from this machine.")
        if origin is not None and origin not in {self.origin, f"http://localhost:{self.port}"}:
            raise web.HTTPForbidden(text="Not from another page.")
        return await handler(request)

    async def _messages(self, request: web.Request) -> web.Response:
        try:
            activity = await request.json()
        except ValueError:
            raise web.HTTPBadRequest(text="not JSON") from None
        if not isinstance(activity, dict):
            raise web.HTTPBadRequest(text="not an activity")
        activity = self.as_chosen(activity)
        token = self.issuer.token({"aud": self.app_id, "serviceurl": activity.get("serviceUrl")})
        return await self._pass("POST", f"{self.bot_url}/api/messages", json.dumps(activity).encode(), token)

    async def _connector(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            self.issuer.claims(token, BOT_AUDIENCE)
        except jwt.PyJWTError:
            raise web.HTTPUnauthorized(text="Not the bot's token.") from None
        path = self.as_known_there(request.raw_path)
        return await self._pass(request.method, f"{self.playground_url}{path}", await request.read(), token)

    def as_known_there(self, path: str) -> str:
        """The path with a person's Teams id: Teams finds its members by Entra object id too, the Playground does not."""
        head, mark, member = path.rpartition("/members/")
        found = next((one.teams_id for one in self.people if mark and one.aad_id == member), None)
        return f"{head}{mark}{quote(found, safe='')}" if found else path

    async def _pass(self, method: str, url: str, body: bytes, token: str) -> web.Response:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FORWARD_S)) as http,
                http.request(method, URL(url, encoded=True), data=body or None, headers=headers) as answer,
            ):
                kind = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
                return web.Response(status=answer.status, body=await answer.read(), headers=kind)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise web.HTTPBadGateway(text=type(error).__name__) from error

    def as_chosen(self, activity: Mapping[str, object]) -> Json:
        """The activity as sent by the chosen person, when the Playground's own user sent it."""
        sender = activity.get("from")
        if not isinstance(sender, dict) or sender.get("id") != self.people[0].teams_id:
            return dict(activity)
        who = {"id": self.who.teams_id, "name": self.who.name, "aadObjectId": self.who.aad_id}
        return {**activity, "from": {**sender, **who}}

    async def _page(self, _request: web.Request) -> web.Response:
        buttons = "".join(
            f'<button name="who" value="{html.escape(one.aad_id)}" aria-pressed="{str(one is self.who).lower()}">'
            f"{html.escape(one.name)}, {html.escape(one.role)}</button>"
            for one in self.people
        )
        return web.Response(text=PAGE % (buttons, html.escape(self.people[0].name)), content_type="text/html")

    async def _choose(self, request: web.Request) -> web.Response:
        wanted = parse_qs(await request.text()).get("who", [""])[0]
        found = next((one for one in self.people if one.aad_id == wanted), None)
        if found is None:
            raise web.HTTPBadRequest(text="There is no such person.")
        self.who = found
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
