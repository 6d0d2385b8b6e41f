"""Every recorded answer of the real Azure is read, as plain JSON and through the SDK's model, to the same object."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from azure.mgmt.recoveryservices import models as vault_models
from azure.mgmt.recoveryservicesbackup import models
from azure.mgmt.recoveryservicesbackup._utils.model_base import _deserialize

from bot.gateways import azure_mapping, azure_mapping_jobs, azure_mapping_resources
from bot.gateways.azure_errors import refusal
from bot.gateways.azure_operator import operation_id
from domain.arm import VaultId
from domain.errors import GatewayError
from domain.schedule import BackupPolicy, parse_policy
from tests.gateways.conftest import DATA

VAULT = VaultId("00000000-0000-0000-0000-000000000000", "clitest.rg000001", "clitest-vault000002")
Reading = Callable[[Mapping[str, Any]], object]


def job(body: Mapping[str, Any]) -> object:
    """A job by itself."""
    return azure_mapping_jobs.to_job(body, VAULT, detailed=True)


# The last part of the path (a list's or the one before a name) → how the body is read, and the SDK's model of it.
KINDS: dict[str, tuple[Reading, type[Any] | None]] = {
    "backupjobs": (job, models.JobResource),
    "backupcrrjob": (job, models.JobResource),
    "backupprotecteditems": (azure_mapping.to_item, models.ProtectedItemResource),
    "protecteditems": (azure_mapping.to_item, models.ProtectedItemResource),
    "backupengines": (azure_mapping.to_backup_engine, models.BackupEngineBaseResource),
    "backuppolicies": (parse_policy, models.ProtectionPolicyResource),
    "recoverypoints": (azure_mapping.to_recovery_points, models.RecoveryPointResource),
    "backupoperations": (azure_mapping.to_operation, models.OperationStatus),
    "operationsstatus": (azure_mapping.to_operation, models.OperationStatus),
    "backupcrroperationsstatus": (azure_mapping.to_operation, models.OperationStatus),
    "virtualmachines": (azure_mapping_resources.to_virtual_machine, None),
    "extensions": (azure_mapping_resources.to_extension, None),
    "roleassignments": (azure_mapping_resources.to_role_assignment, None),
    "roledefinitions": (azure_mapping_resources.to_role_definition, None),
    "locks": (azure_mapping_resources.to_lock, None),
}


def kind_of(url: str) -> tuple[Reading, type[Any] | None] | None:
    """How the answer of that address is read; None for what the gateway has no object for."""
    parts = unquote(urlsplit(url).path).casefold().strip("/").split("/")
    if parts[-1] == "backupprotectioncontainers" and "'mab'" in unquote(url.replace("+", " ")).casefold():
        return azure_mapping.to_mars_server, models.ProtectionContainerResource
    if "microsoft.recoveryservices" in parts and parts[-2:-1] == ["vaults"]:
        return azure_mapping.to_vault, vault_models.Vault
    if "microsoft.keyvault" in parts and parts[-2:-1] == ["vaults"]:
        return azure_mapping_resources.to_key_vault, None
    return KINDS.get(parts[-1]) or KINDS.get(parts[-2])


def exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    """All recorded exchanges, named."""
    for path in sorted((DATA / "recordings/bodies").glob("*.json")):
        yield path.stem, json.loads(path.read_text())
    for path in sorted((DATA / "recordings/sequences").glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield f"{path.stem}:{number}", json.loads(line)
    for path in sorted((DATA / "cassettes").glob("*.json")):
        for number, one in enumerate(json.loads(path.read_text())["interactions"], 1):
            answer = one["response"]
            response = {
                "status": answer["status"]["code"],
                "headers": {name: values[0] for name, values in answer["headers"].items()},
                "body": (answer.get("body") or {}).get("data"),
            }
            yield f"{path.stem}:{number}", {"request": one["request"], "response": response}


def entries(body: Any) -> list[dict[str, Any]]:
    """The objects of an answer: of a list each, else the answer itself."""
    if isinstance(body, dict):
        return body["value"] if isinstance(body.get("value"), list) else [body]
    return []


@pytest.fixture(scope="module")
def recorded() -> list[tuple[str, dict[str, Any]]]:
    """The exchanges; skips where they are absent."""
    if not (DATA / "recordings").exists():
        pytest.skip(f"the recordings are not on this machine: {DATA}")
    return list(exchanges())


def test_every_success_is_read_both_ways(recorded: list[tuple[str, dict[str, Any]]]) -> None:
    """Plain JSON and the SDK's model give the same object, and none raises."""
    read: dict[str, int] = {}
    for name, exchange in recorded:
        request, response = exchange["request"], exchange["response"]
        kind = kind_of(request["uri"])
        readable = (
            request["method"] == "GET" or "backupCrrJob" in request["uri"] or "/roleAssignments/" in request["uri"]
        )
        if kind is None or not readable or response["status"] not in {200, 201}:
            continue
        reading, model = kind
        for body in entries(response.get("body")):
            found = reading(body)
            read[reading.__name__] = read.get(reading.__name__, 0) + 1
            if model is not None:
                assert reading(_deserialize(model, body)) == found, name

    assert read["job"] >= 48
    assert read["to_item"] > 20
    assert read["to_vault"] > 10
    assert set(read) >= {one.__name__ for one, _ in KINDS.values()} - {"to_extension"}
    assert {"to_key_vault", "to_mars_server"} <= set(read)


