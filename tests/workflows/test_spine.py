"""The story without anything going wrong."""

from domain.fix import Kind
from tests.workflows.world import World


async def test_an_approved_backup_runs_once_and_is_proved(world: World) -> None:
    """Approved by another person: one backup, proved by its recovery point, locks given back, the record whole."""
    approval_id = await world.approved()
    assert "proved" == await world.proved(approval_id)
    assert 1 == world.sent(Kind.BACKUP)
    assert [] == await world.locks()
    assert (await world.chain()).ok
    assert [
        "approval.requested",
        "approval.approved",
        "run.started",
        "run.intended",
        "run.sent",
        "run.done",
        "run.proved",
    ] == await world.events(approval_id)


async def test_a_granted_right_comes_before_the_backup(world: World) -> None:
    """Both calls of one plan: the right first, then the backup, each once."""
    approval_id = await world.approved("grant_key_vault_access")
    assert "proved" == await world.proved(approval_id)
    assert [Kind.ROLE_ASSIGNMENT, Kind.BACKUP] == [call.kind for call in world.operator.sent]
