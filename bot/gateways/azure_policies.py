"""What every request to Azure passes through: bounded retries, a pinned host, a limit on calls at one time, deadlines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, AsyncRetryPolicy, SansIOHTTPPolicy

from bot.gateways.azure_errors import ForeignHostError, body_of, retry_delay

_LIMIT: ContextVar[float | None] = ContextVar("azure_deadline", default=None)
_CHANGING = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_TOO_MANY = 429


@contextlib.asynccontextmanager
async def deadline(seconds: float, *, own: bool = False) -> AsyncIterator[None]:
    """Bound everything inside by ``seconds``; a deadline inside another can only be earlier unless it is its ``own``.

    Raises TimeoutError.

    azure-core's own ``timeout`` bounds neither a request in flight nor a Retry-After, and its retries look here.
    """
    outer = _LIMIT.get()
    limit = asyncio.get_running_loop().time() + seconds
    if outer is not None and not own:
        limit = min(limit, outer)
    token = _LIMIT.set(limit)
    try:
        async with asyncio.timeout_at(limit):
            yield
    finally:
        _LIMIT.reset(token)


class BoundedRetry(AsyncRetryPolicy[Any, Any]):
    """Retries reads only, and only when the wait ends before the caller's deadline; else the answer is passed on at once.

    A request that changes something is never sent twice: whatever the answer, it may have acted.
    """

    def __init__(self) -> None:
        super().__init__(
            retry_total=4,
            retry_connect=2,
            retry_read=2,
            retry_status=3,
            retry_backoff_factor=0.4,
        )
        self._method_whitelist = frozenset({"GET", "HEAD"})

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Seconds that the answer asks for, also where only its text says so."""
        answer = response.http_response
        if answer.status_code == _TOO_MANY:
            return retry_delay(answer.headers, body_of(answer))
        return super().get_retry_after(response)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether to send a read again after this answer."""
        if response.http_request.method.upper() in _CHANGING or not super().is_retry(settings, response):
            return False
        wait = self.get_retry_after(response)
        return self._fits(self.get_backoff_time(settings) if wait is None else wait)

    @staticmethod
    def _fits(wait: float) -> bool:
        limit = _LIMIT.get()
        return limit is None or asyncio.get_running_loop().time() + wait < limit


class PinHost(SansIOHTTPPolicy[Any, Any]):
    """Lets a request go to one origin only.

    ``nextLink`` and operation addresses come from the wire and would carry the bearer token wherever they point.
    """

    def __init__(self, endpoint: str) -> None:
        self._origin = origin(endpoint)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise :class:`ForeignHostError` for any other origin."""
        if origin(request.http_request.url) != self._origin:
            raise ForeignHostError("refusing to carry the token to another host")


class Gate(AsyncHTTPPolicy[Any, Any]):
    """Lets a limited number of requests be in flight; the SDK is bound by the processor, more at one time is slower.

    It stands behind the retries, so that a request which waits to be sent again holds no place.
    """

    def __init__(self, places: asyncio.Semaphore) -> None:
        super().__init__()
        self._places = places

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send the request once there is a place."""
        async with self._places:
            return await self.next.send(request)


def origin(url: str) -> tuple[str, str]:
    """Scheme and host with port, in lower case."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
