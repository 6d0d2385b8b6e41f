"""The drill ledger: every kind of item, within a quarter."""

from datetime import timedelta

from diagnostics.checks.restore_was_tested_this_quarter import restore_was_tested_this_quarter
from domain.finding import Outcome
from tests.diagnostics.world import NOW, DictLedger, a_context, a_share, an_azure, an_item

RECENT, OLD = NOW - timedelta(days=30), NOW - timedelta(days=120)


async def test_without_the_store_it_is_unknown() -> None:
    """The command line has no ledger, and says so."""
    finding = await restore_was_tested_this_quarter(a_context(an_azure(), of_vault=True))
    assert finding.outcome is Outcome.UNKNOWN
    assert "own store" in finding.summary


async def test_each_kind_of_item_needs_a_test() -> None:
    """A tested VM does not test the shares; an old test is none."""
    azure = an_azure()
    azure.put(a_share())
    vm, share = an_item().id.key, a_share().id.key
    tested = DictLedger({vm: RECENT, share: OLD})
    finding = await restore_was_tested_this_quarter(a_context(azure, of_vault=True, ledger=tested))
    assert finding.outcome is Outcome.FAIL
    assert "file share" in finding.summary
    assert finding.suggests == ("guide_restore_elsewhere",)
    assert finding.evidence["never_tested"] == 0
    both = DictLedger({vm: RECENT, share: RECENT})
    assert (await restore_was_tested_this_quarter(a_context(azure, of_vault=True, ledger=both))).outcome is Outcome.PASS


async def test_one_item_and_none() -> None:
    """Asked of one item, that item counts; a vault without items has nothing to test."""
    azure = an_azure()
    context = a_context(azure, an_item(), ledger=DictLedger({an_item().id.key: RECENT}))
    assert (await restore_was_tested_this_quarter(context)).outcome is Outcome.PASS
    azure.items_by_id.clear()
    empty = a_context(azure, of_vault=True, ledger=DictLedger())
    assert (await restore_was_tested_this_quarter(empty)).outcome is Outcome.NOT_APPLICABLE
