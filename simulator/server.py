"""The simulated Azure as a server: `Simulator` for programs and tests, `run_simulator` for the command line.

    async with Simulator(estate="contoso", speed=60) as sim:
        sim.arm, sim.http, sim.ca_file, sim.tenant_id, sim.subscription_id   # where it is
        sim.env                                                             # what clients need in their environment
        sim.describe()                                                      # all of it as JSON
        sim.world, sim.clock, sim.control                                   # its insides, for tests

It binds 127.0.0.1 only: TLS for Resource Manager, Entra, Resource Graph and the one call of Microsoft Graph; plain http
for `/_sim/*` (see `simulator.control`) and the managed-identity endpoints `/msi/token` and `/metadata/identity/…`.
"""

import asyncio
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from simulator.arm.call import Answer
from simulator.arm.pipeline import Pipeline, Request
from simulator.arm.throttle import Throttle
from simulator.build import build, grant_delay
from simulator.clock import SimClock, wall_time
from simulator.control import Control, FaultOrder, InjectedFault
from simulator.control_http import ControlRoutes
from simulator.entra import IDENTITY_HEADER, Entra
from simulator.estate import Estate, load
from simulator.journal import Journal
from simulator.timings import Pace
from simulator.tls import server_context
from simulator.world.model import Json, stable_uuid

Extension = Callable[[web.Application], None]
SETTLE_MARGIN = 0.5
TOO_LARGE = 4 * 1024 * 1024


