"""What Azure's answers mean, by hand-written expectations."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.gateways.azure_mapping import (
    to_backup_engine,
    to_item,
    to_mars_server,
    to_operation,
    to_recovery_points,
    to_vault,
)
from bot.gateways.azure_mapping_jobs import to_job
from bot.gateways.azure_mapping_resources import (
    to_activity_event,
    to_extension,
    to_key_vault,
    to_lock,
    to_role_assignment,
    to_role_definition,
    to_virtual_machine,
)
from bot.gateways.azure_wire import flag, moment, plain, rows, span, text, texts, whole
from domain.arm import VaultId
from domain.backup import Job, JobError, Permission, ProtectedItem, RecoveryPoint, Workload
from domain.errors import GatewayUnavailable
from tests.gateways.conftest import recording

VAULT = VaultId("00000000-0000-0000-0000-000000000000", "clitest.rg000001", "clitest-vault000002")
ITEM_ID = f"{VAULT.id}/backupFabrics/Azure/protectionContainers/c;d/protectedItems/VM;c;d;vm0"

ADVICE = (
    "Please make sure that virtual machine exists or select a different virtual machine. For more details,"
    " please refer to http://aka.ms/UserErrorVmNotFoundV2"
)


def item(**properties: object) -> ProtectedItem:
    """An item with these properties."""
    return to_item({"id": ITEM_ID, "properties": properties})


def one_job(*, name: str = "1", **properties: object) -> Job:
    """A job with these properties."""
    return to_job(
        {"name": name, "properties": {"status": "Failed", "operation": "Backup", **properties}}, VAULT, detailed=True
    )


def test_failed_vm_job() -> None:
    """The recorded failure of a VM's backup."""
    job = to_job(recording("job_iaasvm_backup_failed"), VAULT, detailed=True)

    assert job.id == "b780f654-9e1f-410f-acac-37e5d63490a7"
    assert job.failed
    assert not job.cancellable  # the answer says "1", but the job has ended
    assert job.duration == timedelta(minutes=10, seconds=32, microseconds=692528)
    assert job.started_at == datetime(2021, 6, 14, 9, 45, 35, 912717, tzinfo=UTC)
    assert job.errors == (
        JobError(
            code="UserErrorVmNotFoundV2",
            number=400136,
            title="UserErrorVmNotFoundV2",
            text="Virtual machine doesn't exist.",
            recommendations=(ADVICE,),
        ),
    )
    assert [(task.name, task.status) for task in job.tasks] == [
        ("Take Snapshot", "InProgress"),
        ("Transfer data to vault", "NotStarted"),
    ]
    assert job.details["Backup Size"] == "0 MB"
    assert job.container_name == "iaasvmcontainerv2;clitest.rg000001;clitest-vm000003"


def test_running_restore() -> None:
    """The recorded restore that runs: cancellable, with its progress, no end, and names without stray blanks."""
    job = to_job(recording("job_iaasvm_restore_inprogress"), VAULT, detailed=True)

    assert (job.running, job.is_restore, job.cancellable, job.progress_percent) == (True, True, True, 1)
    assert job.ended_at is None
    assert job.details["Recovery point time"] == "5/15/2024 7:52:53 AM"
    assert job.details["restoreLocationType"] == "RestoreDisks"


def test_database_jobs_name_their_server() -> None:
    """A database job belongs to the item of that name on that server, and to no other server's."""
    job = one_job(
        jobType="AzureWorkloadJob", entityFriendlyName="msdb [sql-clitestvm-d]", backupManagementType="AzureWorkload"
    )
    mine = to_item(recording("items_list_sql")["value"][0])
    other = to_item(
        {
            "id": mine.id.id.replace("sql-clitestvm-donotuse2", "other"),
            "properties": {"friendlyName": "msdb", "protectedItemType": "AzureVmWorkloadSQLDatabase"},
        }
    )

    assert (job.item_name, job.container_name) == ("msdb", "sql-clitestvm-d")
    assert job.is_of(mine)
    assert not job.is_of(other)


