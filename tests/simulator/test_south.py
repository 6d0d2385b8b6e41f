"""MARS agents on Azure VMs, and restores of databases and shares whose target cannot take them."""

from datetime import timedelta
from typing import Any

import pytest

from simulator.estate import EstateError, parse
from tests.simulator.support import COMPUTE, Azure

SOUTH = "vault-south-01"
OLD, NEW = "2.0.8703.0", "2.0.9262.0"
INSTALL = ["Invoke-WebRequest -Uri 'https://aka.ms/azurebackup_agent' -OutFile $installer", "Start-Process $installer"]


def lisbon(azure: Azure) -> str:
    """The VM that the server with the old agent is."""
    return next(vm.id for vm in azure.sim.world.machines.values() if vm.name == "vm-lisbon-01")


async def agents(azure: Azure) -> dict[str, Any]:
    """The version that the vault shows for each server."""
    rows = await azure.all(f"{azure.vault(SOUTH)}/backupProtectionContainers?$filter=backupManagementType eq 'MAB'")
    return {row["properties"]["friendlyName"]: row["properties"].get("agentVersion") for row in rows}


async def run(azure: Azure, script: list[str]) -> str:
    """Runs a script on that VM to its end; what it printed."""
    body = {"commandId": "RunPowerShellScript", "script": script}
    reply = await azure.call("POST", f"{lisbon(azure)}/runCommand", COMPUTE, who="operator", body=body)
    assert reply.status == 202, reply.body
    await azure.advance(10)
    result = await azure.get(reply.headers["Location"], COMPUTE, who="operator")
    return str(result["value"][0]["message"])


async def test_the_agent_of_a_vm_is_updated_by_a_script(azure: Azure) -> None:
    """The installer replaces the agent at once, its vault hears of it later, and the next backup succeeds."""
    assert await agents(azure) == {"vm-lisbon-01.contoso.com": OLD, "vm-porto-01.contoso.com": NEW}
    assert await run(azure, INSTALL) == NEW
    assert (await agents(azure))["vm-lisbon-01.contoso.com"] == OLD
    await azure.advance(30)
    assert (await agents(azure))["vm-lisbon-01.contoso.com"] == NEW
    before = (await azure.item(SOUTH, r"D:\Drawings"))["properties"]["lastRecoveryPoint"]
    await azure.advance(timedelta(days=1).total_seconds())
    assert (await azure.item(SOUTH, r"D:\Drawings"))["properties"]["lastRecoveryPoint"] > before


async def test_a_current_agent_stays_as_it_is(azure: Azure) -> None:
    """A script that runs a second time changes nothing, and one without the installer nothing at all."""
    assert '"FreeSpace"' in await run(azure, ["Get-CimInstance Win32_LogicalDisk"])
    await azure.advance(30)
    assert (await agents(azure))["vm-lisbon-01.contoso.com"] == OLD
    item = next(item for item in azure.sim.world.items if item.name == r"D:\Drawings")
    await run(azure, INSTALL)
    first = item.more["agent_update"]
    await run(azure, INSTALL)
    assert item.more["agent_update"] == first


async def test_a_dead_vm_agent_runs_no_script(azure: Azure) -> None:
    """Where the VM's own agent is dead the script never runs, and the backup agent stays old."""
    azure.sim.world.machines[lisbon(azure).casefold()].agent = "Not Ready"
    body = {"commandId": "RunPowerShellScript", "script": INSTALL}
    reply = await azure.call("POST", f"{lisbon(azure)}/runCommand", COMPUTE, who="operator", body=body)
    await azure.advance(6000)
    status = await azure.get(reply.headers["Azure-AsyncOperation"], COMPUTE, who="operator")
    assert status["error"]["code"] == "VMAgentStatusCommunicationError"
    assert (await agents(azure))["vm-lisbon-01.contoso.com"] == OLD


async def test_azure_does_not_tell_which_vm_it_is(azure: Azure) -> None:
    """As in Azure, neither the container nor the item names the virtual machine."""
    item = await azure.item(SOUTH, r"D:\Drawings")
    assert "sourceResourceId" not in item["properties"]
    [row] = [
        row
        for row in await azure.all(
            f"{azure.vault(SOUTH)}/backupProtectionContainers?$filter=backupManagementType eq 'MAB'"
        )
        if "lisbon" in row["name"]
    ]
    assert "virtualMachines" not in str(await azure.get(row["id"]))


