"""The MARS agent of the machine is new enough for the service, and the machine still reports to the vault."""

from datetime import datetime, timedelta

from diagnostics.history import subject
from diagnostics.registry import Context, Limits, check
from diagnostics.servers import older, server_of
from diagnostics.verdicts import Verdicts, ago
from domain.backup import ProtectedItem, Server, Workload
from domain.finding import Finding

say = Verdicts(__name__)

# Below it every backup is refused with error 0x1FBD3.
# https://learn.microsoft.com/troubleshoot/azure/site-recovery/backup-service-mars-agent-versions-not-match
_REFUSED_BELOW = "2.0.9083.0"
# An agent refreshes its registration at every backup and about once a day.
_SILENT = timedelta(days=3)


@check(
    title="The MARS agent is supported and reports",
    runbook=("cause_agent_outdated", "diagnostic_mars_version", "resolution_update_agent"),
    workloads=frozenset({Workload.MARS}),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupProtectionContainers/read",
        "Microsoft.RecoveryServices/Vaults/backupEngines/read",
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/upgrade-mars-agent",
    suggests=("guide_mars_update", "update_mars_agent"),
    az="az backup container list --vault-name <vault> --resource-group <group> --backup-management-type MAB",
    portal="Recovery Services vault > Manage > Backup infrastructure > Azure Backup Agent",
)
async def mars_agent_is_supported(context: Context) -> Finding:
    """Read the vault's servers and find the item's machine among them."""
    item = subject(context)
    server = server_of(item, await context.read.servers(context.vault.id), "mars")
    return judge(item, server, context.limits, context.clock.now())


def judge(item: ProtectedItem, server: Server | None, limits: Limits, now: datetime) -> Finding:
    """Outdated by the configured minimum, silent for days, or not reported, which is not the same as outdated."""
    name = item.server_name or item.parent_name or item.name
    if server is None:
        return say.unclear(f"The vault lists no MARS machine {name}.", facts={"version": "not_listed"})
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "server": server.name,
        "agent_version": server.agent_version or None,
        "minimum": limits.minimum_mars,
        "last_seen": server.last_seen_at.isoformat() if server.last_seen_at else None,
        "health": server.health or None,
    }
    old = older(server.agent_version, limits.minimum_mars)
    silent = server.last_seen_at is not None and now - server.last_seen_at > _SILENT
    facts: dict[str, str] = {}
    sentences: list[str] = []
    if old:
        refused = (
            f" Below {_REFUSED_BELOW} the service refuses every backup (0x1FBD3)."
            if older(server.agent_version, _REFUSED_BELOW)
            else ""
        )
        sentences.append(
            f"The MARS agent on {server.name} is {server.agent_version}, older than the minimum "
            f"{limits.minimum_mars}.{refused}"
        )
        facts["version"] = "outdated"
    if silent and server.last_seen_at is not None:
        sentences.append(
            f"{server.name} last reported to the vault {ago(server.last_seen_at, now)}: it is switched off, offline, or its "
            "agent has stopped. Nothing runs then, and nothing fails."
        )
        facts["seen"] = "offline"
    if sentences:
        suggests = ("guide_mars_update", "update_mars_agent") if old else ("guide_mars_update",)
        return say.bad(" ".join(sentences), evidence=evidence, facts=facts, suggests=suggests)
    if not server.agent_version:
        return say.unclear(
            f"The vault does not report the agent version of {server.name}; that does not mean it is outdated.",
            evidence=evidence,
            facts={"version": "not_reported"},
        )
    seen = f" It last reported {ago(server.last_seen_at, now)}." if server.last_seen_at else ""
    return say.good(
        f"The MARS agent on {server.name} is {server.agent_version}, at least the minimum {limits.minimum_mars}.{seen}",
        evidence=evidence,
    )
