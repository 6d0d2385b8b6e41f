"""Soft delete of a vault: state and days, from the vault or its older configuration."""

import pytest

from diagnostics.checks.soft_delete_is_on import judge, soft_delete_is_on
from domain.finding import Outcome
from tests.diagnostics.world import VAULT, a_context, a_vault, an_azure


@pytest.mark.parametrize(
    ("state", "days", "outcome"),
    [
        ("Enabled", 14, Outcome.PASS),
        ("AlwaysON", 180, Outcome.PASS),
        ("Enabled", None, Outcome.PASS),
        ("Enabled", 7, Outcome.FAIL),
        ("Disabled", 14, Outcome.FAIL),
        (None, None, Outcome.UNKNOWN),
    ],
)
def test_table(state: str | None, days: int | None, outcome: Outcome) -> None:
    """On with at least fourteen days is good; off or shorter is not; unsaid is unknown."""
    finding = judge(a_vault(soft_delete_state=state, soft_delete_days=days), {}, 14)
    assert finding.outcome is outcome
    assert finding.suggests == (("enable_soft_delete",) if outcome is Outcome.FAIL else ())


async def test_the_older_resource_is_asked_where_the_vault_is_silent() -> None:
    """Older answers of a vault do not tell; its configuration does."""
    azure = an_azure()
    context = a_context(azure, of_vault=True)
    assert (await soft_delete_is_on(context)).outcome is Outcome.UNKNOWN
    azure.bodies[f"{VAULT.key}/backupconfig/vaultconfig"] = {
        "properties": {"softDeleteFeatureState": "Enabled", "softDeleteRetentionPeriodInDays": 14}
    }
    assert (await soft_delete_is_on(context)).outcome is Outcome.PASS
    azure.put(a_vault(soft_delete_state="Disabled"))
    assert (await soft_delete_is_on(context)).outcome is Outcome.FAIL
