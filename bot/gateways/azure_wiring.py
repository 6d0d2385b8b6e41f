"""One wiring for production and simulation: endpoint, scope, CA file and identity values are all that differs."""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote, urlsplit

import aiohttp
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy, CustomHookPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from azure.mgmt.recoveryservices.aio import RecoveryServicesClient
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient
from azure.mgmt.recoveryservicesbackup.models import _models as backup_models

from bot.gateways.azure_credentials import OneFetch, operator_credential, reader_credential
from bot.gateways.azure_policies import BoundedRetry, Gate, PinHost
from bot.gateways.azure_wire import Wire, as_mapping, rows, surprise, text
from bot.gateways.discriminators import flatten_discriminators
from domain.errors import GatewayUnavailable

T = TypeVar("T")

MOST_PAGES = 20
_SUCCESS = 300
_SAFE_IN_PATH = "/;:@!$&'()*+,=~"
_QUOTED = re.compile("(%[0-9A-Fa-f]{2})")

flatten_discriminators(backup_models)


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Which Azure: ARM's address and token scope, Microsoft Graph's, and a CA file to trust besides the system's.

    ``trust_env`` lets aiohttp use ``HTTPS_PROXY`` and ``NO_PROXY``; it costs two thread hops a request, so leave it off where
    no proxy is set. It never applies to a loopback endpoint.
    """

    endpoint: str = "https://management.azure.com"
    scope: str = "https://management.azure.com/.default"
    ca_file: str = ""
    graph_endpoint: str = "https://graph.microsoft.com"
    trust_env: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether this is a simulated Azure on this machine."""
        return urlsplit(self.endpoint).hostname in {"127.0.0.1", "::1", "localhost"}

    @property
    def graph_scope(self) -> str:
        """Graph's token scope."""
        return f"{self.graph_endpoint.rstrip('/')}/.default"


class SharedTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core exports it through a module __getattr__
    """azure-core's transport over a session that several clients share and that none of them can close.

    The first request opens it, so that everything can be built before there is an event loop. azure-core's own
    ``connection_verify`` is left alone: with a file it builds a context for every request, and aiohttp pools connections by
    context.
    """

    def __init__(
        self, context: ssl.SSLContext, *, trust_env: bool, once: bool = False, read_timeout: float = 20
    ) -> None:
        super().__init__(connection_timeout=5, read_timeout=read_timeout, use_env_settings=False)
        self.session: aiohttp.ClientSession | None = None
        self._context = context
        self._trust_env = trust_env
        self._once = once

    async def open(self) -> None:
        """Open the session unless it is open."""
        if self.session is not None:
            return
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._context, limit=64, keepalive_timeout=60)
            if not self._once
            # A pooled connection may have been closed by the other side; a changing request gets a fresh one, so that its
            # answer is not lost to that.
            else aiohttp.TCPConnector(ssl=self._context, limit=8, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=self._trust_env,
        )
        if self._once:
            # aiohttp sends a PUT or DELETE again by itself when the connection breaks, and has no public switch for it.
            self.session._retry_connection = False  # noqa: SLF001

    async def close(self) -> None:
        """Leave the session open: clients and credentials come and go, the connection's owner closes it."""

    async def shut(self) -> None:
        """Close the session."""
        session, self.session = self.session, None
        if session is not None:
            await session.close()


class ArmClient:
    """Plain ARM (or Graph) over the shared policies, for everything that needs no generated client of its own."""

    def __init__(self, endpoint: str, policies: Sequence[Any], transport: AioHttpTransport) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._client: AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncARMPipelineClient(
            self._endpoint, policies=list(policies), transport=transport
        )

    def address(self, path: str) -> str:
        """The whole address of ``path``, quoted as ARM expects it: ``;`` and ``'`` stay, and so does what is quoted."""
        parts = _QUOTED.split(path.lstrip("/"))
        return f"{self._endpoint}/" + "".join(
            part if number % 2 else quote(part, safe=_SAFE_IN_PATH) for number, part in enumerate(parts)
        )

    async def send(self, request: HttpRequest) -> AsyncHttpResponse:
        """Send a request and give the answer, whatever its status; raises azure-core's exceptions."""
        return await self._client.send_request(request)

    async def get(self, path: str, api_version: str = "", query: Mapping[str, str] | None = None) -> Wire:
        """The object at ``path``. Raises azure-core's exceptions, ValueError for what is not JSON, GatewayUnavailable."""
        params = {**(query or {}), **({"api-version": api_version} if api_version else {})}
        return await self._get(HttpRequest("GET", self.address(path), params=params), path)

    async def pages(self, path: str, api_version: str = "", query: Mapping[str, str] | None = None) -> list[Wire]:
        """All entries of a list, up to 20 pages; a longer one raises GatewayUnavailable rather than to come out short."""
        body = await self.get(path, api_version, query)
        found = entries(body)
        for _ in range(MOST_PAGES - 1):
            link = text(body, "nextLink", "@odata.nextLink")
            if not link:
                return found
            address = f"{self._endpoint}{link}" if link.startswith("/") else link
            body = await self._get(HttpRequest("GET", address), path)
            found += entries(body)
        if text(body, "nextLink", "@odata.nextLink"):
            raise GatewayUnavailable(too_long(path))
        return found

    async def _get(self, request: HttpRequest, path: str) -> Wire:
        response = await self.send(request)
        if response.status_code >= _SUCCESS:
            raise HttpResponseError(response=response)
        body = response.json()
        if not isinstance(body, Mapping):
            surprise(path, body)
        return body


