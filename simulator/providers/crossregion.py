"""Cross-region restore, in the seven calls of its own API (2021-11-15 and 2023-01-15)."""

from simulator import timings
from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.filters import one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import ITEM, ITEM_ACTION, item_of
from simulator.providers.jobs import FILTERS, MANAGEMENT, OPERATIONS, STATUSES, job_body
from simulator.providers.points import find_point, secondary
from simulator.providers.restores import describe, need_consent, plan_of, steps
from simulator.providers.storage import PAIRS
from simulator.world import engine, history
from simulator.world.model import ITEM_TYPES, Item, Job, Json, Vault, Workload, stable_uuid

LOCATION = "/subscriptions/{subscription}/providers/Microsoft.RecoveryServices/locations/{location}"
ACTIONS = "Microsoft.RecoveryServices/locations"


def _token(item: Item, point: str) -> str:
    return f"crr.{stable_uuid('crr', item.id, point)}.{item.number}.{point}"


def aad_properties(call: Call) -> Answer:
    """Whom the secondary region trusts: wanted for the access token."""
    wanted, _ = parse_filter(call.query.get("$filter"), ("backupManagementType",))
    one_of(wanted, "backupManagementType", MANAGEMENT)
    region = call.parts["location"]
    return Answer(
        200,
        {
            "properties": {
                "tenantId": call.world.tenant,
                "audience": f"https://RecoveryServices/IaasCoord/aadmgmt/{region}",
                "servicePrincipalObjectId": stable_uuid("crr", region),
            }
        },
    )


def access_token(call: Call) -> Answer:
    """A secret that lets the secondary region read one recovery point."""
    item = item_of(call)
    point = find_point(call, item)
    call.properties()
    if not item.vault.cross_region:
        raise ArmError(
            400, "UserErrorCrossRegionRestoreNotEnabled", "Cross Region Restore is not enabled for this vault."
        )
    if not secondary(item, [point], call.now):
        raise ArmError(
            400, "UserErrorRecoveryPointNotReplicated", "The recovery point is not in the secondary region yet."
        )
    vault = item.vault
    return Answer(
        200,
        {
            "properties": {
                "objectType": "CrrAccessToken",
                "accessTokenString": _token(item, point.id),
                "subscriptionId": vault.subscription,
                "resourceGroupName": vault.group,
                "resourceName": vault.name,
                "resourceId": str(int(stable_uuid("vault", vault.id).replace("-", "")[:14], 16)),
                "protectionContainerId": item.number,
                "recoveryPointId": point.id,
                "recoveryPointTime": f"{point.time:%-m/%-d/%Y %-I:%M:%S %p}",
                "containerName": item.container.partition(";")[2],
                "containerType": "IaasVMContainer",
                "backupManagementType": item.management_type,
                "datasourceType": ITEM_TYPES[item.workload],
                "datasourceName": item.name,
                "datasourceId": str(item.number),
                "datasourceContainerName": item.container.partition(";")[2],
            }
        },
    )


def restore(call: Call) -> Answer:
    """Restores a replicated point in the secondary region: 202 with an operation under that region."""
    body = call.json()
    refuse_unknown(body, ("crossRegionRestoreAccessDetails", "restoreRequest"), "the cross-region request")
    details, request = body.get("crossRegionRestoreAccessDetails"), body.get("restoreRequest")
    if not isinstance(details, dict) or not isinstance(request, dict):
        raise ArmError(400, "InvalidRequestContent", "Access details and a restore request are required.")
    item, point_id = _behind(call, str(details.get("accessTokenString", "")))
    region = call.parts["location"].casefold()
    if PAIRS.get(item.vault.location) != region:
        raise ArmError(400, "UserErrorNotSecondaryRegion", f"'{region}' is not the vault's secondary region.")
    if item.workload is not Workload.VM:
        raise ArmError(400, "BMSUserErrorRestoreNotSupported", "Only VMs are restored across regions here.")
    point = next((p for p in history.points(call.world, item, call.now) if p.id == point_id), None)
    if point is None:
        raise ArmError(404, "BMSUserErrorRecoveryPointNotFound", "The recovery point is gone.")
    plan = plan_of(call, item, request)
    need_consent(item, request)
    plan["region"] = region
    work = steps(call, plan["type"], timings.CROSS_REGION_RESTORE)
    job = engine.start_job(call.world, item, "CrossRegionRestore", call.now, work, **plan)
    job.region = region
    job.bag = describe(item, point, plan) | {
        "Subscription Id of the vault": item.vault.subscription,
        "Resource Group Name of the vault": item.vault.group,
        "Vault name": item.vault.name,
    }
    operation = asynchronous.start(call, base64_id=True)
    operation.job = job.id
    base = f"/subscriptions/{call.parts['subscription']}/providers/Microsoft.RecoveryServices/locations/{region}"
    return asynchronous.accepted(
        call, operation, f"{base}/backupCrrOperationsStatus", f"{base}/backupCrrOperationResults"
    )


