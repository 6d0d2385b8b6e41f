"""What the reader asks of Azure, word by word, and what it does with odd answers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.gateways.azure_reader import BACKUP_MANAGEMENT_SERVICE, AzureReader
from bot.gateways.azure_wiring import AzureConnection
from domain.arm import ItemId
from domain.errors import BadRequest, GatewayError, GatewayUnavailable, PermissionDenied, ResourceNotFound
from domain.ports import BackupOperator, BackupReader
from tests.fakes.azure import FakeAzure, FakeOperator
from tests.gateways.arm_stub import SUBSCRIPTION, Answer, StubArm
from tests.gateways.conftest import VAULT, recording

SINCE, UNTIL = datetime(2026, 11, 20, 0, 0, 0, tzinfo=UTC), datetime(2026, 11, 22, 14, 5, 6, 700, tzinfo=UTC)
VM_ITEM = ItemId(VAULT, "Azure", "IaasVMContainer;iaasvmcontainerv2;rg1;vm0", "VM;iaasvmcontainerv2;rg1;vm0")
DATABASE = ItemId(VAULT, "Azure", "VMAppContainer;Compute;rg1;sql01", "SQLDataBase;mssqlserver;my db")
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Compute/virtualMachines/vm0"
GRAPH = f"/v1.0/servicePrincipals(appId='{BACKUP_MANAGEMENT_SERVICE}')"


def job(number: int, started: str) -> dict[str, object]:
    """A job of a list."""
    return {
        "id": f"{VAULT.id}/backupJobs/{number}",
        "name": str(number),
        "properties": {"jobType": "AzureIaaSVMJob", "operation": "Backup", "status": "Completed", "startTime": started},
    }


async def test_job_filters(azure: StubArm, reader: AzureReader) -> None:
    """Both times go out, on the twelve-hour clock, in UTC, the end rounded up; jobs come newest first over all pages."""
    path = f"{VAULT.id}/backupJobs"
    azure.lay(
        "GET",
        path,
        Answer(
            body={
                "value": [job(1, "2026-11-20T01:00:00Z")],
                "nextLink": f"{azure.url}{path}?$skipToken=a%2Bb%3D%3D&api-version=1",
            }
        ),
        Answer(body={"value": [job(2, "2026-11-21T01:00:00.1234567Z")]}),
    )
    found = await reader.jobs(VAULT, SINCE, UNTIL, status="Failed", operation="Backup")

    assert [one.id for one in found] == ["2", "1"]
    assert not found[0].detailed
    assert azure.seen[0].query["$filter"] == (
        "status eq 'Failed' and operation eq 'Backup' and startTime eq '2026-11-20 12:00:00 AM'"
        " and endTime eq '2026-11-22 02:05:07 PM'"
    )
    assert azure.seen[1].query["$skipToken"] == "a+b=="


async def test_no_more_than_thirty_days(azure: StubArm, reader: AzureReader) -> None:
    """A longer window is refused before anything is asked."""
    with pytest.raises(BadRequest, match="30 days"):
        await reader.jobs(VAULT, UNTIL - timedelta(days=31), UNTIL)
    assert azure.seen == []


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (f"{VM}/providers/Microsoft.Authorization/roleAssignments", lambda reader: reader.role_assignments(VM, "p")),
        (f"{VM}/extensions", lambda reader: reader.extensions(VM)),
    ],
    ids=["generated client", "plain client"],
)
async def test_endless_lists(
    azure: StubArm, reader: AzureReader, path: str, read: Callable[[AzureReader], Awaitable[object]]
) -> None:
    """A list of more than twenty pages is an error, not a short list; a nextLink that leads in circles ends there too."""
    azure.lay("GET", path, Answer(body={"value": [], "nextLink": f"{azure.url}{path}?$skipToken=again"}))
    with pytest.raises(GatewayUnavailable, match="more than 20 pages"):
        await read(reader)

    assert 20 <= len(azure.seen) <= 21


async def test_relative_next_links(azure: StubArm, reader: AzureReader) -> None:
    """A nextLink without a host stays on ARM's."""
    path = f"{VM}/extensions"
    page = {"value": [{"name": "a", "properties": {}}], "nextLink": f"{path}?page=2"}
    azure.lay("GET", path, Answer(body=page), Answer(body={"value": [{"name": "b", "properties": {}}]}))

    assert [one.name for one in await reader.extensions(VM)] == ["a", "b"]
    assert azure.seen[1].query == {"page": "2"}


async def test_items_of_all_workloads_in_one_list(azure: StubArm, reader: AzureReader) -> None:
    """Items are listed once, without a filter."""
    azure.lay("GET", f"{VAULT.id}/backupProtectedItems", Answer(body=recording("items_list_iaasvm")))
    [item] = await reader.items(VAULT)

    assert item.name == "clitest-vm000003"
    assert [set(one.query) for one in azure.seen] == [{"api-version"}]


