"""The backup server and its agent are new enough: by Azure's own word where it gives one, else by version."""

from diagnostics.history import subject
from diagnostics.registry import Context, Limits, check
from diagnostics.servers import older, server_of
from diagnostics.verdicts import Verdicts
from domain.backup import ProtectedItem, Server, Workload
from domain.finding import Finding

say = Verdicts(__name__)


@check(
    title="The backup server and its agent are supported",
    runbook=("cause_agent_outdated", "diagnostic_mars_version", "resolution_update_agent"),
    workloads=frozenset({Workload.MABS}),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupEngines/read",
        "Microsoft.RecoveryServices/Vaults/backupProtectionContainers/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-mabs-protection-matrix",
    suggests=("guide_mabs_update",),
    az="az backup container list --vault-name <vault> --resource-group <group> --backup-management-type AzureBackupServer",
    portal="Recovery Services vault > Manage > Backup infrastructure > Backup Management Servers",
)
async def mabs_server_is_supported(context: Context) -> Finding:
    """Read the vault's servers and find the item's own among them."""
    item = subject(context)
    return judge(item, server_of(item, await context.read.servers(context.vault.id), "mabs"), context.limits)


def judge(item: ProtectedItem, server: Server | None, limits: Limits) -> Finding:
    """Outdated by Azure's own word or below a configured minimum; what is not reported is not outdated."""
    if server is None:
        return say.unclear(f"The vault lists no backup server {item.server_name or item.id.container}.")
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "server": server.name,
        "server_version": server.server_version or None,
        "agent_version": server.agent_version or None,
        "upgrade_available": server.upgrade_available,
        "minimum_server": limits.minimum_mabs,
        "minimum_agent": limits.minimum_mars,
    }
    old = [
        f"{what} {is_now} is older than the minimum {minimum}"
        for what, is_now, minimum in (
            ("its version", server.server_version, limits.minimum_mabs),
            ("its agent", server.agent_version, limits.minimum_mars),
        )
        if older(is_now, minimum)
    ]
    if server.upgrade_available:
        old.append("Azure says that an upgrade is available")
    if old:
        return say.bad(
            f"The backup server {server.name} is outdated: {'; '.join(old)}.",
            evidence=evidence,
            facts={"version": "outdated"},
            suggests=("guide_mabs_update",),
        )
    if not server.server_version and not server.agent_version and server.upgrade_available is None:
        return say.unclear(
            f"The vault reports no version of {server.name}; that does not mean it is outdated.",
            evidence=evidence,
            facts={"version": "not_reported"},
        )
    return say.good(
        f"The backup server {server.name} is supported (version {server.server_version or 'not reported'}, agent "
        f"{server.agent_version or 'not reported'}).",
        evidence=evidence,
    )
