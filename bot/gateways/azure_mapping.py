"""What Azure Backup's answers mean: vaults, items, recovery points, operations and servers.

Pure functions from bodies with wire names to :mod:`domain.backup`. Wire names and never the SDK's attributes: the SDK leaves
out fields that Azure sends, and some items arrive as a base class without attributes.
"""

from collections.abc import Iterable, Mapping

from bot.gateways.azure_wire import (
    Wire,
    flag,
    inner,
    moment,
    plain_mapping,
    rows,
    span,
    surprise,
    text,
    texts,
    whole,
)
from domain.arm import ItemId, VaultId, name_of
from domain.backup import HealthDetail, OperationStatus, ProtectedItem, RecoveryPoint, Server, Vault, Workload

_WORKLOADS: Mapping[str, Workload] = {
    "microsoft.compute/virtualmachines": Workload.VM,
    "microsoft.classiccompute/virtualmachines": Workload.VM,
    "azureiaasvmprotecteditem": Workload.VM,
    "azurevmworkloadsqldatabase": Workload.SQL,
    "azurevmworkloadsaphanadatabase": Workload.HANA,
    "azurevmworkloadsaphanadbinstance": Workload.HANA,
    "azurefileshareprotecteditem": Workload.FILES,
    "mabfilefolderprotecteditem": Workload.MARS,
    "dpmprotecteditem": Workload.MABS,
}
_MANAGEMENT_TYPES: Mapping[str, Workload] = {
    "azureiaasvm": Workload.VM,
    "azurestorage": Workload.FILES,
    "mab": Workload.MARS,
    "dpm": Workload.MABS,
    "azurebackupserver": Workload.MABS,
}


def to_vault(body: Wire) -> Vault:
    """A Recovery Services vault."""
    properties = inner(body, "properties")
    identity = inner(body, "identity")
    soft_delete = inner(properties, "securitySettings", "softDeleteSettings")
    redundancy = inner(properties, "redundancySettings")
    cross_region = text(redundancy, "crossRegionRestore")
    several_people = text(inner(properties, "securitySettings"), "multiUserAuthorization")
    users = inner(identity, "userAssignedIdentities")
    return Vault(
        id=_vault_id(body),
        location=text(body, "location"),
        identity_type=text(identity, "type") or "None",
        principal_id=text(identity, "principalId"),
        user_assigned_principals={name: text(inner(users, name), "principalId") for name in users},
        soft_delete_state=text(soft_delete, "softDeleteState") or None,
        soft_delete_days=whole(soft_delete, "softDeleteRetentionPeriodInDays"),
        redundancy=text(redundancy, "standardTierStorageRedundancy") or None,
        cross_region_restore=cross_region.casefold() == "enabled" if cross_region else None,
        # "Invalid" is Azure's word for "not said".
        multi_user_authorization=several_people.casefold() == "enabled"
        if several_people not in {"", "Invalid"}
        else None,
        job_failure_alerts=text(
            inner(properties, "monitoringSettings", "azureMonitorAlertSettings"), "alertsForAllJobFailures"
        )
        or None,
        tags={name: text(inner(body, "tags"), name) for name in inner(body, "tags")},
        properties=plain_mapping(properties),
    )


def to_item(body: Wire) -> ProtectedItem:
    """A protected item of any workload, soft-deleted ones included."""
    item_id = _item_id(body)
    properties = inner(body, "properties")
    extended = inner(properties, "extendedInfo")
    workload = _workload(properties)
    source_id = text(properties, "sourceResourceId", "virtualMachineId")
    failure = inner(properties, "lastBackupErrorDetail")
    failed = text(failure, "code").casefold() not in {"", "success"}
    policy_id = text(properties, "policyId")
    machine = text(properties, "computerName", "serverName", "backupEngineName")
    return ProtectedItem(
        id=item_id,
        name=text(properties, "friendlyName") or item_id.name.rpartition(";")[2],
        workload=workload,
        source_id=source_id if source_id.startswith("/") else "",
        server_name=machine,
        parent_name=text(properties, "parentName") or (name_of(source_id) if workload is Workload.FILES else machine),
        protection_state=text(properties, "protectionState"),
        protection_status=text(properties, "protectionStatus"),
        health_status=text(properties, "healthStatus", "protectedItemHealthStatus"),
        health_details=tuple(_health(properties)),
        last_backup_status=text(properties, "lastBackupStatus") or text(extended, "lastBackupStatus"),
        last_backup_at=moment(properties, "lastBackupTime"),
        last_recovery_point_at=moment(properties, "lastRecoveryPoint")
        or moment(extended, "onPremiseLatestRecoveryPoint", "newestRecoveryPointInVault"),
        last_error_code=text(failure, "code") if failed else "",
        last_error_text=text(failure, "message") if failed else "",
        policy_id=policy_id,
        policy_name=text(properties, "policyName") or name_of(policy_id),
        policy_inconsistent=bool(flag(extended, "policyInconsistent"))
        or text(extended, "policyState").casefold() == "inconsistent",
        soft_deleted=bool(flag(properties, "isScheduledForDeferredDelete")),
        deleted_at=moment(properties, "deferredDeleteTimeInUTC"),
        purge_after=span(properties, "deferredDeleteTimeRemaining"),
        archived=bool(flag(properties, "isArchiveEnabled")),
        backup_management_type=text(properties, "backupManagementType"),
        properties=plain_mapping(properties),
    )