def test_job_of_a_share() -> None:
    """A share's job names its storage account."""
    job = to_job(recording("job_afs_backup_completed"), VAULT, detailed=True)

    assert (job.item_name, job.container_name) == ("clitest-item000008", "clitest000004")
    assert job.details["File Share Name"] == "clitest-item000008"


@pytest.mark.parametrize(
    ("error", "code", "number"),
    [
        ({"errorCode": 400247, "errorTitle": "UserErrorX", "errorString": "s"}, "UserErrorX", 400247),
        ({"errorCode": 1073871825, "errorString": "s", "recommendations": ["r"]}, "1073871825", 1073871825),
        ({"errorString": "The process cannot access the file. (0x80070020)"}, "0x80070020", None),
        ({"errorString": "Something else."}, "", None),
        ({"errorCode": 0, "errorString": None, "recommendations": None}, "", 0),
    ],
    ids=["virtual machine", "file share", "agent", "agent without a code", "empty"],
)
def test_three_shapes_of_errors(error: dict[str, Any], code: str, number: int | None) -> None:
    """Each shape keeps its number and gets its most telling code."""
    [found] = one_job(jobType="MabJob", errorDetails=[error]).errors

    assert (found.code, found.number) == (code, number)


def test_job_of_an_agent() -> None:
    """A MARS job names its machine, its tasks have times instead of durations, and sentinels are none."""
    job = one_job(
        jobType="MabJob",
        mabServerName="srv1.contoso.com",
        entityFriendlyName="C:\\",
        extendedInfo={
            "tasksList": [
                {
                    "taskId": "Upload",
                    "startTime": "2026-11-22T10:00:00Z",
                    "endTime": "2026-11-22T10:05:00Z",
                    "status": "x",
                },
                {
                    "taskId": "Seal",
                    "startTime": "0001-01-01T00:00:00",
                    "endTime": "0001-01-01T00:00:00Z",
                    "status": "y",
                },
            ],
            "dynamicErrorMessage": "wait",
        },
    )

    assert job.container_name == "srv1.contoso.com"
    assert [task.duration for task in job.tasks] == [timedelta(minutes=5), None]
    assert job.details["dynamicErrorMessage"] == "wait"


def test_vm_item_never_backed_up() -> None:
    """The recorded item without a backup: Azure's year 2001 means never."""
    found = to_item(recording("item_get_iaasvm"))

    assert found.workload is Workload.VM
    assert found.name == "clitest-vm000003"
    assert found.source_id.endswith("/Microsoft.Compute/virtualMachines/clitest-vm000003")
    assert (found.last_backup_at, found.last_recovery_point_at) == (None, None)
    assert (found.protection_state, found.health_status, found.policy_name) == ("IRPending", "Passed", "DefaultPolicy")
    assert found.properties["protectedItemDataId"] == "175923881158615"


def test_soft_deleted_item() -> None:
    """The recorded soft-deleted item: when it was deleted and how long it stays."""
    found = to_item(recording("items_list_iaasvm_softdeleted")["value"][0])

    assert found.soft_deleted
    assert found.deleted_at == datetime(2024, 4, 28, 7, 36, 32, 804528, tzinfo=UTC)
    assert found.purge_after == timedelta(days=13, hours=23, minutes=59, seconds=42.8656)
    assert (found.policy_id, found.policy_name, found.protection_state) == ("", "", "ProtectionStopped")


def test_database_item() -> None:
    """The recorded database: its instance, its server, and a success that is no error."""
    found = to_item(recording("items_list_sql")["value"][0])

    assert (found.workload, found.name) == (Workload.SQL, "msdb")
    assert (found.parent_name, found.server_name) == ("MSSQLSERVER", "sql-clitestvm-d")
    assert (found.last_error_code, found.last_error_text) == ("", "")
    assert found.health_status == "IRPending"


def test_share_item() -> None:
    """The recorded share is called by its friendly name and belongs to its storage account."""
    found = to_item(recording("item_get_afs"))

    assert (found.workload, found.name, found.parent_name) == (Workload.FILES, "clitest-item000004", "clitest000003")
    assert not found.policy_inconsistent


