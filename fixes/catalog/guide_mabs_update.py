"""Steps: bring a MABS or DPM server and its agent up to date."""

from datetime import datetime

from domain.arm import ItemId
from domain.backup import Server, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure
from fixes.planning import require
from fixes.registry import FixSpec, PlanRequest
from fixes.servers import older, server_of, version_proof

_OLDEST_DIRECT = "13.0.0.0"


class GuideMabsUpdate:
    """What to do depends on the version that the server reports, and on the error of the last backup."""

    spec = FixSpec(
        id="guide_mabs_update",
        version=1,
        title="How to update the MABS or DPM server",
        risk=Risk.NONE,
        workloads=frozenset({Workload.MABS}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/backup-mabs-whats-new-mabs",
        summary="Steps that bring a MABS or DPM server, its Azure agent and its protection agents to a supported version.",
        proof="The vault reports a supported server version that is newer than before.",
        guide=True,
        reads=("Microsoft.RecoveryServices/Vaults/backupEngines/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this version and error."""
        require(self.spec, request, {Workload.MARS: "Use guide_mars_update."})
        server = await server_of(request.item, read)
        failure = await last_failure(request, read)
        minimum = request.settings.minimum_mabs
        name = server.name if server is not None else request.item.server_name or request.item.name
        said = (server.server_version if server is not None else "") or "not reported"
        return guide(
            self.spec,
            request,
            sentence=f"Update the backup server {name} by hand: it reports {said}, and {minimum} is needed.",
            facts={
                "server": name,
                "server_version": said,
                "agent_version": (server.agent_version if server is not None else "") or "not reported",
                "minimum": minimum,
                **failure.facts,
            },
            steps=mabs_steps(name, server, failure),
            notes=() if server is not None else ("The vault does not list this server, so its version is not known.",),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """A supported version."""
        item = await read.item(ItemId.parse(plan.item_id))
        server = await server_of(item, read)
        return version_proof(server.server_version if server is not None else "", plan, "server_version")


def mabs_steps(name: str, server: Server | None, failure: Failure) -> tuple[str, ...]:
    """The steps, in order."""
    found = server.server_version if server is not None else ""
    steps = [
        f"Sign in to {name} as an administrator, and see the version in the console: Help > About.",
        "Back up the server's own database first: DpmBackup.exe -db, in the bin folder of the installation.",
        "Wait until no job runs, and close every console.",
    ]
    if older(found, _OLDEST_DIRECT):
        steps.append(
            f"From {found} no update leads straight to the current version: install MABS V3 ({_OLDEST_DIRECT})"
            f" first, with its"
            " SQL Server and Windows Server, then go on."
        )
    steps.append(
        "Download the latest MABS (or DPM update rollup) from Microsoft, install it, and restart the server when asked."
    )
    steps.append("Install the current Azure agent on the server from https://aka.ms/azurebackup_agent.")
    if failure.says("0x1FBD3"):
        steps.append(
            "0x1FBD3 says that the service refuses this agent: after the update run the failed backup again first."
        )
    if failure.says("CBPServerRegisteredVaultDontMatchWithCurrent", "100110", "credentials"):
        steps.append(
            "The server is registered with another vault: use fresh credentials of this vault (valid for ten days)."
        )
    if failure.says("inconsistent"):
        steps.append("The replica is inconsistent: run Perform Consistency Check on the item in the console.")
    steps.append(
        "Update the protection agents: Management > Agents > Update, and restart the machines that ask for it."
    )
    steps.append(
        "Create a recovery point online for the item, wait for its end, and press Done: the bot reads the version again."
    )
    return tuple(steps)


FIX = GuideMabsUpdate()