async def test_one_item(azure: StubArm, reader: AzureReader) -> None:
    """One item is read with its extended information; a blank in its name survives."""
    body = {
        "id": DATABASE.id,
        "properties": {"friendlyName": "my db", "protectedItemType": "AzureVmWorkloadSQLDatabase"},
    }
    azure.lay("GET", DATABASE.id, Answer(body=body))

    assert (await reader.item(DATABASE)).id == DATABASE
    assert azure.seen[0].query["$filter"] == "expand eq 'extendedInfo'"


def point(name: str, at: str, **properties: object) -> dict[str, object]:
    """A point of a list."""
    return {"name": name, "properties": {"recoveryPointTimeInUTC": at, **properties}}


async def test_points_of_a_database(azure: StubArm, reader: AzureReader) -> None:
    """A database is asked for its logs too; both answers come as one list, newest first, each point once."""
    full = point("1", "2026-11-21T00:00:00Z", type="Full")
    logs = {"name": "Default", "properties": {"type": "Log", "timeRanges": [{"endTime": "2026-11-22T13:00:00Z"}]}}
    azure.lay(
        "GET", f"{DATABASE.id}/recoveryPoints", Answer(body={"value": [full]}), Answer(body={"value": [logs, full]})
    )
    found = await reader.recovery_points(DATABASE, SINCE, UNTIL)

    assert [(one.id, one.kind) for one in found] == [("Default", "Log"), ("1", "Full")]
    window = "startDate eq '2026-11-20 12:00:00 AM' and endDate eq '2026-11-22 02:05:07 PM'"
    assert {one.query["$filter"] for one in azure.seen} == {window, f"restorePointQueryType eq 'Log' and {window}"}


async def test_points_of_a_machine(azure: StubArm, reader: AzureReader) -> None:
    """A VM is asked once; soft-deleted points only when they are wanted."""
    azure.lay("GET", f"{VM_ITEM.id}/recoveryPoints", Answer(body=recording("rp_list_iaasvm")))
    found = await reader.recovery_points(VM_ITEM, SINCE, UNTIL, include_soft_deleted=True)

    assert len(found) == len(recording("rp_list_iaasvm")["value"])
    assert [one.query["$filter"].endswith("and includeSoftDeletedRP eq true") for one in azure.seen] == [True]


async def test_servers(azure: StubArm, reader: AzureReader) -> None:
    """MARS machines are read one by one for what their list leaves out; one that cannot be read keeps its list entry."""
    fabric = f"{VAULT.id}/backupFabrics/ActiveDirectory/protectionContainers"
    listed = [
        {
            "id": f"{fabric}/Windows;{name}",
            "name": f"Windows;{name}",
            "properties": {"friendlyName": name, "containerType": "Windows"},
        }
        for name in ("one", "two")
    ]
    whole = {
        **listed[0],
        "properties": {"friendlyName": "one", "containerType": "Windows", "agentVersion": "2.0.9249.0"},
    }
    azure.lay("GET", f"{VAULT.id}/backupProtectionContainers", Answer(body={"value": listed}))
    azure.lay("GET", f"{VAULT.id}/backupEngines", Answer(body=recording("ps_backup_engine_list")))
    azure.lay("GET", f"{fabric}/Windows;one", Answer(body=whole))
    found = await reader.servers(VAULT)

    assert [(one.name, one.kind, one.agent_version) for one in found] == [
        ("one", "mars", "2.0.9249.0"),
        ("two", "mars", ""),
        ("PRCHIDEL-VEN2.FAREAST.CORP.EXAMPLE.COM", "mabs", ""),
    ]
    filters = [one.query.get("$filter") for one in azure.seen if one.path.endswith("backupProtectionContainers")]
    assert filters == ["backupManagementType eq 'MAB'"]


async def test_a_server_that_its_list_describes(azure: StubArm, reader: AzureReader) -> None:
    """A machine whose list entry says when it was last seen is not read again."""
    entry = {
        "id": f"{VAULT.id}/backupFabrics/x/protectionContainers/Windows;one",
        "name": "Windows;one",
        "properties": {"friendlyName": "one", "extendedInfo": {"lastRefreshedAt": "2026-11-22T10:00:00Z"}},
    }
    azure.lay("GET", f"{VAULT.id}/backupProtectionContainers", Answer(body={"value": [entry]}))
    azure.lay("GET", f"{VAULT.id}/backupEngines", Answer(body={"value": []}))
    [found] = await reader.servers(VAULT)

    assert found.last_seen_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert len(azure.seen) == 2


