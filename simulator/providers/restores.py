"""Restores: trigger, and the service's own validation before one."""

from simulator import timings
from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.routing import Router
from simulator.providers.common import ITEM, ITEM_ACTION, RS, VAULT, item_of, vault_of
from simulator.providers.points import find_point, tiers
from simulator.world import engine, history
from simulator.world.errors import ERRORS
from simulator.world.machines import machine_of
from simulator.world.model import DATABASES, Item, Job, Json, Point, Step, Workload
from simulator.world.physics import elsewhere_problem, restore_problems

VM_FIELDS = (
    "objectType",
    "recoveryPointId",
    "recoveryType",
    "sourceResourceId",
    "targetVirtualMachineId",
    "targetResourceGroupId",
    "storageAccountId",
    "virtualNetworkId",
    "subnetId",
    "targetDomainNameId",
    "region",
    "affinityGroup",
    "createNewCloudService",
    "originalStorageAccountOption",
    "encryptionDetails",
    "restoreDiskLunList",
    "restoreWithManagedDisks",
    "diskEncryptionSetId",
    "zones",
    "identityInfo",
    "identityBasedRestoreDetails",
    "extendedLocation",
    "securedVMDetails",
    "targetDiskNetworkAccessSettings",
    "resourceGuardOperationRequests",
)
RECOVERY_TYPES = ("OriginalLocation", "AlternateLocation", "RestoreDisks")
JOB_TYPES = {
    "OriginalLocation": "Recover to the original location",
    "AlternateLocation": "Recover to an alternate location",
    "RestoreDisks": "Recover disks",
}


def plan_of(call: Call, item: Item, properties: Json) -> dict[str, str]:
    """What a VM restore request asks for, in the terms of `restore_problems`; raises a 400 for a bad one."""
    refuse_unknown(properties, VM_FIELDS, "IaasVMRestoreRequest")
    kind = properties.get("recoveryType")
    if kind not in RECOVERY_TYPES:
        raise ArmError(400, "InvalidRequestContent", f"recoveryType must be one of {', '.join(RECOVERY_TYPES)}.")
    if kind == "RestoreDisks" and not properties.get("storageAccountId"):
        raise ArmError(400, "InvalidRequestContent", "storageAccountId is required to restore disks.")
    machine = machine_of(call.world, item)
    if machine is not None and machine.encryption is not None and kind == "OriginalLocation":
        raise ArmError(
            400, "UserErrorEncryptedVmRestoreNotSupported", "An encrypted VM cannot replace its existing disks."
        )
    group = properties.get("targetResourceGroupId") or item.source_id.partition("/providers/")[0]
    if group.casefold() not in call.world.groups:
        raise ArmError(400, "UserErrorResourceGroupNotFound", f"The resource group '{group}' does not exist.")
    identity = properties.get("identityInfo") or {}
    wanted = identity.get("isSystemAssignedIdentity") is True or bool(identity.get("managedIdentityResourceId"))
    return {
        "type": kind,
        "group": group,
        "account": properties.get("storageAccountId") or "",
        "region": (properties.get("region") or item.vault.location).casefold().replace(" ", ""),
        "identity": "true" if wanted else "",
        "size": machine.size if machine else "",
    }


def need_consent(item: Item, properties: Json) -> None:
    """Raises a 403 where a resource guard protects restores and the request does not name its consent."""
    if item.vault.guard and not properties.get("resourceGuardOperationRequests"):
        raise ArmError(
            403,
            "UserErrorCriticalOperationForbidden",
            "A resource guard protects this operation: its consent is needed.",
        )


def steps(call: Call, kind: str, base: float = timings.RESTORE) -> list[Step]:
    """The sub-tasks of a restore."""
    found = [Step(engine.FETCH, call.world.pace.seconds(base))]
    if kind != "RestoreDisks":
        found.append(Step(engine.CREATE, call.world.pace.seconds(base / 10)))
    return found


def describe(item: Item, point: Point, plan: dict[str, str]) -> dict[str, str]:
    """The property bag of a restore job."""
    return {
        "Job Type": JOB_TYPES[plan["type"]],
        "Target VM Name": item.name,
        "Target Storage Account Name": plan["account"].rpartition("/")[2],
        "Recovery point time ": f"{point.time:%-m/%-d/%Y %-I:%M:%S %p}",
        "Target resource group": plan["group"].rpartition("/")[2],
    }


def trigger_restore(call: Call) -> Answer:
    """Starts a restore: 202 with an operation that tells the job's id."""
    item = item_of(call)
    point = find_point(call, item)
    properties = call.properties()
    kind = str(properties.get("objectType", ""))
    if any(job.operation == "Restore" for job in item.open):
        raise ArmError(400, "UserErrorRestoreOperationInProgress", "Another restore of this item is in progress.")
    if item.workload is Workload.VM:
        if kind not in ("IaasVMRestoreRequest", "IaasVMRestoreWithRehydrationRequest"):
            raise ArmError(400, "InvalidRequestContent", "The objectType must be IaasVMRestoreRequest.")
        if not tiers(point, call.now):
            raise ArmError(400, "UserErrorRecoveryPointNotFound", "The recovery point is not in any tier.")
        plan = plan_of(call, item, properties)
        need_consent(item, properties)
        job = engine.start_job(call.world, item, "Restore", call.now, steps(call, plan["type"]), **plan)
        job.bag = describe(item, point, plan)
    else:
        job = _other(call, item, kind, properties)
    operation = asynchronous.start(call)
    operation.job = job.id
    return asynchronous.accepted(call, operation, f"{item.id}/operationsStatus", f"{item.id}/operationResults")


