"""The service's own validation of a restore: what is asked on the wire, and what is made of the answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.gateways.azure_reader import AzureReader
from domain.arm import ItemId
from domain.backup import ValidationProblem
from domain.errors import BadRequest, GatewayError, GatewayUnavailable, PermissionDenied, Throttled
from tests.gateways.arm_stub import SUBSCRIPTION, Answer, StubArm
from tests.gateways.conftest import DATA, VAULT

ITEM = ItemId(VAULT, "Azure", "IaasVMContainer;iaasvmcontainerv2;rg1;vm0", "VM;iaasvmcontainerv2;rg1;vm0")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm0"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/ststage"
URL = f"{VAULT.id}/backupValidateOperation"
ACTION = "Microsoft.RecoveryServices/Vaults/backupValidateOperation/action"
EXAMPLES = (
    DATA / "specs/specification/recoveryservicesbackup/resource-manager/Microsoft.RecoveryServices"
    "/stable/2024-04-01/examples/AzureIaasVm"
)


def example(name: str) -> Any:
    """A published example; skips the test where the specifications are absent."""
    path: Path = EXAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the specifications are not on this machine: {path}")
    return json.loads(path.read_text())


async def ask(reader: AzureReader, identity: str = "") -> list[ValidationProblem]:
    """The question of all these tests."""
    return list(
        await reader.validate_restore(
            ITEM,
            "point-1",
            storage_account_id=ACCOUNT,
            region="westeurope",
            vm_id=VM,
            target_group_id=GROUP,
            identity=identity,
        )
    )


async def test_what_is_asked(azure: StubArm, reader: AzureReader) -> None:
    """One synchronous POST holds the point's whole id and a restore of disks, with the fields of the published example."""
    azure.lay("POST", URL, Answer(body={"validateOperationResponse": {"validationResults": []}}))

    assert await ask(reader) == []
    [seen] = azure.seen
    assert seen.body == {
        "id": f"{ITEM.id}/recoveryPoints/point-1",
        "properties": {
            "objectType": "ValidateIaasVMRestoreOperationRequest",
            "restoreRequest": {
                "objectType": "IaasVMRestoreRequest",
                "recoveryPointId": "point-1",
                "recoveryType": "RestoreDisks",
                "sourceResourceId": VM,
                "targetResourceGroupId": GROUP,
                "storageAccountId": ACCOUNT,
                "region": "westeurope",
                "createNewCloudService": False,
                "originalStorageAccountOption": False,
            },
        },
    }
    published = example("ValidateOperation_RestoreDisk")["parameters"]["parameters"]
    assert set(seen.body) == set(published)
    assert seen.body["properties"]["objectType"] == published["properties"]["objectType"]
    more = set(seen.body["properties"]["restoreRequest"]) - set(published["properties"]["restoreRequest"])
    assert more == {"targetResourceGroupId"}


@pytest.mark.parametrize(
    ("identity", "sent"),
    [
        ("system", {"isSystemAssignedIdentity": True}),
        (f"{GROUP}/i", {"isSystemAssignedIdentity": False, "managedIdentityResourceId": f"{GROUP}/i"}),
    ],
)
async def test_with_the_vaults_identity(
    azure: StubArm, reader: AzureReader, identity: str, sent: dict[str, object]
) -> None:
    """A restore with the vault's identity is asked about as one."""
    azure.lay("POST", URL, Answer(body={"validateOperationResponse": {"validationResults": None}}))
    assert await ask(reader, identity) == []
    assert azure.seen[0].body["properties"]["restoreRequest"]["identityInfo"] == sent


async def test_the_published_answer(azure: StubArm, reader: AzureReader) -> None:
    """Code, message and recommendations come through word for word."""
    body = example("ValidateOperation_RestoreDisk")["responses"]["200"]["body"]
    azure.lay("POST", URL, Answer(body=body))
    assert await ask(reader) == [
        ValidationProblem(
            code="UserErrorCoreCountSubscriptionQuotaReached",
            message="Core Count subscription quota has been reached.",
            recommendations=("Contact Azure support to increase the limits.",),
        )
    ]


async def test_a_refusal_of_the_services_own_is_an_answer(azure: StubArm, reader: AzureReader) -> None:
    """Azure Backup may refuse the question with the very error that the restore would end with."""
    said = {"error": {"code": "UserErrorResourceGroupNotFound", "message": "There is no such group."}}
    azure.lay("POST", URL, Answer(status=400, body=said))
    found = await ask(reader)
    assert [(one.code, one.message) for one in found] == [("UserErrorResourceGroupNotFound", "There is no such group.")]


DENIED = {
    "error": {
        "code": "AuthorizationFailed",
        "message": f"The client does not have authorization to perform action '{ACTION}' over scope '{VAULT.id}' or the"
        " scope is invalid.",
    }
}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=403, body=DENIED), PermissionDenied),
        (Answer(status=400, body={"error": {"code": "InvalidRequestContent", "message": "no"}}), BadRequest),
        (Answer(status=429, body={"error": {"code": "TooManyRequests", "message": "wait"}}), Throttled),
        (Answer(status=500), GatewayUnavailable),
        (Answer(cut=True), GatewayUnavailable),
        (Answer(body=[]), GatewayUnavailable),
        (Answer(body={}), GatewayUnavailable),
        (Answer(body={"validateOperationResponse": {}}), GatewayUnavailable),
        (Answer(body={"validateOperationResponse": {"validationResults": "none"}}), GatewayUnavailable),
        (Answer(raw=b"<html>", content_type="text/html"), GatewayUnavailable),
    ],
    ids=["denied", "bad", "throttled", "500", "cut", "list", "empty", "no verdict", "text", "html"],
)
async def test_everything_else_is_no_answer(
    azure: StubArm, reader: AzureReader, answer: Answer, error: type[GatewayError]
) -> None:
    """No refusal, no garbage and no lost line is taken for "no objection", and the question is sent once."""
    azure.lay("POST", URL, answer)
    with pytest.raises(error) as caught:
        await ask(reader)
    assert azure.count("POST") == 1
    if isinstance(caught.value, PermissionDenied):
        assert re.fullmatch(ACTION, caught.value.action)
