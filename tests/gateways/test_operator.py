"""A changing call is sent once, and what is said of its outcome is what is known."""

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest

from bot.gateways.azure_operator import AzureOperator, operation_id
from bot.gateways.azure_policies import deadline
from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.canonical import Json
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    OutcomeUnknown,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)
from domain.fix import Call, Kind
from tests.gateways.arm_stub import OPERATOR, Answer, StubArm
from tests.gateways.conftest import VAULT

CONTAINER = f"{VAULT.id}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;rg1;vm0"
ITEM = f"{CONTAINER}/protectedItems/VM;x;rg1;vm0"
BODY: Json = {
    "properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-12-22T00:00:00Z"}
}
KEY_VAULT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
ASSIGNMENT = f"{KEY_VAULT}/providers/Microsoft.Authorization/roleAssignments/0b5e0000-0000-0000-0000-00000000b0b5"
ROLE = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/00482a5a-887f-4fb3-b363-3b7fe8e74483"
GRANT: Json = {"properties": {"roleDefinitionId": ROLE, "principalId": "p", "principalType": "ServicePrincipal"}}


def call(method: str = "POST", resource: str = f"{ITEM}/backup", body: Json = BODY) -> Call:
    """A changing call; a backup unless said otherwise."""
    return Call(
        method=method,
        resource=resource,
        api_version="2024-04-01",
        body=body,
        kind=Kind.BACKUP,
        purpose="test",
        action="x/action",
        scope=VAULT.id,
    )


async def test_what_arrives(azure: StubArm, operator: AzureOperator) -> None:
    """The request carries the plan's method, id, version and body, a request id of its own, and the operator's token."""
    azure.lay(
        "POST",
        f"{ITEM}/backup",
        Answer(
            status=202,
            headers={
                "Azure-AsyncOperation": f"{azure.url}{ITEM}/operationsStatus/f667e02f?api-version=2024-04-01&t=SIG&s=SIG",
                "Location": f"{azure.url}{ITEM}/operationResults/f667e02f?api-version=2024-04-01&t=SIG",
                "x-ms-request-id": "request-1",
                "x-ms-correlation-request-id": "correlation-1",
                "Retry-After": "60",
            },
        ),
    )
    receipt = await operator.send(call())

    assert receipt.status == 202
    assert receipt.operation_id == "f667e02f"
    assert (receipt.request_id, receipt.correlation_id) == ("request-1", "correlation-1")
    [seen] = azure.seen
    assert (seen.method, seen.path, seen.query) == ("POST", f"{ITEM}/backup", {"api-version": "2024-04-01"})
    assert seen.body == BODY
    assert seen.headers["Authorization"] == f"Bearer token-{OPERATOR}-{azure.url}/.default"
    assert len(seen.headers["x-ms-client-request-id"]) == 36
    assert operator.client_id == OPERATOR


async def test_no_body_is_no_body(azure: StubArm, operator: AzureOperator) -> None:
    """A cancellation is sent empty, with length 0."""
    path = f"{VAULT.id}/backupJobs/1/cancel"
    azure.lay("POST", path, Answer(status=202))
    receipt = await operator.send(call(resource=path, body=None))

    assert azure.seen[0].headers["Content-Length"] == "0"
    assert receipt.operation_id == ""
    assert receipt.request_id


ONCE = [
    (Answer(status=500), OutcomeUnknown),
    (Answer(status=503, headers={"Retry-After": "1"}), OutcomeUnknown),
    (Answer(status=504), OutcomeUnknown),
    (Answer(status=408), OutcomeUnknown),
    (Answer(cut=True), OutcomeUnknown),
    (Answer(status=429, headers={"Retry-After": "1"}), Throttled),
    (Answer(status=429), Throttled),
    (Answer(status=409, headers={"Retry-After": "1"}), Conflict),
    (Answer(status=412), Conflict),
    (Answer(status=400), BadRequest),
    (Answer(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}), PermissionDenied),
    (Answer(status=403), PermissionDenied),
    (Answer(status=404), ResourceNotFound),
    (Answer(status=307, headers={"Location": "/elsewhere"}), GatewayUnavailable),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(("answer", "error"), ONCE, ids=lambda one: str(getattr(one, "status", "")) if one else "")
async def test_once_whatever_the_answer(
    azure: StubArm, operator: AzureOperator, answer: Answer, error: type[GatewayError], method: str
) -> None:
    """Exactly one request arrives, whatever is answered, and the error says what is known of the outcome."""
    one = {
        "POST": call(),
        "PUT": call("PUT", ASSIGNMENT, GRANT),
        "DELETE": call("DELETE", ASSIGNMENT, None),
    }[method]
    azure.lay(method, one.resource, answer)
    with pytest.raises(GatewayError) as caught:
        await operator.send(one)

    assert type(caught.value) is error
    assert len(azure.seen) == 1


async def test_no_answer_in_time(azure: StubArm, connection: AzureConnection) -> None:
    """Silence after sending is an unknown outcome, told when the operator's own time is over."""
    azure.lay("POST", f"{ITEM}/backup", Answer(delay=30))
    credential = connection.operator_credential(azure.environment)
    assert credential is not None
    operator = AzureOperator(connection, credential, seconds=0.5)
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="no answer came in time"):
        await operator.send(call())

    assert time.monotonic() - started < 3
    assert azure.count("POST") == 1


async def test_a_caller_in_a_hurry_does_not_shorten_it(azure: StubArm, operator: AzureOperator) -> None:
    """The operator's time is its own: an outer deadline ends the waiting, not the call, which is finished and drained."""
    azure.lay("POST", f"{ITEM}/backup", Answer(status=202, delay=0.3))
    with pytest.raises(TimeoutError):
        async with deadline(0.1):
            await operator.send(call())
    await operator.drain()

    assert azure.count("POST") == 1


