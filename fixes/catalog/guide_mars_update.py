"""Steps: bring the MARS agent of a machine up to date."""

from datetime import datetime

from domain.backup import Server, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure
from fixes.planning import require
from fixes.registry import FixSpec, PlanRequest
from fixes.servers import mars_proof, older, server_of

_CREDENTIALS = "2.0.9249.0"
_MANDATORY = "2.0.9083.0"


class GuideMarsUpdate:
    """What to do depends on the version that the agent reports, and on the error of the last backup."""

    spec = FixSpec(
        id="guide_mars_update",
        version=1,
        title="How to update the MARS agent",
        risk=Risk.NONE,
        workloads=frozenset({Workload.MARS}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/upgrade-mars-agent",
        summary="Steps that bring the MARS agent of a machine to a supported version.",
        proof="The vault reports a supported agent version that is newer than before.",
        guide=True,
        reads=("Microsoft.RecoveryServices/Vaults/backupProtectionContainers/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this version and error."""
        require(self.spec, request, {Workload.MABS: "Use guide_mabs_update."})
        server = await server_of(request.item, read)
        failure = await last_failure(request, read)
        minimum = request.settings.minimum_mars
        name = server.name if server is not None else request.item.server_name or request.item.name
        said = (server.agent_version if server is not None else "") or "not reported"
        return guide(
            self.spec,
            request,
            sentence=f"Update the MARS agent of {name} by hand: it reports {said}, and {minimum} is needed.",
            facts={"server": name, "agent_version": said, "minimum": minimum, **failure.facts},
            steps=mars_steps(name, server, failure, minimum),
            notes=_notes(server),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """A supported version."""
        return await mars_proof(plan, read)


def mars_steps(name: str, server: Server | None, failure: Failure, minimum: str) -> tuple[str, ...]:
    """The steps, in order."""
    found = server.agent_version if server is not None else ""
    steps = [f"Sign in to {name} as an administrator."]
    if not found:
        steps.append(
            "See which version is installed: Control Panel > Programs and Features > Microsoft Azure Recovery Services Agent."
            f" If it is {minimum} or newer, leave it and go to the last step: the vault only learns of it at the next backup."
        )
    steps.append(
        "Wait until no backup runs: Microsoft Azure Backup > Jobs. A backup that runs during the update fails."
    )
    steps.append("Download the current agent from https://aka.ms/azurebackup_agent and check that Microsoft signed it.")
    if failure.says("1612"):
        steps.append(
            "The last update stopped with error 1612, because Windows lost the old installer: find its expected name under"
            " C:\\Windows\\Installer in the update's log, and put OBSAGENT.msi of the installed version there."
        )
    steps.append(
        "Run MARSAgentInstaller.exe and choose Upgrade; no restart is needed, and the settings and the passphrase stay."
    )
    if failure.says("0x1FBD3") or older(found, _MANDATORY):
        steps.append(
            f"Agents older than {_MANDATORY} are refused by the service (0x1FBD3). Let the machine reach the Entra sign-in"
            " addresses on port 443 too: login.microsoftonline.com and login.windows.net."
        )
    if server is not None and (server.can_reregister or older(found, _CREDENTIALS)):
        steps.append(
            f"If the agent says that it is not registered: download fresh vault credentials (only {_CREDENTIALS} or"
            f" newer takes"
            " them; they are valid for ten days), and run Register Server. Keep the passphrase: without it nothing restores."
        )
    steps.append(
        "Run Back Up Now in Microsoft Azure Backup, wait for its end, and press Done: the bot reads the version again."
    )
    return tuple(steps)


def _notes(server: Server | None) -> tuple[str, ...]:
    if server is None:
        return ("The vault does not list this machine, so its version is not known.",)
    if not server.agent_version:
        return ("The agent's version is not reported; that does not mean that it is outdated.",)
    return ()


FIX = GuideMarsUpdate()
