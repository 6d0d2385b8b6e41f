"""Take a lock away, restore, and put the lock back, whatever happens in between."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.backup import Lock, Workload
from domain.canonical import Json
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.catalog.restore_disks import INSTEAD
from fixes.planning import az, checked, common, guarded, listed, require, section, switched_on, utc
from fixes.registry import FixSpec, PlanRequest
from fixes.restores import (
    RESTORE_ACTION,
    RESTORE_COST,
    RESTORE_DURATION,
    RESTORE_PARAMETERS,
    RESTORE_READS,
    RESTORE_WORST_CASE,
    Target,
    az_restore,
    choose_point,
    choose_target,
    lock_scope,
    locked,
    point_name,
    restore_call,
    restore_effects,
    restore_facts,
    restore_proof,
    restore_undo,
    within,
)
from fixes.steps import step_for

DELETE_LOCK_ACTION = "Microsoft.Authorization/locks/delete"
WRITE_LOCK_ACTION = "Microsoft.Authorization/locks/write"
_API = "2020-05-01"


class LiftLockForRestore:
    """Delete, restore, put back; putting back is done even when the restore fails or the bot is restarted."""

    spec = FixSpec(
        id="lift_lock_for_restore",
        version=1,
        title="Lift the lock and restore",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(
            DELETE_LOCK_ACTION,
            WRITE_LOCK_ACTION,
            RESTORE_ACTION,
            "Microsoft.Storage/storageAccounts/read",
        ),
        docs="https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources",
        summary="Takes the ReadOnly locks of the restore's target away, restores the disks there, and puts the locks back.",
        proof="The locks are back as they were, the restore job completed, and the restored disks exist.",
        parameters=RESTORE_PARAMETERS,
        off_by_default=True,
        hands_out=(
            f"{DELETE_LOCK_ACTION} and {WRITE_LOCK_ACTION}, with which the bot could remove every lock in its scope."
        ),
        reads=RESTORE_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The locks, the restore, the locks again."""
        require(self.spec, request, INSTEAD)
        item, vault = request.item, request.vault
        parameters = checked(self.spec, request.parameters)
        point, target = await asyncio.gather(
            choose_point(request, parameters["recovery_point"], read),
            choose_target(request, parameters, vault.location, read, locked_out=True),
        )
        if not target.locks:
            raise RequestError(f"No ReadOnly lock stops a restore to {target.group_name}: use restore_disks.")
        bodies = await asyncio.gather(*(read.resource(lock.id, _API) for lock in target.locks))
        pairs = list(zip(target.locks, (_body(body) for body in bodies), strict=True))
        names = listed(f"{lock.name} ({locked(lock)})" for lock in target.locks)
        name = point_name(point)
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                **restore_facts(item, name, point.at, target),
                **{f"lock {lock.name}": f"{lock.level}: {lock.notes}" for lock in target.locks},
            },
            calls=(
                *(_lift(lock) for lock, _ in pairs),
                restore_call(item, point, target),
                *(_put_back(lock, body) for lock, body in pairs),
            ),
            sentence=(
                f"Take the ReadOnly lock {names} away, restore the disks of Azure VM {item.name} as of {utc(point.at)} to"
                f" {target.group_name}, and put the lock back."
            ),
            effects=(
                *(
                    f"{locked(lock)} is not locked while the restore runs; then {lock.name} is back."
                    for lock in target.locks
                ),
                *restore_effects(item, point.at, target),
            ),
            worst_case=f"While the lock is away, others can change {names}. {RESTORE_WORST_CASE}",
            undo=f"The lock is put back whatever happens. {restore_undo(target)}",
            duration=RESTORE_DURATION + timedelta(minutes=5),
            cost=RESTORE_COST,
            az=(
                *(az("lock", "delete", "--ids", lock.id) for lock in target.locks),
                az_restore(item, name, target),
                *(_az_lock(lock) for lock in target.locks),
            ),
            notes=target.notes,
            problems=(
                *switched_on(self.spec, request),
                *guarded(vault, "a restore"),
                *_out_of_reach(target),
            ),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The locks are back, and the disks exist."""
        for call in plan.calls:
            if call.kind is Kind.LOCK:
                seen = await step_for(call.kind).look(call, facts.started_at, read)
                if not seen.there:
                    return Proof(proved=None, summary=f"The lock is not back yet: {seen.note}.")
        proof = await restore_proof(plan, facts, read)
        return Proof(proved=proof.proved, summary=f"The lock is back. {proof.summary}", evidence=proof.evidence)


def _body(found: Mapping[str, object]) -> dict[str, Json]:
    """What is needed to make the same lock again."""
    properties = section(found, "properties")
    body: dict[str, Json] = {"level": str(properties.get("level") or "ReadOnly")}
    if properties.get("notes"):
        body["notes"] = str(properties["notes"])
    owners = properties.get("owners")
    if isinstance(owners, list) and owners:
        body["owners"] = [{"applicationId": str(section(one).get("applicationId"))} for one in owners]
    return body


def _lift(lock: Lock) -> Call:
    return Call(
        method="DELETE",
        resource=lock.id,
        api_version=_API,
        kind=Kind.LOCK_REMOVAL,
        purpose=f"Take the lock {lock.name} of {locked(lock)} away",
        action=DELETE_LOCK_ACTION,
        scope=lock_scope(lock),
    )


def _put_back(lock: Lock, body: dict[str, Json]) -> Call:
    return Call(
        method="PUT",
        resource=lock.id,
        api_version=_API,
        body={"properties": body},
        kind=Kind.LOCK,
        purpose=f"Put the lock {lock.name} of {locked(lock)} back",
        action=WRITE_LOCK_ACTION,
        scope=lock_scope(lock),
        always=True,
    )


def _az_lock(lock: Lock) -> str:
    return az(
        *("lock", "create", "--name", lock.name, "--lock-type", lock.level, "--notes", lock.notes),
        *_az_scope(lock_scope(lock)),
    )


def _az_scope(scope: str) -> tuple[str, ...]:
    parts = scope.strip("/").split("/")
    if len(parts) == len(("subscriptions", "id", "resourceGroups", "name")):
        return ("--subscription", parts[1], "--resource-group", parts[3])
    return ("--resource", scope)


def _out_of_reach(target: Target) -> tuple[str, ...]:
    return tuple(
        f"The lock {lock.name} lies on {lock_scope(lock)}, above the target: it protects more than this restore touches, so"
        " the bot leaves it alone. Choose another target."
        for lock in target.locks
        if not within(lock, target)
    )


FIX = LiftLockForRestore()
