"""The HTTP routes, on one port."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Health:
    """What ``/readyz`` asks: a name and a check that returns "" or what is wrong, without naming vaults, items or people."""

    checks: Mapping[str, Callable[[], Awaitable[str]]] = field(default_factory=dict)

    async def reasons(self) -> dict[str, str]:
        """What is wrong, by part; empty when the bot is ready."""
        found: dict[str, str] = {}
        for name, check in self.checks.items():
            if wrong := await check():
                found[name] = wrong
        return found


@web.middleware
async def _log_and_guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line a request, with the path and never the query; an error inside is 500 with no text of its own."""
    log = structlog.get_logger()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        log.info("request", method=request.method, path=request.path, status=error.status)
        raise
    except Exception:
        # The edge of the process: the caller learns nothing, the log everything.
        log.exception("request_failed", method=request.method, path=request.path)
        return web.json_response({"error": "something broke; the log has the details"}, status=500)
    log.info("request", method=request.method, path=request.path, status=response.status)
    return response


def build(routes: Mapping[str, Handler], health: Health, metrics: CollectorRegistry) -> web.Application:
    """The application; ``routes`` maps the path of each transport that is on to its handler (all are POST)."""
    app = web.Application(middlewares=[_log_and_guard], client_max_size=MAX_BODY)
    for path, handler in routes.items():
        app.router.add_post(path, handler)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        wrong = await health.reasons()
        return web.json_response({"ready": not wrong, "reasons": wrong}, status=503 if wrong else 200)

    async def metric_text(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metric_text)
    return app