def _behind(call: Call, token: str) -> tuple[Item, str]:
    parts = token.split(".")
    for item in call.world.items if len(parts) == 4 else ():  # noqa: PLR2004 the parts of `_token`
        if str(item.number) == parts[2] and _token(item, parts[3]) == token:
            return item, parts[3]
    raise ArmError(403, "UserErrorInvalidAccessToken", "The access token of the recovery point is not valid.")


def status(call: Call) -> Answer:
    """The state of a cross-region restore's start."""
    operation = asynchronous.find(call, call.parts["operation"])
    body = asynchronous.status_body(call, operation)
    body["id"] = f"{call.path.rpartition('/')[0]}/{operation.id}"
    return Answer(200, body)


def _vault(call: Call, body: Json) -> Vault:
    vault = call.world.vaults.get(str(body.get("resourceId", "")).casefold())
    if vault is None:
        raise ArmError(404, "ResourceNotFound", f"The vault '{body.get('resourceId')}' was not found.")
    return vault


def get_job(call: Call) -> Answer:
    """One job of the secondary region."""
    body = call.json()
    refuse_unknown(body, ("resourceId", "jobName"), "CrrJobRequest")
    vault = _vault(call, body)
    job = history.find_job(call.world, vault.items, str(body.get("jobName", "")), call.now)
    if job is None or job.region != call.parts["location"].casefold():
        raise ArmError(404, "BMSUserErrorJobNotFound", f"The job '{body.get('jobName')}' was not found.")
    return Answer(200, job_body(job, call.now, full=True))


def list_jobs(call: Call) -> Answer:
    """The jobs of the secondary region for one vault."""
    body = call.json()
    refuse_unknown(body, ("resourceId", "jobName"), "CrrJobRequest")
    vault = _vault(call, body)
    wanted, _ = parse_filter(call.query.get("$filter"), FILTERS)
    state = one_of(wanted, "status", STATUSES)
    operation = one_of(wanted, "operation", OPERATIONS)
    found: list[Job] = []
    for item in vault.items.values():
        engine.settle(call.world, item, call.now)
        found += [
            job
            for job in item.jobs
            if job.region == call.parts["location"].casefold()
            and (state is None or job.status == state)
            and (operation is None or job.operation == operation)
        ]
    found.sort(key=lambda job: job.started, reverse=True)
    return paged(call, [job_body(job, call.now, full=False) for job in found])


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", LOCATION + "/backupAadProperties", aad_properties, action=f"{ACTIONS}/backupAadProperties/read")
    router.add(
        "POST",
        ITEM + "/recoveryPoints/{point}/accessToken",
        access_token,
        action=f"{ITEM_ACTION}/recoveryPoints/accessToken/action",
        reads=True,
    )
    router.add(
        "POST",
        LOCATION + "/backupCrossRegionRestore",
        restore,
        action=f"{ACTIONS}/backupCrossRegionRestore/action",
    )
    router.add(
        "GET",
        LOCATION + "/backupCrrOperationsStatus/{operation}",
        status,
        action=f"{ACTIONS}/backupCrrOperationsStatus/read",
    )
    router.add(
        "GET",
        LOCATION + "/backupCrrOperationResults/{operation}",
        asynchronous.results(),
        action=f"{ACTIONS}/backupCrrOperationResults/read",
    )
    router.add("POST", LOCATION + "/backupCrrJob", get_job, action=f"{ACTIONS}/backupCrrJob/action", reads=True)
    router.add("POST", LOCATION + "/backupCrrJobs", list_jobs, action=f"{ACTIONS}/backupCrrJobs/action", reads=True)
