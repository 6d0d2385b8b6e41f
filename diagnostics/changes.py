"""What changed between the last good recovery point and the first failure, with who did it and when.

Azure's Activity Log knows every write and delete of the resources behind an item for 90 days. Most of it is noise, above all
what Azure Backup does itself at every run; here is what can break a backup or a restore, in one sentence each.
Source: https://learn.microsoft.com/azure/azure-monitor/platform/activity-log
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from diagnostics.history import failed_jobs, is_of, side_by_side, subject
from diagnostics.points import newest_point_at, recovery_points
from diagnostics.registry import Context
from domain.arm import key, name_of, resource_group_id, resource_group_of, segments
from domain.backup import ActivityEvent, Job
from domain.errors import GatewayError
from domain.finding import Diagnosis

PERMISSIONS: Final = ("Microsoft.Insights/eventtypes/values/read",)
"""What reading the Activity Log needs, beyond the checks' own permissions."""

_LONGEST: Final = timedelta(days=30)
_BEFORE: Final = timedelta(hours=1)
_DONE: Final = frozenset({"succeeded", "success", "ok", "created"})
_FAILED: Final = frozenset({"failed", "failure"})
_STARTED: Final = frozenset({"started", "accepted"})
_SIZE: Final = re.compile(r'"vmSize"\s*:\s*"([\w-]{1,60})"', re.IGNORECASE)
_SNAPSHOT: Final = re.compile(r"/extensions/(?:vmsnapshot\w*|azurebackup\w*workload)$", re.IGNORECASE)
_ITEM: Final = "/protecteditems/"
_SCOPES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change: ``sentence`` says what was done to what, ``explains`` the causes that it may have brought about."""

    at: datetime
    actor: str
    kind: str
    sentence: str
    resource_id: str
    operation: str
    correlation_id: str = ""
    failed: bool = False
    explains: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The changes of a window, oldest first; ``unread`` says why a part of the log could not be read."""

    since: datetime
    until: datetime
    changes: tuple[Change, ...] = ()
    unread: tuple[str, ...] = ()

    def explaining(self, cause: str) -> tuple[Change, ...]:
        """Those that may have brought about the cause."""
        return tuple(change for change in self.changes if cause in change.explains)


@dataclass(frozen=True)
class _Kind:
    """Operations of one kind: how they are said, and which causes they may bring about."""

    name: str
    operations: re.Pattern[str]
    words: str
    explains: tuple[str, ...]


def _kind(name: str, operations: str, words: str, *explains: str) -> _Kind:
    return _Kind(name, re.compile(operations, re.IGNORECASE), words, explains)


_LOCK_CAUSES: Final = ("lock_blocks_restore", "lock_blocks_restore_points", "lock_blocks_file_share_backup")
_ROLE_CAUSES: Final = ("key_vault_access_missing", "vault_identity_role_missing")
_KEY_VAULT_CAUSES: Final = (
    "key_vault_access_missing",
    "key_vault_policy_missing",
    "key_vault_firewall_blocks",
    "key_vault_gone",
)
_VM_CAUSES: Final = ("vm_not_in_desirable_state", "vm_agent_not_responding")
_PROTECTION_CAUSES: Final = (
    "protection_stopped",
    "protection_paused",
    "backups_suspended",
    "policy_inconsistent",
    "recovery_point_soft_deleted",
)