class Simulator:
    """A simulated Azure; use as an async context manager.

    `estate` is a shipped name, a file, `fleet:V:I` or an Estate; port 0 picks a free one; `speed` divides the length of
    Azure's own processes; `state_dir` keeps certificate and world over restarts; `extend` are functions that add routes
    to the plain-http application before it starts, and `origins` are further pages that may call `/_sim`.
    """

    def __init__(  # noqa: PLR0913 each is an independent switch
        self,
        estate: str | Path | Estate = "contoso",
        port: int = 0,
        http_port: int = 0,
        latency_ms: int = 0,
        speed: float = 1.0,
        state_dir: str | Path | None = None,
        *,
        page_size: int = 100,
        extend: Sequence[Extension] = (),
        origins: Sequence[str] = (),
        now: datetime | None = None,
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be greater than 0")
        self._wanted = (port, http_port)
        self._latency = latency_ms / 1000
        self._extend = extend
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._runners: list[web.AppRunner] = []
        if state_dir is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="simulated-azure-")
            self._directory = Path(self._scratch.name)
        else:
            self._directory = Path(state_dir)
            self._directory.mkdir(parents=True, exist_ok=True)
        self._context, ca_file = server_context(self._directory / "tls")
        self.ca_file = str(ca_file)
        self.arm = self.http = ""
        self.clock = SimClock()
        self._build(estate, speed, now, page_size, keep=state_dir is not None)
        self._routes = ControlRoutes(self.control, self.clock, self.throttle, self._journal, set(origins))

    def _build(
        self, estate: str | Path | Estate, speed: float, now: datetime | None, page_size: int, *, keep: bool
    ) -> None:
        journal = Journal(self._directory / "world.jsonl" if keep else None)
        entries = list(journal.entries())
        if entries:
            first = entries[0]
            source: str | Path | Estate = Estate.model_validate(first["estate"]) if first["inline"] else first["estate"]
            epoch, secret = datetime.fromisoformat(first["epoch"]), first["secret"]
        else:
            source, epoch, secret = estate, now or wall_time(), secrets.token_hex(32)
            inline = isinstance(estate, Estate)
            shown = estate.model_dump(mode="json") if isinstance(estate, Estate) else str(estate)
            journal.write({"estate": shown, "inline": inline, "epoch": epoch.isoformat(), "secret": secret})
        if now is not None:
            self.clock.offset = now - wall_time()
        loaded = source if isinstance(source, Estate) else load(source)
        self.world = build(loaded, epoch, speed)
        self.pipeline = Pipeline(self.world, journal, page_size)
        self.control = Control(self.world)
        self.throttle = Throttle()
        self.entra = Entra(self.world, secret)
        self._journal = journal
        self._replay(entries[1:])
        self._pace(speed)

    def _pace(self, speed: float) -> None:
        self.world.pace = Pace(speed)
        self.world.lengths.clear()

    def _replay(self, entries: list[Json]) -> None:
        self._journal.replaying = True
        for entry in entries:
            now = datetime.fromisoformat(entry["at"])
            self._pace(entry["speed"])
            if "request" in entry:
                self.pipeline.perform(Request(**entry["request"]), now)
            elif "advance" in entry:
                self.clock.offset = timedelta(seconds=entry["advance"])
            elif "break" in entry:
                self.control.bend(FaultOrder(**entry["break"]), now)
            elif "repair" in entry:
                self.control.repair(FaultOrder(**entry["repair"]), now)
        self._journal.replaying = False

    @property
    def tenant_id(self) -> str:
        """The tenant of the simulated cloud."""
        return self.world.tenant

    @property
    def subscription_id(self) -> str:
        """The first subscription of the estate."""
        return next(iter(self.world.subscriptions))

    def _application(self, name: str) -> tuple[str, str]:
        found = next(p for p in self.world.principals.values() if p.name == name and p.secret)
        return found.client_id, found.secret

    @property
    def env(self) -> dict[str, str]:
        """The environment that a client of this simulator needs, in the names of the bot and of azure-identity."""
        reader, reader_secret = self._application("reader")
        operator, operator_secret = self._application("operator")
        settle = grant_delay(self.world)
        return {
            "BACKUPBOT_ARM_ENDPOINT": self.arm,
            "BACKUPBOT_ARM_SCOPE": f"{self.arm}/.default",
            "BACKUPBOT_CA_FILE": self.ca_file,
            "BACKUPBOT_CLOCK_URL": f"{self.http}/_sim/clock",
            "BACKUPBOT_GRAPH_ENDPOINT": self.arm,
            "BACKUPBOT_ROLE_SETTLE": f"{settle * 1.05 + SETTLE_MARGIN:.1f}s",
            "AZURE_AUTHORITY_HOST": self.arm,
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_CLIENT_ID": reader,
            "AZURE_CLIENT_SECRET": reader_secret,
            "AZURE_OPERATOR_CLIENT_ID": operator,
            "AZURE_OPERATOR_CLIENT_SECRET": operator_secret,
        }

    def describe(self) -> dict[str, Any]:
        """Where everything is, as the command line prints it."""
        return {
            "arm": self.arm,
            "http": self.http,
            "ca_file": self.ca_file,
            "tenant_id": self.tenant_id,
            "subscription_id": self.subscription_id,
            "subscriptions": {sub.name: sub.id for sub in self.world.subscriptions.values()},
            "managed_identity": {"endpoint": f"{self.http}/msi/token", "header": IDENTITY_HEADER},
            "env": self.env,
        }

    async def __aenter__(self) -> Self:
        """Starts both servers."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops both servers and removes what was only for this run."""
        await self.stop()

    async def start(self) -> None:
        """Binds the ports and answers from then on."""
        secure = web.Application(client_max_size=TOO_LARGE)
        secure.router.add_post("/{tenant}/oauth2/v2.0/token", self.entra.token)
        secure.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self.entra.configuration)
        secure.router.add_get("/{tenant}/discovery/v2.0/keys", self.entra.keys)
        secure.router.add_get("/metadata/endpoints", self.entra.metadata)
        secure.router.add_route("*", "/{path:.*}", self._serve)
        plain = web.Application(client_max_size=TOO_LARGE)
        self._routes.add_to(plain)
        plain.router.add_get("/msi/token", self.entra.managed_identity)
        plain.router.add_get("/metadata/identity/oauth2/token", self.entra.managed_identity)
        for extension in self._extend:
            extension(plain)
        port = await self._listen(secure, self._wanted[0], secure_layer=True)
        http_port = await self._listen(plain, self._wanted[1], secure_layer=False)
        self.arm = self.entra.origin = f"https://127.0.0.1:{port}"
        self.http = f"http://127.0.0.1:{http_port}"
        self._routes.origins.add(self.http)

    async def stop(self) -> None:
        """Closes both servers."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        if self._scratch is not None:
            self._scratch.cleanup()

    async def _listen(self, app: web.Application, port: int, *, secure_layer: bool) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        context = self._context if secure_layer else None
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        return int(runner.addresses[0][1])

    # Resource Manager

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Answers a request; with a latency that long after it came: half of it on the way there, half on the way back."""
        if not self._latency:
            return await self._answer(request)
        loop = asyncio.get_running_loop()
        back_at = loop.time() + self._latency
        await asyncio.sleep(self._latency / 2)
        response = await self._answer(request)
        await asyncio.sleep(max(0.0, back_at - loop.time()))
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw_path, _, query = request.raw_path.partition("?")
        oid = self.entra.whose(request.headers.get("Authorization"))
        fault = self.control.fault_for(request.method, request.path)
        if fault is not None and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        correlation = request.headers.get(
            "x-ms-correlation-request-id", stable_uuid("correlation", self.control.count, raw_path, oid)
        )
        replaced = fault if fault is not None and (fault.status or fault.cut) else None
        action = body = ""
        if replaced is not None and not replaced.after_effect:
            answer = self._injected(replaced)
        elif not oid:
            answer = Answer(
                401,
                {
                    "error": {
                        "code": "InvalidAuthenticationToken",
                        "message": "The access token is missing, invalid or has expired.",
                    }
                },
                self.entra.challenge(),
            )
        else:
            body = (await request.read()).decode("utf-8", "replace")
            wanted = Request(
                oid, request.method, raw_path, query, body, self.arm, {"x-ms-correlation-request-id": correlation}
            )
            answer, action = self._perform(wanted)
            if replaced is not None:
                answer = self._injected(replaced)
        status = 0 if replaced and replaced.cut else answer.status
        self.control.record(self._identity(oid), request.method, request.path, query, status, _object(body))
        if replaced is not None and replaced.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        headers = {
            **answer.headers,
            **self.throttle.headers(action),
            **(self.throttle.graph_headers(oid) if "ResourceGraph/resources" in raw_path else {}),
            "x-ms-request-id": stable_uuid("request", self.control.count, raw_path),
            "x-ms-correlation-request-id": correlation,
        }
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        return web.json_response(answer.body, status=answer.status, headers=headers)

    def _perform(self, wanted: Request) -> tuple[Answer, str]:
        limited = self.throttle.refusal(wanted.method, wanted.path, wanted.caller, self.pipeline.router)
        if limited is not None:
            return limited.answer(), ""
        return self.pipeline.perform(wanted, self.clock.now())

    @staticmethod
    def _injected(fault: InjectedFault) -> Answer:
        status = fault.status or 500
        codes = {429: "TooManyRequests", 500: "InternalServerError", 503: "ServiceUnavailable", 504: "GatewayTimeout"}
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        code = fault.code or codes.get(status, "SimulatedFault")
        return Answer(status, {"error": {"code": code, "message": "An injected fault of the simulator."}}, headers)

    def _identity(self, oid: str) -> str:
        who = self.world.principals.get(oid)
        return who.name if who is not None and who.secret else oid


def _object(body: str) -> Json | None:
    try:
        said = json.loads(body) if body.strip() else None
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def run_simulator(
    estate: str = "contoso",
    port: int = 0,
    http_port: int = 0,
    latency_ms: int = 0,
    speed: float = 1.0,
    state_dir: str | None = None,
) -> None:
    """Runs a simulator until SIGTERM or SIGINT; the first line on stdout is its description as JSON.

    Raises simulator.estate.EstateError for an estate that cannot be used.
    """
    asyncio.run(_run(Simulator(estate, port, http_port, latency_ms, speed, state_dir)))


async def _run(simulator: Simulator) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with simulator:
        sys.stdout.write(json.dumps(simulator.describe()) + "\n")
        sys.stdout.flush()
        await stopped.wait()