def to_recovery_points(body: Wire) -> list[RecoveryPoint]:
    """What one entry of a recovery point list stands for.

    That is one point, except for database logs, where an entry spans ranges of time: each becomes a point of kind ``Log`` at
    the end of its range, the newest moment that it can bring back. ``id`` is the point's own name, not its ARM id.
    """
    properties = inner(body, "properties")
    marks = inner(properties, "recoveryPointProperties")
    secrets = inner(properties, "keyAndSecret")
    name = text(body, "name") or name_of(text(body, "id"))
    ranges = rows(properties, "timeRanges")
    at = moment(properties, "recoveryPointTime", "recoveryPointTimeInUTC")
    ends = [end for one in ranges if (end := moment(one, "endTime"))] or ([at] if at else [])
    if not ends and "timeRanges" not in properties:  # a database without logs has an entry for them without ranges
        surprise("recoveryPointTime", None)
    return [
        RecoveryPoint(
            id=name,
            at=end,
            kind=text(properties, "recoveryPointType", "type") or ("Log" if ranges else ""),
            tiers={text(one, "type"): text(one, "status") for one in rows(properties, "recoveryPointTierDetails")},
            encrypted=bool(flag(properties, "isSourceVMEncrypted")),
            secret_vault_id=text(inner(secrets, "bekDetails"), "secretVaultId"),
            key_vault_id=text(inner(secrets, "kekDetails"), "keyVaultId"),
            vm_size=text(properties, "virtualMachineSize"),
            soft_deleted=bool(flag(marks, "isSoftDeleted")),
            expires_at=moment(marks, "expiryTime"),
        )
        for end in ends
    ]


def to_operation(body: Wire) -> OperationStatus:
    """How far a backup operation is, with the job that it became."""
    properties = inner(body, "properties")
    job = text(properties, "jobId")
    failures = inner(properties, "failedJobsError")
    error = inner(body, "error")
    status = text(body, "status")
    if not status:
        surprise("status", body.get("status"))
    return OperationStatus(
        id=text(body, "name") or name_of(text(body, "id")),
        status=status,
        job_ids=(job,) if job else texts(properties, "jobIds"),
        error_code=text(error, "code"),
        error_message=text(error, "message") or "; ".join(f"{one}: {text(failures, one)}" for one in failures),
    )


def to_mars_server(body: Wire) -> Server:
    """A machine with the MARS agent, as its container in the vault describes it; "" and None: not reported."""
    properties = inner(body, "properties")
    return Server(
        id=text(body, "id"),
        name=text(properties, "friendlyName") or text(body, "name").rpartition(";")[2],
        kind="mars",
        agent_version=text(properties, "agentVersion"),
        health=text(properties, "containerHealthState", "healthStatus"),
        last_seen_at=moment(inner(properties, "extendedInfo"), "lastRefreshedAt"),
        item_count=whole(properties, "protectedItemCount"),
        can_reregister=flag(properties, "canReRegister"),
    )


def to_backup_engine(body: Wire) -> Server:
    """A MABS or DPM server, as the vault lists it; "" and None: not reported."""
    properties = inner(body, "properties")
    extended = inner(properties, "extendedInfo")
    upgrades = [flag(properties, "isAzureBackupAgentUpgradeAvailable"), flag(properties, "isDpmUpgradeAvailable")]
    said = [one for one in upgrades if one is not None]
    return Server(
        id=text(body, "id"),
        name=text(properties, "friendlyName") or text(body, "name"),
        kind="mabs",
        agent_version=text(properties, "azureBackupAgentVersion"),
        server_version=text(properties, "dpmVersion"),
        upgrade_available=any(said) if said else None,
        health=text(properties, "healthStatus"),
        last_seen_at=moment(extended, "refreshedAt"),
        item_count=whole(extended, "protectedItemsCount"),
        can_reregister=flag(properties, "canReRegister"),
    )


def _workload(properties: Wire) -> Workload:
    kind = text(properties, "protectedItemType").casefold()
    if kind in _WORKLOADS:
        return _WORKLOADS[kind]
    word = text(properties, "workloadType").casefold()
    if word.startswith("sql") and text(properties, "backupManagementType").casefold() == "azureworkload":
        return Workload.SQL
    if word.startswith("saphana"):
        return Workload.HANA
    return _MANAGEMENT_TYPES.get(text(properties, "backupManagementType").casefold(), Workload.OTHER)


def _health(properties: Wire) -> Iterable[HealthDetail]:
    found = list(rows(properties, "healthDetails"))
    # Databases report per measure (backup, agent …), files and shares too.
    measures = inner(properties, "kpisHealths")
    for name in measures:
        found += rows(inner(measures, name), "resourceHealthDetails")
    for one in found:
        yield HealthDetail(
            code=text(one, "code"),
            title=text(one, "title"),
            message=text(one, "message"),
            recommendations=texts(one, "recommendations"),
        )


def _vault_id(body: Wire) -> VaultId:
    try:
        return VaultId.parse(text(body, "id"))
    except ValueError:
        surprise("id", body.get("id"))


def _item_id(body: Wire) -> ItemId:
    try:
        return ItemId.parse(text(body, "id"))
    except ValueError:
        surprise("id", body.get("id"))
