"""The chat page with everything around it: fake Slack, stand-in bot, and a simulator that records faults."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from simulator.chat import ChatPage
from simulator.slack import FakeSlack

from .standin import StandIn, render

SECRET = "page-secret"


class World:
    """Starts all parts on free ports; `faults` are the bodies that `/_sim/faults` got, `cleared` its DELETEs."""

    def __init__(self, draw: Callable[[dict[str, Any]], str | None] = render) -> None:
        self._draw = draw
        self.slack = FakeSlack()
        self.faults: list[dict[str, Any]] = []
        self.cleared = 0
        self.sim_status = 200

    async def __aenter__(self) -> Self:
        await self.slack.start()
        api = AsyncWebClient(token=self.slack.bot_token, base_url=self.slack.api_url)
        self.bot = StandIn(api, SECRET)
        await self.bot.start()
        app = web.Application()
        app.router.add_route("*", "/_sim/faults", self._faults)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        sim = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.page = ChatPage(self.slack, self.bot.url, SECRET, sim, self._draw)
        await self.page.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.page.stop()
        await self._runner.cleanup()
        await self.bot.stop()
        await self.slack.stop()

    async def _faults(self, request: web.Request) -> web.Response:
        assert "Origin" not in request.headers
        if request.method == "DELETE":
            self.cleared += 1
        else:
            self.faults.append(await request.json())
        return web.json_response({}, status=self.sim_status)
