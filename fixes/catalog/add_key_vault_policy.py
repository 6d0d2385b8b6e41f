"""Let the backup service read the keys of an encrypted VM, and back it up: for key vaults that work with access policies."""

import asyncio
from datetime import datetime, timedelta

from domain.arm import name_of, resource_group_of, subscription_of
from domain.backup import Workload
from domain.canonical import Json
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.assignments import clock, revocation, until_words
from fixes.backups import BACKUP_ACTION, az_backup, backup_call, backup_facts, backup_proof, busy, running_backups
from fixes.key_vaults import Need, firewall_problems, lacks, needs
from fixes.planning import (
    RIGHTS_UNTIL,
    az,
    az_rest,
    checked,
    common,
    listed,
    refuse_unprotected,
    require,
    switched_on,
)
from fixes.registry import FixSpec, PlanRequest
from fixes.steps import step_for

POLICY_ACTION = "Microsoft.KeyVault/vaults/accessPolicies/write"
_API = "2026-05-15"


class AddKeyVaultPolicy:
    """One access policy for each key vault that lacks one, then a backup."""

    spec = FixSpec(
        id="add_key_vault_policy",
        version=1,
        title="Add a Key Vault access policy",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(POLICY_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption#provide-permissions",
        summary=(
            "Adds the Backup Management Service to the access policies of the key vaults that an encrypted VM uses, with Get,"
            " List and Backup, and backs the VM up."
        ),
        proof="The policy reads back, the backup job completed, and there is a recovery point newer than the start.",
        parameters=(RIGHTS_UNTIL,),
        off_by_default=True,
        hands_out=f"{POLICY_ACTION}, with which the bot could grant anybody any permission on every key vault in its scope.",
        reads=("Microsoft.KeyVault/vaults/read", "Microsoft.Compute/virtualMachines/read"),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The permissions that are missing, and a backup."""
        require(self.spec, request)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        refuse_unprotected(item)
        needed, principal, running = await asyncio.gather(
            needs(request, read), read.backup_service_principal(), running_backups(request, read)
        )
        for need in needed:
            if need.vault.rbac and await lacks(need, principal, read):
                raise RequestError(
                    f"Key vault {need.vault.name} works with roles, not with access policies: use grant_key_vault_access."
                )
        missing = [(need, need.policy_missing(principal)) for need in needed if not need.vault.rbac]
        grants = [(need, gap) for need, gap in missing if gap]
        until = parameters["rights_until"]
        facts = {"principal": principal, **backup_facts(item, running)}
        for need in needed:
            facts[f"{need.vault.name} model"] = "roles" if need.vault.rbac else "access policies"
        for need, gap in missing:
            facts[f"{need.vault.name} missing"] = _words(gap) or "nothing"
        calls = tuple(_call(need, gap, principal, until) for need, gap in grants)
        where = listed(need.vault.name for need, _ in grants) if grants else ""
        backup = f"back up {item.name} in {request.vault.id.name} now"
        granting = f"Let the Backup Management Service get, list and back up what it needs in key vault {where}"
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition=facts,
            calls=(*calls, backup_call(item)),
            sentence=(
                f"{granting}{until_words(until)}, and {backup}."
                if grants
                else f"B{backup[1:]}: the backup service has its permissions on the key vaults already."
            ),
            effects=(
                *(
                    f"The Backup Management Service of Microsoft gets {_words(gap)} in key vault {need.vault.name}"
                    f"{until_words(until)}."
                    for need, gap in grants
                ),
                f"One backup job of {item.name} runs in {request.vault.id.name}.",
            ),
            worst_case="Whoever acts as Azure's backup service could read every secret and back up every key of that vault.",
            undo=_undo(calls, until),
            duration=timedelta(hours=2, minutes=5),
            cost="Storage for one more recovery point.",
            az=(*(_az(need, gap, principal) for need, gap in grants), az_backup(item)),
            notes=tuple(
                f"The right on {need.vault.name} was there already and is left alone."
                for need in needed
                if need not in [one for one, _ in grants]
            ),
            problems=(*switched_on(self.spec, request), *firewall_problems(needed), *busy(item, running)),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """The permissions read back, and a new recovery point."""
        for call in plan.calls:
            if call.kind is Kind.RESOURCE:
                seen = await step_for(call.kind).look(call, facts.started_at, read)
                if not seen.there:
                    return Proof(proved=None, summary="The access policy does not read back yet.")
        return await backup_proof(plan, facts, read, now)


def _call(need: Need, gap: dict[str, list[str]], principal: str, until: str) -> Call:
    """Only what is missing is added, so that taking it back takes nothing else away."""
    permissions: dict[str, Json] = {name: list(lacking) for name, lacking in gap.items()}
    policy: Json = {"tenantId": need.vault.tenant_id, "objectId": principal, "permissions": permissions}
    return Call(
        method="PUT",
        resource=f"{need.vault.id}/accessPolicies/add",
        api_version=_API,
        body={"properties": {"accessPolicies": [policy]}},
        kind=Kind.RESOURCE,
        purpose=f"Let the Backup Management Service {_words(gap)} in {need.vault.name}",
        action=POLICY_ACTION,
        scope=need.vault.id,
        settle=True,
        revoke_on_expiry=bool(until),
    )


def _words(gap: dict[str, list[str]]) -> str:
    return " and ".join(f"{', '.join(permissions)} on {name}" for name, permissions in gap.items())


def _az(need: Need, gap: dict[str, list[str]], principal: str) -> str:
    # set-policy replaces what a principal had on keys or secrets, so the whole set is named.
    options = [word for name in gap for word in (f"--{name[:-1]}-permissions", "get", "list", "backup")]
    return az(
        *("keyvault", "set-policy", "--subscription", subscription_of(need.vault.id)),
        *("--resource-group", resource_group_of(need.vault.id), "--name", name_of(need.vault.id)),
        *("--object-id", principal),
        *options,
    )


def _undo(calls: tuple[Call, ...], until: str) -> str:
    if not calls:
        return "None is needed: the recovery point expires by itself."
    by_itself = f"The permissions are taken away by themselves at {clock(until)}. " if until else ""
    from_hand = "; ".join(az_rest(revocation(call)) for call in calls)
    return f"{by_itself}By hand: {from_hand}"


FIX = AddKeyVaultPolicy()
