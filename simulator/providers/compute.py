"""Virtual machines and their extensions (api Microsoft.Compute)."""

from datetime import datetime, timedelta

from simulator import timings
from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown, resource_not_found
from simulator.arm.filters import bad_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import GROUP
from simulator.world import agents, machines
from simulator.world.model import Extension, Json, Machine, Operation, stable_uuid

VM = GROUP + "/providers/Microsoft.Compute/virtualMachines/{vm}"
COMPUTE = "Microsoft.Compute"
SCRIPTS = {"RunShellScript": "Linux", "RunPowerShellScript": "Windows"}


def clock(instant: datetime) -> str:
    """An instant as Compute writes it."""
    return instant.isoformat(timespec="microseconds")


def _status(code: str, shown: str, at: datetime, message: str = "", level: str = "Info") -> Json:
    body: Json = {"code": code, "level": level, "displayStatus": shown, "time": clock(at)}
    if message:
        body["message"] = message
    return body


def machine_in(call: Call) -> Machine:
    """The machine that the path names, brought to the call's instant; raises a 404."""
    parts = call.parts
    key = (
        f"/subscriptions/{parts['subscription']}/resourcegroups/{parts['group']}"
        f"/providers/microsoft.compute/virtualmachines/{parts['vm']}"
    ).casefold()
    found = call.world.machines.get(key)
    if found is None:
        raise resource_not_found("Microsoft.Compute/virtualMachines", parts["vm"], parts["group"])
    machines.settle(found, call.now)
    return found


def instance_view(machine: Machine, now: datetime) -> Json:
    """What is going on in a machine: power, provisioning, agent, extensions."""
    long_ago = now - timedelta(days=3)
    state = machine.provisioning
    level = "Error" if state == "Failed" else "Info"
    broken = next((e for e in machine.extensions.values() if e.state == "Failed"), None)
    code = f"ProvisioningState/{state.lower()}"
    message = ""
    if state == "Failed" and broken is not None:
        code = "ProvisioningState/failed/VMExtensionProvisioningError"
        message = f"VM has reported a failure when processing extension '{broken.name}'. {broken.message}"
    body: Json = {
        "computerName": machine.name,
        "hyperVGeneration": "V2",
        "disks": [
            {
                "name": f"{machine.name}_OsDisk",
                "statuses": [_status("ProvisioningState/succeeded", "Provisioning succeeded", long_ago)],
            }
        ],
        "statuses": [
            _status(code, f"Provisioning {state.lower()}", long_ago, message, level),
            {
                "code": f"PowerState/{machine.power}",
                "level": "Info",
                "displayStatus": f"VM {machine.power}",
            },
        ],
    }
    if machine.encryption is not None:
        body["disks"][0]["encryptionSettings"] = [_encryption(machine.encryption)]
    if machine.power == "running" and machine.agent != "Absent":
        body["vmAgent"] = _agent(machine, now)
        body["extensions"] = [_extension_view(e, now) for e in machine.extensions.values()]
        body["osName"] = "ubuntu" if machine.os == "Linux" else "Windows Server 2022 Datacenter"
        body["osVersion"] = "24.04" if machine.os == "Linux" else "10.0.20348.2762"
    return body


def _agent(machine: Machine, now: datetime) -> Json:
    seen = machine.agent_seen or now - timedelta(seconds=20)
    if machine.agent == "Ready":
        status = _status(
            "ProvisioningState/succeeded", "Ready", seen, "Guest Agent is running and processing the extensions."
        )
    else:
        status = _status(
            "ProvisioningState/Unavailable",
            "Not Ready",
            seen,
            "VM status blob is found but not yet populated.",
            "Warning",
        )
    return {
        "vmAgentVersion": machine.agent_version,
        "statuses": [status],
        "extensionHandlers": [
            {
                "type": f"{e.publisher}.{e.type}",
                "typeHandlerVersion": f"{e.version}.9.0",
                "status": _status(
                    f"ProvisioningState/{e.state.lower()}",
                    "Ready" if e.state == "Succeeded" else "Not Ready",
                    seen,
                    "Plugin enabled" if e.state == "Succeeded" else e.message,
                    "Info" if e.state == "Succeeded" else "Error",
                ),
            }
            for e in machine.extensions.values()
        ],
    }


def _extension_view(extension: Extension, now: datetime) -> Json:
    fine = extension.state == "Succeeded"
    return {
        "name": extension.name,
        "type": f"{extension.publisher}.{extension.type}",
        "typeHandlerVersion": f"{extension.version}.9.0",
        "statuses": [
            _status(
                f"ProvisioningState/{extension.state.lower()}",
                "Provisioning succeeded" if fine else f"Provisioning {extension.state.lower()}",
                now - timedelta(hours=7),
                extension.message,
                "Info" if fine else "Error",
            )
        ],
    }


def _encryption(encryption: Json) -> Json:
    source = {"id": encryption["vault"]}
    return {
        "enabled": True,
        "diskEncryptionKey": {"secretUrl": f"{encryption['uri']}/secrets/disk-secret/1", "sourceVault": source},
        "keyEncryptionKey": {"keyUrl": f"{encryption['uri']}/keys/disk-key/1", "sourceVault": source},
    }


