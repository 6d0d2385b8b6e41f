"""Give the vault's managed identity a role where it needs one: a staging account, a key vault, a machine, a group."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.arm import key, name_of, resource_group_id, segments
from domain.backup import RoleAssignment, Vault, Workload
from domain.errors import RequestError
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.assignments import (
    ASSIGN_ACTION,
    UNASSIGN_ACTION,
    assignment_call,
    az_assign,
    az_unassign,
    clock,
    until_words,
)
from fixes.planning import GUID, RIGHTS_UNTIL, checked, common, listed
from fixes.registry import FixSpec, Parameter, PlanRequest, is_whole_vault
from fixes.restores import about_the_identity, failed_restore, staging_account_id
from fixes.steps import step_for

ROLES = {
    "Storage Account Backup Contributor": "e5e2a7ff-d759-4cd2-bb51-3152d37e2eb1",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Key Vault Crypto Service Encryption User": "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    "Virtual Machine Contributor": "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    "Backup Operator": "00c29273-979b-4161-815c-10b084fb9324",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
}
"""The only roles that are ever assigned, with their GUIDs.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""

_BY_TYPE = {
    "storageaccounts": ("Storage Account Backup Contributor", "Storage Blob Data Contributor"),
    "key vault": ("Key Vault Crypto Service Encryption User",),
    "virtualmachines": ("Virtual Machine Contributor",),
    "group": ("Virtual Machine Contributor",),
    "recovery vault": ("Backup Operator",),
}
_WORDS = ("staging_account", "vm", "resource_group", "vault")
_NOT_FOR_BACKUP = (
    "Azure backs virtual machines up with its own authorization: the vault's identity needs no role there for backups. This"
    " matters for restores with the managed identity and for vaults with customer-managed keys."
)


@dataclass(frozen=True, kw_only=True)
class _Target:
    id: str
    kind: str
    words: str