def _other(call: Call, item: Item, kind: str, properties: Json) -> Job:
    fits = {
        Workload.SQL: "AzureWorkloadSQL",
        Workload.HANA: "AzureWorkloadSAPHana",
        Workload.FILES: "AzureFileShareRestoreRequest",
    }
    if item.workload not in fits:
        raise ArmError(
            400, "BMSUserErrorRestoreNotSupported", "This item can only be restored from the machine itself."
        )
    if not kind.startswith(fits[item.workload]):
        raise ArmError(400, "InvalidRequestContent", f"The objectType '{kind}' does not fit this item.")
    if properties.get("recoveryType") not in ("OriginalLocation", "AlternateLocation"):
        raise ArmError(400, "InvalidRequestContent", "recoveryType is required.")
    seconds = call.world.pace.seconds(timings.RESTORE / 2)
    error = elsewhere_problem(call.world, item, properties)
    job = engine.start_job(call.world, item, "Restore", call.now, [Step(engine.FETCH, seconds)], error=error)
    if item.workload in DATABASES:
        job.kind = "Full"
    return job


def _problems(call: Call) -> list[Json]:
    refuse_unknown(call.json(), ("id", "properties"), "the validation request")
    body = call.properties()
    refuse_unknown(body, ("objectType", "restoreRequest"), "the validation request")
    if body.get("objectType") != "ValidateIaasVMRestoreOperationRequest":
        raise ArmError(400, "InvalidRequestContent", "Only VM restores can be validated here.")
    request = body.get("restoreRequest")
    if not isinstance(request, dict):
        raise ArmError(400, "InvalidRequestContent", "restoreRequest is required.")
    vault = vault_of(call)
    source = str(request.get("sourceResourceId", "")).casefold()
    item = next((i for i in vault.items.values() if i.source_id.casefold() == source), None)
    if item is None:
        raise ArmError(400, "BMSUserErrorProtectedItemNotFound", "sourceResourceId is not protected in this vault.")
    if request.get("objectType") != "IaasVMRestoreRequest":
        raise ArmError(400, "InvalidRequestContent", "The objectType of restoreRequest must be IaasVMRestoreRequest.")
    point = f"{item.id}/recoveryPoints/{request.get('recoveryPointId')}"
    if str(call.json().get("id", "")).casefold() != point.casefold():
        raise ArmError(400, "InvalidRequestContent", "id must be the ARM id of the recovery point of restoreRequest.")
    if all(one.id != request["recoveryPointId"] for one in history.points(call.world, item, call.now)):
        raise ArmError(400, "UserErrorRecoveryPointNotFound", "The recovery point was not found.")
    plan = plan_of(call, item, request)
    return [
        {
            "code": code,
            "message": ERRORS[code].text,
            "recommendations": list(ERRORS[code].advice),
        }
        for code in restore_problems(call.world, item, plan, call.now)
    ]


def trigger_validation(call: Call) -> Answer:
    """Asks the service whether a restore would work: 202, the result is in the operation."""
    vault = vault_of(call)
    results = _problems(call)
    operation = asynchronous.start(call, seconds=timings.OPERATION / 2)
    operation.results = results
    return asynchronous.accepted(
        call,
        operation,
        f"{vault.id}/backupValidateOperationsStatuses",
        f"{vault.id}/backupValidateOperationResults",
    )


def validate_now(call: Call) -> Answer:
    """The synchronous form of the same question, with the same body."""
    return Answer(200, {"validateOperationResponse": {"validationResults": _problems(call)}})


def validation_result(call: Call) -> Answer:
    """The end of a validation: 202 while it runs, then its results."""
    vault_of(call)
    operation = asynchronous.find(call, call.parts["operation"])
    if call.now >= operation.done and operation.results is not None:
        return Answer(200, {"validateOperationResponse": {"validationResults": operation.results}})
    return asynchronous.result(call, operation)


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add(
        "POST",
        ITEM + "/recoveryPoints/{point}/restore",
        trigger_restore,
        action=f"{ITEM_ACTION}/recoveryPoints/restore/action",
    )
    router.add(
        "POST",
        VAULT + "/backupTriggerValidateOperation",
        trigger_validation,
        action=f"{RS}/backupTriggerValidateOperation/action",
    )
    router.add(
        "POST",
        VAULT + "/backupValidateOperation",
        validate_now,
        action=f"{RS}/backupValidateOperation/action",
        reads=True,
    )
    for kind, handler in (("Statuses", asynchronous.statuses(vault_of)), ("", validation_result)):
        name = "backupValidateOperationsStatuses" if kind else "backupValidateOperationResults"
        router.add("GET", VAULT + f"/{name}/{{operation}}", handler, action=f"{RS}/{name}/read")
