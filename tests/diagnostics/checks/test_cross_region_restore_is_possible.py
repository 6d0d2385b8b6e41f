"""Restores to the paired region: each precondition, and when its lack is a fault."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from diagnostics.checks.cross_region_restore_is_possible import cross_region_restore_is_possible, judge
from diagnostics.error_codes import load
from diagnostics.registry import RestoreTarget
from diagnostics.restores import Restore
from domain.backup import ProtectedItem, Vault
from domain.errors import PermissionDenied
from domain.finding import Outcome
from tests.diagnostics.world import NOW, SUBSCRIPTION, a_context, a_point, a_share, a_vault, an_azure, an_item

GEO = a_vault(redundancy="GeoRedundant", cross_region_restore=True)
THERE: list[Mapping[str, object]] = [
    {"properties": {"recoveryPointTime": "2026-11-21T03:00:00Z"}},
    {"properties": {"recoveryPointTimeInUTC": "2026-11-20T03:00:00"}},
    {"properties": {}},
]


def a_restore(region: str = "westeurope", code: str = "") -> Restore:
    known = load().lookup(code) if code else None
    return Restore(region=region, vault_region="westeurope", subscription=SUBSCRIPTION, known=known)


AWAY = a_restore("northeurope")


@pytest.mark.parametrize(
    ("item", "vault", "restore", "there", "outcome", "words"),
    [
        (an_item(), GEO, AWAY, THERE, Outcome.PASS, "the newest of 24 h ago"),
        (an_item(), GEO, AWAY, [], Outcome.FAIL, "up to 48 hours"),
        (an_item(), GEO, a_restore(), [], Outcome.UNKNOWN, "up to 48 hours"),
        (an_item(), GEO, AWAY, None, Outcome.UNKNOWN, "could not be read"),
        (an_item(), a_vault(redundancy="LocallyRedundant"), AWAY, None, Outcome.FAIL, "LocallyRedundant, not geo"),
        (an_item(), a_vault(), AWAY, None, Outcome.FAIL, "unknown redundancy"),
        (
            an_item(),
            a_vault(redundancy="GeoRedundant", cross_region_restore=False),
            AWAY,
            None,
            Outcome.FAIL,
            "--cross-region-restore-flag true",
        ),
        (a_share(), GEO, AWAY, THERE, Outcome.FAIL, "does not offer it for a file share"),
        (an_item(), a_vault(), a_restore(), None, Outcome.NOT_APPLICABLE, "Nobody asks"),
        (an_item(), a_vault(), a_restore(code="UserErrorSkuNotAvailable"), None, Outcome.FAIL, "not possible"),
    ],
)
def test_table(
    item: ProtectedItem,
    vault: Vault,
    restore: Restore,
    there: list[Mapping[str, object]] | None,
    outcome: Outcome,
    words: str,
) -> None:
    """Each precondition has its words; it is a fault where the other region is wanted or the own one cannot serve."""
    finding = judge(item, vault, restore, [a_point(5)], there, NOW)
    assert finding.outcome is outcome
    assert words in finding.summary


def test_every_precondition_is_printed() -> None:
    """The evidence shows each of them, also when all are met."""
    evidence = judge(an_item(), GEO, AWAY, [a_point(5), a_point(6, tiers={})], THERE, NOW).evidence
    assert evidence["redundancy"] == "GeoRedundant"
    assert evidence["cross_region_restore"] is True
    assert evidence["points_in_vault_tier"] == 1
    assert evidence["points_in_paired_region"] == 3


async def test_a_vault_whose_list_says_all_is_not_read_again() -> None:
    """Only where redundancy or flag are missing from what is known of the vault is it asked itself."""
    azure = an_azure()
    azure.lists[f"{an_item().id.key}/recoverypoints"] = THERE
    known = replace(a_context(azure, vault=GEO), restoring=True)
    assert (await cross_region_restore_is_possible(known)).outcome is Outcome.PASS
    assert azure.count("vault") == 0
    azure.put(GEO)
    half = replace(a_context(azure, vault=replace(GEO, cross_region_restore=None)), restoring=True)
    assert (await cross_region_restore_is_possible(half)).outcome is Outcome.PASS
    assert azure.count("vault") == 1


async def test_the_vault_is_read_and_the_other_region_asked() -> None:
    """What the vault itself says counts, and the passive view of the points is read where it is enabled."""
    azure = an_azure()
    azure.put(GEO)
    context = replace(a_context(azure, target=RestoreTarget(region="North Europe")), restoring=True)
    azure.lists[f"{an_item().id.key}/recoverypoints"] = THERE
    assert (await cross_region_restore_is_possible(context)).outcome is Outcome.PASS
    azure.fail("resources", PermissionDenied("no"))
    assert (await cross_region_restore_is_possible(context)).outcome is Outcome.UNKNOWN


async def test_without_a_restore_it_is_no_question() -> None:
    """Nobody restores."""
    assert (await cross_region_restore_is_possible(a_context(an_azure()))).outcome is Outcome.NOT_APPLICABLE
