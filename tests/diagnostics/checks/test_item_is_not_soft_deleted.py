"""Soft delete: the item, its points, or the share behind it."""

from datetime import timedelta

from diagnostics.checks.item_is_not_soft_deleted import item_is_not_soft_deleted, judge
from diagnostics.error_codes import load
from domain.finding import Outcome
from tests.diagnostics.world import NOW, a_context, a_job, a_point, a_share, an_azure, an_error, an_item, hours


def test_a_deleted_item_says_until_when() -> None:
    """Days until the purge, and the two steps back."""
    finding = judge(
        an_item(soft_deleted=True, deleted_at=hours(48), purge_after=timedelta(days=11, hours=23)), (), None, NOW
    )
    assert finding.outcome is Outcome.FAIL
    assert "11 d 23 h remain" in finding.summary
    assert finding.facts["what"] == "item"
    assert finding.suggests == ("undelete_item", "resume_protection")


def test_without_a_remaining_time_fourteen_days_are_counted() -> None:
    """Azure's shortest retention is assumed from the day of deletion."""
    assert "12 d remain" in judge(an_item(soft_deleted=True, deleted_at=hours(48)), (), None, NOW).summary
    assert "does not say until when" in judge(an_item(soft_deleted=True), (), None, NOW).summary


def test_soft_deleted_points_are_counted_with_their_purge() -> None:
    """How many, the newest of them, and when the first is gone."""
    points = [
        a_point(5),
        a_point(60, soft_deleted=True, expires_at=NOW + timedelta(days=3)),
        a_point(90, soft_deleted=True),
    ]
    finding = judge(an_item(), points, None, NOW)
    assert finding.outcome is Outcome.FAIL
    assert finding.facts["what"] == "points"
    assert "2 recovery points" in finding.summary
    assert "2026-11-25 03:00 UTC" in finding.summary


def test_a_deleted_share_is_named_with_its_account() -> None:
    """The share is brought back in storage, not in the vault."""
    known = load().lookup("UserErrorBackupAFSInSoftDeleteState", "files")
    finding = judge(a_share(parent_name="stfiles"), (), known, NOW)
    assert finding.facts["what"] == "share"
    assert "az storage share-rm restore" in finding.summary


def test_nothing_deleted_is_fine() -> None:
    """Points that are there, an error about something else: fine."""
    assert judge(an_item(), [a_point(5)], load().lookup("CloudInternalError"), NOW).outcome is Outcome.PASS


async def test_deleted_points_are_asked_for() -> None:
    """The usual list leaves deleted points out; this check asks for them."""
    azure = an_azure()
    azure.points[an_item().id.key].append(a_point(100, soft_deleted=True))
    assert (await item_is_not_soft_deleted(a_context(azure))).facts["what"] == "points"


async def test_a_share_is_judged_by_the_last_error() -> None:
    """The failed job of the share tells that it is deleted."""
    item = a_share(last_backup_status="Failed", last_backup_at=hours(3))
    azure = an_azure(item)
    error = an_error("UserErrorBackupAFSInSoftDeleteState")
    azure.put(a_job("bad", item_name="share-hr", container_name="stfiles", errors=(error,)))
    assert (await item_is_not_soft_deleted(a_context(azure, item))).facts["what"] == "share"
