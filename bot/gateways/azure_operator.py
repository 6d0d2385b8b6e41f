"""The operator: sends exactly one planned call, once, and says exactly what is known of its outcome."""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from bot.gateways.azure_allowed import check_allowed
from bot.gateways.azure_credentials import OneFetch
from bot.gateways.azure_errors import clean, never_left, of_response, translate, translated
from bot.gateways.azure_policies import PinHost, deadline
from bot.gateways.azure_reader import permissions_at
from bot.gateways.azure_wire import plain_mapping
from bot.gateways.azure_wiring import ArmClient, AzureConnection
from domain.backup import Permission
from domain.errors import GatewayError, GatewayUnavailable, OutcomeUnknown
from domain.fix import Call, Kind, Receipt

_LOG = logging.getLogger(__name__)
_REDIRECT, _CLIENT_ERROR, _REQUEST_TIMEOUT, _SERVER_ERROR = 300, 400, 408, 500
_LARGEST_BODY = 16_384


class AzureOperator:
    """A :class:`domain.ports.BackupOperator` over the real Azure.

    ``seconds`` bounds a call from sign-in to answer. A call that has started runs to its end even when its caller is
    cancelled; :meth:`drain` waits for those.
    """

    def __init__(self, connection: AzureConnection, credential: OneFetch, *, seconds: float = 30.0) -> None:
        cloud = connection.cloud
        self._credential = credential
        self._scope = cloud.scope
        self._seconds = seconds
        # No retries, no challenges, no redirects: one request in, at most one request out.
        self._once = ArmClient(cloud.endpoint, [UserAgentPolicy("backupbot"), PinHost(cloud.endpoint)], connection.once)
        self._reader = connection.arm(credential)
        self._running: set[asyncio.Task[Receipt]] = set()

    @property
    def client_id(self) -> str:
        """The identity's client id; part of every fingerprint."""
        return self._credential.client_id

    async def send(self, call: Call) -> Receipt:
        """Send ``call`` once, never again by itself.

        Raises BadRequest before anything is sent for a call that :data:`bot.gateways.azure_allowed.ALLOWED` does not cover,
        GatewayUnavailable when Azure could not be reached or signed in to, so that nothing happened, OutcomeUnknown when
        the request may have arrived and its answer did not, and the other GatewayErrors when Azure said no.
        """
        check_allowed(call)
        task = asyncio.create_task(self._send_once(call))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What the operator identity may do at ``scope``."""
        async with translated(f"reading the operator's permissions at {scope}"), deadline(self._seconds):
            return await permissions_at(self._reader, scope)

    async def drain(self) -> None:
        """Wait until no call is under way."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _ended(self, task: asyncio.Task[Receipt]) -> None:
        self._running.discard(task)
        # Looked at here too, because a cancelled caller no longer does.
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.info("a changing call failed: %s", clean(str(error)))

    async def _send_once(self, call: Call) -> Receipt:
        what = f"{call.method} {call.resource}"
        request_id = str(uuid.uuid4())
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        # Signing in comes first and by itself, so that its failure is never mistaken for one of the call.
        async with translated(f"signing in for {what}"), deadline(self._seconds, own=True):
            token = (await self._credential.get_token(self._scope)).token
        try:
            async with deadline(until - loop.time(), own=True):
                response = await self._once.send(self._request(call, token, request_id))
        except TimeoutError as error:
            raise _unknown(what, "no answer came in time", request_id) from error
        except (AzureError, OSError, ValueError) as error:
            if never_left(error):
                raise _nothing_happened(what, error) from error
            raise _unknown(what, clean(str(error)), request_id) from error
        return _receipt(what, response, request_id, secret=call.kind is Kind.ACCESS_TOKEN)

    def _request(self, call: Call, token: str, request_id: str) -> HttpRequest:
        return HttpRequest(
            call.method.upper(),
            self._once.address(call.resource),
            params={**call.query, "api-version": call.api_version},
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "x-ms-client-request-id": request_id,
            },
            json=None if call.body is None else _json(call.body),
        )


def _json(body: object) -> Any:  # noqa: ANN401  (JSON)
    """``body`` as the dictionaries and lists that json.dumps knows."""
    if isinstance(body, Mapping):
        return {str(name): _json(value) for name, value in body.items()}
    if isinstance(body, list | tuple):
        return [_json(one) for one in body]
    return body


class _Hidden(dict[str, object]):
    """An answer that is needed whole for the very next call and must not be printed on the way."""

    def __repr__(self) -> str:
        return "(secret)"


def _receipt(what: str, response: AsyncHttpResponse, request_id: str, *, secret: bool) -> Receipt:
    status, headers = response.status_code, response.headers
    correlation = headers.get("x-ms-correlation-request-id") or headers.get("x-ms-request-id") or request_id
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        said = of_response(what, response)
        raise OutcomeUnknown(
            f"It is not known whether this took effect: {said}", code=said.code, correlation_id=correlation
        )
    if status >= _REDIRECT:
        raise of_response(what, response)
    return Receipt(
        status=status,
        operation_id=operation_id(headers),
        correlation_id=correlation,
        request_id=headers.get("x-ms-request-id") or request_id,
        body=_Hidden(_body(response)) if secret else _small_body(response),
    )


def operation_id(headers: Mapping[str, str]) -> str:
    """The last path segment of the operation's address, unquoted: a GUID, or base64 ending in ``=``; "" when there is none.

    The address itself is dropped: its query is a signed capability.
    """
    address = headers.get("Azure-AsyncOperation") or headers.get("Location") or ""
    return unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])


def _small_body(response: AsyncHttpResponse) -> dict[str, object]:
    return plain_mapping(_body(response)) if len(response.content) <= _LARGEST_BODY else {}


def _body(response: AsyncHttpResponse) -> Mapping[str, object]:
    try:
        body = response.json()
    except (AzureError, ValueError, LookupError):
        return {}  # accepted all the same: what Azure says beside it is a courtesy
    return body if isinstance(body, Mapping) else {}


def _unknown(what: str, why: str, request_id: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"It is not known whether this took effect ({why}): {what}.", correlation_id=request_id)


def _nothing_happened(what: str, error: Exception) -> GatewayError:
    said = translate(what, error)
    return GatewayUnavailable(f"Nothing was sent. {said}")