@pytest.mark.parametrize(
    ("properties", "workload"),
    [
        ({"protectedItemType": "Microsoft.ClassicCompute/virtualMachines"}, Workload.VM),
        ({"protectedItemType": "AzureVmWorkloadSAPHanaDatabase"}, Workload.HANA),
        (
            {"protectedItemType": "New", "workloadType": "SQLDataBase", "backupManagementType": "AzureWorkload"},
            Workload.SQL,
        ),
        ({"protectedItemType": "New", "workloadType": "SAPHanaDatabase"}, Workload.HANA),
        ({"protectedItemType": "New", "backupManagementType": "AzureStorage"}, Workload.FILES),
        ({"protectedItemType": "MabFileFolderProtectedItem"}, Workload.MARS),
        ({"protectedItemType": "DPMProtectedItem"}, Workload.MABS),
        ({"protectedItemType": "AzureVmWorkloadSAPAseDatabase"}, Workload.OTHER),
        ({}, Workload.OTHER),
    ],
)
def test_workloads(properties: dict[str, object], workload: Workload) -> None:
    """The item's own type decides, then what it holds, then who manages it."""
    assert item(**properties).workload is workload


def test_agent_and_server_items() -> None:
    """MARS names its computer, DPM its server and its newest point on premises; neither has an Azure source."""
    mars = item(
        protectedItemType="MabFileFolderProtectedItem",
        computerName="srv1.contoso.com",
        friendlyName="C:\\",
        lastBackupTime="2026-11-20T22:00:00Z",
        sourceResourceId="",
    )
    mabs = item(
        protectedItemType="DPMProtectedItem",
        backupEngineName="mabs1",
        extendedInfo={"onPremiseLatestRecoveryPoint": "2026-11-21T01:00:00", "lastBackupStatus": "Completed"},
    )

    assert (mars.server_name, mars.parent_name, mars.source_id) == ("srv1.contoso.com", "srv1.contoso.com", "")
    assert mars.last_backup_at == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert (mabs.server_name, mabs.last_backup_status) == ("mabs1", "Completed")
    assert mabs.last_recovery_point_at == datetime(2026, 11, 21, 1, tzinfo=UTC)


def test_item_troubles() -> None:
    """Health, last error and an inconsistent policy are told, of VMs and of databases."""
    vm = item(
        healthDetails=[{"code": 400239, "title": "t", "message": "m", "recommendations": ["r"]}],
        extendedInfo={"policyInconsistent": True},
        isArchiveEnabled=True,
    )
    database = item(
        lastBackupErrorDetail={"code": "UserErrorSQLNoSysadmin", "message": "no rights"},
        kpisHealths={"Backup": {"resourceHealthDetails": [{"code": 1, "message": "late"}]}},
        extendedInfo={"policyState": "Inconsistent"},
    )

    assert [(one.code, one.recommendations) for one in vm.health_details] == [("400239", ("r",))]
    assert (vm.policy_inconsistent, vm.archived) == (True, True)
    assert (database.last_error_code, database.last_error_text) == ("UserErrorSQLNoSysadmin", "no rights")
    assert database.policy_inconsistent
    assert [one.message for one in database.health_details] == ["late"]


def test_points_of_a_vm() -> None:
    """The recorded point of a VM with its two tiers."""
    [point] = to_recovery_points(recording("rp_get_iaasvm"))

    assert point == RecoveryPoint(
        id="2027240748883986535",
        at=datetime(2023, 1, 5, 10, 39, 51, 952967, tzinfo=UTC),
        kind="AppConsistent",
        tiers={"InstantRP": "Valid", "HardenedRP": "Valid"},
        vm_size="Standard_DS1_v2",
    )


def test_points_of_a_database() -> None:
    """The recorded point of a database: its kind, its expiry."""
    [point] = to_recovery_points(recording("rp_list_sql")["value"][0])

    assert (point.id, point.kind, point.soft_deleted) == ("114834294723916", "Full", False)
    assert point.at == datetime(2023, 4, 26, 15, 2, 2, tzinfo=UTC)
    assert point.expires_at == datetime(2023, 9, 13, 15, 2, 2, tzinfo=UTC)