# The first that matches counts; {name} is the resource, {scope} what a lock or role is about.
_KINDS: Final = (
    _kind("lock_added", r"Microsoft\.Authorization/locks/write", "put the lock {name} on {scope}", *_LOCK_CAUSES),
    _kind("lock_removed", r"Microsoft\.Authorization/locks/delete", "took the lock {name} off {scope}"),
    _kind(
        "role_removed", r"Microsoft\.Authorization/roleAssignments/delete", "took a role away at {scope}", *_ROLE_CAUSES
    ),
    _kind("role_added", r"Microsoft\.Authorization/roleAssignments/write", "gave a role at {scope}"),
    _kind(
        "role_changed",
        r"Microsoft\.Authorization/roleDefinitions/(?:write|delete)",
        "changed or deleted the role {name}",
        *_ROLE_CAUSES,
    ),
    _kind(
        "policy_assigned",
        r"Microsoft\.Authorization/policyAssignments/write",
        "assigned the Azure Policy {name} at {scope}",
        "reported_error",
        "reported_restore_error",
    ),
    _kind(
        "key_vault_access",
        r"Microsoft\.KeyVault/vaults/accessPolicies/write",
        "changed the access policies of the key vault {name}",
        "key_vault_policy_missing",
        "key_vault_access_missing",
    ),
    _kind("key_vault_deleted", r"Microsoft\.KeyVault/vaults/delete", "deleted the key vault {name}", "key_vault_gone"),
    _kind(
        "key_vault_changed",
        r"Microsoft\.KeyVault/vaults/(?:write|privateEndpointConnections\w*/write)",
        "changed the key vault {name} (its firewall, its access model or its tags)",
        *_KEY_VAULT_CAUSES,
    ),
    _kind("vm_deleted", r"Microsoft\.Compute/virtualMachines/delete", "deleted the VM {name}", "vm_not_found"),
    _kind(
        "vm_stopped",
        r"Microsoft\.Compute/virtualMachines/(?:deallocate|powerOff|hibernate)/action",
        "switched the VM {name} off",
        "vm_deallocated",
        "vm_agent_not_responding",
    ),
    _kind(
        "vm_restarted",
        r"Microsoft\.Compute/virtualMachines/(?:start|restart|redeploy|reimage|reapply)/action",
        "started, restarted or redeployed the VM {name}",
        *_VM_CAUSES,
    ),
    _kind(
        "extension_removed",
        r"Microsoft\.Compute/virtualMachines/extensions/delete",
        "removed the extension {name}",
        "snapshot_extension_failed",
        "workload_extension_failed",
    ),
    _kind(
        "extension_changed",
        r"Microsoft\.Compute/virtualMachines/extensions/write",
        "installed or changed the extension {name}",
        "other_extension_failed",
        "vm_not_in_desirable_state",
        "snapshot_extension_failed",
    ),
    _kind(
        "vm_changed",
        r"Microsoft\.Compute/virtualMachines/write",
        "changed the VM {name}",
        *_VM_CAUSES,
        "restore_target_size_unavailable",
        "restore_quota_exceeded",
    ),
    _kind(
        "moved",
        r"Microsoft\.Resources/(?:subscriptions/resourceGroups/)?moveResources/action",
        "moved resources out of or into {name}",
        "vm_not_found",
        "reported_error",
    ),
    _kind(
        "network_changed",
        r"Microsoft\.Network/(?:networkSecurityGroups|routeTables|azureFirewalls|firewallPolicies)(?:/\w+)*/(?:write|delete)",
        "changed the network rules of {name}",
        "network_blocked",
        "vm_agent_not_responding",
    ),
    _kind(
        "backup_policy_changed",
        r"Microsoft\.RecoveryServices/vaults/backupPolicies/(?:write|delete)",
        "changed or deleted the backup policy {name}",
        "policy_inconsistent",
        "policy_gap_exceeds_rpo",
        "recovery_point_soft_deleted",
    ),
    _kind(
        "item_deleted",
        r"Microsoft\.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete",
        "deleted the backup item {name}",
        "item_soft_deleted",
    ),
    _kind(
        "protection_changed",
        r"Microsoft\.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write",
        "changed the protection of {name}: stopped or resumed it, or gave it another policy",
        *_PROTECTION_CAUSES,
    ),
    _kind(
        "job_cancelled",
        r"Microsoft\.RecoveryServices/vaults/backupJobs/cancel/action",
        "cancelled a backup job",
        "backup_cancelled",
    ),
    _kind(
        "vault_changed",
        r"Microsoft\.RecoveryServices/vaults/(?:write|backupconfig/write|backupstorageconfig/write|backupEncryptionConfigs/write)",
        "changed the settings of the vault {name}",
        "vault_identity_role_missing",
        "cross_region_not_enabled",
        "soft_delete_disabled",
        "failure_alerts_disabled",
    ),
    _kind(
        "share_deleted",
        r"Microsoft\.Storage/storageAccounts/fileServices/shares/delete",
        "deleted the file share {name}",
        "storage_account_soft_deleted_share",
    ),
    _kind(
        "storage_changed",
        r"Microsoft\.Storage/storageAccounts/(?:write|delete)",
        "changed or deleted the storage account {name}",
        "restore_storage_unsuitable",
        "lock_blocks_file_share_backup",
    ),
    _kind(
        "restore_points_deleted",
        r"Microsoft\.Compute/(?:restorePointCollections(?:/restorePoints)?|snapshots)/delete",
        "deleted restore points or snapshots ({name})",
        "reported_restore_error",
    ),
)


def relevant_changes(
    events: Iterable[ActivityEvent], since: datetime, until: datetime, *, about: Sequence[str] = ()
) -> tuple[Change, ...]:
    """The changes of the window that can matter, oldest first, each operation once.

    ``about`` are the ARM ids that matter; an event counts when it is about one of them, something inside it or something
    around it. Without ``about`` every event counts. An operation that Azure logged several times is said once, by how it
    ended; one of which only the beginning is known is left out when its end is logged too.
    """
    wanted = [key(one) for one in about if one]
    kept: dict[tuple[str, str, str], ActivityEvent] = {}
    for event in sorted(events, key=lambda one: (one.at, _rank(one.status))):
        if not since <= event.at <= until or _rank(event.status) < 0 or _routine(event):
            continue
        if wanted and not any(_touches(key(_subject_id(event.resource_id)), one) for one in wanted):
            continue
        name = (event.operation.casefold(), key(event.resource_id), event.correlation_id or event.at.isoformat())
        before = kept.get(name)
        if before is None or _rank(event.status) >= _rank(before.status):
            kept[name] = event
    changes = (_change(event) for event in kept.values())
    return tuple(sorted((one for one in changes if one is not None), key=lambda one: (one.at, one.resource_id)))


