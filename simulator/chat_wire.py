"""What the simulated chat platforms share: a local server, injected failures, rate windows and waiting."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

Json = dict[str, Any]
T = TypeVar("T")

POLL_S = 0.02


@dataclass
class Injected:
    """One prepared failure: what the next `left` calls of a method meet instead of their answer.

    `error` is the platform's own error name, `status` an HTTP status, `cut` closes the connection without an
    answer, `delay_s` waits first. With `after_effect` the call takes effect and only its answer is lost.
    """

    left: int = 1
    error: str | None = None
    status: int | None = None
    cut: bool = False
    delay_s: float = 0.0
    after_effect: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class Call:
    """One request as it arrived: `method` is the platform's name for it, `at` seconds since the epoch."""

    method: str
    args: Json
    at: float
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Windows:
    """Sliding windows: at most `count` hits of a key within `seconds`, for every rule given."""

    def __init__(self) -> None:
        self._hits: dict[str, deque[float]] = {}

    def hit(self, key: str, rules: Iterable[tuple[int, float]], now: float) -> float | None:
        """Count one hit and return None, or return the seconds to wait and count nothing."""
        hits = self._hits.setdefault(key, deque())
        ordered = sorted(rules, key=lambda rule: rule[1])
        while hits and hits[0] <= now - ordered[-1][1]:
            hits.popleft()
        for count, seconds in ordered:
            inside = [at for at in hits if at > now - seconds]
            if len(inside) >= count:
                return inside[-count] + seconds - now
        hits.append(now)
        return None


def retry_after_header(seconds: float) -> dict[str, str]:
    """Return a Retry-After header in whole seconds, at least 1, as the platforms send it."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


class LocalServer:
    """An aiohttp server on 127.0.0.1 that records calls, can be told to fail, and lets others wait for it."""

    def __init__(self) -> None:
        self.port = 0
        self.version = 0
        self.calls: list[Call] = []
        self.throttle: dict[str, int] = {}
        self.faults: dict[str, list[Injected]] = {}
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Event()

    @property
    def origin(self) -> str:
        """The server's address without a trailing slash, e.g. `http://127.0.0.1:40001`."""
        return f"http://127.0.0.1:{self.port}"

    def make_app(self) -> web.Application:
        """Return the application with all routes; each kind of server has its own."""
        return web.Application()

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1 (port 0: any free one) and remember the port."""
        self._runner = web.AppRunner(self.make_app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the server and every connection; a second call does nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def changed(self) -> None:
        """Tell everybody who waits that something was recorded."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def next_change(self, seen: int, within_s: float) -> bool:
        """Wait until `version` differs from `seen`, at most `within_s` seconds; tell whether it does."""
        if self.version == seen:
            try:
                async with asyncio.timeout(within_s):
                    await self._changed.wait()
            except TimeoutError:
                return False
        return True

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109 - the message on expiry tells what did arrive
        """Return the first truthy answer of `predicate`; TimeoutError, listing recorded calls, after `timeout` s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not (found := predicate()):
            if loop.time() > deadline:
                recorded = ", ".join(call.method for call in self.calls[-12:]) or "nothing"
                raise TimeoutError(f"not seen within {timeout} s; the last calls were: {recorded}")
            # What is waited for may depend on other servers too, so a short poll backs the notification.
            await self.next_change(self.version, POLL_S)
        return found

    def fail_next(
        self,
        method: str,
        times: int = 1,
        *,
        error: str | None = None,
        status: int | None = None,
        cut: bool = False,
        delay_s: float = 0.0,
        after_effect: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Prepare a failure for the next `times` calls of `method`; see `Injected` for the choices."""
        fault = Injected(times, error, status, cut, delay_s, after_effect, retry_after)
        self.faults.setdefault(method, []).append(fault)

    def _take_fault(self, method: str) -> Injected | None:
        waiting = self.faults.get(method, [])
        if not waiting:
            return None
        fault = waiting[0]
        fault.left -= 1
        if fault.left <= 0:
            waiting.pop(0)
        return fault

    def _take_throttle(self, method: str) -> bool:
        left = self.throttle.get(method, 0)
        if left > 0:
            self.throttle[method] = left - 1
        return left > 0

    async def answer(
        self,
        request: web.Request,
        method: str,
        effect: Callable[[], Awaitable[web.Response]],
        error_body: Callable[[str], web.Response],
    ) -> web.StreamResponse:
        """Run `effect` and return its answer, or what a prepared failure of `method` makes of it."""
        fault = self._take_fault(method)
        if fault is None:
            return await effect()
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        real = await effect() if fault.after_effect else None
        if fault.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fault.error is not None:
            response = error_body(fault.error)
        elif fault.status is not None:
            response = web.Response(status=fault.status, text="the simulator was told to fail")
        else:
            return real if real is not None else await effect()
        if fault.status is not None:
            response.set_status(fault.status)
        if fault.retry_after is not None:
            response.headers.update(retry_after_header(fault.retry_after))
        return response
