"""Jobs of the paired region: asked for there by a POST that only reads, and only where a vault copies itself."""

from typing import Any

import pytest

from bot.gateways.azure_reader import AzureReader
from domain.arm import VaultId
from domain.errors import PermissionDenied
from tests.gateways.arm_stub import SUBSCRIPTION, Answer, StubArm
from tests.gateways.test_reader import SINCE, UNTIL, job

VAULT = VaultId(SUBSCRIPTION, "rg-backup", "vault-prod-01")
OWN = f"{VAULT.id}/backupJobs"
THERE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/northeurope/backupCrrJobs"


def vault(crr: str) -> dict[str, Any]:
    """The vault as Azure shows it."""
    redundancy = {"standardTierStorageRedundancy": "GeoRedundant", "crossRegionRestore": crr}
    return {"id": VAULT.id, "location": "westeurope", "properties": {"redundancySettings": redundancy}}


async def test_jobs_of_both_regions_are_one_list(azure: StubArm, reader: AzureReader) -> None:
    """The paired region is asked with the vault's id and the same filter, page after page."""
    azure.lay("GET", VAULT.id, Answer(body=vault("Enabled")))
    azure.lay("GET", OWN, Answer(body={"value": []}))
    first = {"value": [job(1, "2026-11-20T01:00:00Z")], "nextLink": f"{azure.url}{THERE}?$skipToken=b&api-version=1"}
    azure.lay("POST", THERE, Answer(body=first), Answer(body={"value": [job(2, "2026-11-21T01:00:00Z")]}))
    found = await reader.jobs(VAULT, SINCE, UNTIL, operation="CrossRegionRestore")
    assert ["2", "1"] == [one.id for one in found]
    asked = [one for one in azure.seen if one.method == "POST"]
    assert [{"resourceId": VAULT.id}] * 2 == [one.body for one in asked]
    assert "2023-01-15" == asked[0].query["api-version"]
    assert "operation eq 'CrossRegionRestore' and startTime eq" in asked[0].query["$filter"]


async def test_only_the_other_region_is_asked_where_only_its_jobs_are_wanted(
    azure: StubArm, reader: AzureReader
) -> None:
    """The vault's own list is left alone; newest first, as everywhere."""
    azure.lay("GET", VAULT.id, Answer(body=vault("Enabled")))
    jobs = [job(1, "2026-11-20T01:00:00Z"), job(2, "2026-11-21T01:00:00Z")]
    azure.lay("POST", THERE, Answer(body={"value": jobs}))
    assert ["2", "1"] == [one.id for one in await reader.jobs_in_paired_region(VAULT, SINCE, UNTIL)]
    assert OWN not in {one.path for one in azure.seen}
    assert "operation eq 'CrossRegionRestore' and startTime eq" in azure.seen[-1].query["$filter"]


async def test_a_vault_that_copies_nothing_has_no_other_region(azure: StubArm, reader: AzureReader) -> None:
    """Nothing is asked elsewhere where cross-region restore is off, or where other jobs are wanted."""
    azure.lay("GET", VAULT.id, Answer(body=vault("Disabled")))
    azure.lay("GET", OWN, Answer(body={"value": []}))
    assert [] == await reader.jobs(VAULT, SINCE, UNTIL, operation="CrossRegionRestore")
    assert [] == await reader.jobs(VAULT, SINCE, UNTIL)
    assert [] == await reader.jobs_in_paired_region(VAULT, SINCE, UNTIL)
    assert {"GET"} == {one.method for one in azure.seen}


async def test_a_denied_list_is_not_an_empty_one(azure: StubArm, reader: AzureReader) -> None:
    """Without the right to list the other region's jobs nobody says that there are none."""
    azure.lay("GET", VAULT.id, Answer(body=vault("Enabled")))
    azure.lay("GET", OWN, Answer(body={"value": []}))
    azure.lay("POST", THERE, Answer(status=403, body={"error": {"code": "AuthorizationFailed", "message": "No."}}))
    with pytest.raises(PermissionDenied):
        await reader.jobs_in_paired_region(VAULT, SINCE, UNTIL)
    with pytest.raises(PermissionDenied):
        await reader.jobs(VAULT, SINCE, UNTIL, operation="CrossRegionRestore")
