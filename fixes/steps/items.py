"""Changes of a protected item itself: undelete it, give it a policy again."""

from collections.abc import Mapping
from datetime import datetime

from domain.arm import ItemId, key
from domain.backup import ProtectedItem
from domain.fix import Call, Progress, Seen, Stage
from domain.ports import BackupReader
from fixes.steps.base import CLOCK_SKEW, LONGEST_WINDOW, absent, done, running
from fixes.steps.jobs import follow_job, follow_operation

NOT_RUNNING = frozenset({"protectionstopped", "protectionpaused", "backupssuspended"})
"""Protection states in which no schedule runs, in lower case."""

_OPERATIONS = frozenset({"Undelete", "ConfigureBackup"})


class ItemChangeStep:
    """PUT of a protected item: its operation, its job, and at last the item's own state."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the item is as the call says, or a job that makes it so was begun."""
        item = await read.item(ItemId.parse(call.resource))
        state = f"the item is {item.protection_state or 'in an unknown state'}"
        if _as_asked(item, call):
            return Seen(there=True, note=state)
        start = since - CLOCK_SKEW
        jobs = await read.jobs(item.id.vault, start, start + LONGEST_WINDOW)
        mine = [job for job in jobs if job.operation in _OPERATIONS and job.is_of(item)]
        if mine:
            first = min(mine, key=lambda job: (job.started_at or since, job.id))
            return Seen(
                there=True, reference={"job_id": first.id}, note=f"{first.operation} job {first.id}: {first.status}"
            )
        return absent(f"the change ({state})", settled=settled)

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the operation and its job ended well and the item reads back as asked."""
        known = dict(reference)
        item_id = ItemId.parse(call.resource)
        if not known.get("job_id"):
            ended = await follow_operation(item_id.vault, known, read)
            if ended is not None:
                return ended
        if known.get("job_id"):
            progress = await follow_job(item_id.vault, known, since, read)
            if progress.stage is not Stage.DONE:
                return progress
        item = await read.item(item_id)
        if _as_asked(item, call):
            return done(f"the item is {item.protection_state or 'as asked'}", known)
        return running(f"the item still reads {item.protection_state or 'as before'}", known)


def _as_asked(item: ProtectedItem, call: Call) -> bool:
    properties = call.body.get("properties") if isinstance(call.body, Mapping) else None
    said = properties if isinstance(properties, Mapping) else {}
    if item.soft_deleted:
        return False
    if said.get("isRehydrate"):
        return True
    if item.policy_inconsistent:
        return False
    policy = str(said.get("policyId") or "")
    return key(item.policy_id) == key(policy) and item.protection_state.casefold() not in NOT_RUNNING
