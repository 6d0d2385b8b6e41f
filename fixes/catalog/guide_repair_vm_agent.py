"""Steps: get the virtual machine's agent, or the database extension, to answer again."""

from datetime import datetime, timedelta

from domain.backup import VirtualMachine, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure
from fixes.machines import VM_READS, failing, machine
from fixes.planning import require, utc
from fixes.registry import FixSpec, PlanRequest
from fixes.scripts import is_windows

_STALE = timedelta(minutes=15)


class GuideRepairVmAgent:
    """The steps depend on the system, on what the agent reports, and on the error."""

    spec = FixSpec(
        id="guide_repair_vm_agent",
        version=1,
        title="How to repair the VM agent",
        risk=Risk.NONE,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout",
        summary="Steps that bring the Azure VM agent back, and for databases the workload backup extension.",
        proof="The agent reports Ready again, and no extension has failed.",
        guide=True,
        reads=VM_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this machine and error."""
        require(self.spec, request)
        vm = await machine(request, read)
        broken = failing(tuple(await read.extensions(vm.id)))
        failure = await last_failure(request, read)
        return guide(
            self.spec,
            request,
            sentence=f"Repair the agent of virtual machine {vm.name} by hand: it is {vm.agent_status or 'silent'}.",
            facts={
                "vm": vm.id,
                "os": vm.os_type,
                "agent": vm.agent_status or "silent",
                "agent_version": vm.agent_version or "not reported",
                "failing_extensions": ", ".join(broken) or "none",
                **failure.facts,
            },
            steps=agent_steps(vm, broken, failure, request.item.workload),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Ready, lately."""
        vm = await read.virtual_machine(plan.precondition["vm"])
        evidence = {"agent": vm.agent_status or "silent", "agent_version": vm.agent_version or "not reported"}
        if vm.agent_status.casefold() != "ready":
            return Proof(
                proved=None, summary=f"The agent of {vm.name} is {vm.agent_status or 'silent'}.", evidence=evidence
            )
        if vm.agent_reported_at is not None and vm.agent_reported_at < max(facts.started_at, now - _STALE) - _STALE:
            summary = f"The last report of the agent of {vm.name} is of {utc(vm.agent_reported_at)}."
            return Proof(proved=None, summary=summary, evidence=evidence)
        broken = failing(tuple(await read.extensions(vm.id)))
        if broken:
            summary = f"The agent of {vm.name} is ready, but these extensions have failed: {', '.join(broken)}."
            return Proof(proved=None, summary=summary, evidence=evidence)
        return Proof(proved=True, summary=f"The agent of {vm.name} is ready ({vm.agent_version}).", evidence=evidence)


def agent_steps(vm: VirtualMachine, broken: tuple[str, ...], failure: Failure, workload: Workload) -> tuple[str, ...]:
    """The steps, in order."""
    steps = []
    if vm.power_state.casefold() != "running":
        steps.append(
            f"{vm.name} is {vm.power_state or 'not known to run'}: the agent only answers while it runs; see start_vm."
        )
    if is_windows(vm):
        steps += [
            (
                f"Sign in to {vm.name} and see whether the services RdAgent and WindowsAzureGuestAgent run:"
                f" Get-Service RdAgent,"
                " WindowsAzureGuestAgent. Restart both."
            ),
            (
                r"If they do not stay up, read C:\WindowsAzure\Logs\WaAppAgent.log, then install the current agent over"
                r" the old one"
                " from https://aka.ms/WindowsVMAgent."
            ),
        ]
    else:
        steps += [
            (
                f"Sign in to {vm.name} and see whether the agent runs: systemctl status walinuxagent (on RHEL and"
                f" SUSE: waagent)."
                " Restart it."
            ),
            "If it does not stay up, read /var/log/waagent.log, then update it from the distribution's own packages.",
            "See that /etc/waagent.conf says Extensions.Enabled=y.",
        ]
    steps.append(
        "See that the machine reaches Azure's wire server 168.63.129.16 on ports 80 and 32526, past its own"
        " firewall and proxy,"
        " and that its address comes from DHCP."
    )
    if failure.says("GuestAgentSnapshotTaskStatusError", "GuestAgentPluginInstall"):
        steps.append(
            "The agent is up but extensions do not report: let AppLocker and the virus scanner allow its plugin folder."
        )
    if failure.says("GuestAgentCertificateNotFound"):
        steps.append("The agent's certificate is missing: correct the machine's clock, then restart the agent.")
    if workload is not Workload.VM:
        steps.append(
            "For the database: see Extensions in the portal for AzureBackupWindowsWorkload or AzureBackupLinuxWorkload"
            " (Microsoft.Azure.RecoveryServices.WorkloadBackup). If it has failed, run Re-register on the machine"
            " in the vault:"
            " Backup infrastructure > Workload in Azure VM."
        )
    elif broken:
        steps.append(f"Remove the extensions that failed, or repair what they are for: {', '.join(broken)}.")
    steps.append("Wait until the portal shows the agent as Ready, and press Done: the bot looks again.")
    return tuple(steps)


FIX = GuideRepairVmAgent()