def test_log_ranges() -> None:
    """A database's log ranges bring back their last moment each."""
    points = to_recovery_points(
        {
            "name": "DefaultRangeRecoveryPoint",
            "properties": {
                "type": "Log",
                "recoveryPointTimeInUTC": "0001-01-01T00:00:00Z",
                "timeRanges": [
                    {"startTime": "2026-11-20T00:00:00Z", "endTime": "2026-11-20T12:00:00Z"},
                    {"startTime": "2026-11-21T00:00:00Z", "endTime": "2026-11-21T12:00:00Z"},
                ],
            },
        }
    )

    assert [(point.kind, point.at.day) for point in points] == [("Log", 20), ("Log", 21)]


def test_a_database_without_logs() -> None:
    """The recorded entry for logs that has no range stands for no point."""
    entry = recording("rp_list_sql")["value"][-1]

    assert entry["name"] == "DefaultRangeRecoveryPoint"
    assert to_recovery_points(entry) == []


def test_secrets_of_points_are_not_taken_over() -> None:
    """Of an encrypted VM's keys only the key vaults are kept."""
    body = {
        "name": "1",
        "properties": {
            "recoveryPointTime": "2026-11-22T10:00:00Z",
            "isSourceVMEncrypted": True,
            "keyAndSecret": {
                "bekDetails": {"secretVaultId": "/kv/a", "secretData": "TOP-SECRET"},
                "kekDetails": {"keyVaultId": "/kv/b", "keyBackupData": "TOP-SECRET"},
            },
        },
    }
    [point] = to_recovery_points(body)

    assert (point.encrypted, point.secret_vault_id, point.key_vault_id) == (True, "/kv/a", "/kv/b")
    assert "TOP-SECRET" not in repr(point)
    assert "TOP-SECRET" not in repr(plain(body))


def test_vaults() -> None:
    """The recorded vault with an identity; what Azure leaves out is not known."""
    vault = to_vault(recording("vault_get_system_assigned"))
    bare = to_vault({"id": VAULT.id, "location": "westeurope", "properties": None})

    assert vault.id == VAULT
    assert (vault.identity_type, vault.principal_id) == ("SystemAssigned", "faf24456-ff15-4732-980c-d4fa8f54ce62")
    assert (vault.soft_delete_state, vault.soft_delete_days) == ("Enabled", 14)
    assert (vault.redundancy, vault.cross_region_restore) == ("GeoRedundant", False)
    assert (vault.multi_user_authorization, vault.job_failure_alerts) == (False, "Enabled")
    assert (bare.soft_delete_state, bare.cross_region_restore, bare.job_failure_alerts) == (None, None, None)
    assert (bare.identity_type, bare.multi_user_authorization) == ("None", None)


def test_vaults_with_user_assigned_identities() -> None:
    """Each identity's principal is found by its id, and tags come along."""
    body = {
        "id": VAULT.id,
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/id/a": {"principalId": "p"}, "/id/b": None}},
        "tags": {"team": "dba"},
    }
    vault = to_vault(body)

    assert vault.user_assigned_principals == {"/id/a": "p", "/id/b": ""}
    assert vault.tags == {"team": "dba"}


def test_operations() -> None:
    """An operation that runs has no job, one that ended has one or several, one that failed says why."""
    running = to_operation(recording("backupoperations_inprogress"))
    ended = to_operation(recording("backupoperations_succeeded_jobid"))
    failed = to_operation(
        {
            "name": "x",
            "status": "Failed",
            "error": {"code": "UserErrorX", "message": "no"},
            "properties": {
                "objectType": "OperationStatusJobsExtendedInfo",
                "jobIds": ["a", "b"],
                "failedJobsError": {"a": "e"},
            },
        }
    )

    assert (running.status, running.job_ids) == ("InProgress", ())
    assert (ended.id, ended.job_ids) == (
        "8e763e37-591e-4250-a53b-885cb3764b22",
        ("8bd90a9b-9246-4368-be42-5a4bf178ab76",),
    )
    assert (failed.error_code, failed.error_message, failed.job_ids) == ("UserErrorX", "no", ("a", "b"))


