"""Give an item its policy back, so that its schedule runs again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.arm import ItemId, key, name_of
from domain.backup import ProtectedItem, Workload
from domain.errors import RequestError
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backup_type import choose_type
from fixes.backups import (
    BACKUP_ACTION,
    INSTEAD,
    THEN_BACKUP,
    az_backup,
    backup_call,
    backup_facts,
    backup_proof,
    busy,
    new_point,
    running_backups,
)
from fixes.items import WRITE_ACTION, protect_call
from fixes.planning import BACKUP_API, az, az_item, checked, common, guarded, require, said, section, utc
from fixes.registry import FixSpec, Parameter, PlanRequest
from fixes.steps.items import NOT_RUNNING

_MANAGEMENT = {
    Workload.VM: "AzureIaasVM",
    Workload.SQL: "AzureWorkload",
    Workload.HANA: "AzureWorkload",
    Workload.FILES: "AzureStorage",
}
_WORKLOAD_TYPES = {Workload.SQL: "sqldatabase", Workload.HANA: "saphanadatabase"}


@dataclass(frozen=True, kw_only=True)
class _Policy:
    id: str
    name: str
    why: str = ""


class ResumeProtection:
    """Put the policy back, and back up."""

    spec = FixSpec(
        id="resume_protection",
        version=1,
        title="Resume the protection",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES}),
        permissions=(WRITE_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-manage-vms#resume-protection-of-a-vm",
        summary="Gives a stopped, suspended or inconsistent item a policy, so that its schedule runs, and backs it up.",
        proof="The item is protected by the policy and there is a recovery point newer than the start.",
        parameters=(
            Parameter(
                name="policy",
                label="Backup policy",
                pattern=r"[A-Za-z][A-Za-z0-9-]{2,149}",
                help="A policy of the same vault; empty: the item's own, or the one that its kind uses there",
            ),
            THEN_BACKUP,
        ),
        reads=("Microsoft.RecoveryServices/Vaults/backupPolicies/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Put the policy, then back up."""
        require(self.spec, request, INSTEAD)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        state = item.protection_state
        if item.soft_deleted:
            raise RequestError(f"{item.name} is deleted: use undelete_item first.")
        if item.policy_id and state.casefold() not in NOT_RUNNING and not item.policy_inconsistent:
            raise RequestError(
                f"{item.name} is protected by {item.policy_name or name_of(item.policy_id)}: use rerun_backup."
            )
        policy = await _policy(request, parameters["policy"], read)
        running = await running_backups(request, read)
        kind, why = await choose_type(request, "", read)
        backup = parameters["then_backup"] == "yes"
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "policy": policy.name,
                "policy_of_item": item.policy_name or name_of(item.policy_id),
                "policy_inconsistent": "yes" if item.policy_inconsistent else "no",
                **backup_facts(item, running),
            },
            calls=(
                protect_call(item, policy.id, policy.name),
                *((backup_call(item, backup_type=kind),) if backup else ()),
            ),
            sentence=(
                f"Protect {item.workload.words} {item.name} in {request.vault.id.name} with the policy {policy.name} again"
                f"{', and back it up now' if backup else ''}."
            ),
            effects=(
                f"{item.name} is backed up by the schedule of {policy.name}, and its points are kept as that policy says.",
                "Recovery points that the policy would not keep any more expire.",
                *((f"One backup job of {item.name} runs now.",) if backup else ()),
            ),
            worst_case="The policy keeps points for a shorter time than wanted: points beyond it expire.",
            undo="Stop the protection and keep the data, in the vault; the bot never does that.",
            duration=timedelta(hours=2) if backup else timedelta(days=1),
            cost="Storage for the recovery points that the schedule makes.",
            az=(_az_resume(item, policy.name), *((az_backup(item, backup_type=kind),) if backup else ())),
            notes=tuple(note for note in (policy.why, why if backup else "") if note),
            problems=(
                *guarded(request.vault, "changing a protected item"),
                *(busy(item, running) if backup else ()),
            ),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Protected by the policy, and a new point."""
        item_id = ItemId.parse(plan.item_id)
        item = await read.item(item_id)
        wanted = str(said(plan.calls[0]).get("policyId"))
        evidence = {"protection_state": item.protection_state, "policy": item.policy_name or name_of(item.policy_id)}
        if key(item.policy_id) != key(wanted) or item.protection_state.casefold() in NOT_RUNNING:
            return Proof(proved=None, summary=f"{item.name} does not read back as protected yet.", evidence=evidence)
        if len(plan.calls) > 1:
            return await backup_proof(plan, facts, read, now)
        point = await new_point(item_id, facts.started_at, read, now)
        if point is None:
            summary = f"{item.name} is protected again; the next scheduled backup has not made a recovery point yet."
            return Proof(proved=None, summary=summary, evidence=evidence)
        summary = f"{item.name} is protected again, and a recovery point was made at {utc(point.at)}."
        return Proof(proved=True, summary=summary, evidence={**evidence, "recovery_point": point.id})


async def _policy(request: PlanRequest, wanted: str, read: BackupReader) -> _Policy:
    """The policy to use: the wanted one, the item's own, the only one, or the one that its kind uses most."""
    item = request.item
    if not wanted and item.policy_id:
        return _Policy(id=item.policy_id, name=item.policy_name or name_of(item.policy_id))
    found = await _candidates(request, read)
    names = ", ".join(sorted(one.name for one in found))
    if wanted:
        for one in found:
            if one.name.casefold() == wanted.casefold():
                return one
        raise RequestError(
            f"{request.vault.id.name} has no policy {wanted} for a {item.workload.words}. It has: {names}."
        )
    if not found:
        raise RequestError(
            f"{request.vault.id.name} has no policy for a {item.workload.words}: make one in the vault first."
        )
    if len(found) == 1:
        return found[0]
    return await _usual(request, found, read)


