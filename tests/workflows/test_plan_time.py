"""Plans are told the time, so that an item which has never been backed up can be looked around too."""

from dataclasses import replace

from tests.fixes.world import VM_ITEM
from tests.workflows.world import ITEM, World


async def test_the_first_backup_can_be_planned(sqlite_world: World) -> None:
    """Nothing in the item tells the time, and yet whether a backup of it runs is known."""
    item = sqlite_world.azure.items_by_id[VM_ITEM.casefold()]
    sqlite_world.azure.put(replace(item, last_backup_at=None, last_recovery_point_at=None, deleted_at=None))
    plan = await sqlite_world.approvals.plan("rerun_backup", ITEM, {})
    assert plan.problems == ()
    assert len(plan.calls) == 1