def machine_body(machine: Machine, now: datetime, *, view: bool = False) -> Json:
    """A machine as ARM shows it."""
    os_disk: Json = {
        "osType": machine.os,
        "name": f"{machine.name}_OsDisk",
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "managedDisk": {
            "storageAccountType": "Premium_LRS",
            "id": f"{machine.id.partition('/virtualMachines/')[0]}/disks/{machine.name}_OsDisk",
        },
        "deleteOption": "Detach",
        "diskSizeGB": 127,
    }
    if machine.encryption is not None:
        os_disk["encryptionSettings"] = _encryption(machine.encryption)
    properties: Json = {
        "hardwareProfile": {"vmSize": machine.size},
        "provisioningState": machine.provisioning,
        "vmId": stable_uuid("vm", machine.id),
        "storageProfile": {"osDisk": os_disk, "dataDisks": []},
        "osProfile": {
            "computerName": machine.name,
            "adminUsername": "azureuser",
            "secrets": [],
            "allowExtensionOperations": True,
        },
        "networkProfile": {"networkInterfaces": []},
        "timeCreated": clock(datetime(2025, 3, 4, 9, 30, tzinfo=now.tzinfo)),
    }
    if view:
        properties["instanceView"] = instance_view(machine, now)
    body: Json = {
        "name": machine.name,
        "id": machine.id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.location,
        "tags": dict(machine.tags),
        "properties": properties,
    }
    if machine.extensions:
        body["resources"] = [extension_body(machine, e, now) for e in machine.extensions.values()]
    return body


def extension_body(machine: Machine, extension: Extension, now: datetime, *, view: bool = False) -> Json:
    """An extension as ARM shows it."""
    properties: Json = {
        "publisher": extension.publisher,
        "type": extension.type,
        "typeHandlerVersion": extension.version,
        "autoUpgradeMinorVersion": True,
        "provisioningState": extension.state,
        "settings": {},
    }
    if view:
        properties["instanceView"] = _extension_view(extension, now)
    return {
        "name": extension.name,
        "id": f"{machine.id}/extensions/{extension.name}",
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": machine.location,
        "properties": properties,
    }


def _expand(call: Call) -> bool:
    wish = call.query.get("$expand", "")
    if wish.casefold() not in ("", "instanceview", "userdata"):
        raise bad_filter(f"'{wish}' cannot be expanded")
    return wish.casefold() == "instanceview"


def get_machine(call: Call) -> Answer:
    """One machine, with its instance view when asked for."""
    return Answer(200, machine_body(machine_in(call), call.now, view=_expand(call)))


def get_view(call: Call) -> Answer:
    """The instance view alone."""
    return Answer(200, instance_view(machine_in(call), call.now))


def list_machines(call: Call) -> Answer:
    """The machines of a subscription or resource group."""
    prefix = f"/subscriptions/{call.parts['subscription']}/"
    if "group" in call.parts:
        prefix += f"resourcegroups/{call.parts['group']}/"
    found = [m for key, m in call.world.machines.items() if key.startswith(prefix.casefold())]
    return paged(call, [machine_body(machine, call.now) for machine in found])


def list_extensions(call: Call) -> Answer:
    """The extensions of a machine."""
    machine = machine_in(call)
    view = _expand(call)
    rows = [extension_body(machine, e, call.now, view=view) for e in machine.extensions.values()]
    return Answer(200, {"value": rows})


def _extension_in(call: Call) -> tuple[Machine, Extension]:
    machine = machine_in(call)
    found = machine.extensions.get(call.parts["extension"].casefold())
    if found is None:
        raise resource_not_found(
            f"Microsoft.Compute/virtualMachines/{machine.name}/extensions",
            call.parts["extension"],
            machine.group,
        )
    return machine, found


def get_extension(call: Call) -> Answer:
    """One extension, with its instance view when asked for."""
    machine, extension = _extension_in(call)
    return Answer(200, extension_body(machine, extension, call.now, view=_expand(call)))


def _accepted(call: Call, machine: Machine, operation: Operation) -> Answer:
    base = f"/subscriptions/{machine.subscription}/providers/Microsoft.Compute/locations/{machine.location}"
    return asynchronous.accepted(call, operation, f"{base}/operations", f"{base}/operationResults")


def _later(call: Call, machine: Machine, base: float, change: str) -> Operation:
    operation = asynchronous.start(call, seconds=base)
    machine.changes.append((operation.done, change))
    return operation


def _change_refused(call: Call, scope: str) -> None:
    for lock in call.world.locks:
        if lock.level == "ReadOnly" and scope.casefold().startswith(lock.scope.casefold()):
            raise ArmError(
                409,
                "ScopeLocked",
                f"The scope '{scope}' cannot perform write operation because following scope(s) are locked: "
                f"'{lock.scope}'. Please remove the lock and try again.",
            )


