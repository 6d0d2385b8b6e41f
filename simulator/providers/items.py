"""Protected items: list, get, protect, stop, resume, undelete, delete, and the backup on demand."""

from datetime import datetime, timedelta

from simulator import timings
from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.filters import bad_filter, one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import ITEM, ITEM_ACTION, RS, VAULT, item_of, vault_of
from simulator.providers.itemview import HEALTH_STATES, item_body
from simulator.providers.jobs import MANAGEMENT
from simulator.world import engine, history
from simulator.world.model import DATABASES, FAR, ITEM_TYPES, Item, Json, Step, Workload

FILTERS = (
    "backupManagementType",
    "itemType",
    "policyName",
    "containerName",
    "backupEngineName",
    "friendlyName",
    "fabricName",
    "healthState",
)
BODY_TYPES = {
    Workload.VM: "Microsoft.Compute/virtualMachines",
    Workload.SQL: "AzureVmWorkloadSQLDatabase",
    Workload.HANA: "AzureVmWorkloadSAPHanaDatabase",
    Workload.FILES: "AzureFileShareProtectedItem",
}
BACKUP_BODIES = {
    Workload.VM: ("IaasVMBackupRequest", ("recoveryPointExpiryTimeInUTC",)),
    Workload.FILES: ("AzureFileShareBackupRequest", ("recoveryPointExpiryTimeInUTC",)),
    Workload.SQL: (
        "AzureWorkloadBackupRequest",
        ("backupType", "enableCompression", "recoveryPointExpiryTimeInUTC"),
    ),
    Workload.HANA: (
        "AzureWorkloadBackupRequest",
        ("backupType", "enableCompression", "recoveryPointExpiryTimeInUTC"),
    ),
}
BACKUP_TYPES = ("Full", "Differential", "Log", "CopyOnlyFull", "Incremental")
WRITABLE = (
    "protectedItemType",
    "sourceResourceId",
    "policyId",
    "policyName",
    "isRehydrate",
    "protectionState",
    "friendlyName",
    "backupManagementType",
    "workloadType",
    "containerName",
    "resourceGuardOperationRequests",
    "virtualMachineId",
    "extendedProperties",
    "isScheduledForDeferredDelete",
)


def list_items(call: Call) -> Answer:
    """The protected items of a vault, soft-deleted ones included."""
    vault = vault_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), FILTERS)
    management = one_of(wanted, "backupManagementType", MANAGEMENT)
    kind = one_of(wanted, "itemType", (*ITEM_TYPES.values(), "SAPHanaDBInstance", "SystemState", "Client"))
    health = one_of(wanted, "healthState", HEALTH_STATES)
    found = []
    for item in vault.items.values():
        if item.more.get("purged") or not _fits(item, wanted, management, kind):
            continue
        found.append(item)
    if health is not None:
        bodies = [item_body(call.world, item, call.now) for item in found]
        return paged(call, [body for body in bodies if body["properties"].get("healthStatus") == health])
    return _page_of(call, found)


def _page_of(call: Call, found: list[Item]) -> Answer:
    answer = paged(call, [{"item": item} for item in found])
    if answer.body is not None:
        answer.body["value"] = [item_body(call.world, row["item"], call.now) for row in answer.body["value"]]
    return answer


def _fits(item: Item, wanted: dict[str, str], management: str | None, kind: str | None) -> bool:
    given = {
        "policyName": item.policy,
        "friendlyName": item.name,
        "fabricName": item.fabric,
        "backupEngineName": str(item.more.get("engine", "")),
    }
    if management and item.management_type != management:
        return False
    if kind and ITEM_TYPES[item.workload] != kind:
        return False
    if "containerName" in wanted:
        name, short = wanted["containerName"].casefold(), item.container.casefold()
        if name not in (short, short.partition(";")[2]):
            return False
    return all(wanted[field].casefold() == value.casefold() for field, value in given.items() if field in wanted)


def get_item(call: Call) -> Answer:
    """One protected item; `$filter=expand eq 'extendedInfo'` is all that Azure allows."""
    item = item_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), ("expand",))
    if wanted.get("expand", "extendedInfo").casefold() != "extendedinfo":
        raise bad_filter(f"'{wanted['expand']}' cannot be expanded")
    return Answer(200, item_body(call.world, item, call.now, full=True))


def trigger_backup(call: Call) -> Answer:
    """Starts a backup now: 202 with an operation that tells the job's id."""
    item = item_of(call)
    if item.workload not in BACKUP_BODIES:
        raise ArmError(
            400,
            "BMSUserErrorAdhocBackupNotSupported",
            "A backup of this item can only be started on the machine itself.",
        )
    properties = call.properties()
    kind, fields = BACKUP_BODIES[item.workload]
    if properties.get("objectType") != kind:
        raise ArmError(400, "InvalidRequestContent", f"The objectType of this backup request must be {kind}.")
    refuse_unknown(properties, ("objectType", *fields), kind)
    backup_type = properties.get("backupType", "Full" if item.workload in DATABASES else "")
    if item.workload in DATABASES and backup_type not in BACKUP_TYPES:
        raise ArmError(400, "InvalidRequestContent", f"'{backup_type}' is not a backupType.")
    expires = _expiry(properties.get("recoveryPointExpiryTimeInUTC"), call.now)
    if item.state not in engine.SCHEDULED_STATES or item.deleted_at is not None:
        raise ArmError(
            400,
            "BMSUserErrorInvalidProtectionState",
            "The item is not protected: resume its protection before a backup.",
        )
    if _busy(call, item):
        raise ArmError(
            400,
            "UserErrorBackupOperationInProgress",
            "Another backup of this item is in progress. Wait for its end or cancel it.",
        )
    job = engine.start_backup(call.world, item, call.now, kind=backup_type, user=True)
    if expires is not None:
        job.plan["expires"] = expires
    operation = asynchronous.start(call)
    operation.job = job.id
    return asynchronous.accepted(call, operation, f"{item.id}/operationsStatus", f"{item.id}/operationResults")


