"""The routes of `/_sim`, guarded against foreign hosts and pages; `simulator.control` says what each does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import ValidationError

from simulator.arm.throttle import Throttle
from simulator.clock import SimClock
from simulator.control import Control, FaultOrder, InjectedFault, readable
from simulator.journal import Journal
from simulator.world.model import Json

LOOPBACK = ("127.0.0.1", "localhost", "::1")
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True)
class ControlRoutes:
    """Answers `/_sim`; `origins` are the pages that may call it, the simulator's own among them."""

    control: Control
    clock: SimClock
    throttle: Throttle
    journal: Journal
    origins: set[str] = field(default_factory=set)

    def add_to(self, app: web.Application) -> None:
        """Registers the routes."""
        routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/_sim/estate", self._get_estate),
            ("GET", "/_sim/requests", self._get_requests),
            ("GET", "/_sim/faults", self._get_faults),
            ("POST", "/_sim/faults", self._post_fault),
            ("DELETE", "/_sim/faults", self._delete_faults),
            ("GET", "/_sim/clock", self._get_clock),
            ("POST", "/_sim/clock", self._post_clock),
            ("POST", "/_sim/break", self._post_break),
            ("POST", "/_sim/repair", self._post_repair),
            ("POST", "/_sim/throttle", self._post_throttle),
        )
        for method, path, handler in routes:
            app.router.add_route(method, path, self._guarded(handler))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
            origin = request.headers.get("Origin")
            if host not in LOOPBACK or (origin is not None and origin not in self.origins):
                return web.json_response({"error": "only this machine's own pages may do this"}, status=403)
            try:
                return await handler(request)
            except ValidationError as error:
                return web.json_response({"error": readable(error)}, status=400)
            except (ValueError, LookupError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return guarded

    async def _get_estate(self, request: web.Request) -> web.Response:  # noqa: ARG002 aiohttp's shape of handler
        return web.json_response(self.control.estate())

    async def _get_requests(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since", "0"))
        return web.json_response([entry for entry in self.control.log if entry["n"] > since])

    async def _get_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002 aiohttp's shape of handler
        return web.json_response([fault.model_dump() for fault in self.control.faults])

    async def _post_fault(self, request: web.Request) -> web.Response:
        fault = InjectedFault.model_validate(await _body(request))
        self.control.faults.append(fault)
        return web.json_response(fault.model_dump(), status=201)

    async def _delete_faults(self, request: web.Request) -> web.Response:  # noqa: ARG002 aiohttp's shape of handler
        self.control.faults.clear()
        return web.json_response({"faults": 0})

    async def _get_clock(self, request: web.Request) -> web.Response:  # noqa: ARG002 aiohttp's shape of handler
        return web.json_response({"now": self.clock.now().isoformat(), "speed": self.control.world.pace.speed})

    async def _post_clock(self, request: web.Request) -> web.Response:
        wish = await _body(request)
        if set(wish) - {"advance_s", "now"} or not wish:
            raise ValueError('send {"advance_s": seconds} or {"now": instant}')
        if "now" in wish:
            seconds = (datetime.fromisoformat(wish["now"]) - self.clock.now()).total_seconds()
        else:
            seconds = float(wish["advance_s"])
        now = self.clock.advance(seconds)
        self._note(advance=self.clock.offset.total_seconds())
        return web.json_response({"now": now.isoformat(), "speed": self.control.world.pace.speed})

    async def _post_break(self, request: web.Request) -> web.Response:
        order = FaultOrder.model_validate(await _body(request))
        self.control.bend(order, self.clock.now())
        self._note(**{"break": order.model_dump()})
        return web.json_response(self.control.estate()["faults"][-1], status=201)

    async def _post_repair(self, request: web.Request) -> web.Response:
        order = FaultOrder.model_validate(await _body(request))
        self.control.repair(order, self.clock.now())
        self._note(repair=order.model_dump())
        return web.json_response({"repaired": order.fault})

    async def _post_throttle(self, request: web.Request) -> web.Response:
        self.throttle.configure(await _body(request))
        return web.json_response(self.throttle.settings())

    def _note(self, **entry: object) -> None:
        self.journal.write({"at": self.clock.now().isoformat(), "speed": self.control.world.pace.speed, **entry})


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise ValueError("the body must be JSON") from error
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 one kind of complaint for all bodies
    return body