async def test_subscriptions(azure: StubArm, reader: AzureReader) -> None:
    """Without configuration all that the identity sees, without those that were deleted; none at all is a missing right."""
    body = {"value": [{"subscriptionId": "a", "state": "Enabled"}, {"subscriptionId": "b", "state": "Deleted"}]}
    azure.lay("GET", "/subscriptions", Answer(body=body), Answer(body={"value": []}))

    assert await reader.subscriptions() == ["a"]
    with pytest.raises(PermissionDenied, match="no subscription"):
        await reader.subscriptions()


async def test_roles(azure: StubArm, reader: AzureReader) -> None:
    """Assignments are asked with everything inherited, definitions by id or by kind, whatever their casing."""
    assignments = f"{VM}/providers/Microsoft.Authorization/roleAssignments"
    definitions = f"{VM}/providers/Microsoft.Authorization/roleDefinitions"
    definition = recording("authorization_roledefinitions_filter")["value"][0]
    azure.lay("GET", assignments, Answer(body={"value": [recording("authorization_roleassignment_put_201")]}))
    azure.lay("GET", definitions, Answer(body={"value": [definition]}))
    azure.lay("GET", definition["id"], Answer(body=definition))

    assert (await reader.role_assignments(VM, "o'brien"))[0].principal_type == "User"
    assert (await reader.role_definitions(VM, custom_only=True))[0].name == "Key Vault Administrator"
    assert (await reader.role_definition(definition["id"])).permissions[0].data_actions == (
        "Microsoft.KeyVault/vaults/*",
    )
    assert [one.query.get("$filter") for one in azure.seen] == ["assignedTo('o''brien')", "type eq 'CustomRole'", None]


async def test_quoting(azure: StubArm, reader: AzureReader) -> None:
    """Blanks and marks of names are quoted, what is quoted already stays: an operation id may hold a quoted slash."""
    azure.lay("GET", "/a b;c'd#e?f/MjA/x=%", Answer(body={"name": "it"}))

    assert await reader.resource("/a b;c'd#e?f/MjA%2Fx%3D%", "1") == {"name": "it"}


async def test_plain_reads(azure: StubArm, reader: AzureReader) -> None:
    """Whole bodies and lists of anything come without secrets, with the version and query that were asked for."""
    azure.lay(
        "GET", f"{VM}/x y", Answer(body={"keyAndSecret": {"bekDetails": {"secretData": "TOP", "secretUrl": "u"}}})
    )
    azure.lay("GET", f"{VM}/list", Answer(body={"value": [{"name": "a", "accessTokenString": "TOP"}]}))

    assert await reader.resource(f"{VM}/x y", "2024-01-01") == {
        "keyAndSecret": {"bekDetails": {"secretData": "(secret)", "secretUrl": "u"}}
    }
    assert await reader.resources(f"{VM}/list", "2", {"$filter": "location eq 'x'"}) == [
        {"name": "a", "accessTokenString": "(secret)"}
    ]
    assert azure.seen[0].query == {"api-version": "2024-01-01"}
    assert azure.seen[1].query == {"api-version": "2", "$filter": "location eq 'x'"}


