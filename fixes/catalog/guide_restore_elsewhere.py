"""Steps: restore a database or a file share to another place, which the bot itself does not do."""

from datetime import datetime, timedelta

from domain.arm import ItemId, name_of
from domain.backup import ProtectedItem, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure
from fixes.planning import az, az_item, require, utc
from fixes.registry import FixSpec, PlanRequest
from fixes.steps.base import CLOCK_SKEW, LONGEST_WINDOW
from fixes.steps.jobs import GOOD_ENDS


class GuideRestoreElsewhere:
    """The steps depend on the workload and the error of the last restore."""

    spec = FixSpec(
        id="guide_restore_elsewhere",
        version=1,
        title="How to restore elsewhere",
        risk=Risk.NONE,
        workloads=frozenset({Workload.SQL, Workload.HANA, Workload.FILES}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/restore-sql-database-azure-vm",
        summary="Steps that restore a database to another server, or a file share to another storage account.",
        proof="A restore of the item completed after the steps were begun.",
        guide=True,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this workload."""
        require(self.spec, request, {Workload.VM: "Use restore_disks or restore_to_other_region."})
        failure = await last_failure(request, read, restore=True)
        item = request.item
        return guide(
            self.spec,
            request,
            sentence=f"Restore {item.workload.words} {item.name} of {request.vault.id.name} to another place by hand.",
            facts={"workload": item.workload.value, **failure.facts},
            steps=_steps(item, failure),
            duration=timedelta(hours=2),
            notes=("A restore to another place leaves the original as it is.",),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """A completed restore."""
        item = await read.item(ItemId.parse(plan.item_id))
        start = max(facts.started_at - CLOCK_SKEW, now - LONGEST_WINDOW)
        jobs = await read.jobs(item.id.vault, start, now + CLOCK_SKEW)
        mine = [job for job in jobs if job.is_restore and job.is_of(item)]
        for job in mine:
            if job.status in GOOD_ENDS:
                when = f" at {utc(job.ended_at)}" if job.ended_at else ""
                return Proof(proved=True, summary=f"Restore job {job.id} completed{when}.", evidence={"job": job.id})
        said = f"restore job {mine[0].id} is {mine[0].status}" if mine else "no restore was begun"
        return Proof(proved=None, summary=f"Since then {said}.")


def _steps(item: ProtectedItem, failure: Failure) -> tuple[str, ...]:
    points = az(*az_item(item, "backup", "recoverypoint", "list"), "--output", "table")
    first = f"Choose the recovery point: {points}"
    if item.workload is Workload.FILES:
        return (first, *_share_steps(item, failure), _LAST)
    return (first, *_database_steps(item, failure), _LAST)


_LAST = "Check the restored data with the people who use it, and press Done: the bot looks for the completed restore."


def _database_steps(item: ProtectedItem, failure: Failure) -> tuple[str, ...]:
    kind = "SQL Server" if item.workload is Workload.SQL else "SAP HANA"
    steps = [
        (
            f"Choose a server with {kind} of the same or a newer version in the same region, with room for data and"
            f" logs; its VM"
            " must be registered with this vault (Backup infrastructure > Workload in Azure VM)."
        ),
    ]
    if failure.says("IncompatibleSrcTarget", "IncompatibleSQLServerInstanceVersion"):
        steps.append(
            "The last restore failed because source and target do not fit: compare version, edition and system type."
        )
    if failure.says("WithoutForceOverwrite", "CannotRestoreExistingDB"):
        steps.append("A database of that name exists there: choose another name rather than overwriting it.")
    if failure.says("InsufficientSpace"):
        steps.append("The last restore found too little room: choose another volume, or make room first.")
    if failure.says("CertificateWithThumbprint"):
        steps.append(
            "The database is encrypted (TDE): restore its certificate to the target server's master database first."
        )
    steps.append(
        "In the vault: Backup items > the database > Restore > Alternate location; give it a new name, and leave"
        " Overwrite off."
    )
    return tuple(steps)


def _share_steps(item: ProtectedItem, failure: Failure) -> tuple[str, ...]:
    account = name_of(item.source_id)
    steps = []
    if failure.says("SoftDelete"):
        steps.append(
            f"The share is deleted in storage account {account}: undelete it there first (File shares > Show deleted)."
        )
    if failure.says("Full", "QuotaNotSufficient"):
        steps.append("The last restore found the target share full: raise its quota first.")
    steps.append(
        f"Choose a storage account in the region of {account} with a file share that is large enough and not locked."
    )
    steps.append(
        az(
            *_share_words(item),
            *("--rp-name", "RECOVERY-POINT", "--resolve-conflict", "Skip"),
            *("--target-storage-account", "TARGET-ACCOUNT", "--target-file-share", "TARGET-SHARE"),
            *("--target-folder", "restored"),
        )
    )
    return tuple(steps)


def _share_words(item: ProtectedItem) -> tuple[str, ...]:
    words = az_item(item, "backup", "restore", "restore-azurefileshare")
    return (*words[: words.index("--backup-management-type")], "--restore-mode", "AlternateLocation")


FIX = GuideRestoreElsewhere()
