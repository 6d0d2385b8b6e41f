"""One pool, one token, bounded retries, deadlines that hold, and a token that stays on its host."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.gateways.azure_credentials import OneFetch
from bot.gateways.azure_policies import deadline
from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.errors import GatewayUnavailable, PermissionDenied, Throttled
from tests.gateways.arm_stub import READER, SUBSCRIPTION, Answer, StubArm
from tests.gateways.conftest import VAULT, cloud_of

VAULT_BODY = {"id": VAULT.id, "name": "v1", "location": "westeurope", "properties": {}}
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_one_pool_serves_all_clients(azure: StubArm, reader: AzureReader) -> None:
    """Reads one after another through four kinds of clients use one connection, although a CA file is trusted."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY))
    azure.lay("GET", f"{VAULT.id}/backupProtectedItems", Answer(body={"value": []}))
    azure.lay("GET", f"{VAULT.id}/providers/Microsoft.Authorization/locks", Answer(body={"value": []}))
    azure.lay("GET", f"{VAULT.id}/providers/Microsoft.Authorization/roleAssignments", Answer(body={"value": []}))
    for _ in range(5):
        await reader.vault(VAULT)
        await reader.items(VAULT)
        await reader.locks(VAULT.id)
        await reader.role_assignments(VAULT.id, READER)

    assert len(azure.seen) == 20
    assert len({one.connection for one in azure.seen}) == 1


async def test_one_token_for_all(azure: StubArm, reader: AzureReader) -> None:
    """Forty concurrent first reads through three clients ask for one token."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY))
    azure.lay("GET", f"{VAULT.id}/backupProtectedItems", Answer(body={"value": []}))
    azure.lay("GET", f"{VAULT.id}/providers/Microsoft.Authorization/locks", Answer(body={"value": []}))
    reads = [read for _ in range(14) for read in (reader.vault(VAULT), reader.items(VAULT), reader.locks(VAULT.id))]
    await asyncio.gather(*reads)

    assert len(azure.token_requests) == 1
    assert azure.token_requests[0]["scope"] == f"{azure.url}/.default"
    assert {one.headers["Authorization"] for one in azure.seen} == {f"Bearer token-{READER}-{azure.url}/.default"}


async def test_no_more_than_sixteen_at_one_time(azure: StubArm, reader: AzureReader) -> None:
    """Sixty concurrent reads open sixteen connections."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY, delay=0.02))
    await asyncio.gather(*(reader.vault(VAULT) for _ in range(60)))

    assert len({one.connection for one in azure.seen}) <= 17  # the token request may open one more


async def test_a_wrong_secret_says_so(azure: StubArm, connection: AzureConnection) -> None:
    """Entra's refusal arrives as its own code and first sentence, without the secret."""
    values = {**azure.environment, "AZURE_CLIENT_SECRET": "wrong-secret"}
    reader = AzureReader(connection, connection.reader_credential(values), seconds=5)
    with pytest.raises(PermissionDenied, match="AADSTS7000215") as caught:
        await reader.vault(VAULT)

    assert caught.value.code == "AADSTS7000215"
    assert "wrong-secret" not in str(caught.value)
    assert "Trace ID" not in str(caught.value)
    assert azure.seen == []


async def test_waits_that_fit_are_waited(azure: StubArm, reader: AzureReader) -> None:
    """Two answers 429 with a short Retry-After end in success."""
    throttled = Answer(status=429, headers={"Retry-After": "0.05"}, body={"error": {"code": "TooManyRequests"}})
    azure.lay("GET", VAULT.id, throttled, throttled, Answer(body=VAULT_BODY))

    assert (await reader.vault(VAULT)).location == "westeurope"
    assert azure.count("GET") == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(
            status=429, headers={"Retry-After": "324"}, body={"error": {"code": "TooManyRequests", "message": "no"}}
        ),
        Answer(
            status=429,
            body={
                "error": {
                    "code": "ResourceRequestsThrottled",
                    "message": "Number of requests for action 'Microsoft.RecoveryServices/vaults/backupJobs/read' exceeded"
                    " the limit of '150' for time interval '01:00:00'. Please try again after '324' seconds.",
                }
            },
        ),
    ],
    ids=["header", "text only"],
)
async def test_waits_that_do_not_fit_are_told_at_once(azure: StubArm, reader: AzureReader, answer: Answer) -> None:
    """A wait beyond the deadline is not slept but said, whether the header or only the text names it."""
    azure.lay("GET", VAULT.id, answer)
    started = time.monotonic()
    with pytest.raises(Throttled) as caught:
        await reader.vault(VAULT)

    assert caught.value.retry_after == timedelta(seconds=324)
    assert azure.count("GET") == 1
    assert time.monotonic() - started < 2


