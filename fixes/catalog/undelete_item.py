"""Bring a soft-deleted item back before it is purged."""

from datetime import datetime, timedelta

from domain.arm import ItemId
from domain.backup import Workload
from domain.durations import format_age
from domain.errors import RequestError
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backups import INSTEAD
from fixes.items import WRITE_ACTION, undelete_call
from fixes.planning import az, az_item, checked, common, guarded, require, utc
from fixes.registry import FixSpec, PlanRequest


class UndeleteItem:
    """One call; resuming the protection is asked for separately."""

    spec = FixSpec(
        id="undelete_item",
        version=1,
        title="Undelete the item",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES}),
        permissions=(WRITE_ACTION,),
        docs="https://learn.microsoft.com/azure/backup/soft-delete-virtual-machines#undelete-a-soft-deleted-vm",
        summary="Brings a soft-deleted item back with its recovery points; its protection stays stopped.",
        proof="The item reads back as not deleted.",
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:  # noqa: ARG002 - the item says it all
        """Undelete."""
        require(self.spec, request, INSTEAD)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        if not item.soft_deleted:
            more = ": use resume_protection" if item.protection_state.casefold() == "protectionstopped" else ""
            raise RequestError(f"{item.name} is not deleted{more}.")
        notes = []
        if item.deleted_at is not None:
            left = f"; it is gone for good in {format_age(item.purge_after)}" if item.purge_after is not None else ""
            notes.append(f"It was deleted at {utc(item.deleted_at)}{left}.")
        if item.workload is Workload.FILES:
            notes.append("If the share itself was deleted too, undelete it in its storage account first.")
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={"soft_deleted": "yes", "protection_state": item.protection_state},
            calls=(undelete_call(item),),
            sentence=f"Undelete {item.workload.words} {item.name} in {request.vault.id.name}, with its recovery points.",
            effects=(
                f"{item.name} and its recovery points are kept; nothing is purged any more.",
                "Its protection stays stopped: no backup runs until resume_protection.",
            ),
            worst_case="Data that somebody deleted on purpose is kept, and costs storage.",
            undo="Stop the protection and delete the data again, in the vault; the bot never does that.",
            duration=timedelta(minutes=10),
            cost="Storage of the item's recovery points.",
            az=(az(*az_item(item, "backup", "protection", "undelete")),),
            notes=tuple(notes),
            problems=guarded(request.vault, "changing a protected item"),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """Not deleted any more."""
        item = await read.item(ItemId.parse(plan.item_id))
        evidence = {"protection_state": item.protection_state}
        if item.soft_deleted:
            return Proof(proved=None, summary=f"{item.name} still reads as deleted.", evidence=evidence)
        summary = f"{item.name} is back; its protection is {item.protection_state or 'not told'}."
        return Proof(proved=True, summary=summary, evidence=evidence)


FIX = UndeleteItem()
