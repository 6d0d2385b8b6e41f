"""The jobs of a vault's paired region, which Azure lists there and not among the vault's own.

Source: https://learn.microsoft.com/rest/api/backup/backup-crr-jobs/list (API 2023-01-15; a POST that only reads)
"""

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from bot.gateways.azure_wire import Wire, as_mapping, text
from bot.gateways.azure_wiring import MOST_PAGES, ArmClient, entries, too_long
from domain.arm import VaultId
from domain.errors import GatewayUnavailable

API = "2023-01-15"
OPERATION = "CrossRegionRestore"
_SUCCESS = 300


async def secondary_jobs(arm: ArmClient, vault: VaultId, region: str, conditions: str) -> list[Wire]:
    """The vault's jobs in ``region`` that fit the filter, as Azure words them.

    Raises azure-core's exceptions, ValueError for what is not JSON, GatewayUnavailable for a list that is none or too long.
    """
    path = f"/subscriptions/{vault.subscription}/providers/Microsoft.RecoveryServices/locations/{region}/backupCrrJobs"
    found: list[Wire] = []
    address, params = arm.address(path), {"api-version": API, "$filter": conditions}
    for _ in range(MOST_PAGES):
        response = await arm.send(HttpRequest("POST", address, params=params, json={"resourceId": vault.id}))
        if response.status_code >= _SUCCESS:
            raise HttpResponseError(response=response)
        body = as_mapping(response.json(), path)
        found += entries(body)
        address, params = text(body, "nextLink"), {}
        if not address:
            return found
    raise GatewayUnavailable(too_long(path))
