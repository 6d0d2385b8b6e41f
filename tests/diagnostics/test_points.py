"""An item's recovery points: one list for all who ask, the soft-deleted ones in it and left out where they do not count."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from diagnostics.cache import once
from diagnostics.checks.item_is_not_soft_deleted import item_is_not_soft_deleted
from diagnostics.checks.recovery_point_is_recent import recovery_point_is_recent
from diagnostics.instant import stopped
from diagnostics.points import points_and_deleted_ones, recovery_points
from domain.arm import ItemId
from domain.backup import RecoveryPoint
from domain.errors import BadRequest
from domain.finding import Outcome
from tests.diagnostics.world import (
    StoppedClock,
    a_context,
    a_mars_item,
    a_point,
    an_azure,
    an_item,
    hours,
)
from tests.fakes.azure import FakeAzure


class Choosy(FakeAzure):
    """An Azure that refuses to list soft-deleted points."""

    async def recovery_points(
        self, item: ItemId, since: datetime, until: datetime, *, include_soft_deleted: bool = False
    ) -> Sequence[RecoveryPoint]:
        """The points, unless the deleted ones are asked for too."""
        if include_soft_deleted:
            raise BadRequest("includeSoftDeletedRP is not supported for this item.")
        return await super().recovery_points(item, since, until)


async def test_a_deleted_point_is_listed_but_counts_for_nothing() -> None:
    """The newest point is the newest that is alive; one read answers both questions."""
    azure = an_azure()
    azure.points[an_item().id.key] = [a_point(1, soft_deleted=True), a_point(40)]
    context = a_context(azure)
    shared = once(azure)
    alive = await recovery_points(a_context(shared))  # type: ignore[arg-type]
    both = await points_and_deleted_ones(a_context(shared))  # type: ignore[arg-type]
    assert [hours(40)] == [point.at for point in alive]
    assert [hours(1), hours(40)] == [point.at for point in both]
    assert 1 == azure.count("recovery_points")
    recent = await recovery_point_is_recent(context)
    assert recent.evidence["points_in_30_days"] == 1
    assert (await item_is_not_soft_deleted(context)).outcome is Outcome.FAIL


async def test_who_may_not_ask_for_deleted_points_still_learns_of_the_others() -> None:
    """A service that does not know the wish leaves the soft-delete question open, not that of the RPO."""
    azure, choosy = an_azure(), Choosy()
    choosy.items_by_id, choosy.policies, choosy.points = azure.items_by_id, azure.policies, azure.points
    context = a_context(choosy)
    assert 2 == len(await recovery_points(context))
    with pytest.raises(BadRequest):
        await item_is_not_soft_deleted(context)


async def test_machines_outside_azure_have_no_list() -> None:
    """Nothing is wished for that Azure might refuse for a reason of its own, and a refusal is an empty list."""
    azure = an_azure(a_mars_item())
    azure.fail("recovery_points", BadRequest("no"))
    assert () == tuple(await recovery_points(a_context(azure, a_mars_item())))
    assert 1 == azure.count("recovery_points")


def test_a_stopped_clock_is_stopped_once() -> None:
    """What stands still already is the same instant for all who stop it again."""
    clock = StoppedClock()
    one = stopped(clock)
    clock.at = hours(-1)
    assert hours(0) == one.now()
    assert one is stopped(one)
    assert hours(-1) == stopped(clock).now()
    assert one.monotonic() < one.monotonic()
