"""A restore into the paired region: told by its operation there and by the disks that appear.

The status lives at a location, not in the vault, and so does the job, which the reader lists with those of the vault; where
it may not, the disks decide.
Source: https://learn.microsoft.com/rest/api/backup/cross-region-restore (API 2023-01-15)
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from domain.arm import ItemId, subscription_of
from domain.backup import Job
from domain.errors import GatewayUnavailable, PermissionDenied, ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import CLOCK_SKEW, LONGEST_WINDOW, absent, done, failed, running
from fixes.steps.jobs import judge

DISKS_API = "2023-04-02"


class CrossRegionRestoreStep:
    """POST ``…/locations/{secondary}/backupCrossRegionRestore``."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """The job, or the restored disks; a list that cannot be read raises, and then nobody can tell."""
        job = await _job(call, since, read)
        if job is not None:
            return Seen(there=True, reference={"job_id": job.id}, note=f"job {job.id}: {job.status}")
        disks = await new_disks(target_of(call), since, read)
        if disks:
            return Seen(there=True, note=f"restored: {', '.join(disks)}")
        return absent("a restore job in the paired region", settled=settled)

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """The operation's failure, the job's end where the jobs may be read, else the restored disks."""
        known = dict(reference)
        refusal = await _operation(call, known, read)
        if refusal is not None:
            return refusal
        try:
            job = await _job(call, since, read)
        except PermissionDenied:
            job = None
        if job is not None:
            known["job_id"] = job.id
            return judge(job, known)
        disks = await new_disks(target_of(call), since, read)
        if disks:
            return done(f"restored: {', '.join(disks)}", known)
        return running("no restored disk is there yet", known)


async def _operation(call: Call, known: dict[str, str], read: BackupReader) -> Progress | None:
    """The failure that the operation tells, or None; it also tells the job's id."""
    operation_id = known.get("operation_id", "")
    if not operation_id:
        return None
    location = call.resource.rpartition("/")[0]
    path = f"{location}/backupCrrOperationsStatus/{quote(operation_id, safe='')}"
    try:
        status = await read.resource(path, call.api_version)
    except (GatewayUnavailable, ResourceNotFound):
        # This status has been seen to answer 500 while the restore went on.
        return None
    if status.get("status") in {"Failed", "Canceled"}:
        error = status.get("error")
        said = error if isinstance(error, Mapping) else {}
        return failed(str(said.get("message") or "the restore failed"), known, str(said.get("code") or ""))
    properties = status.get("properties")
    if isinstance(properties, Mapping) and properties.get("jobId"):
        known["job_id"] = str(properties["jobId"])
    return None


async def _job(call: Call, since: datetime, read: BackupReader) -> Job | None:
    """The restore's job, listed by the vault or by its paired region."""
    if call.before is None:
        return None
    item = await read.item(ItemId.parse(call.before.resource))
    start = since - CLOCK_SKEW
    jobs = await read.jobs(item.id.vault, start, start + LONGEST_WINDOW, operation="CrossRegionRestore")
    mine = [job for job in jobs if job.is_of(item)]
    return min(mine, key=lambda job: (job.started_at or since, job.id)) if mine else None


def target_of(call: Call) -> str:
    """The resource group that the restore of ``call`` goes to."""
    body = call.body if isinstance(call.body, Mapping) else {}
    request = body.get("restoreRequest")
    return str(request.get("targetResourceGroupId") or "") if isinstance(request, Mapping) else ""


async def new_disks(resource_group_id: str, since: datetime, read: BackupReader) -> tuple[str, ...]:
    """Names of the managed disks of the resource group that were made since a little before ``since`` and are complete."""
    if not subscription_of(resource_group_id):
        return ()
    found = []
    for disk in await read.resources(f"{resource_group_id}/providers/Microsoft.Compute/disks", DISKS_API):
        properties = disk.get("properties")
        said = properties if isinstance(properties, Mapping) else {}
        made = _time(said.get("timeCreated"))
        if (
            made is not None
            and made >= since - CLOCK_SKEW
            and said.get("provisioningState", "Succeeded") == "Succeeded"
        ):
            found.append(str(disk.get("name") or ""))
    return tuple(sorted(found))


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
