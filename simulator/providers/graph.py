"""Resource Graph: KQL over vaults, items, jobs, machines and alerts, with paging and the quota of queries.

Rows come only from subscriptions in which the caller may read, silently, as in Azure. Jobs appear a little late: the real
index is fed in the background.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from simulator import kql
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.routing import Router
from simulator.providers.alerts import alert_body, failed_jobs
from simulator.providers.compute import machine_body
from simulator.providers.itemview import ITEM_KINDS, NEVER, item_body
from simulator.providers.jobs import job_body
from simulator.providers.keyvault import key_vault_body
from simulator.providers.resources import visible
from simulator.providers.storage import account_body
from simulator.providers.vaults import vault_body
from simulator.world import history
from simulator.world.engine import settle_all
from simulator.world.model import (
    ITEM_TYPES,
    Account,
    Item,
    Job,
    Json,
    KeyVault,
    Machine,
    Vault,
    Workload,
    World,
    zulu,
)

Owned = TypeVar("Owned", Vault, Machine, KeyVault, Account)
INDEX_LAG = timedelta(seconds=30)
JOBS_KEPT = timedelta(days=14)
MOST_ROWS = 1000
KEPT_RESULTS = 8
OPTIONS = ("$top", "$skip", "$skipToken", "resultFormat", "allowPartialScopes")


def _row(call: Call, body: Json, kind: str, subscription: str, group: str) -> Json:
    return {
        "id": body["id"],
        "name": body["name"],
        "type": kind,
        "tenantId": call.world.tenant,
        "kind": str(body.get("kind", "")),
        "location": body.get("location", ""),
        "resourceGroup": group.casefold(),
        "subscriptionId": subscription,
        "managedBy": "",
        "sku": body.get("sku"),
        "plan": None,
        "properties": body["properties"],
        "tags": body.get("tags"),
        "identity": body.get("identity"),
        "zones": None,
        "extendedLocation": None,
    }


def _items(call: Call, subscriptions: set[str]) -> Iterator[Json]:
    kind = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems"
    for item in call.world.items:
        if item.vault.subscription in subscriptions and not item.more.get("purged"):
            body = {
                "id": item.id,
                "name": item.item_name,
                "properties": _item_properties(call.world, item, call.now),
            }
            yield _row(call, body, kind, item.vault.subscription, item.vault.group)


def _item_properties(world: World, item: Item, now: datetime) -> Json:
    if item.real_from is not None or item.jobs or item.workload is not Workload.VM:
        properties: Json = item_body(world, item, now)["properties"]
    else:
        start, point = history.newest_good(world, item, now)
        properties = {
            "protectedItemType": ITEM_KINDS[item.workload],
            "backupManagementType": item.management_type,
            "workloadType": ITEM_TYPES[item.workload],
            "friendlyName": item.name,
            "policyName": item.policy,
            "policyId": f"{item.vault.id}/backupPolicies/{item.policy}",
            "protectionState": item.state,
            "protectionStatus": "Healthy",
            "healthStatus": "Passed",
            "lastBackupStatus": "Completed",
            "lastBackupTime": zulu(start) if start else NEVER,
            "lastRecoveryPoint": zulu(point) if point else None,
            "sourceResourceId": item.source_id,
        }
    state = properties["protectionState"]
    properties["currentProtectionState"] = "ProtectionConfigured" if state == "Protected" else state
    properties["dataSourceInfo"] = {
        "resourceID": item.source_id,
        "resourceName": item.name,
        "datasourceType": properties["protectedItemType"],
        "resourceLocation": item.vault.location,
    }
    properties["vaultId"] = item.vault.id
    return properties


def _jobs(call: Call, subscriptions: set[str], status: str) -> Iterator[Json]:
    """The jobs with a status, or with "other" those that are neither Completed nor InProgress."""
    until = call.now - call.world.seconds(INDEX_LAG.total_seconds(), call.now)
    for item in call.world.items:
        if item.vault.subscription not in subscriptions:
            continue
        after = call.now - (timedelta(days=2) if status == "InProgress" else JOBS_KEPT)
        if status == "InProgress" and item.real_from is None and not item.open and not _running(item, call.now):
            continue
        for job in history.jobs(call.world, item, after, until, call.now, good=status != "other"):
            word = job.status if job.status in ("Completed", "InProgress") else "other"
            if word == status:
                yield _job_row(call, job)


def _running(item: Item, now: datetime) -> bool:
    policy = history.policy_of(item)
    start = policy.schedule.preceding(now) if policy else None
    return start is not None and now - start < timedelta(hours=1)


def _job_row(call: Call, job: Job) -> Json:
    body = job_body(job, call.now, full=False)
    vault = job.item.vault
    properties = {k: v for k, v in body["properties"].items() if k != "errorDetails"}
    kind = "microsoft.recoveryservices/vaults/backupjobs"
    whole = {**body, "properties": {**properties, "vaultName": vault.name}}
    return _row(call, whole, kind, vault.subscription, vault.group)


def _resources(call: Call, subscriptions: set[str]) -> kql.Table:
    def part(
        kind: str, found: Iterable[Owned], body: Callable[[Owned], Json]
    ) -> tuple[Json, Callable[[], Iterator[Json]]]:
        def rows() -> Iterator[Json]:
            for one in found:
                if one.subscription in subscriptions:
                    yield _row(call, body(one), kind, one.subscription, one.group)

        return {"type": kind}, rows

    world = call.world
    return [
        part("microsoft.recoveryservices/vaults", world.vaults.values(), lambda v: vault_body(call, v)),
        part("microsoft.compute/virtualmachines", world.machines.values(), lambda m: machine_body(m, call.now)),
        part("microsoft.keyvault/vaults", world.key_vaults.values(), lambda k: key_vault_body(call, k)),
        part("microsoft.storage/storageaccounts", world.accounts.values(), account_body),
    ]


def _alerts(call: Call, subscriptions: set[str]) -> Iterator[Json]:
    for vault in call.world.vaults.values():
        if vault.subscription in subscriptions:
            for job in failed_jobs(call.world, vault):
                body = alert_body(call.world, job, context=True)
                kind = "microsoft.alertsmanagement/alerts"
                yield _row(call, body, kind, vault.subscription, vault.group)


def _tables(call: Call, subscriptions: set[str]) -> dict[str, kql.Table]:
    prefix = "microsoft.recoveryservices/vaults"
    jobs = f"{prefix}/backupjobs"
    return {
        "resources": _resources(call, subscriptions),
        "recoveryservicesresources": [
            (
                {"type": f"{prefix}/backupfabrics/protectioncontainers/protecteditems"},
                lambda: _items(call, subscriptions),
            ),
            ({"type": jobs}, lambda: _jobs(call, subscriptions, "other")),
            (
                {"type": jobs, "properties": {"status": "InProgress"}},
                lambda: _jobs(call, subscriptions, "InProgress"),
            ),
            (
                {"type": jobs, "properties": {"status": "Completed"}},
                lambda: _jobs(call, subscriptions, "Completed"),
            ),
        ],
        "alertsmanagementresources": [
            ({"type": "microsoft.alertsmanagement/alerts"}, lambda: _alerts(call, subscriptions))
        ],
    }


def _subscriptions(call: Call, body: Json) -> set[str]:
    seen = {sub.id for sub in visible(call)}
    wanted = body.get("subscriptions")
    if not wanted:
        return seen
    found = seen & {str(one).casefold() for one in wanted}
    if not found:
        raise ArmError(403, "AccessDenied", "Access denied. None of the listed subscriptions may be read.")
    return found


def query(call: Call) -> Answer:
    """`POST /providers/Microsoft.ResourceGraph/resources`."""
    body = call.json()
    refuse_unknown(body, ("subscriptions", "managementGroups", "query", "options", "facets"), "QueryRequest")
    options = body.get("options") or {}
    refuse_unknown(options, OPTIONS, "QueryRequestOptions")
    top = min(int(options.get("$top") or 100), MOST_ROWS)
    if int(options.get("$top") or 1) > MOST_ROWS or top < 1:
        raise ArmError(400, "BadRequest", f"$top must be 1 to {MOST_ROWS}.")
    key, start = _place(options.get("$skipToken"))
    kept = call.world.graph_results
    rows = kept.get(key) if key else None
    if rows is None:
        rows = _fresh(call, body)
        key = f"{call.now.timestamp():.6f}-{call.caller.oid[:8]}"
        kept[key] = rows
        while len(kept) > KEPT_RESULTS:
            del kept[next(iter(kept))]
    start += int(options.get("$skip") or 0)
    page = rows[start : start + top]
    answer: Json = {
        "totalRecords": len(rows),
        "count": len(page),
        "resultTruncated": "false",
        "facets": [],
        "data": _shaped(page, str(options.get("resultFormat", "objectArray"))),
    }
    if start + top < len(rows):
        answer["$skipToken"] = base64.b64encode(f"{key}|{start + top}".encode()).decode()
    return Answer(200, answer)


def _place(token: object) -> tuple[str, int]:
    if not token:
        return "", 0
    try:
        key, _, start = base64.b64decode(str(token), validate=True).decode().partition("|")
        return key, int(start)
    except ValueError as error:
        raise ArmError(400, "BadRequest", "The $skipToken is not valid.") from error


def _fresh(call: Call, body: Json) -> list[Json]:
    subscriptions = _subscriptions(call, body)
    settle_all(call.world, call.now)
    try:
        rows = kql.run(str(body.get("query", "")), _tables(call, subscriptions), call.now)
    except kql.KqlError as error:
        raise ArmError(400, "InvalidQuery", f"Query is invalid. {error}") from error
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return zulu(value)
    return str(value) if isinstance(value, timedelta) else value


def _shaped(page: list[Json], form: str) -> object:
    if form == "objectArray":
        return page
    names = list(page[0]) if page else []
    kinds = {bool: "boolean", int: "integer", dict: "object", list: "object"}
    columns = [{"name": n, "type": kinds.get(type(page[0][n]), "string")} for n in names]
    return {"columns": columns, "rows": [[row.get(n) for n in names] for row in page]}


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("POST", "/providers/Microsoft.ResourceGraph/resources", query, reads=True)
