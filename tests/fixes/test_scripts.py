"""probe_os_disk and update_mars_agent: fixed scripts, off by default, readable answers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.backup import Server
from domain.errors import RequestError, ResourceNotFound
from fixes.catalog.probe_os_disk import FIX as PROBE
from fixes.catalog.update_mars_agent import FIX as UPDATE
from fixes.registry import PlanRequest
from tests.fakes.azure import FakeAzure
from tests.fixes.world import (
    GROUP,
    HOUR,
    MARS_ITEM,
    NOW,
    OPERATOR,
    SUBSCRIPTION,
    VM,
    Run,
    ask,
    estate,
    files_item,
    mabs_item,
    machine,
    mars_item,
    vault,
)

OPERATION = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations/op-1".casefold()
SERVER_VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/SRV-FILES"


def on(request: PlanRequest) -> PlanRequest:
    """The same request where both fixes are turned on."""
    enabled = frozenset({"probe_os_disk", "update_mars_agent"})
    return replace(request, settings=replace(request.settings, enabled=enabled))


class TestProbe:
    """probe_os_disk."""

    async def test_linux(self) -> None:
        """The script of the repository, as root."""
        azure = estate()
        azure.put(machine(os_type="Linux"))
        plan = await PROBE.plan(on(ask()), azure)
        (call,) = plan.calls
        assert ("POST", f"{VM}/runCommand", "2024-03-01") == (call.method, call.resource, call.api_version)
        assert {
            "commandId": "RunShellScript",
            "script": [
                "df -P -k / /var /boot 2>/dev/null | tail -n +2",
                "systemctl is-active walinuxagent waagent 2>/dev/null || true",
            ],
        } == call.body
        assert ("Microsoft.Compute/virtualMachines/runCommand/action", VM) == (call.action, call.scope)
        assert () == plan.problems
        assert "as root" in plan.effects[0]

    async def test_windows(self) -> None:
        """PowerShell, as SYSTEM."""
        plan = await PROBE.plan(on(ask()), estate())
        assert {
            "commandId": "RunPowerShellScript",
            "script": [
                (
                    "Get-CimInstance Win32_LogicalDisk -Filter DriveType=3 | Select DeviceID,FreeSpace,Size |"
                    " ConvertTo-Json -Compress"
                )
            ],
        } == plan.calls[0].body

    async def test_it_is_off_by_default(self) -> None:
        """It says what turning it on hands out."""
        (problem,) = (await PROBE.plan(ask(), estate())).problems
        assert 'enable = ["probe_os_disk"]' in problem
        assert "root or SYSTEM" in problem

    @pytest.mark.parametrize(
        ("state", "advice"),
        [({"power_state": "stopped"}, "start_vm"), ({"agent_status": ""}, "guide_repair_vm_agent")],
    )
    async def test_without_a_working_agent_it_is_a_problem(self, state: dict[str, Any], advice: str) -> None:
        """The script would hang for an hour and a half."""
        azure = estate()
        azure.put(machine(**state))
        assert advice in (await PROBE.plan(on(ask()), azure)).problems[0]

    async def test_nothing_that_people_write_gets_into_the_script(self) -> None:
        """It takes no parameters at all."""
        with pytest.raises(RequestError, match="no such parameter"):
            await PROBE.plan(on(ask(script="rm -rf /")), estate())
        with pytest.raises(RequestError, match="probe_os_disk is for"):
            await PROBE.plan(on(ask(files_item())), estate())

    @pytest.mark.parametrize(
        ("os_type", "value", "proved", "summary"),
        [
            (
                "Linux",
                [
                    {
                        "code": "ProvisioningState/succeeded",
                        "message": "Enable succeeded: \n[stdout]\n/dev/root 30298176 30000000 298176 99% /\n"
                        "/dev/sdb 1048576 524288 524288 50% /var/my data\nactive\n\n[stderr]\nx 1 2 3 4% /no\n",
                    }
                ],
                True,
                "/ 0.3 of 28.9 GiB free; /var/my data 0.5 of 1.0 GiB free. Nearly full: /; use guide_free_os_disk.",
            ),
            (
                "Windows",
                [
                    {
                        "code": "ComponentStatus/StdOut/succeeded",
                        "message": json.dumps({"DeviceID": "C:", "FreeSpace": 10 * 2**30, "Size": 127 * 2**30}),
                    },
                    {"code": "ComponentStatus/StdErr/succeeded", "message": "a warning"},
                ],
                True,
                "C: 10.0 of 127.0 GiB free. None is nearly full.",
            ),
            (
                "Windows",
                [
                    {
                        "code": "ComponentStatus/StdOut/succeeded",
                        "message": '[{"DeviceID":"C:","FreeSpace":0,"Size":1073741824},'
                        '{"DeviceID":"D:","FreeSpace":1073741824,"Size":1073741824}]',
                    }
                ],
                True,
                "C: 0.0 of 1.0 GiB free; D: 1.0 of 1.0 GiB free. Nearly full: C:; use guide_free_os_disk.",
            ),
            ("Windows", [{"code": "ComponentStatus/StdOut/succeeded", "message": "{}"}], False, "cannot be read"),
            ("Linux", [{"code": "ProvisioningState/succeeded", "message": "nonsense"}], False, "nonsense"),
            ("Linux", [], False, "nothing"),
        ],
    )
    async def test_the_answer(self, os_type: str, value: list[object], proved: bool, summary: str) -> None:
        """Both systems answer differently; what cannot be read is no proof."""
        azure = estate()
        azure.put(machine(os_type=os_type))
        run = Run(await PROBE.plan(on(ask()), azure), [{"operation_id": "op-1"}])
        assert (await PROBE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.bodies[OPERATION] = {"status": "InProgress"}
        assert (await PROBE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.bodies[OPERATION] = {"status": "Succeeded", "properties": {"output": {"value": value}}}
        proof = await PROBE.verify(run.plan, run.facts, azure, NOW)
        assert proof.proved is proved
        assert summary in proof.summary

    async def test_the_fingerprint_follows_the_machine(self) -> None:
        """Stable over a day; another system is another script."""
        azure = estate()
        first = (await PROBE.plan(on(ask()), azure)).fingerprint(OPERATOR)
        assert first == (await PROBE.plan(replace(on(ask()), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.put(machine(os_type="Linux"))
        assert first != (await PROBE.plan(on(ask()), azure)).fingerprint(OPERATOR)


def with_server(version: str = "2.0.9083.0", **more: Any) -> FakeAzure:
    """A vault that lists the agent's machine, which is also an Azure machine."""
    azure = estate()
    azure.put(mars_item(), replace(machine(), id=SERVER_VM, name="SRV-FILES", **more))
    azure.servers_by_vault[vault().id.key] = [
        Server(id="/x", name="other.contoso.com", kind="mars", agent_version="2.0.9300.0"),
        Server(id="/s", name="SRV-FILES.contoso.com", kind="mars", agent_version=version),
    ]
    return azure