def _busy(call: Call, item: Item) -> bool:
    recent = history.jobs(call.world, item, call.now - timedelta(days=2), call.now, call.now)
    return any(job.operation == "Backup" and job.ended is None for job in (*recent, *item.open))


def _expiry(text: object, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ArmError(400, "InvalidRequestContent", "recoveryPointExpiryTimeInUTC is not a time.") from error
    if found.tzinfo is None or found <= now:
        raise ArmError(400, "UserErrorInvalidRecoveryPointExpiryTime", "The expiry must lie in the future, in UTC.")
    return found


def put_item(call: Call) -> Answer:
    """Resumes, stops or undeletes protection, told apart by the body as Azure does."""
    item = item_of(call)
    properties = call.properties()
    kind = BODY_TYPES.get(item.workload)
    if kind is None or properties.get("protectedItemType", "").casefold() != kind.casefold():
        raise ArmError(400, "InvalidRequestContent", f"The protectedItemType of this item must be {kind}.")
    refuse_unknown(properties, WRITABLE, "the protected item")
    engine.settle(call.world, item, call.now)
    operation = asynchronous.start(call)
    state = properties.get("protectionState")
    if item.deleted_at is not None:
        if properties.get("isRehydrate") is not True:
            raise ArmError(400, "BMSUserErrorItemInSoftDeletedState", "The item is soft deleted: undelete it first.")
        seconds = call.world.pace.seconds(timings.UNDELETE)
        operation.job = engine.start_job(call.world, item, "Undelete", call.now, [Step("Undelete", seconds)]).id
    elif state == "ProtectionStopped":
        _stop(call, item, properties)
    else:
        _protect(call, item, properties)
    return asynchronous.accepted(call, operation, f"{item.id}/operationsStatus", f"{item.id}/operationResults")


def _stop(call: Call, item: Item, properties: Json) -> None:
    if item.vault.guard and not properties.get("resourceGuardOperationRequests"):
        raise ArmError(
            403,
            "UserErrorCriticalOperationForbidden",
            "A resource guard protects this operation: its consent is needed.",
        )
    if item.real_from is None:
        engine.make_real(call.world, item, call.now)
    item.more["former_policy"] = item.policy or item.more.get("former_policy", "")
    item.policy, item.state, item.next_run = "", "ProtectionStopped", FAR
    engine.refresh_wake(item)


def _protect(call: Call, item: Item, properties: Json) -> None:
    name = str(properties.get("policyId") or "").rpartition("/")[2]
    policy = next((p for p in item.vault.policies.values() if p.name.casefold() == name.casefold()), None)
    if policy is None or policy.workload is not item.workload:
        raise ArmError(400, "BMSUserErrorPolicyNotFound", f"The vault has no policy '{name}' for this item.")
    if item.real_from is None:
        engine.make_real(call.world, item, call.now)
    item.policy, item.state = policy.name, "Protected"
    item.more["inconsistent"] = item.more["silent"] = False
    item.next_run = policy.schedule.following(call.now)
    engine.refresh_wake(item)


def delete_item(call: Call) -> Answer:
    """Stops protection and deletes the data: soft deleted where the vault says so, else gone."""
    item = item_of(call)
    if item.vault.guard:
        raise ArmError(
            403,
            "UserErrorCriticalOperationForbidden",
            "A resource guard protects this operation: its consent is needed.",
        )
    engine.settle(call.world, item, call.now)
    _stop(call, item, {"resourceGuardOperationRequests": ["own"]})
    if item.vault.soft_delete["state"] == "Disabled":
        item.more["purged"] = True
    else:
        item.deleted_at = call.now
    operation = asynchronous.start(call)
    base = item.vault.id
    return asynchronous.accepted(call, operation, f"{base}/backupOperations", f"{base}/backupOperationResults")


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", VAULT + "/backupProtectedItems", list_items, action=f"{RS}/backupProtectedItems/read")
    router.add("GET", ITEM, get_item, action=f"{ITEM_ACTION}/read")
    router.add("PUT", ITEM, put_item, action=f"{ITEM_ACTION}/write")
    router.add("DELETE", ITEM, delete_item, action=f"{ITEM_ACTION}/delete")
    router.add("POST", ITEM + "/backup", trigger_backup, action=f"{ITEM_ACTION}/backup/action")
    router.add(
        "GET",
        ITEM + "/operationsStatus/{operation}",
        asynchronous.statuses(item_of),
        action=f"{ITEM_ACTION}/operationsStatus/read",
    )
    router.add(
        "GET",
        ITEM + "/operationResults/{operation}",
        asynchronous.results(item_of),
        action=f"{ITEM_ACTION}/operationResults/read",
    )
    router.add(
        "GET",
        VAULT + "/backupOperations/{operation}",
        asynchronous.statuses(vault_of),
        action=f"{RS}/backupOperations/read",
    )
    router.add(
        "GET",
        VAULT + "/backupOperationResults/{operation}",
        asynchronous.results(vault_of),
        action=f"{RS}/backupOperationResults/read",
    )