async def _candidates(request: PlanRequest, read: BackupReader) -> list[_Policy]:
    vault, workload = request.vault.id, request.item.workload
    listed = await read.resources(
        f"{vault.id}/backupPolicies", BACKUP_API, {"$filter": f"backupManagementType eq '{_MANAGEMENT[workload]}'"}
    )
    return [
        _Policy(id=str(one.get("id") or f"{vault.id}/backupPolicies/{one.get('name')}"), name=str(one.get("name")))
        for one in listed
        if _fits(section(one, "properties"), workload)
    ]


def _fits(properties: Mapping[str, object], workload: Workload) -> bool:
    management = str(properties.get("backupManagementType") or _MANAGEMENT[workload])
    wanted = _WORKLOAD_TYPES.get(workload, "")
    # Azure writes it workLoadType in policies.
    said = str(properties.get("workLoadType") or properties.get("workloadType") or wanted)
    return management.casefold() == _MANAGEMENT[workload].casefold() and (not wanted or said.casefold() == wanted)


async def _usual(request: PlanRequest, found: list[_Policy], read: BackupReader) -> _Policy:
    peers = [
        one for one in await read.items(request.vault.id) if one.workload is request.item.workload and one.policy_id
    ]
    uses = Counter(key(one.policy_id) for one in peers)
    ranked = sorted(found, key=lambda one: (-uses[key(one.id)], one.name))
    first, second = ranked[0], ranked[1]
    if uses[key(first.id)] == uses[key(second.id)]:
        names = ", ".join(sorted(one.name for one in found))
        raise RequestError(f"Azure does not keep which policy {request.item.name} had: say it with policy=…: {names}.")
    why = (
        f"Azure does not keep which policy {request.item.name} had; {first.name} is the one that most"
        f" {request.item.workload.words}s of {request.vault.id.name} use. Another: policy=…"
    )
    return _Policy(id=first.id, name=first.name, why=why)


def _az_resume(item: ProtectedItem, policy: str) -> str:
    return az(*az_item(item, "backup", "protection", "resume"), "--policy-name", policy)


FIX = ResumeProtection()
