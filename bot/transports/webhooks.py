"""``POST /webhooks/azure-monitor``: authenticated, stored, accepted; everything else happens later."""

import asyncio
import hmac
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.store import tables as t
from bot.store.store import Row, Store
from bot.workflows.incidents import Incidents
from handlers.alerts.azure_monitor import NotAnAlertError, parse

MAX_BYTES = 256 * 1024
STORE_WITHIN_S = 5.0
"""An action group waits ten seconds for its answer."""
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it, which PostgreSQL cannot keep: storing it would fail at each delivery."""


class Authenticate(Protocol):
    """Whether a request proves that it comes from the action group."""

    async def __call__(self, request: web.Request) -> int:
        """0 when it does, else the status that refuses it: 401 or 403."""
        ...


@dataclass(frozen=True)
class SharedSecret:
    """``?token=`` or ``Authorization: Bearer``; several secrets are valid while they are being changed."""

    secrets: Sequence[str]

    async def __call__(self, request: web.Request) -> int:
        """Compare in constant time, every secret, so that time tells nothing."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer.strip() if scheme.casefold() == "bearer" else request.query.get("token", "")
        if not given:
            return 401
        # aiohttp hands undecodable bytes of a header on as surrogates.
        results = [hmac.compare_digest(given.encode(errors="surrogateescape"), one.encode()) for one in self.secrets]
        return 0 if any(results) else 401


def route(
    store: Store, authenticate: Sequence[Authenticate], wake: Callable[[], None]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of ``POST /webhooks/azure-monitor``."""
    log = structlog.get_logger()
    unfinished: set[asyncio.Task[bool]] = set()

    async def azure_monitor(request: web.Request) -> web.Response:
        statuses = [await one(request) for one in authenticate]
        if 0 not in statuses:
            return web.json_response({"error": "not authenticated"}, status=max(statuses))
        try:
            body = await _body(request)
            alert = parse(body)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": f"an alert has at most {MAX_BYTES} bytes"}, status=413)
        except (NotAnAlertError, ValueError) as error:
            return web.json_response({"error": f"not an alert: {error}"[:300]}, status=400)
        storing = asyncio.create_task(store_alert(store, alert.delivery_key, body, wake))
        unfinished.add(storing)
        storing.add_done_callback(unfinished.discard)
        storing.add_done_callback(lambda one: one.cancelled() or one.exception())  # asyncio wants it to be looked at
        try:
            # What comes too late is stored all the same, and a delivery that is repeated then is no second alert.
            async with asyncio.timeout(STORE_WITHIN_S):
                new = await asyncio.shield(storing)
        except (SQLAlchemyError, OSError) as error:
            # 500 would lose the alert: action groups try again on 408, 429, 503 and 504 only.
            # https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#webhook
            log.warning("alert_not_stored", error=type(error).__name__)
            return web.json_response(
                {"error": "the store is down; send it again"}, status=503, headers={"Retry-After": "5"}
            )
        return web.json_response({"accepted": True, "new": new}, status=202)

    return azure_monitor


async def store_alert(store: Store, delivery_key: str, body: Mapping[str, Any], wake: Callable[[], None]) -> bool:
    """Keep a delivery; False when it is a repetition."""
    async with store.begin() as tx:
        new = await tx.insert_new(
            t.alerts, id=uuid.uuid4().hex, delivery_key=delivery_key, payload=body, received_at=tx.now
        )
    if new:
        wake()
    return new


async def _body(request: web.Request) -> Mapping[str, Any]:
    if request.content_length is not None and request.content_length > MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BYTES, request.content_length)
    content = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > MAX_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BYTES, len(content))
    try:
        body = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
        storable = json.dumps(body, ensure_ascii=False)
        storable.encode()
    except RecursionError as error:
        raise NotAnAlertError("it is nested too deeply") from error
    if not isinstance(body, dict):
        raise NotAnAlertError("it is not a JSON object")
    if NUL.search(storable):
        raise NotAnAlertError("it holds a NUL character")
    return body


def _no_number(text: str) -> float:
    raise NotAnAlertError(f"{text} is not JSON")


def worker(incidents: Incidents) -> Callable[[Row], Awaitable[None]]:
    """What the drain of ``alerts`` does with each row."""

    async def work(row: Row) -> None:
        await incidents.from_alert(row["id"], parse(row["payload"]))

    return work