def entries(body: Wire) -> list[Wire]:
    """The entries of one page. An answer that is no list raises GatewayUnavailable: it must not look like an empty one."""
    if not isinstance(body.get("value"), list):
        surprise("value", body.get("value"))
    return rows(body, "value")


def look_for_a_list(response: PipelineResponse[Any, Any]) -> None:
    """The same for a page of the generated clients, which take a missing list for an empty one."""
    if response.http_response.status_code < _SUCCESS:
        entries(as_mapping(response.context.get(ContentDecodePolicy.CONTEXT_NAME), "the answer"))


def too_long(path: str) -> str:
    """The sentence for a list that was cut."""
    return f"The list {path} has more than {MOST_PAGES} pages; a part of it would be misleading, so none is shown."


class AzureConnection:
    """Everything that is shared: one TLS context, one pool of connections, one limit on calls at one time.

    Building it reads the CA file (raises OSError or ssl.SSLError) and opens nothing; use it as an asynchronous context
    manager, or call :meth:`close`.
    """

    def __init__(self, cloud: Cloud, *, concurrency: int = 16) -> None:
        self.cloud = cloud
        # On loopback the given authority is the only one to trust; elsewhere it comes beside the system's.
        context = ssl.create_default_context(cafile=(cloud.ca_file or None) if cloud.is_loopback else None)
        if cloud.ca_file and not cloud.is_loopback:
            context.load_verify_locations(cloud.ca_file)
        trust_env = cloud.trust_env and not cloud.is_loopback
        self.transport = SharedTransport(context, trust_env=trust_env)
        self.once = SharedTransport(context, trust_env=trust_env, once=True, read_timeout=60)
        """For changing requests: never a used connection, never a second attempt. Its time limit is the caller's deadline."""
        self._places = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.shut()
        await self.once.shut()

    def reader_credential(self, values: Mapping[str, str]) -> OneFetch:
        """The identity that reads: see :func:`bot.gateways.azure_credentials.reader_credential`."""
        return reader_credential(values, self.transport)

    def operator_credential(self, values: Mapping[str, str]) -> OneFetch | None:
        """The identity that changes things, None in a read-only installation."""
        return operator_credential(values, self.transport)

    def policies(self, credential: OneFetch, endpoint: str, scope: str) -> list[Any]:
        """A fresh set of pipeline policies; policy objects know their successor and cannot be shared.

        Deliberately without redirects, without request logging (addresses may hold signatures) and without the automatic
        registration of resource providers, which would change the subscription.
        """
        return [
            RequestIdPolicy(),
            UserAgentPolicy("backupbot"),
            PinHost(endpoint),
            BoundedRetry(),
            AsyncARMChallengeAuthenticationPolicy(credential, scope),
            Gate(self._places),
        ]

    def arm(self, credential: OneFetch) -> ArmClient:
        """Plain ARM as ``credential``."""
        return ArmClient(
            self.cloud.endpoint, self.policies(credential, self.cloud.endpoint, self.cloud.scope), self.transport
        )

    def graph(self, credential: OneFetch) -> ArmClient:
        """Plain Microsoft Graph as ``credential``."""
        endpoint = self.cloud.graph_endpoint
        return ArmClient(endpoint, self.policies(credential, endpoint, self.cloud.graph_scope), self.transport)


class AzureClients:
    """The generated clients of one identity, one of each kind and subscription."""

    def __init__(self, connection: AzureConnection, credential: OneFetch) -> None:
        self._connection = connection
        self._credential = credential
        self._made: dict[tuple[object, str], object] = {}

    def backup(self, subscription: str) -> RecoveryServicesBackupClient:
        """Azure Backup."""
        return self._client(RecoveryServicesBackupClient, subscription)

    def vaults(self, subscription: str) -> RecoveryServicesClient:
        """Recovery Services vaults."""
        return self._client(RecoveryServicesClient, subscription)

    def authorization(self, subscription: str) -> AuthorizationManagementClient:
        """Roles and their assignments."""
        return self._client(AuthorizationManagementClient, subscription)

    def _client(self, kind: Callable[..., T], subscription: str) -> T:
        key = kind, subscription.casefold()
        if key not in self._made:
            cloud = self._connection.cloud
            self._made[key] = kind(
                self._credential,
                subscription,
                base_url=cloud.endpoint,
                credential_scopes=[cloud.scope],
                policies=[
                    CustomHookPolicy(),
                    ContentDecodePolicy(),
                    *self._connection.policies(self._credential, cloud.endpoint, cloud.scope),
                ],
                transport=self._connection.transport,
            )
        return cast("T", self._made[key])
