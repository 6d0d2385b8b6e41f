"""Locks: which ones matter for a restore, for the clean-up of points, for a share."""

from dataclasses import replace

import pytest

from diagnostics.checks.no_lock_blocks_restore import Scope, judge, no_lock_blocks_restore
from domain.backup import Lock
from domain.errors import PermissionDenied
from domain.finding import Outcome
from tests.diagnostics.world import (
    POLICY_ID,
    SUBSCRIPTION,
    a_context,
    a_database,
    a_job,
    a_policy,
    a_share,
    an_azure,
    an_error,
    an_item,
    hours,
)

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-restore"
READ_ONLY = Lock(
    id=f"{GROUP}/providers/Microsoft.Authorization/locks/freeze", name="freeze", level="ReadOnly", notes="audit"
)
NO_DELETE = Lock(id=f"{GROUP}/providers/Microsoft.Authorization/locks/keep", name="keep", level="CanNotDelete")


@pytest.mark.parametrize(
    ("purpose", "lock", "outcome"),
    [
        ("restore", READ_ONLY, Outcome.FAIL),
        ("restore", NO_DELETE, Outcome.PASS),
        ("restore_points", NO_DELETE, Outcome.FAIL),
        ("restore_points", READ_ONLY, Outcome.FAIL),
        ("share", READ_ONLY, Outcome.FAIL),
        ("share", NO_DELETE, Outcome.PASS),
    ],
)
def test_which_lock_matters_where(purpose: str, lock: Lock, outcome: Outcome) -> None:
    """Nothing can be created under ReadOnly, nothing deleted under either."""
    finding = judge([Scope(purpose=purpose, id=GROUP, locks=[lock])])
    assert finding.outcome is outcome
    assert (finding.facts.get(purpose) == "locked") is (outcome is Outcome.FAIL)
    assert lock.name in finding.summary


async def test_without_a_reason_no_lock_is_read() -> None:
    """No restore and no error about locks: no question, no read."""
    azure = an_azure()
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.NOT_APPLICABLE
    assert azure.count("locks") == 0


async def test_the_target_group_of_a_failed_restore() -> None:
    """The lock on the group that the job names is found, with the fix that lifts it."""
    azure = an_azure()
    azure.put(a_job(operation="Restore", errors=(an_error("X"),), details={"Target resource group": "rg-restore"}))
    azure.locks_by_scope[GROUP.casefold()] = [READ_ONLY]
    finding = await no_lock_blocks_restore(a_context(azure))
    assert finding.facts == {"restore": "locked", "lock_id": READ_ONLY.id}
    assert finding.suggests == ("lift_lock_for_restore",)
    assert '("audit")' in finding.summary


@pytest.mark.parametrize(
    ("prefix", "group"),
    [("", "AzureBackupRG_westeurope_1"), ("rg-points-", "rg-points-1")],
)
async def test_the_group_of_restore_points(prefix: str, group: str) -> None:
    """Where the limit of points is reached, the lock on their group is the fault; the policy may name the group."""
    azure = an_azure(an_item(last_backup_status="Failed", last_backup_at=hours(3)))
    azure.policies[POLICY_ID.casefold()] = a_policy(restore_point_group_prefix=prefix)
    azure.put(a_job(errors=(an_error("UserErrorRpCollectionLimitReached"),)))
    azure.locks_by_scope[f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}".casefold()] = [NO_DELETE]
    finding = await no_lock_blocks_restore(a_context(azure))
    assert finding.facts["restore_points"] == "locked"
    assert "az lock delete" in finding.summary
    assert finding.suggests == ()


async def test_the_account_of_a_share() -> None:
    """A ReadOnly lock on the share's account, where the last error speaks of it."""
    item = a_share(last_backup_status="Failed", last_backup_at=hours(3))
    azure = an_azure(item)
    error = an_error("UserErrorStorageAccountIsLocked")
    azure.put(a_job(item_name="share-hr", container_name="stfiles", errors=(error,)))
    azure.locks_by_scope[item.source_id.casefold()] = [READ_ONLY]
    assert (await no_lock_blocks_restore(a_context(azure, item))).facts["share"] == "locked"


async def test_a_restore_of_a_share_needs_its_account_only() -> None:
    """Files go into a storage account that is there: what is locked beside it in its group is in nobody's way."""
    item = a_share()
    azure = an_azure(item)
    error = an_error("UserErrorTargetFileShareFull")
    azure.put(a_job(operation="Restore", item_name="share-hr", container_name="stfiles", errors=(error,)))
    finding = await no_lock_blocks_restore(a_context(azure, item))
    assert finding.evidence["scopes"] == [item.source_id]
    assert finding.outcome is Outcome.PASS
    frozen = f"{item.source_id}/providers/Microsoft.Authorization/locks/freeze"
    azure.locks_by_scope[item.source_id.casefold()] = [replace(READ_ONLY, id=frozen)]
    assert (await no_lock_blocks_restore(a_context(azure, item))).outcome is Outcome.FAIL


async def test_a_restore_of_a_database_fills_no_group() -> None:
    """It happens inside a machine, so no lock is asked for."""
    item = a_database()
    azure = an_azure(item)
    azure.put(a_job(operation="Restore", item_name=item.name, container_name="", errors=(an_error("X"),)))
    assert (await no_lock_blocks_restore(a_context(azure, item))).outcome is Outcome.NOT_APPLICABLE
    assert azure.count("locks") == 0


async def test_a_neighbours_lock_does_not_fail_a_healthy_vm() -> None:
    """The group of restore points is shared by a region; its lock is no fault of an item that backs up well."""
    azure = an_azure()
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/AzureBackupRG_westeurope_1"
    azure.locks_by_scope[group.casefold()] = [NO_DELETE]
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.NOT_APPLICABLE


async def test_an_account_that_may_not_be_read_is_not_called_free() -> None:
    """Without a lock on the group the locks of the account decide, which nobody could read; a lock found is told anyway."""
    azure = an_azure()
    details = {"Target resource group": "rg-restore", "Target Storage Account Name": "ststage"}
    azure.put(a_job(operation="Restore", errors=(an_error("X"),), details=details))
    azure.fail("resources", PermissionDenied("no", action="Microsoft.Storage/storageAccounts/read"))
    with pytest.raises(PermissionDenied):
        await no_lock_blocks_restore(a_context(azure))
    azure.locks_by_scope[GROUP.casefold()] = [READ_ONLY]
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.FAIL
