"""Let the backup service read the keys of an encrypted VM, and back it up: for key vaults that work with roles."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.backup import Workload
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
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
from fixes.backups import (
    BACKUP_ACTION,
    az_backup,
    backup_call,
    backup_facts,
    backup_proof,
    busy,
    running_backups,
)
from fixes.key_vaults import KEY_VAULT_ADMINISTRATOR, Need, firewall_problems, lacks, needs, smallest_role
from fixes.planning import RIGHTS_UNTIL, checked, common, listed, refuse_unprotected, require
from fixes.registry import FixSpec, PlanRequest
from fixes.steps import step_for


@dataclass(frozen=True, kw_only=True)
class _Grant:
    need: Need
    role_guid: str
    role_name: str
    note: str


class GrantKeyVaultAccess:
    """One role assignment for each key vault that lacks one, then a backup."""

    spec = FixSpec(
        id="grant_key_vault_access",
        version=1,
        title="Grant Key Vault access",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(ASSIGN_ACTION, UNASSIGN_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption#provide-permissions",
        summary=(
            "Gives the Backup Management Service the smallest role with which it can back up the keys and secrets of an"
            " encrypted VM, at the key vaults that the VM uses, and backs the VM up."
        ),
        proof="The right reads back, the backup job completed, and there is a recovery point newer than the start.",
        parameters=(RIGHTS_UNTIL,),
        grants_roles=(KEY_VAULT_ADMINISTRATOR,),
        reads=(
            "Microsoft.Authorization/roleAssignments/read",
            "Microsoft.Authorization/roleDefinitions/read",
            "Microsoft.KeyVault/vaults/read",
            "Microsoft.Compute/virtualMachines/read",
        ),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The grants that are missing, and a backup."""
        require(self.spec, request)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        refuse_unprotected(item)
        needed, principal, running = await asyncio.gather(
            needs(request, read), read.backup_service_principal(), running_backups(request, read)
        )
        with_roles = [need for need in needed if need.vault.rbac]
        for need in needed:
            if not need.vault.rbac and need.policy_missing(principal):
                raise RequestError(
                    f"Key vault {need.vault.name} works with access policies, not with roles: use add_key_vault_policy."
                )
        lacking = await asyncio.gather(*(lacks(need, principal, read) for need in with_roles))
        open_needs = [need for need, gap in zip(with_roles, lacking, strict=True) if gap]
        grants = [
            _Grant(need=need, role_guid=guid, role_name=name, note=note)
            for need, (guid, name, note) in zip(
                open_needs, await asyncio.gather(*(smallest_role(need, read) for need in open_needs)), strict=True
            )
        ]
        until = parameters["rights_until"]
        facts = {"principal": principal, **backup_facts(item, running)}
        for need in needed:
            facts[f"{need.vault.name} model"] = "roles" if need.vault.rbac else "access policies"
            facts[f"{need.vault.name} right"] = "missing" if need in open_needs else "there"
        for grant in grants:
            facts[f"{grant.need.vault.name} role"] = grant.role_guid
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition=facts,
            calls=(*(_call(grant, principal, until) for grant in grants), backup_call(item)),
            sentence=_sentence(grants, request, until),
            effects=(*_effects(grants, until), f"One backup job of {item.name} runs in {request.vault.id.name}."),
            worst_case=_worst_case(grants),
            undo=_undo(grants, principal, until),
            duration=timedelta(hours=2, minutes=10) if grants else timedelta(hours=2),
            cost="Storage for one more recovery point.",
            az=(
                *(
                    az_assign(scope=one.need.vault.id, principal_id=principal, role_guid=one.role_guid)
                    for one in grants
                ),
                az_backup(item),
            ),
            notes=(*_notes(needed, open_needs), *(grant.note for grant in grants if grant.note)),
            problems=(*firewall_problems(needed), *busy(item, running)),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """The rights read back, and a new recovery point."""
        for call in plan.calls:
            if call.kind is Kind.ROLE_ASSIGNMENT:
                seen = await step_for(call.kind).look(call, facts.started_at, read)
                if not seen.there:
                    return Proof(proved=None, summary="The role assignment does not read back yet.")
        return await backup_proof(plan, facts, read, now)


def _call(grant: _Grant, principal: str, until: str) -> Call:
    return assignment_call(
        scope=grant.need.vault.id,
        principal_id=principal,
        role_guid=grant.role_guid,
        purpose=f"Let the Backup Management Service read {grant.need.what} of {grant.need.vault.name}",
        temporary=bool(until),
    )


def _sentence(grants: list[_Grant], request: PlanRequest, until: str) -> str:
    backup = f"back up {request.item.name} in {request.vault.id.name} now"
    if not grants:
        return f"B{backup[1:]}: the backup service has its rights on the key vaults already."
    roles = listed(dict.fromkeys(grant.role_name for grant in grants))
    where = listed(grant.need.vault.name for grant in grants)
    return f"Grant the Backup Management Service {roles} on key vault {where}{until_words(until)}, and {backup}."


def _effects(grants: list[_Grant], until: str) -> tuple[str, ...]:
    return tuple(
        f"The Backup Management Service of Microsoft may back up {grant.need.what} in key vault {grant.need.vault.name}"
        f"{until_words(until)}."
        for grant in grants
    )


def _worst_case(grants: list[_Grant]) -> str:
    if not grants:
        return "The backup fails again for another reason; nothing else changes."
    if any(grant.role_guid == KEY_VAULT_ADMINISTRATOR for grant in grants):
        return (
            "Key Vault Administrator can do everything with the keys, secrets and certificates of the vault: whoever"
            " acts as Azure's backup service could read or delete them."
        )
    return "Whoever acts as Azure's backup service could read the secrets and back up the keys of that key vault."


def _undo(grants: list[_Grant], principal: str, until: str) -> str:
    if not grants:
        return "None is needed: the recovery point expires by itself."
    commands = "; ".join(
        az_unassign(scope=grant.need.vault.id, principal_id=principal, role_guid=grant.role_guid) for grant in grants
    )
    by_itself = f"The right is taken away by itself at {clock(until)}. " if until else ""
    return f"{by_itself}By hand: {commands}"


def _notes(needed: tuple[Need, ...], open_needs: list[Need]) -> tuple[str, ...]:
    return tuple(
        f"The right on {need.vault.name} was there already and is left alone."
        for need in needed
        if need not in open_needs
    )


FIX = GrantKeyVaultAccess()