async def test_any_server_can_turn_out_to_be_a_vm(azure: Azure) -> None:
    """The fault put on a server outside Azure makes it a VM; put back on one that was updated, its agent is old again."""
    order = {"vault": "vault-branch-01", "item": r"C:\Shares", "fault": "mars_outdated_on_vm"}
    assert (await azure.control("POST", "/_sim/break", order))[0] == 201
    assert [vm.os for vm in azure.sim.world.machines.values() if vm.name == "fs-rome"] == ["Windows"]
    assert await run(azure, INSTALL) == NEW
    await azure.advance(30)
    await azure.control("POST", "/_sim/break", {"vault": SOUTH, "item": r"D:\Drawings", "fault": "mars_outdated"})
    assert (await agents(azure))["vm-lisbon-01.contoso.com"] == OLD


def test_only_mars_servers_are_on_vms() -> None:
    """The key fits no other workload, and says so."""
    with pytest.raises(EstateError, match="mars item may be on_vm"):
        parse("vaults: [{name: vault-1, items: [{name: vm-1, on_vm: true}]}]", "estate")


async def restore(azure: Azure, name: str, body: dict[str, Any]) -> Any:
    """Restores an item as the operator; the properties of the job at its end."""
    item = await azure.item(SOUTH, name)
    points = await azure.all(f"{item['id']}/recoveryPoints")
    request = {"recoveryType": "AlternateLocation", "sourceResourceId": item["properties"]["sourceResourceId"], **body}
    reply = await azure.call("POST", f"{points[0]['id']}/restore", who="operator", body={"properties": request})
    assert reply.status == 202, reply.body
    await azure.advance(3600)
    status = await azure.get(reply.headers["Azure-AsyncOperation"])
    return (await azure.get(f"{azure.vault(SOUTH)}/backupJobs/{status['properties']['jobId']}"))["properties"]


@pytest.mark.parametrize(
    ("name", "option", "status"),
    [
        ("payroll_restored", "FailOnConflict", "Failed"),
        ("payroll_restored", "Overwrite", "Completed"),
        ("payroll_2", "FailOnConflict", "Completed"),
    ],
)
async def test_a_database_needs_a_free_name(azure: Azure, name: str, option: str, status: str) -> None:
    """The same name fails again unless it may be overwritten; another name works."""
    code = "UserErrorCannotRestoreExistingDBWithoutForceOverwrite"
    assert await azure.failed_codes(SOUTH, "payroll", "Restore") == [code]
    target = {"overwriteOption": option, "databaseName": f"MSSQLSERVER/{name}"}
    job = await restore(azure, "payroll", {"objectType": "AzureWorkloadSQLRestoreRequest", "targetInfo": target})
    assert job["status"] == status
    assert (status == "Failed") is (job.get("errorDetails", [{}])[0].get("errorTitle") == code)


@pytest.mark.parametrize(("share", "status"), [("restored", "Failed"), ("models", "Completed")])
async def test_a_share_needs_room(azure: Azure, share: str, status: str) -> None:
    """The full share fails again, another one takes the files; the job's words name the code, as it has no title."""
    item = await azure.item(SOUTH, "drawings")
    target = {"name": share, "targetResourceId": item["properties"]["sourceResourceId"]}
    body = {
        "objectType": "AzureFileShareRestoreRequest",
        "copyOptions": "Skip",
        "restoreRequestType": "FullShareRestore",
        "targetDetails": target,
    }
    job = await restore(azure, "drawings", body)
    assert job["status"] == status
    if status == "Failed":
        assert "UserErrorTargetFileShareFull" in job["errorDetails"][0]["recommendations"][0]


@pytest.mark.parametrize(
    ("item", "fault"), [("payroll", "restore_database_exists"), ("drawings", "restore_share_full")]
)
async def test_people_restore_elsewhere(azure: Azure, item: str, fault: str) -> None:
    """What people do by hand is a restore that works, in Azure's own list of jobs."""
    await azure.control("POST", "/_sim/repair", {"vault": SOUTH, "item": item, "fault": fault})
    await azure.advance(3600)
    rows = await azure.all(f"{azure.vault(SOUTH)}/backupJobs?$filter=operation eq 'Restore' and status eq 'Completed'")
    assert [row["properties"]["entityFriendlyName"].partition(" [")[0] for row in rows] == [item]
