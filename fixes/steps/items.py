"""Changes of a protected item itself: undelete it, give it a policy again."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping
from datetime import datetime

from domain.arm import ItemId, key
from domain.backup import ProtectedItem
from domain.fix import Call, Progress, Seen, Stage
from domain.ports import BackupReader
from fixes.steps.base import done, running
from fixes.steps.jobs import follow_job, follow_operation

NOT_RUNNING = frozenset({"protectionstopped", "protectionpaused", "backupssuspended"})
"""Protection states in which no schedule runs, in lower case."""


class ItemChangeStep:
    """PUT of a protected item: its operation, its job, and at last the item's own state."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the item is as the call says. Sending it again asks for the same state, so "not" is "not there"."""
        item = await read.item(ItemId.parse(call.resource))
        there = _as_asked(item, call)
        return Seen(there=there, note=f"the item is {item.protection_state or 'in an unknown state'}")

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
