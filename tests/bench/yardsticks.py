"""The least that a bot could do: take a request in, insert one row, answer. ``slack`` with slack-bolt, ``webhook`` bare.

The database is SQLite through the same driver and with the same settings as the bot's, one committed row for each request.
"""

import asyncio
import json
import re
import sys
import uuid
from typing import Any

import aiosqlite
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult

from tests.e2e.support import SECRET, TOKEN


async def _open(path: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        await connection.execute(f"PRAGMA {pragma}")
    await connection.execute("CREATE TABLE inbox (id TEXT PRIMARY KEY, payload TEXT NOT NULL)")
    return connection


async def _insert(connection: aiosqlite.Connection, payload: str) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    await connection.execute("INSERT INTO inbox VALUES (?, ?)", (uuid.uuid4().hex, payload))
    await connection.execute("COMMIT")


def _slack(connection: aiosqlite.Connection, turn: asyncio.Lock) -> web.Application:
    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token="xoxb-none")

    bolt = AsyncApp(signing_secret=SECRET, authorize=authorize, process_before_response=True)

    @bolt.command(re.compile(".*"))
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        async with turn:
            await _insert(connection, json.dumps(body))
        await ack()

    async def handle(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.router.add_post("/slack/events", handle)
    return app


def _webhook(connection: aiosqlite.Connection, turn: asyncio.Lock) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        if request.query.get("token") != TOKEN:
            return web.Response(status=401)
        body = await request.json()
        async with turn:
            await _insert(connection, json.dumps(body))
        return web.json_response({"accepted": True}, status=202)

    app = web.Application()
    app.router.add_post("/webhooks/azure-monitor", handle)
    return app


async def _serve(kind: str, path: str) -> None:
    connection, turn = await _open(path), asyncio.Lock()
    runner = web.AppRunner((_slack if kind == "slack" else _webhook)(connection, turn), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
