"""Update the MARS agent of a machine that is itself an Azure virtual machine."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.arm import key, name_of
from domain.backup import Server, VirtualMachine, Workload
from domain.errors import RequestError, ResourceNotFound
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.planning import GUID, checked, common, require, section, switched_on
from fixes.registry import FixSpec, Parameter, PlanRequest
from fixes.scripts import HANDS_OUT, RUN_ACTION, RUN_READS, UPDATE_MARS, az_script, is_windows, script_call, unreachable
from fixes.servers import mars_proof, older, server_of, short
from fixes.steps.machines import COMPUTE_API


class UpdateMarsAgent:
    """One script: download Microsoft's installer, check its signature, run it silently."""

    spec = FixSpec(
        id="update_mars_agent",
        version=1,
        title="Update the MARS agent",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.MARS}),
        permissions=(RUN_ACTION,),
        docs="https://learn.microsoft.com/azure/backup/upgrade-mars-agent",
        summary="Installs the current MARS agent in an Azure virtual machine, through a fixed script.",
        proof="The vault reports an agent version that is newer than before and supported.",
        parameters=(
            Parameter(
                name="vm",
                label="Azure virtual machine",
                pattern=rf"/subscriptions/{GUID}/resourceGroups/[^/]+/providers/Microsoft\.Compute/virtualMachines/[^/]+",
                help="ARM id of the virtual machine that the agent runs on; found by its name when it lies in the vault's"
                " subscription",
            ),
        ),
        off_by_default=True,
        hands_out=HANDS_OUT,
        reads=(*RUN_READS, "Microsoft.RecoveryServices/Vaults/backupProtectionContainers/read"),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Run the script."""
        require(self.spec, request, {Workload.MABS: "Use guide_mabs_update."})
        parameters = checked(self.spec, request.parameters)
        server = await server_of(request.item, read)
        if server is None:
            raise RequestError(f"{request.vault.id.name} lists no machine with a MARS agent for {request.item.name}.")
        minimum = request.settings.minimum_mars
        if older(server.agent_version, minimum) is False:
            raise RequestError(
                f"The agent of {server.name} is version {server.agent_version}, and {minimum} is needed: nothing to update."
                " Its next backup shows whether that was all."
            )
        vm = await _machine(parameters["vm"] or await _found(request, server, read), server, read)
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "server": server.name,
                "agent_version": server.agent_version or "not reported",
                "minimum": minimum,
                "vm": key(vm.id),
                "power_state": vm.power_state.casefold(),
                "agent": vm.agent_status,
            },
            calls=(script_call(vm, UPDATE_MARS, purpose=f"Update the MARS agent of {vm.name}"),),
            sentence=f"Install the current MARS agent in virtual machine {vm.name}, which reports {_said(server)}.",
            effects=(
                "Microsoft's installer is downloaded there, its signature is checked, and it runs silently as SYSTEM.",
                "The agent's service restarts; a backup that runs meanwhile fails.",
            ),
            worst_case="The update fails, and no backup runs until somebody installs the agent by hand.",
            undo="An agent cannot be taken back to an older version; install it by hand if it is broken.",
            duration=timedelta(minutes=15),
            az=(az_script(vm, UPDATE_MARS),),
            notes=("The vault shows the new version after the agent's next contact, which may take a day.",),
            problems=(*switched_on(self.spec, request), *unreachable(vm)),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """A newer, supported version."""
        return await mars_proof(plan, read)


async def _found(request: PlanRequest, server: Server, read: BackupReader) -> str:
    """The id of the one Windows machine of the vault's subscription that bears the server's name.

    Azure keeps no link between a MARS server and a virtual machine; the approver sees which one was found.

    Raises:
        RequestError: there is none, or there are several.
    """
    subscription = f"/subscriptions/{request.vault.id.subscription}"
    listed = await read.resources(f"{subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE_API)
    found = sorted(str(body["id"]) for body in listed if short(server.name) in _names(body) and _runs_windows(body))
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(f"Several virtual machines are called {server.name}; name one with vm: {', '.join(found)}")
    raise RequestError(
        f"No Windows virtual machine of the vault's subscription is called {server.name}. If it is one of another"
        " subscription, name it with vm; if it is no Azure virtual machine, use guide_mars_update."
    )


def _names(body: Mapping[str, object]) -> set[str]:
    computer = section(body, "properties", "osProfile").get("computerName")
    return {short(str(name)) for name in (body.get("name"), computer) if name}


def _runs_windows(body: Mapping[str, object]) -> bool:
    return str(section(body, "properties", "storageProfile", "osDisk").get("osType")).casefold() == "windows"


async def _machine(vm_id: str, server: Server, read: BackupReader) -> VirtualMachine:
    """The machine, if it is the one that the agent runs on."""
    try:
        vm = await read.virtual_machine(vm_id)
    except ResourceNotFound:
        raise RequestError(f"There is no virtual machine {name_of(vm_id)}.") from None
    if not is_windows(vm):
        raise RequestError(f"{vm.name} does not run Windows, so it has no MARS agent.")
    if short(server.name) not in {short(vm.name), short(vm.computer_name)}:
        raise RequestError(f"The agent runs on {server.name}, and {vm.name} is another machine.")
    return vm


def _said(server: Server) -> str:
    return f"version {server.agent_version}" if server.agent_version else "no version"


FIX = UpdateMarsAgent()