async def test_server_errors_are_tried_again(azure: StubArm, reader: AzureReader) -> None:
    """A read that meets a 503 once succeeds."""
    azure.lay("GET", VAULT.id, Answer(status=503), Answer(body=VAULT_BODY))

    assert (await reader.vault(VAULT)).id == VAULT
    assert azure.count("GET") == 2


async def test_a_stall_ends_with_the_deadline(azure: StubArm, connection: AzureConnection) -> None:
    """An answer that does not come is given up when the reader's time is over, and the reader stays usable."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY, delay=30), Answer(body=VAULT_BODY))
    reader = AzureReader(connection, connection.reader_credential(azure.environment), seconds=0.5)
    started = time.monotonic()
    with pytest.raises(GatewayUnavailable, match="did not answer in time: reading the vault v1"):
        await reader.vault(VAULT)

    assert time.monotonic() - started < 2
    assert (await reader.vault(VAULT)).id == VAULT


async def test_an_outer_deadline_shortens(azure: StubArm, reader: AzureReader) -> None:
    """A caller's own shorter deadline holds inside the reader's."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY, delay=30))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with deadline(0.3):
            await reader.vault(VAULT)

    assert time.monotonic() - started < 2


async def test_nothing_listens(azure: StubArm) -> None:
    """A refused connection is told within seconds and in words."""
    nowhere = Cloud(endpoint="https://127.0.0.1:9", scope=f"{azure.url}/.default", ca_file=str(azure.ca_file))
    async with AzureConnection(nowhere) as connection:
        reader = AzureReader(connection, connection.reader_credential(azure.environment), seconds=5)
        started = time.monotonic()
        with pytest.raises(GatewayUnavailable, match="connection to Azure failed"):
            await reader.vault(VAULT)

    assert time.monotonic() - started < 5


