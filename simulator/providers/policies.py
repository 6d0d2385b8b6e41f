"""Backup policies: list and get."""

from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.filters import one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import RS, VAULT, vault_of
from simulator.providers.jobs import MANAGEMENT
from simulator.world.model import Json, Policy, Vault


def policy_body(vault: Vault, policy: Policy) -> Json:
    """A policy as ARM shows it."""
    used = sum(1 for item in vault.items.values() if item.policy == policy.name)
    return {
        "id": f"{vault.id}/backupPolicies/{policy.name}",
        "name": policy.name,
        "type": "Microsoft.RecoveryServices/vaults/backupPolicies",
        "properties": {**policy.body, "protectedItemsCount": used},
    }


def list_policies(call: Call) -> Answer:
    """The policies of a vault."""
    vault = vault_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), ("backupManagementType", "workloadType", "fabricName"))
    management = one_of(wanted, "backupManagementType", MANAGEMENT)
    found = []
    for policy in vault.policies.values():
        if management and policy.body["backupManagementType"] != management:
            continue
        kind = policy.body.get("workLoadType", "VM")
        if "workloadType" in wanted and kind.casefold() != wanted["workloadType"].casefold():
            continue
        found.append(policy_body(vault, policy))
    return paged(call, found)


def get_policy(call: Call) -> Answer:
    """One policy."""
    vault = vault_of(call)
    name = call.parts["policy"].casefold()
    found = next((p for p in vault.policies.values() if p.name.casefold() == name), None)
    if found is None:
        raise ArmError(
            404, "BMSUserErrorPolicyNotFound", f"The policy '{call.parts['policy']}' was not found in the vault."
        )
    return Answer(200, policy_body(vault, found))


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = f"{RS}/backupPolicies/read"
    router.add("GET", VAULT + "/backupPolicies", list_policies, action=read)
    router.add("GET", VAULT + "/backupPolicies/{policy}", get_policy, action=read)
