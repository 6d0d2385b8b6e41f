"""The MARS machines and backup servers of vaults, judged as the checks of their items judge them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from diagnostics.checks import mabs_server_is_supported, mars_agent_is_supported
from diagnostics.overview.side_by_side import LIMIT_S, of_each_vault
from diagnostics.registry import Limits
from domain.arm import ItemId
from domain.backup import ProtectedItem, Server, Vault, Workload
from domain.finding import Finding, Outcome
from domain.overview import AgentsView, VaultServers
from domain.ports import BackupReader

READ_SERVERS: Final = (
    "Microsoft.RecoveryServices/Vaults/backupProtectionContainers/read",
    "Microsoft.RecoveryServices/Vaults/backupEngines/read",
)
_ORDER: Final = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS, Outcome.NOT_APPLICABLE)


async def vault_agents(read: BackupReader, vault: Vault, limits: Limits, now: datetime) -> AgentsView:
    """The agents of one vault.

    Raises:
        GatewayError: the servers could not be read.
    """
    return AgentsView(vaults=(_judged(vault, await read.servers(vault.id), limits, now),))


async def fleet_agents(read: BackupReader, limits: Limits, now: datetime, *, limit_s: float = LIMIT_S) -> AgentsView:
    """The agents of all vaults; a vault that cannot be read is kept with its reason.

    Raises:
        GatewayError: not even the vaults could be listed.
    """

    async def look(vault: Vault) -> VaultServers:
        return _judged(vault, await read.servers(vault.id), limits, now)

    def unread(vault: Vault, why: str) -> VaultServers:
        return VaultServers(vault_id=vault.id.id, vault_name=vault.id.name, unread=why)

    vaults, missing = await of_each_vault(read, look, unread, now, permissions=READ_SERVERS, limit_s=limit_s)
    return AgentsView(vaults=vaults, unread_subscriptions=missing)


def judge_server(vault: Vault, server: Server, limits: Limits, now: datetime) -> Finding:
    """The verdict that the check of one of its items would give."""
    workload = Workload.MARS if server.kind == "mars" else Workload.MABS
    item = ProtectedItem(
        id=ItemId(vault.id, "-", server.name, "-"), name=server.name, workload=workload, server_name=server.name
    )
    if workload is Workload.MARS:
        return mars_agent_is_supported.judge(item, server, limits, now)
    return mabs_server_is_supported.judge(item, server, limits)


def _judged(vault: Vault, servers: Sequence[Server], limits: Limits, now: datetime) -> VaultServers:
    judged = [(server, judge_server(vault, server, limits, now)) for server in servers]
    judged.sort(key=lambda pair: (_ORDER.index(pair[1].outcome), pair[0].name.casefold()))
    return VaultServers(vault_id=vault.id.id, vault_name=vault.id.name, servers=tuple(judged))