class AssignBackupRole:
    """One role assignment for each role that the identity lacks at the scope."""

    spec = FixSpec(
        id="assign_backup_role",
        version=1,
        title="Give the vault's identity its role",
        risk=Risk.HIGH,
        workloads=frozenset(Workload),
        permissions=(ASSIGN_ACTION, UNASSIGN_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms#restore-vms-with-managed-identity",
        summary="Assigns the vault's managed identity the roles that it needs at a storage account, key vault, VM or group.",
        proof="The role assignments read back.",
        parameters=(
            Parameter(
                name="scope",
                label="Where",
                pattern=rf"{'|'.join(_WORDS)}|/subscriptions/{GUID}(/[A-Za-z0-9._()-]+)+",
                help="staging_account (of the last failed restore; the default), vm, resource_group, vault, or an ARM id",
            ),
            Parameter(
                name="role",
                label="Role",
                pattern="[A-Za-z ]+",
                choices=tuple(ROLES),
                help="Empty: the roles that are needed at such a place",
            ),
            Parameter(
                name="identity",
                label="Identity",
                pattern=GUID,
                help="Principal id of one of the vault's identities; empty: its own (system-assigned) one",
            ),
            RIGHTS_UNTIL,
        ),
        grants_roles=tuple(ROLES.values()),
        reads=("Microsoft.Authorization/roleAssignments/read", "Microsoft.Storage/storageAccounts/read"),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The assignments that are missing."""
        parameters = checked(self.spec, request.parameters)
        principal = _principal(request.vault, parameters["identity"])
        target = await _target(request, parameters["scope"], read)
        names = (parameters["role"],) if parameters["role"] else _BY_TYPE[target.kind]
        held = await read.role_assignments(target.id, principal)
        missing = [name for name in names if not _held(held, ROLES[name])]
        vault = request.vault.id.name
        if not missing:
            raise RequestError(
                f"The identity of {vault} has {listed(names)} on {target.words} already; nothing to grant."
            )
        until = parameters["rights_until"]
        there = [name for name in names if name not in missing]
        commands = "; ".join(
            az_unassign(scope=target.id, principal_id=principal, role_guid=ROLES[name]) for name in missing
        )
        by_itself = f"The right is taken away by itself at {clock(until)}. " if until else ""
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "principal": principal,
                "scope": key(target.id),
                **{f"{name}": "missing" if name in missing else "there" for name in names},
            },
            calls=tuple(
                assignment_call(
                    scope=target.id,
                    principal_id=principal,
                    role_guid=ROLES[name],
                    purpose=f"Give the identity of {vault} {name} on {target.words}",
                    temporary=bool(until),
                )
                for name in missing
            ),
            sentence=f"Grant the managed identity of vault {vault} {listed(missing)} on {target.words}{until_words(until)}.",
            effects=tuple(f"The identity of {vault} has the role {name} on {target.words}." for name in missing),
            worst_case=(
                f"Whoever can make the vault {vault} act could use its identity for what the role allows on {target.words}."
            ),
            undo=f"{by_itself}By hand: {commands}",
            duration=timedelta(minutes=10),
            az=tuple(az_assign(scope=target.id, principal_id=principal, role_guid=ROLES[name]) for name in missing),
            notes=(
                *(f"{name} was there already and is left alone." for name in there),
                *((_NOT_FOR_BACKUP,) if target.kind in {"virtualmachines", "group", "recovery vault"} else ()),
            ),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The assignments read back."""
        seen = await asyncio.gather(*(step_for(call.kind).look(call, facts.started_at, read) for call in plan.calls))
        names = {f"assignment_{index}": one.reference.get("assignment_id", "") for index, one in enumerate(seen, 1)}
        if all(one.there for one in seen):
            return Proof(proved=True, summary="The role assignments read back.", evidence=names)
        return Proof(proved=None, summary="A role assignment does not read back yet.", evidence=names)


def _principal(vault: Vault, wanted: str) -> str:
    known = [one for one in (vault.principal_id, *vault.user_assigned_principals.values()) if one]
    if wanted:
        if wanted.casefold() not in {one.casefold() for one in known}:
            raise RequestError(f"{wanted} is no identity of {vault.id.name}; it has: {', '.join(known) or 'none'}.")
        return wanted.casefold()
    if vault.principal_id:
        return vault.principal_id
    if len(known) == 1:
        return known[0]
    if known:
        raise RequestError(f"{vault.id.name} has several identities: say which with identity=…: {', '.join(known)}.")
    raise RequestError(
        f"{vault.id.name} has no managed identity, so nothing can be granted to it. Give it one first: az backup vault"
        f" identity assign --system-assigned --resource-group {vault.id.resource_group} --name {vault.id.name}"
    )


async def _target(request: PlanRequest, scope: str, read: BackupReader) -> _Target:
    item = request.item
    if scope.startswith("/"):
        found = _described(scope.rstrip("/"))
        if found.kind == "recovery vault" and key(found.id) != request.vault.id.key:
            raise RequestError(f"{found.words} is another vault: its identity is asked for there.")
        return found
    if scope == "vault":
        return _described(request.vault.id.id)
    if scope in {"vm", "resource_group"}:
        if is_whole_vault(item) or "virtualmachines" not in segments(item.source_id):
            raise RequestError(f"{item.name} is no virtual machine: name the place with scope=<ARM id>.")
        return _described(item.source_id if scope == "vm" else resource_group_id(item.source_id))
    job = await failed_restore(request, read, about_the_identity)
    account = await staging_account_id(request, job, read) if job is not None else ""
    if not account:
        raise RequestError(
            "No failed restore names a staging account: say where the identity needs its role with scope=<ARM id>, vm,"
            " resource_group or vault."
        )
    return _described(account)


def _described(scope: str) -> _Target:
    pairs = segments(scope)
    name = name_of(scope)
    if "storageaccounts" in pairs:
        return _Target(id=scope, kind="storageaccounts", words=f"storage account {name}")
    if "virtualmachines" in pairs:
        return _Target(id=scope, kind="virtualmachines", words=f"virtual machine {name}")
    if "vaults" in pairs:
        ours = "/microsoft.recoveryservices/" in scope.casefold()
        kind = "recovery vault" if ours else "key vault"
        return _Target(id=scope, kind=kind, words=f"{'vault' if ours else 'key vault'} {name}")
    if pairs.keys() == {"subscriptions", "resourcegroups"}:
        return _Target(id=scope, kind="group", words=f"resource group {name}")
    raise RequestError(
        f"{name} is neither a storage account, key vault, virtual machine, resource group nor this vault."
    )


def _held(held: Sequence[RoleAssignment], role_guid: str) -> bool:
    return any(name_of(one.role_definition_id).casefold() == role_guid and not one.condition for one in held)


FIX = AssignBackupRole()