def test_nothing_that_matters_is_lost(recorded: list[tuple[str, dict[str, Any]]]) -> None:
    """What a body says of a job's or an item's state is found again in the object, literally."""
    seen = 0
    for name, exchange in recorded:
        kind = kind_of(exchange["request"]["uri"])
        if kind is None or exchange["request"]["method"] != "GET" or exchange["response"]["status"] != 200:
            continue
        for body in entries(exchange["response"].get("body")):
            properties = body.get("properties") or {}
            if kind[0] is job:
                one = azure_mapping_jobs.to_job(body, VAULT, detailed=True)
                assert (one.id, one.status, one.operation) == (
                    body["name"],
                    properties["status"],
                    properties["operation"],
                )
                assert one.item_name == properties["entityFriendlyName"].partition(" [")[0], name
                assert [task.name for task in one.tasks] == [
                    task["taskId"] for task in (properties.get("extendedInfo") or {}).get("tasksList") or []
                ]
                assert len(one.errors) == len(properties.get("errorDetails") or [])
                assert (one.ended_at is None) == ("endTime" not in properties)
                seen += 1
            elif kind[0] is azure_mapping.to_item:
                item = azure_mapping.to_item(body)
                assert item.id.id.casefold() == body["id"].casefold()
                assert item.name == properties["friendlyName"]
                assert item.protection_state == properties["protectionState"]
                assert item.soft_deleted == properties.get("isScheduledForDeferredDelete", False)
                assert item.policy_id == properties["policyId"]
                seen += 1

    assert seen >= 75


def test_policies_are_understood(recorded: list[tuple[str, dict[str, Any]]]) -> None:
    """Recorded policies keep their name and have a schedule."""
    policies = [
        policy
        for _, exchange in recorded
        if (kind := kind_of(exchange["request"]["uri"])) and kind[0] is parse_policy
        for body in entries(exchange["response"].get("body"))
        if exchange["response"]["status"] == 200 and isinstance(policy := parse_policy(body), BackupPolicy)
    ]

    assert {"DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"} <= {policy.name for policy in policies}


def test_every_refusal_has_words(recorded: list[tuple[str, dict[str, Any]]]) -> None:
    """Every recorded error answer becomes a domain error that holds Azure's code and no query string."""
    seen = 0
    for name, exchange in recorded:
        response = exchange["response"]
        if response["status"] < 400:
            continue
        error = refusal("a test", response["status"], response.get("headers") or {}, json.dumps(response.get("body")))
        code = ((response.get("body") or {}).get("error") or {}).get("code")
        assert isinstance(error, GatewayError), name
        assert error.code == (code or "")
        assert "?" not in str(error).replace("? ", "")
        seen += 1

    assert seen >= 4


def test_every_operation_address_has_an_id(recorded: list[tuple[str, dict[str, Any]]]) -> None:
    """The id is found in every recorded operation address, and carries nothing of its signature."""
    ids = []
    for _, exchange in recorded:
        headers = {name.title(): value for name, value in (exchange["response"].get("headers") or {}).items()}
        headers = {name.replace("Azure-Asyncoperation", "Azure-AsyncOperation"): one for name, one in headers.items()}
        if exchange["response"]["status"] == 202 and (found := operation_id(headers)):
            ids.append(found)

    assert len(ids) > 50
    assert not any(mark in one for one in ids for mark in "?&/%")
    assert any(one.endswith("=") for one in ids)