async def test_activity(azure: StubArm, reader: AzureReader) -> None:
    """The Activity Log is asked for one resource or one group, with both times, and comes newest first."""
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values"
    events = [{"eventTimestamp": f"2026-11-2{day}T00:00:00Z", "resourceId": VM} for day in (0, 1)]
    azure.lay("GET", path, Answer(body={"value": events}))

    assert [one.at.day for one in await reader.activity(VM, SINCE, UNTIL)] == [21, 20]
    await reader.activity(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1", SINCE, UNTIL)
    window = "eventTimestamp ge '2026-11-20T00:00:00Z' and eventTimestamp le '2026-11-22T14:05:06Z'"
    assert [one.query["$filter"] for one in azure.seen] == [
        f"{window} and resourceUri eq '{VM}'",
        f"{window} and resourceGroupName eq 'rg1'",
    ]


async def test_operation_policy_and_key_vault(azure: StubArm, reader: AzureReader) -> None:
    """An operation, a policy and a key vault are read from their own addresses."""
    policy = recording("policy_get_iaasvm_v1")
    key_vault = recording("keyvault_get_rbac")
    azure.lay("GET", f"{VAULT.id}/backupOperations/o", Answer(body=recording("backupoperations_succeeded_jobid")))
    azure.lay("GET", f"{VAULT.id}/backupPolicies/DefaultPolicy", Answer(body=policy))
    azure.lay("GET", key_vault["id"], Answer(body=key_vault))
    azure.lay("GET", VM, Answer(body=recording("compute_vm_get_expand_instanceview")))

    assert (await reader.operation(VAULT, "o")).job_ids == ("8bd90a9b-9246-4368-be42-5a4bf178ab76",)
    assert (await reader.policy(f"{VAULT.id}/backupPolicies/DefaultPolicy")).name == "DefaultPolicy"
    assert (await reader.key_vault(key_vault["id"])).rbac
    assert (await reader.virtual_machine(VM)).agent_status == "Ready"
    assert azure.seen[-1].query["$expand"] == "instanceView"
    with pytest.raises(BadRequest, match="policy"):
        await reader.policy("/nonsense")


async def test_backup_service_principal(azure: StubArm, connection: AzureConnection, reader: AzureReader) -> None:
    """Graph is asked once, with Graph's own scope; a configured id is believed without asking."""
    azure.lay("GET", GRAPH, Answer(body={"id": "object-id"}))
    configured = AzureReader(
        connection, connection.reader_credential(azure.environment), backup_service_principal="configured"
    )

    assert await reader.backup_service_principal() == "object-id"
    assert await reader.backup_service_principal() == "object-id"
    assert await configured.backup_service_principal() == "configured"
    assert len(azure.seen) == 1
    assert azure.seen[0].query == {"$select": "id,appId,displayName"}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            Answer(
                status=403,
                body={"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}},
            ),
            PermissionDenied,
            "Application.Read.All.*azure.backup_service_object_id",
        ),
        (
            Answer(status=404, body={"error": {"code": "Request_ResourceNotFound"}}),
            ResourceNotFound,
            "no service principal",
        ),
        (Answer(body={"displayName": "x"}), GatewayUnavailable, "without the object id"),
    ],
)
async def test_graph_says_no(
    azure: StubArm, reader: AzureReader, answer: Answer, error: type[GatewayError], words: str
) -> None:
    """What Graph refuses is said with the permission and the setting that replaces it."""
    azure.lay("GET", GRAPH, answer)
    with pytest.raises(error, match=words):
        await reader.backup_service_principal()


ODD = {
    "not json": Answer(raw=b"<html>hello</html>", content_type="text/html"),
    "cut json": Answer(raw=b'{"value": [{"id"'),
    "a list": Answer(body=[1, 2]),
    "a number": Answer(body=5),
    "null": Answer(raw=b"null"),
    "empty": Answer(raw=b""),
    "odd value": Answer(body={"value": "x"}),
    "odd entries": Answer(body={"value": ["x", 5]}),
    "odd properties": Answer(body={"id": VAULT.id, "value": [{"id": "x", "properties": "y"}], "properties": "z"}),
    "not utf-8": Answer(raw=b'{"id": "\xff\xfe'),
}
READS: dict[str, tuple[str, Callable[[AzureReader], Awaitable[object]]]] = {
    "vault": (VAULT.id, lambda reader: reader.vault(VAULT)),
    "items": (f"{VAULT.id}/backupProtectedItems", lambda reader: reader.items(VAULT)),
    "job": (f"{VAULT.id}/backupJobs/1", lambda reader: reader.job(VAULT, "1")),
    "vm": (VM, lambda reader: reader.virtual_machine(VM)),
    "extensions": (f"{VM}/extensions", lambda reader: reader.extensions(VM)),
    "roles": (
        f"{VM}/providers/Microsoft.Authorization/roleAssignments",
        lambda reader: reader.role_assignments(VM, "p"),
    ),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
@pytest.mark.parametrize(("path", "read"), READS.values(), ids=READS)
async def test_odd_answers(
    azure: StubArm, reader: AzureReader, path: str, read: Callable[[AzureReader], Awaitable[object]], answer: Answer
) -> None:
    """Whatever comes with status 200, a read ends in GatewayUnavailable and never in an error of Python's."""
    azure.lay("GET", path, answer)
    with pytest.raises(GatewayUnavailable):
        await read(reader)


@pytest.mark.parametrize(("path", "read"), [READS[name] for name in ("items", "extensions", "roles")])
async def test_no_list_is_not_an_empty_list(
    azure: StubArm, reader: AzureReader, path: str, read: Callable[[AzureReader], Awaitable[object]]
) -> None:
    """An object without a list is not read as nothing being there."""
    azure.lay("GET", path, Answer(body={"error": "strange"}))
    with pytest.raises(GatewayUnavailable, match="'value' is a NoneType"):
        await read(reader)


def test_ports(reader: AzureReader) -> None:
    """The reader, and the fakes that others test with, are what the ports say: the type checker looks at this too."""
    real: BackupReader = reader
    fakes: tuple[BackupReader, BackupOperator] = FakeAzure(), FakeOperator()
    assert real is reader
    assert fakes