class TestUpdate:
    """update_mars_agent."""

    request = on(ask(mars_item(), vm=SERVER_VM))

    async def test_the_call(self) -> None:
        """The installer is Microsoft's, its signature is checked before it runs."""
        plan = await UPDATE.plan(self.request, with_server())
        (call,) = plan.calls
        assert f"{SERVER_VM}/runCommand" == call.resource
        body = call.body
        assert isinstance(body, dict)
        script = "\n".join(body["script"])
        assert "https://aka.ms/azurebackup_agent" in script
        assert script.index("Get-AuthenticodeSignature") < script.index("Start-Process")
        assert "throw" in script
        assert "2.0.9083.0" in plan.sentence
        assert (MARS_ITEM, ()) == (plan.item_id, plan.problems)

    async def test_what_does_not_fit(self) -> None:
        """Another machine, Linux, no machine, an unknown agent, another workload."""
        with pytest.raises(RequestError, match="is another machine"):
            await UPDATE.plan(on(ask(mars_item(), vm=VM)), with_server())
        with pytest.raises(RequestError, match="not run Windows"):
            await UPDATE.plan(self.request, with_server(os_type="Linux"))
        azure = with_server()
        azure.fail("virtual_machine", ResourceNotFound("gone"))
        with pytest.raises(RequestError, match="no virtual machine"):
            await UPDATE.plan(self.request, azure)
        with pytest.raises(RequestError, match="lists no machine"):
            await UPDATE.plan(self.request, estate())
        with pytest.raises(RequestError, match="guide_mabs_update"):
            await UPDATE.plan(on(ask(mabs_item(), vm=SERVER_VM)), with_server())
        with pytest.raises(RequestError, match="vm:"):
            await UPDATE.plan(on(ask(mars_item(), vm="SRV-FILES; shutdown")), with_server())

    @pytest.mark.parametrize(
        ("listed", "said"),
        [
            (["SRV-FILES", "vm-other"], ""),
            (["vm-17 (srv-files)", "vm-other"], ""),
            (["vm-other"], "No Windows virtual machine of the vault's subscription is called SRV-FILES.contoso.com"),
            (["SRV-FILES Linux"], "guide_mars_update"),
            (["SRV-FILES", "vm-17 (srv-files)"], "Several virtual machines"),
        ],
    )
    async def test_the_machine_is_found_by_its_name(self, listed: list[str], said: str) -> None:
        """The one Windows machine that bears the server's name, as a resource or inside; else people name it."""
        azure = with_server()
        azure.lists[f"{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines".casefold()] = [
            {
                "id": SERVER_VM if number == 0 else f"{SERVER_VM}{number}",
                "name": words.partition(" ")[0],
                "properties": {
                    "osProfile": {"computerName": words.partition("(")[2].rstrip(")") or words.partition(" ")[0]},
                    "storageProfile": {"osDisk": {"osType": "Linux" if "Linux" in words else "Windows"}},
                },
            }
            for number, words in enumerate(listed)
        ]
        request = on(ask(mars_item()))
        if said:
            with pytest.raises(RequestError, match=said):
                await UPDATE.plan(request, azure)
        else:
            plan = await UPDATE.plan(request, azure)
            assert plan.calls == (await UPDATE.plan(self.request, azure)).calls
            assert dict(plan.parameters) == {"vm": ""}

    async def test_a_machine_may_call_itself_otherwise(self) -> None:
        """What counts is the name inside the machine or the resource's own."""
        azure = with_server()
        azure.put(replace(machine(), id=VM, name="vm-17", computer_name="srv-files"))
        assert (await UPDATE.plan(on(ask(mars_item(), vm=VM)), azure)).calls[0].resource == f"{VM}/runCommand"

    async def test_it_is_off_by_default(self) -> None:
        """As every script is."""
        (problem,) = (await UPDATE.plan(ask(mars_item(), vm=SERVER_VM), with_server())).problems
        assert 'enable = ["update_mars_agent"]' in problem

    @pytest.mark.parametrize(
        ("version", "proved"), [("2.0.9083.0", None), ("2.0.9100.0", None), ("", None), ("2.0.9262.0", True)]
    )
    async def test_proof(self, version: str, proved: bool | None) -> None:
        """A newer version that is supported."""
        azure = with_server()
        run = Run(await UPDATE.plan(self.request, azure), [{"operation_id": "op-1"}])
        assert (await UPDATE.verify(run.plan, run.facts, with_server(version), NOW)).proved is proved

    async def test_the_fingerprint_follows_the_version(self) -> None:
        """Another version, another plan."""
        first = (await UPDATE.plan(self.request, with_server())).fingerprint(OPERATOR)
        assert first == (await UPDATE.plan(replace(self.request, now=NOW + HOUR), with_server())).fingerprint(OPERATOR)
        assert first != (await UPDATE.plan(self.request, with_server("2.0.9100.0"))).fingerprint(OPERATOR)