async def test_a_cancelled_caller_does_not_cut_it(azure: StubArm, operator: AzureOperator) -> None:
    """A call that is under way is sent whole although its caller is cancelled."""
    azure.lay("POST", f"{ITEM}/backup", Answer(status=500, delay=0.1))
    task = asyncio.create_task(operator.send(call()))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await operator.drain()

    assert azure.count("POST") == 1


async def test_nobody_there(azure: StubArm) -> None:
    """A refused connection means that nothing happened."""
    cloud = Cloud(endpoint="https://127.0.0.1:9", scope=f"{azure.url}/.default", ca_file=str(azure.ca_file))
    async with AzureConnection(cloud) as connection:
        credential = connection.operator_credential(azure.environment)
        assert credential is not None
        with pytest.raises(GatewayUnavailable, match=r"^Nothing was sent\."):
            await AzureOperator(connection, credential).send(call())


@pytest.mark.parametrize(
    "answer", [Answer(status=503), Answer(cut=True), Answer(raw=b"<html>", content_type="text/html")]
)
async def test_no_token_no_call(azure: StubArm, operator: AzureOperator, answer: Answer) -> None:
    """When signing in fails nothing is sent, and it is not called an unknown outcome."""
    azure.token_answer = answer
    with pytest.raises(GatewayError) as caught:
        await operator.send(call())

    assert type(caught.value) in {GatewayUnavailable, PermissionDenied}
    assert azure.seen == []


async def test_a_slow_sign_in_is_not_an_unknown_outcome(azure: StubArm, connection: AzureConnection) -> None:
    """Time that runs out while signing in leaves nothing to look after."""
    azure.token_answer = Answer(delay=30)
    credential = connection.operator_credential(azure.environment)
    assert credential is not None
    with pytest.raises(GatewayUnavailable, match="signing in"):
        await AzureOperator(connection, credential, seconds=0.3).send(call())

    assert azure.seen == []


async def test_the_operators_wrong_secret(azure: StubArm, connection: AzureConnection) -> None:
    """A refused sign-in of the operator names Entra's code."""
    credential = connection.operator_credential({**azure.environment, "AZURE_OPERATOR_CLIENT_SECRET": "wrong"})
    assert credential is not None
    with pytest.raises(PermissionDenied, match="AADSTS7000215"):
        await AzureOperator(connection, credential).send(call())

    assert azure.seen == []


async def test_each_call_has_a_fresh_connection(azure: StubArm, operator: AzureOperator) -> None:
    """A used connection may be dead without anybody knowing, so a changing call never takes one."""
    azure.lay("POST", f"{ITEM}/backup", Answer(status=202))
    await operator.send(call())
    await operator.send(call())

    assert len({one.connection for one in azure.seen}) == 2


TOKEN = {"properties": {"objectType": "CrrAccessToken", "accessTokenString": "eyJhbGciOi.x.y", "recoveryPointId": "1"}}


async def test_receipts_hold_no_secrets(azure: StubArm, operator: AzureOperator) -> None:
    """What looks secret in an answer does not get into the receipt, and a large or unreadable body is left out."""
    path = f"{ITEM}/recoveryPoints/1/restore"
    azure.lay("POST", path, Answer(body=TOKEN))
    receipt = await operator.send(call(resource=path))

    assert receipt.body["properties"] == {
        "objectType": "CrrAccessToken",
        "accessTokenString": "(secret)",
        "recoveryPointId": "1",
    }
    azure.lay("POST", f"{ITEM}/backup", Answer(body={"x": "y" * 20_000}), Answer(raw=b"garbage"), Answer(body=[1]))
    for _ in range(3):
        assert (await operator.send(call())).body == {}


async def test_an_access_token_is_handed_on_and_not_printed(azure: StubArm, operator: AzureOperator) -> None:
    """The call that only fetches a token gives it whole, for the call that needs it, and its receipt does not print it."""
    path = f"{ITEM}/recoveryPoints/1/accessToken"
    azure.lay("POST", path, Answer(body=TOKEN))
    receipt = await operator.send(replace(call(resource=path), kind=Kind.ACCESS_TOKEN))

    assert receipt.body == TOKEN
    assert "eyJ" not in repr(receipt)


async def test_a_refused_call_never_leaves(azure: StubArm, operator: AzureOperator) -> None:
    """What the table does not allow is refused before even a token is fetched."""
    with pytest.raises(BadRequest, match="not among the calls"):
        await operator.send(call("DELETE", VAULT.id, None))

    assert azure.seen == []
    assert azure.token_requests == []


async def test_own_permissions(azure: StubArm, operator: AzureOperator) -> None:
    """The operator's permissions are read as the operator."""
    entry = {"actions": ["*"], "notActions": ["x/delete"], "dataActions": [], "notDataActions": []}
    azure.lay("GET", f"{VAULT.id}/providers/Microsoft.Authorization/permissions", Answer(body={"value": [entry]}))
    [permission] = await operator.permissions(VAULT.id)

    assert (permission.actions, permission.not_actions) == (("*",), ("x/delete",))
    assert OPERATOR in azure.seen[0].headers["Authorization"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {"Azure-AsyncOperation": "https://h/a/operationsStatus/8e763e37?t=SIG", "Location": "https://h/b/other"},
            "8e763e37",
        ),
        ({"Location": "https://h/vaults/v/operationResults/MjA0NztjNTA%3D?api-version=1"}, "MjA0NztjNTA="),
        ({"Location": "/relative/operations/abc/"}, "abc"),
        ({}, ""),
    ],
)
def test_operation_ids(headers: dict[str, str], expected: str) -> None:
    """The id is the last segment of the path, unquoted, and never the signed query."""
    assert operation_id(headers) == expected