async def test_somebody_listens_and_says_nothing(azure: StubArm) -> None:
    """A host that accepts and never speaks is given up when the reader's time is over."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        cloud = Cloud(endpoint=f"https://127.0.0.1:{port}", scope=f"{azure.url}/.default", ca_file=str(azure.ca_file))
        async with AzureConnection(cloud) as connection:
            reader = AzureReader(connection, connection.reader_credential(azure.environment), seconds=0.5)
            started = time.monotonic()
            with pytest.raises(GatewayUnavailable, match="in time"):
                await reader.vault(VAULT)
            assert time.monotonic() - started < 3


async def test_an_unknown_authority_is_not_trusted(azure: StubArm) -> None:
    """Without the CA file the connection fails, and nothing is sent."""
    async with AzureConnection(Cloud(endpoint=azure.url, scope="x")) as connection:
        reader = AzureReader(connection, connection.reader_credential(azure.environment), seconds=5)
        with pytest.raises(GatewayUnavailable, match=r"(?i)certificate"):
            await reader.vault(VAULT)

    assert azure.seen == []
    assert azure.token_requests == []


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (f"{VAULT.id}/backupEngines", lambda reader: reader.servers(VAULT)),
        (f"{VAULT.id}/backupProtectedItems", lambda reader: reader.items(VAULT)),
    ],
    ids=["generated client", "plain client"],
)
async def test_the_token_stays_on_its_host(
    azure: StubArm,
    reader: AzureReader,
    tmp_path_factory: pytest.TempPathFactory,
    path: str,
    read: Callable[[AzureReader], Awaitable[object]],
) -> None:
    """A nextLink to another host is refused, and that host sees no request."""
    async with StubArm(tmp_path_factory.mktemp("other")) as other:
        azure.lay("GET", f"{VAULT.id}/backupProtectionContainers", Answer(body={"value": []}))
        azure.lay("GET", path, Answer(body={"value": [], "nextLink": f"{other.url}{path}?api-version=1&$skipToken=x"}))
        with pytest.raises(GatewayUnavailable, match="not its own"):
            await read(reader)
        assert other.seen == []


async def test_redirects_are_not_followed(azure: StubArm, reader: AzureReader) -> None:
    """A redirect is an error, not an errand."""
    azure.lay("GET", f"{VAULT.id}/x", Answer(status=307, headers={"Location": f"{azure.url}/elsewhere"}))
    with pytest.raises(GatewayUnavailable, match="redirect"):
        await reader.resource(f"{VAULT.id}/x", "1")

    assert [one.path for one in azure.seen] == [f"{VAULT.id}/x"]


async def test_everything_can_be_built_before_the_loop() -> None:
    """Nothing opens a connection until the first read, and closing what was never opened is fine."""
    connection = await asyncio.to_thread(lambda: AzureConnection(Cloud(endpoint="https://127.0.0.1:9")))
    reader = await asyncio.to_thread(
        lambda: AzureReader(connection, connection.reader_credential({"AZURE_CLIENT_ID": "x"}))
    )
    assert reader.unreadable_subscriptions() == {}
    assert connection.transport.session is None
    await connection.close()


async def test_a_client_that_closes_leaves_the_pool(azure: StubArm, connection: AzureConnection) -> None:
    """Closing a credential does not close the connections of the others."""
    azure.lay("GET", VAULT.id, Answer(body=VAULT_BODY))
    credential: OneFetch = connection.reader_credential(azure.environment)
    reader = AzureReader(connection, credential, seconds=5)
    await reader.vault(VAULT)
    async with credential:
        pass
    assert (await reader.vault(VAULT)).id == VAULT


def test_only_loopback_is_simulated() -> None:
    """The proxy settings of the machine apply to every endpoint but those on this machine."""
    assert Cloud(endpoint="https://127.0.0.1:1").is_loopback
    assert not Cloud().is_loopback
    assert Cloud(graph_endpoint="https://graph.microsoft.us/").graph_scope == "https://graph.microsoft.us/.default"


async def test_subscriptions_that_cannot_be_read_do_not_hide_others(
    azure: StubArm, connection: AzureConnection
) -> None:
    """Vaults of the readable subscription are given, the other one is named with its reason."""
    other = "55555555-5555-5555-5555-555555555555"
    path = "/subscriptions/{}/providers/Microsoft.RecoveryServices/vaults"
    denied = {
        "error": {
            "code": "AuthorizationFailed",
            "message": "The client 'x' with object id 'y' does not have authorization to perform action"
            f" 'Microsoft.RecoveryServices/vaults/read' over scope '/subscriptions/{other}' or the scope is invalid.",
        }
    }
    azure.lay("GET", path.format(SUBSCRIPTION), Answer(body={"value": [VAULT_BODY]}))
    azure.lay("GET", path.format(other), Answer(status=403, body=denied))
    credential = connection.reader_credential(azure.environment)
    both = AzureReader(connection, credential, subscriptions=[SUBSCRIPTION, other], seconds=5)

    assert [vault.id for vault in await both.vaults()] == [VAULT]
    reason = both.unreadable_subscriptions()[other]
    assert isinstance(reason, PermissionDenied)
    assert (reason.action, reason.scope) == ("Microsoft.RecoveryServices/vaults/read", f"/subscriptions/{other}")
    with pytest.raises(PermissionDenied):
        await AzureReader(connection, credential, subscriptions=[other], seconds=5).vaults()


def test_a_companys_authority_comes_beside_the_systems(azure: StubArm) -> None:
    """Away from loopback a CA file adds to what the system trusts; on it, it is all that is trusted."""
    away = AzureConnection(Cloud(ca_file=str(azure.ca_file)))
    here = AzureConnection(cloud_of(azure))

    assert here.transport._context.cert_store_stats()["x509_ca"] == 1
    assert away.transport._context.cert_store_stats()["x509_ca"] > 1


def test_cloud_of(azure: StubArm) -> None:
    """The stub counts as simulated."""
    assert cloud_of(azure).is_loopback
