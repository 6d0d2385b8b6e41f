"""A stand-in for Azure: a TLS server with a token endpoint whose answers a test lays down, and which notes what arrives."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web

from simulator.tls import server_context

TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
READER = "33333333-3333-3333-3333-333333333333"
OPERATOR = "44444444-4444-4444-4444-444444444444"
SECRET = "right-secret"


@dataclass
class Answer:
    """What the stub does with a request: answer, after a while, or cut the line once the request has been read."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    raw: bytes | None = None
    content_type: str = "application/json"


@dataclass
class Seen:
    """A request as it arrived; the path decoded, as a server matches it."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    connection: int


class StubArm:
    """Answers in turn what was laid down for (method, path); the last answer stays."""

    def __init__(self, directory: Path) -> None:
        self._context, self.ca_file = server_context(directory)
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.seen: list[Seen] = []
        self.token_requests: list[dict[str, str]] = []
        self.token_answer: Answer | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def lay(self, method: str, path: str, *answers: Answer) -> None:
        """Answer (method, path) with these, one after the other."""
        self._answers[method, path.casefold()].extend(answers)

    def count(self, method: str) -> int:
        """How many requests with that method arrived, token requests left out."""
        return sum(1 for one in self.seen if one.method == method)

    @property
    def environment(self) -> dict[str, str]:
        """The identity values of a client of this stub."""
        return {
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": READER,
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_OPERATOR_CLIENT_ID": OPERATOR,
            "AZURE_OPERATOR_CLIENT_SECRET": SECRET,
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = unquote(request.rel_url.raw_path)
        if path.endswith("/oauth2/v2.0/token"):
            return await self._token(request)
        text = await request.text()
        assert request.transport is not None
        self.seen.append(
            Seen(
                request.method,
                path,
                dict(request.query),
                json.loads(text) if text else None,
                dict(request.headers),
                request.transport.get_extra_info("peername")[1],
            )
        )
        laid = self._answers[request.method, path.casefold()]
        if not laid:
            return web.json_response({"error": {"code": "NotFound", "message": f"nothing at {path}"}}, status=404)
        return await self._play(request, laid.pop(0) if len(laid) > 1 else laid[0])

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.token_requests.append(form)
        if self.token_answer is not None:
            return await self._play(request, self.token_answer)
        if form.get("client_secret") != SECRET:
            body = {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the"
                " value, not its id. Trace ID: abc Correlation ID: def Timestamp: 2026-11-22 10:00:00Z",
                "error_codes": [7000215],
            }
            return web.json_response(body, status=401)
        token = f"token-{form['client_id']}-{form['scope']}"
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": token}
        )

    @staticmethod
    async def _play(request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        raw = (
            answer.raw if answer.raw is not None else (b"" if answer.body is None else json.dumps(answer.body).encode())
        )
        return web.Response(
            status=answer.status, body=raw, headers={"Content-Type": answer.content_type, **answer.headers}
        )