def window(good: datetime | None, failures: Sequence[Job], now: datetime) -> tuple[datetime, datetime]:
    """From the last good point to the end of the first failure after it; until now when nothing failed.

    Without a good point the window reaches back 30 days, which is also its greatest length.
    """
    since = max(good - _BEFORE if good is not None else now - _LONGEST, now - _LONGEST)
    ends = [
        job.ended_at or job.started_at
        for job in failures
        if job.started_at is not None and (good is None or job.started_at > good)
    ]
    return since, max(min(ends, default=now), since)


async def what_changed(context: Context, diagnosis: Diagnosis) -> Changes:
    """Read the Activity Log of the groups that hold what the item depends on, and keep what can matter.

    ``diagnosis`` tells which key vault, lock or account is involved. A group whose log cannot be read is named in the answer.
    """
    item, now = subject(context), context.clock.now()
    failures: Sequence[Job] = ()
    points = []
    try:
        failures = [job for job in await failed_jobs(context) if is_of(job, item)]
        points = list(await recovery_points(context))
    except GatewayError:
        pass  # the checks that ask the same say so; the window is wider then
    since, until = window(newest_point_at(item, points), failures, now)
    about = _about(context, diagnosis)
    scopes = list(dict.fromkeys(key(resource_group_id(one)) for one in about if resource_group_of(one)))[:_SCOPES]
    names = {key(resource_group_id(one)): resource_group_id(one) for one in about}
    looks = await side_by_side(*(_events(context, names[scope], since, until) for scope in scopes))
    events = [event for look in looks if not isinstance(look, str) for event in look]
    return Changes(
        since=since,
        until=until,
        changes=relevant_changes(events, since, until, about=about),
        unread=tuple(look for look in looks if isinstance(look, str)),
    )


async def _events(context: Context, scope: str, since: datetime, until: datetime) -> Sequence[ActivityEvent] | str:
    try:
        return await context.read.activity(scope, since, until)
    except GatewayError as error:
        return f"The Activity Log of {name_of(scope)} could not be read: {error}"


def _about(context: Context, diagnosis: Diagnosis) -> list[str]:
    """The item, what is behind it, and what the findings name."""
    item = subject(context)
    ids = [item.source_id, item.id.id, context.vault.id.id]
    for finding in diagnosis.findings:
        ids += [
            value for name, value in finding.facts.items() if name.endswith(("_id", "scope")) and value.startswith("/")
        ]
    return list(dict.fromkeys(one for one in ids if one))


def _change(event: ActivityEvent) -> Change | None:
    kind = next((one for one in _KINDS if one.operations.fullmatch(event.operation)), None)
    if kind is None:
        return None
    failed = event.status.casefold() in _FAILED
    about = _subject_id(event.resource_id)
    what = kind.words.format(name=name_of(event.resource_id), scope=name_of(about))
    size = _new_size(event.details) if kind.name == "vm_changed" else ""
    who = event.actor or "somebody whom Azure does not name"
    sentence = f"{who} {'tried to, and failed: ' if failed else ''}{what}{f' (size {size})' if size else ''}"
    return Change(
        at=event.at,
        actor=event.actor,
        kind=kind.name,
        sentence=sentence,
        resource_id=event.resource_id,
        operation=event.operation,
        correlation_id=event.correlation_id,
        failed=failed,
        explains=kind.explains if not failed or kind.name == "extension_changed" else (),
    )


def _rank(status: str) -> int:
    """Which of several records of one operation tells how it ended; below 0: none of them."""
    word = status.casefold()
    if word in _DONE or word in _FAILED:
        return 2
    return 1 if word in _STARTED else -1


def _routine(event: ActivityEvent) -> bool:
    """What Azure Backup does itself at every run: its own extensions coming and going without trouble."""
    return (
        _SNAPSHOT.search(event.resource_id) is not None
        and event.status.casefold() not in _FAILED
        and not (event.operation.casefold().endswith("/delete"))
    )


def _subject_id(resource_id: str) -> str:
    """What a lock, a role or a policy is about: the part of its id before the Authorization provider."""
    found = re.search(r"/providers/Microsoft\.Authorization/", resource_id, re.IGNORECASE)
    return resource_id[: found.start()] if found else resource_id


def _touches(event: str, wanted: str) -> bool:
    """Whether the two are one, or one lies in the other; network rules and moves count for their whole group."""
    if _ITEM in event and _ITEM not in wanted:
        return False  # the vault's other items are none of this item's business
    if event == wanted or event.startswith(f"{wanted}/") or wanted.startswith(f"{event}/"):
        return True
    parts = segments(event)
    return "microsoft.network" in event and parts.get("resourcegroups", "") == segments(wanted).get("resourcegroups")


def _new_size(details: Mapping[str, str]) -> str:
    for name in ("requestbody", "responseBody", "requestBody", "responsebody"):
        found = _SIZE.search(details.get(name, ""))
        if found:
            return found[1]
    return ""
