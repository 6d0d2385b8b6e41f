"""A door between the reader and the cloud that spoils one chosen read, in ways of which the cloud itself knows only some."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus

import aiohttp
from aiohttp import web
from yarl import URL

from simulator.server import Simulator
from simulator.tls import server_context

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T][^']*")
_HOP = {"transfer-encoding", "content-encoding", "content-length", "connection", "date", "server"}

MODES = (
    "403",
    "404",
    "429",
    "429 in 600 s",
    "500",
    "late",
    "cut",
    "html",
    "a list",
    "an empty object",
    "half an answer",
)


def name_of(method: str, path: str, query: str) -> str:
    """A read without the moments in its query, which differ in each diagnosis."""
    return f"{method} {unquote_plus(path).casefold()}?{_MOMENT.sub('T', unquote_plus(query))}"


@dataclass(kw_only=True)
class Door:
    """Passes everything on, except the read ``spoiled``, which it answers as ``mode`` says."""

    cloud: Simulator
    late_s: float
    url: str = ""
    ca_file: str = ""
    mode: str = ""
    spoiled: str = ""
    seen: list[str] = field(default_factory=list)

    @property
    def env(self) -> Mapping[str, str]:
        """The cloud's environment, by way of this door."""
        behind = self.cloud.env
        return {name: value.replace(self.cloud.arm, self.url) for name, value in behind.items()} | {
            "BACKUPBOT_CA_FILE": self.ca_file
        }

    async def handle(self, request: web.Request, http: aiohttp.ClientSession) -> web.StreamResponse:
        """One request."""
        raw, _, query = request.raw_path.partition("?")
        read = name_of(request.method, raw, query)
        if "/oauth2/" not in raw:
            self.seen.append(read)
        if read == self.spoiled and (spoiled := await self._spoil(request)) is not None:
            return spoiled
        target = URL(self.cloud.arm + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.casefold() != "host"}
        async with http.request(request.method, target, headers=headers, data=await request.read()) as answer:
            body = await answer.read()
            if read == self.spoiled:
                body = body[: len(body) // 2]
            kept = {name: value for name, value in answer.headers.items() if name.casefold() not in _HOP}
            return web.Response(body=body, status=answer.status, headers=kept)

    async def _spoil(self, request: web.Request) -> web.StreamResponse | None:
        if self.mode == "late":
            await asyncio.sleep(self.late_s)
            return None
        if self.mode == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=500)
        if self.mode == "html":
            return web.Response(text="<html><body>Sign in to the proxy</body></html>", content_type="text/html")
        if self.mode in {"a list", "an empty object"}:
            return web.json_response([] if self.mode == "a list" else {})
        if self.mode == "half an answer":
            return None
        status = int(self.mode.split()[0])
        code = {403: "AuthorizationFailed", 404: "ResourceNotFound", 429: "TooManyRequests"}.get(
            status, "InternalServerError"
        )
        return web.json_response(
            {"error": {"code": code, "message": "This answer was spoiled on its way."}},
            status=status,
            headers={"Retry-After": "600"} if self.mode.endswith("600 s") else {},
        )


@asynccontextmanager
async def door(cloud: Simulator, directory: Path, *, late_s: float) -> AsyncIterator[Door]:
    """A door to the cloud, closed at the end."""
    context, ca_file = server_context(directory)
    found = Door(cloud=cloud, late_s=late_s, ca_file=str(ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http:
        app = web.Application(client_max_size=4 * 1024 * 1024)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await found.handle(request, http)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            found.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            yield found
        finally:
            await runner.cleanup()
