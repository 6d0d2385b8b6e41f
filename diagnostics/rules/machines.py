"""Causes inside and around the virtual machine: key vaults, power, agent, disk, extensions, network."""

from typing import Final

from diagnostics.clues import Rule, every, shown
from diagnostics.rules.common import (
    AGENT,
    ASKED_NOT,
    DISK,
    EXTENSION,
    FAIL,
    KEY_VAULT,
    RERUN,
    VM,
    code,
    fine,
    named,
)

_KEY_VAULTS: Final = (
    Rule(
        id="key_vault_access_missing",
        title="The backup service may not read the key vault of the encrypted VM",
        because=(
            shown(KEY_VAULT, FAIL, 0.85, "rights are missing: {missing}", access="missing", model="rbac"),
            code("key_vault_access"),
        ),
        against=(
            fine(KEY_VAULT, 0.85, "the backup service may read the key vault now"),
            shown(KEY_VAULT, ASKED_NOT, 0.9, "the VM is not encrypted with Azure Disk Encryption"),
            shown(
                KEY_VAULT,
                FAIL,
                0.85,
                "the rights are given as access policies",
                access="missing",
                model="access policies",
            ),
            shown(
                KEY_VAULT, FAIL, 0.8, "no right is missing, the way to the key vault is", access="", firewall="blocks"
            ),
            shown(KEY_VAULT, FAIL, 0.8, "the key vault itself is gone", key_vault="missing"),
        ),
        fixes=("grant_key_vault_access", RERUN),
    ),
    Rule(
        id="key_vault_policy_missing",
        title="No access policy of the key vault lets the backup service in",
        because=(
            shown(KEY_VAULT, FAIL, 0.85, "rights are missing: {missing}", access="missing", model="access policies"),
            every(
                shown(KEY_VAULT, FAIL, 0, "", access="missing", model="access policies"),
                code("key_vault_access"),
                weight=0.5,
                words="the error code of the last backup points to it",
            ),
        ),
        fixes=("add_key_vault_policy", RERUN),
    ),
    Rule(
        id="key_vault_firewall_blocks",
        title="The firewall of the key vault shuts the backup service out",
        because=(
            shown(
                KEY_VAULT, FAIL, 0.85, "its network rules deny, and trusted services may not pass", firewall="blocks"
            ),
            every(
                shown(KEY_VAULT, FAIL, 0, "", firewall="blocks"),
                code("key_vault_access"),
                weight=0.5,
                words="the error code of the last backup points to the key vault",
            ),
        ),
        fixes=(RERUN,),
    ),
    Rule(
        id="key_vault_gone",
        title="The key vault of the encrypted VM does not exist",
        because=(shown(KEY_VAULT, FAIL, 0.85, "{summary}", key_vault="missing"),),
        fixes=(RERUN,),
    ),
)

_MACHINES: Final = (
    Rule(
        id="vm_not_found",
        title="The VM does not exist any more",
        because=(
            shown(VM, FAIL, 0.9, "Azure does not find the VM", vm="missing"),
            code("source_missing"),
        ),
        against=(fine(VM, 0.8, "the VM exists"),),
        fixes=("restore_disks", "guide_restore_elsewhere"),
    ),
    Rule(
        id="vm_not_in_desirable_state",
        title="The VM is in a state in which no backup can start",
        because=(
            shown(VM, FAIL, 0.85, "{summary}", provisioning_state="failed"),
            shown(VM, FAIL, 0.75, "{summary}", in_between="yes"),
            code("vm_state", "vm_provisioning"),
        ),
        against=(
            fine(VM, 0.85, "the VM is in a good state now"),
            shown(
                VM,
                FAIL,
                0.7,
                "the VM is switched off, which is a state of its own",
                needs_power="yes",
                provisioning_state="!failed",
            ),
        ),
        fixes=("reapply_vm", RERUN),
    ),
    Rule(
        id="other_extension_failed",
        title="Another extension of the VM failed and keeps it from being provisioned",
        because=(shown(VM, FAIL, 0.4, "{summary}", failing_extension="other"),),
        fixes=("reapply_vm", "guide_repair_vm_agent", RERUN),
        yields_to=frozenset({"vm_not_in_desirable_state"}),
    ),
    Rule(
        id="vm_deallocated",
        title="The VM is switched off, and this backup needs it running",
        because=(
            shown(VM, FAIL, 0.85, "the VM is {power_state}", needs_power="yes"),
            every(
                shown(VM, FAIL, 0, "", needs_power="yes"),
                named("AzureVmOffline", "VMNotInRunningStateUserError"),
                weight=0.6,
                words="the error of the last backup says the same",
            ),
        ),
        fixes=("start_vm", RERUN),
    ),
    Rule(
        id="vm_agent_not_responding",
        title="The VM agent does not respond",
        because=(
            shown(AGENT, FAIL, 0.8, "{summary}"),
            code("vm_agent"),
        ),
        against=(
            fine(AGENT, 0.8, "the agent is ready now"),
            shown(VM, FAIL, 0.3, "the VM is switched off now, so no agent can report", needs_power="yes"),
        ),
        fixes=("guide_repair_vm_agent", RERUN),
    ),
    Rule(
        id="os_disk_full",
        title="The VM's OS disk is full",
        because=(
            shown(DISK, FAIL, 0.85, "{summary}"),
            code("disk_space"),
            code("vss", weight=0.1),
        ),
        against=(fine(DISK, 0.8, "the disk has room"),),
        fixes=("guide_free_os_disk", "probe_os_disk", RERUN),
    ),
    Rule(
        id="snapshot_extension_failed",
        title="The snapshot extension in the VM is broken",
        because=(
            shown(EXTENSION, FAIL, 0.78, "{summary}", kind="snapshot", reason="!disk_full"),
            code("snapshot_extension", weight=0.5),
            code("filesystem_freeze", "vss", weight=0.35),
        ),
        against=(
            fine(EXTENSION, 0.6, "the extension reports no fault now"),
            shown(EXTENSION, FAIL, 0.6, "the extension itself works; it found no room on the disk", reason="disk_full"),
        ),
        fixes=("reinstall_snapshot_extension", RERUN),
        yields_to=frozenset({"os_disk_full", "vm_agent_not_responding"}),
    ),
    Rule(
        id="workload_extension_failed",
        title="The workload backup extension on the database's VM does not work",
        because=(
            shown(EXTENSION, FAIL, 0.8, "{summary}", kind="workload"),
            code("workload_extension"),
        ),
        against=(fine(EXTENSION, 0.6, "the extension reports no fault now"),),
        fixes=("guide_repair_vm_agent", RERUN),
        yields_to=frozenset({"vm_deallocated", "vm_agent_not_responding"}),
    ),
    Rule(
        id="network_blocked",
        title="The network keeps the machine from reaching Azure Backup",
        because=(
            code("network", weight=0.55, transient="no"),
            code("network", weight=0.2, transient="yes"),
        ),
        against=(fine(AGENT, 0.8, "the agent reports, so the machine reaches Azure now"),),
        fixes=("guide_repair_vm_agent", RERUN),
        yields_to=frozenset({"vm_agent_not_responding", "vm_deallocated"}),
    ),
)

RULES: Final[tuple[Rule, ...]] = (*_KEY_VAULTS, *_MACHINES)
"""The rules of this file, in the order that breaks ties."""
