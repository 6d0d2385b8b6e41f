"""Cancelling a job: the accepted request proves nothing, only the job's own status does."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping
from datetime import datetime

from domain.arm import VaultId, segments
from domain.errors import BadRequest, Conflict, GatewayError
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import absent, done, failed, running


class CancelStep:
    """POST ``…/backupJobs/{job}/cancel``: Cancelling, then Cancelled; a job that ended by itself is over as well."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the job is being cancelled or is over."""
        job = await read.job(*_job_of(call))
        if job.status == "InProgress":
            return absent("the cancellation", settled=settled)
        return Seen(there=True, reference={"job_id": job.id}, note=f"job {job.id}: {job.status}")

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the job is over, however it ended: what follows may begin."""
        job = await read.job(*_job_of(call))
        known = {**reference, "job_id": job.id}
        if not job.running:
            how = "was cancelled" if job.status == "Cancelled" else f"ended by itself as {job.status}"
            return done(f"job {job.id} {how}", known)
        if job.status == "InProgress" and (refusal := await _refusal(call, reference, read)):
            return refusal
        return running(f"job {job.id} is {job.status}", known, job.progress_percent)


def _job_of(call: Call) -> tuple[VaultId, str]:
    return VaultId.parse(call.resource), segments(call.resource)["backupjobs"]


async def _refusal(call: Call, reference: Mapping[str, str], read: BackupReader) -> Progress | None:
    """A cancel that was accepted with 202 may be refused a moment later, which only its operation tells."""
    operation_id = reference.get("operation_id", "")
    if not operation_id:
        return None
    vault, job_id = _job_of(call)
    try:
        await read.resource(f"{vault.id}/backupJobs/{job_id}/operationResults/{operation_id}", call.api_version)
    except (BadRequest, Conflict) as error:
        return failed(str(error), reference, error.code or "CancelRefused")
    except GatewayError:
        return None
    return None