def test_servers() -> None:
    """What an agent or a server does not report is not made up; either kind of upgrade counts."""
    mars = to_mars_server(recording("ps_mab_container_list")["value"][0])
    engine = to_backup_engine(recording("ps_backup_engine_list")["value"][0])
    told = to_backup_engine(
        {
            "id": "/e",
            "name": "mabs1",
            "properties": {
                "azureBackupAgentVersion": "2.0.9083.0",
                "dpmVersion": "14.0.42.0",
                "isAzureBackupAgentUpgradeAvailable": False,
                "isDpmUpgradeAvailable": True,
                "extendedInfo": {"refreshedAt": "2026-11-22T01:00:00Z", "protectedItemsCount": 3},
            },
        }
    )

    assert (mars.kind, mars.name, mars.agent_version, mars.health) == (
        "mars",
        "ADIT-PC.FAREAST.CORP.EXAMPLE.COM",
        "",
        "",
    )
    assert (mars.item_count, mars.can_reregister, mars.last_seen_at) == (0, True, None)
    assert (engine.kind, engine.upgrade_available, engine.health) == ("mabs", None, "Healthy")
    assert (told.agent_version, told.server_version, told.upgrade_available) == ("2.0.9083.0", "14.0.42.0", True)
    assert told.item_count == 3


def test_virtual_machine() -> None:
    """The recorded machine: running, its agent ready."""
    vm = to_virtual_machine(recording("compute_vm_get_expand_instanceview"))

    assert (vm.name, vm.size, vm.os_type) == ("clitest-vm000003", "Standard_DS1_v2", "Windows")
    assert (vm.power_state, vm.provisioning_state) == ("running", "Succeeded")
    assert (vm.agent_version, vm.agent_status) == ("2.7.41491.1095", "Ready")
    assert vm.agent_reported_at == datetime(2024, 4, 28, 6, 36, 35, 172000, tzinfo=UTC)
    assert (vm.disk_encryption, vm.disk_encryption_sets, vm.extensions) == (False, (), ())


def test_machine_without_agent() -> None:
    """A deallocated machine reports no agent, and that is no error."""
    vm = to_virtual_machine(
        {
            "id": "/vm",
            "properties": {"instanceView": {"statuses": [{"code": "PowerState/deallocated", "message": "off"}]}},
        }
    )

    assert (vm.power_state, vm.agent_status, vm.agent_version) == ("deallocated", "", "")
    assert vm.status_messages == ("off",)


SECRET_AND_KEY = {
    "enabled": True,
    "diskEncryptionKey": {"sourceVault": {"id": "/kv/secret"}},
    "keyEncryptionKey": {"sourceVault": {"id": "/kv/key"}},
}


@pytest.mark.parametrize(
    "body",
    [
        {"properties": {"storageProfile": {"osDisk": {"encryptionSettings": SECRET_AND_KEY}}}},
        {"properties": {"instanceView": {"disks": [{"name": "os", "encryptionSettings": [SECRET_AND_KEY]}]}}},
        {
            "resources": [
                {
                    "name": "AzureDiskEncryption",
                    "properties": {
                        "publisher": "Microsoft.Azure.Security",
                        "type": "AzureDiskEncryptionForLinux",
                        "settings": {
                            "EncryptionOperation": "EnableEncryption",
                            "KeyVaultResourceId": "/kv/secret",
                            "KekVaultResourceId": "/kv/key",
                        },
                    },
                }
            ]
        },
    ],
    ids=["os disk", "instance view", "extension"],
)
def test_encryption_inside_the_guest(body: dict[str, Any]) -> None:
    """Each of the three places that tell of Azure Disk Encryption is read."""
    vm = to_virtual_machine({"id": "/vm", **body})

    assert (vm.disk_encryption, vm.secret_vault_id, vm.key_vault_id) == (True, "/kv/secret", "/kv/key")