def delete_extension(call: Call) -> Answer:
    """Takes an extension off a machine; it is gone when the operation has ended."""
    machine, extension = _extension_in(call)
    _change_refused(call, machine.id)
    if machine.agent == "Not Ready":
        extension.state = "Deleting"
    operation = _later(call, machine, timings.EXTENSION_DELETE, f"deleted {extension.name}")
    return _accepted(call, machine, operation)


def start_machine(call: Call) -> Answer:
    """Starts a machine."""
    machine = machine_in(call)
    _change_refused(call, machine.id)
    if machine.power != "running":
        machine.power = "starting"
    return _accepted(call, machine, _later(call, machine, timings.VM_START, "started"))


def reapply_machine(call: Call) -> Answer:
    """Runs the provisioning of a machine again."""
    machine = machine_in(call)
    _change_refused(call, machine.id)
    machine.provisioning = "Updating"
    return _accepted(call, machine, _later(call, machine, timings.VM_REAPPLY, "reapplied"))


def run_command(call: Call) -> Answer:
    """Runs a script on a machine; the result is behind the operation's Location."""
    machine = machine_in(call)
    body = call.json()
    refuse_unknown(body, ("commandId", "script", "parameters"), "RunCommandInput")
    command = body.get("commandId")
    if command not in SCRIPTS:
        raise ArmError(404, "NotFound", f"The command '{command}' was not found.")
    if SCRIPTS[command] != machine.os:
        raise ArmError(409, "OperationNotAllowed", f"'{command}' cannot run on {machine.os}.")
    if machine.power != "running":
        raise ArmError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")
    busy = [c for c in machine.changes if c[1].startswith("ran")]
    if busy:
        raise ArmError(409, "Conflict", "Run command extension execution is in progress. Please wait.")
    script = body.get("script") or []
    installs = machine.os == "Windows" and any(agents.INSTALLER in str(line) for line in script)
    operation = _later(call, machine, timings.MARS_INSTALL if installs else timings.RUN_COMMAND, "ran")
    if machine.agent != "Ready":
        operation.done = call.now + timedelta(hours=1, minutes=30)
        operation.error = ("VMAgentStatusCommunicationError", "VM has not reported status for VM agent.")
    elif installs:
        agents.update(call.world, machine, operation.done)
    operation.body = _windows_output(agents.CURRENT_MARS) if installs else _output(machine)
    return _accepted(call, machine, operation)


def _output(machine: Machine) -> Json:
    total = 127 * 1024 * 1024
    used = total * machine.disk_used // 100
    if machine.os == "Linux":
        line = f"/dev/root {total} {used} {total - used} {machine.disk_used}% /"
        text = f"Enable succeeded: \n[stdout]\n{line}\nactive\n\n[stderr]\n"
        code = "ProvisioningState/succeeded"
        return {"value": [{"code": code, "level": "Info", "displayStatus": "Provisioning succeeded", "message": text}]}
    free = (total - used) * 1024
    return _windows_output(f'{{"DeviceID":"C:","FreeSpace":{free},"Size":{total * 1024}}}')


def _windows_output(text: str) -> Json:
    return {
        "value": [
            {
                "code": f"ComponentStatus/{stream}/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
                "message": text if stream == "StdOut" else "",
            }
            for stream in ("StdOut", "StdErr")
        ]
    }


def operation(call: Call) -> Answer:
    """An operation of Compute: as status under Azure-AsyncOperation and, with monitor=true, as its result."""
    found = asynchronous.find(call, call.parts["operation"])
    body: Json = {"startTime": clock(found.started), "status": "InProgress", "name": found.id}
    if call.now >= found.done:
        body["endTime"] = clock(found.done)
        body["status"] = "Failed" if found.error else "Succeeded"
        if found.error:
            body["error"] = {"code": found.error[0], "message": found.error[1]}
        elif found.body is not None:
            body["properties"] = {"output": found.body}
    return Answer(200, body)


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = f"{COMPUTE}/virtualMachines/read"
    many = "/providers/Microsoft.Compute/virtualMachines"
    router.add("GET", "/subscriptions/{subscription}" + many, list_machines, action=read)
    router.add("GET", GROUP + many, list_machines, action=read)
    router.add("GET", VM, get_machine, action=read)
    router.add("GET", VM + "/instanceView", get_view, action=f"{COMPUTE}/virtualMachines/instanceView/read")
    extensions = f"{COMPUTE}/virtualMachines/extensions"
    router.add("GET", VM + "/extensions", list_extensions, action=f"{extensions}/read")
    router.add("GET", VM + "/extensions/{extension}", get_extension, action=f"{extensions}/read")
    router.add("DELETE", VM + "/extensions/{extension}", delete_extension, action=f"{extensions}/delete")
    for verb, handler in (
        ("start", start_machine),
        ("reapply", reapply_machine),
        ("runCommand", run_command),
    ):
        router.add("POST", f"{VM}/{verb}", handler, action=f"{COMPUTE}/virtualMachines/{verb}/action")
    base = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}"
    poll = f"{COMPUTE}/locations/operations/read"
    router.add("GET", base + "/operations/{operation}", operation, action=poll)
    router.add("GET", base + "/operationResults/{operation}", asynchronous.results(), action=poll)