def test_platform_encryption_is_another_thing() -> None:
    """A disk encryption set needs no key vault rights of the backup service; it is told apart."""
    disk = {"managedDisk": {"diskEncryptionSet": {"id": "/des"}}}
    vm = to_virtual_machine({"id": "/vm", "properties": {"storageProfile": {"osDisk": disk, "dataDisks": [disk]}}})

    assert (vm.disk_encryption, vm.disk_encryption_sets) == (False, ("/des",))


def test_extensions() -> None:
    """Model, instance view and handler of an extension come together; one known from the view alone is kept."""
    handler = {"code": "ProvisioningState/failed/1007", "displayStatus": "Not Ready", "message": "boom"}
    view = {"name": "VMSnapshot", "typeHandlerVersion": "1.0.9", "statuses": [{"code": "a", "message": "m"}]}
    vm = to_virtual_machine(
        {
            "id": "/vm",
            "resources": [
                {
                    "name": "vm0/VMSnapshot",
                    "properties": {
                        "publisher": "Microsoft.Azure.RecoveryServices",
                        "type": "VMSnapshotLinux",
                        "provisioningState": "Failed",
                    },
                }
            ],
            "properties": {
                "instanceView": {
                    "extensions": [
                        {**view, "type": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"},
                        {
                            "name": "Other",
                            "type": "Contoso.Tools.Agent",
                            "statuses": [
                                {"code": "ProvisioningState/failed/1", "displayStatus": "Provisioning failed"}
                            ],
                        },
                    ],
                    "vmAgent": {
                        "extensionHandlers": [
                            {"type": "Microsoft.Azure.RecoveryServices.VMSnapshotLinux", "status": handler},
                            {"type": "Contoso.NoStatus"},
                        ]
                    },
                }
            },
        }
    )
    snapshot, other = vm.extensions
    alone = to_extension(
        {
            "name": "VMSnapshot",
            "properties": {"publisher": "P", "type": "T", "provisioningState": "S", "instanceView": view},
        }
    )

    assert (snapshot.name, snapshot.publisher, snapshot.version) == (
        "VMSnapshot",
        "Microsoft.Azure.RecoveryServices",
        "1.0.9",
    )
    assert snapshot.statuses == (
        ("a", "", "m"),
        ("ExtensionHandler/ProvisioningState/failed/1007", "Not Ready", "boom"),
    )
    assert (other.publisher, other.type, other.provisioning_state) == ("Contoso.Tools", "Agent", "Failed")
    assert (alone.version, alone.statuses) == ("1.0.9", (("a", "", "m"),))


def test_key_vaults() -> None:
    """The recorded vault with roles; one with access policies, whatever the case of their words; one behind a firewall."""
    roles = to_key_vault(recording("keyvault_get_rbac"))
    policies = to_key_vault(
        {
            "id": "/kv",
            "properties": {
                "accessPolicies": [{"objectId": "o", "permissions": {"keys": ["Get", "List"], "secrets": ["ALL"]}}],
                "networkAcls": {"defaultAction": "Deny", "bypass": "None"},
                "enablePurgeProtection": True,
            },
        }
    )

    assert (roles.name, roles.rbac, roles.access_policies, roles.default_network_action) == (
        "clitest000004",
        True,
        (),
        "Allow",
    )
    assert not policies.rbac
    assert policies.access_policies[0].keys == {"get", "list"}
    assert policies.access_policies[0].secrets == {"all"}
    assert (policies.default_network_action, policies.trusted_services_bypass) == ("Deny", False)
    assert (policies.purge_protection, policies.soft_delete) == (True, True)


def test_roles() -> None:
    """The recorded assignment and definition."""
    assignment = to_role_assignment(recording("authorization_roleassignment_put_201"))
    role = to_role_definition(recording("authorization_roledefinitions_filter")["value"][0])

    assert assignment.scope.endswith("/Microsoft.KeyVault/vaults/clitest000004")
    assert assignment.role_definition_id.endswith("/00482a5a-887f-4fb3-b363-3b7fe8e74483")
    assert (assignment.principal_type, assignment.condition) == ("User", "")
    assert (role.guid, role.name, role.built_in) == (
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        True,
    )
    assert role.permissions[0].data_actions == ("Microsoft.KeyVault/vaults/*",)
    assert isinstance(role.permissions[0], Permission)


def test_locks_and_events() -> None:
    """A lock tells where it was put; an event who did what, with long texts cut."""
    lock = to_lock({"id": "/rg/locks/x", "name": "x", "properties": {"level": "ReadOnly", "notes": "keep"}})
    event = to_activity_event(
        {
            "eventTimestamp": "2026-11-22T09:00:00.1234567Z",
            "operationName": {"value": "Microsoft.KeyVault/vaults/write", "localizedValue": "Update Key Vault"},
            "resourceId": "/kv",
            "caller": "ana@contoso.com",
            "status": {"value": "Succeeded"},
            "subStatus": {"value": "OK"},
            "correlationId": "c",
            "level": "Informational",
            "properties": {"statusCode": "OK", "message": "x" * 900, "nothing": None},
        }
    )

    assert (lock.level, lock.notes) == ("ReadOnly", "keep")
    assert (event.operation, event.actor, event.status) == (
        "Microsoft.KeyVault/vaults/write",
        "ana@contoso.com",
        "Succeeded",
    )
    assert (event.details["statusCode"], event.details["subStatus"], len(event.details["message"])) == ("OK", "OK", 500)
    assert "nothing" not in event.details


@pytest.mark.parametrize(
    "read",
    [
        lambda: to_vault({}),
        lambda: to_vault({"id": "/nonsense"}),
        lambda: to_vault({"id": VAULT.id, "properties": []}),
        lambda: to_vault({"id": VAULT.id, "location": {"name": "x"}}),
        lambda: to_item({"id": VAULT.id}),
        lambda: item(healthDetails="none"),
        lambda: item(lastBackupTime="yesterday"),
        lambda: item(lastBackupTime=5),
        lambda: item(isArchiveEnabled="perhaps"),
        lambda: item(deferredDeleteTimeRemaining="soon"),
        lambda: one_job(errorDetails={"errorCode": 1}),
        lambda: one_job(errorDetails=["x"]),
        lambda: one_job(errorDetails=[{"errorCode": "many"}]),
        lambda: one_job(duration="an hour"),
        lambda: one_job(name="", status="Failed"),
        lambda: one_job(status=""),
        lambda: one_job(status="InProgress", actionsInfo=7),
        lambda: to_operation({}),
        lambda: to_recovery_points({"name": "1", "properties": {}}),
        lambda: to_virtual_machine({}),
        lambda: to_key_vault({"properties": {}}),
        lambda: to_activity_event({}),
    ],
)
def test_surprises_are_said(read: Callable[[], object]) -> None:
    """A body of another shape is an answer that cannot be read, never a programming error."""
    with pytest.raises(GatewayUnavailable, match="cannot be read"):
        read()


def test_words_of_the_wire() -> None:
    """The small readings: numbers as text, one text as a list, truth as text, fractions cut, naive times as UTC."""
    assert text({"a": None, "b": 5}, "a", "b") == "5"
    assert texts({"a": "x"}, "a") == ("x",)
    assert texts({"a": [1, None, "y"]}, "a") == ("1", "y")
    assert texts({"a": ""}, "a") == ()
    assert flag({"a": "True"}, "a") is True
    assert flag({"a": ""}, "a") is None
    assert whole({"a": "12.9"}, "a") == 12
    assert whole({"a": ""}, "a") is None
    assert rows({}, "a") == []
    assert moment({"a": "2026-11-22T10:00:00+01:00"}, "a") == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert moment({"a": "2026-11-22T10:00:00.1234567"}, "a") == datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    assert moment({"a": "0001-01-01T00:00:00+14:00"}, "a") is None
    assert moment({"a": "2001-01-01T00:00:00Z", "b": "2026-01-01T00:00:00Z"}, "a", "b") == datetime(
        2026, 1, 1, tzinfo=UTC
    )
    assert span({"a": "P1DT2H"}, "a") == timedelta(days=1, hours=2)
    assert span({"a": "-PT1S"}, "a") == timedelta(seconds=-1)
    assert span({"a": timedelta(1)}, "a") == timedelta(1)
    assert span({"a": ""}, "a") is None
