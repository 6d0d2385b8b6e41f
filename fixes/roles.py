"""Azure custom roles with exactly the rights that checks and fixes declare, and the condition that limits granting.

The dictionaries are what ``az role definition create --role-definition @file`` takes.
Source: https://learn.microsoft.com/azure/role-based-access-control/custom-roles
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from diagnostics.changes import PERMISSIONS as CHANGES
from diagnostics.registry import Check
from fixes.assignments import ASSIGN_ACTION, UNASSIGN_ACTION
from fixes.key_vaults import CUSTOM_ROLE, KEY_DATA_ACTIONS, SECRET_DATA_ACTIONS
from fixes.planning import GUID
from fixes.registry import Fix

READER_ROLE: Final = "Backup Incident Bot - Diagnose"
OPERATOR_ROLE: Final = "Backup Incident Bot - Fix"
PLACEHOLDER: Final = "/subscriptions/<subscription id>"
"""Stands for the scopes where none are given."""

_VAULTS = "Microsoft.RecoveryServices/Vaults"
_ITEMS = f"{_VAULTS}/backupFabrics/protectionContainers/protectedItems"

FOLLOWING: Final = (
    f"{_VAULTS}/read",
    f"{_VAULTS}/backupProtectedItems/read",
    f"{_VAULTS}/backupJobs/read",
    f"{_VAULTS}/backupOperations/read",
    f"{_ITEMS}/read",
    f"{_ITEMS}/recoveryPoints/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Authorization/denyAssignments/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.ResourceGraph/resources/read",
)
"""What following calls, proving fixes and finding vaults and items reads, whatever the fix."""

OPERATOR_READS: Final = ("Microsoft.Authorization/permissions/read",)
"""The operator reads what it may do itself, before anybody is asked to approve."""


def reader_role(
    checks: Iterable[Check], fixes: Iterable[Fix], *, scopes: Sequence[str] = ()
) -> dict[str, str | bool | list[str]]:
    """The role of the identity that looks: what all checks, what changed, and plans and proofs of all fixes read with."""
    actions = {*FOLLOWING, *CHANGES}
    for check in checks:
        actions.update(check.permissions)
    for fix in fixes:
        actions.update(fix.spec.reads)
    return _role(READER_ROLE, "Reads what Azure Backup incidents are diagnosed from; changes nothing.", actions, scopes)


def operator_role(fixes: Sequence[Fix], *, scopes: Sequence[str] = ()) -> dict[str, str | bool | list[str]]:
    """The role of the identity that changes things: what the calls of exactly these fixes need."""
    actions = {*OPERATOR_READS}
    for fix in fixes:
        actions.update(fix.spec.permissions)
    names = ", ".join(sorted(fix.spec.id for fix in fixes if fix.spec.permissions))
    return _role(OPERATOR_ROLE, f"Does approved fixes of Azure Backup incidents: {names or 'none'}.", actions, scopes)


def key_vault_role(*, scopes: Sequence[str] = ()) -> dict[str, str | bool | list[str]]:
    """The role that ``grant_key_vault_access`` grants where it is installed: to back keys and secrets up, and no more."""
    role = _role(CUSTOM_ROLE, "Backs up the keys and secrets of encrypted virtual machines.", (), scopes)
    return {**role, "DataActions": sorted((*KEY_DATA_ACTIONS, *SECRET_DATA_ACTIONS))}


def _role(
    name: str, description: str, actions: Iterable[str], scopes: Sequence[str]
) -> dict[str, str | bool | list[str]]:
    # Azure does not tell letter cases apart, so neither may a list of what is held.
    unique = {action.casefold(): action for action in sorted(actions, reverse=True)}
    return {
        "Name": name,
        "IsCustom": True,
        "Description": description,
        "Actions": sorted(unique.values()),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(scopes) or [PLACEHOLDER],
    }


def assignment_condition(fixes: Sequence[Fix], principal_ids: Sequence[str], *, extra_roles: Sequence[str] = ()) -> str:
    """The condition for the *assignment* of the operator's role: only these roles, only to these principals.

    ``principal_ids`` are the object ids of the Backup Management Service and of the vaults' identities; ``extra_roles`` the
    GUIDs of custom roles that fixes may grant, such as the installed key vault role. "" when none of ``fixes`` grants any.
    Source: https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples

    Raises:
        ValueError: an id is no GUID, or fixes grant roles and no principal is named: that would mean anybody.
    """
    granting = [fix for fix in fixes if ASSIGN_ACTION in fix.spec.permissions]
    if not granting:
        return ""
    roles = sorted({role.casefold() for fix in granting for role in fix.spec.grants_roles} | _guids(extra_roles))
    principals = sorted(_guids(principal_ids))
    if not principals:
        raise ValueError("name the principals that may be given roles: without them the condition would mean anybody")
    clauses = [_clause(ASSIGN_ACTION, "Request", roles, principals)]
    if any(UNASSIGN_ACTION in fix.spec.permissions for fix in granting):
        clauses.append(_clause(UNASSIGN_ACTION, "Resource", roles, principals))
    return "\nAND\n".join(clauses)


def _guids(values: Sequence[str]) -> set[str]:
    for value in values:
        if not re.fullmatch(GUID, value):
            raise ValueError(f"not a GUID: {value}")
    return {value.casefold() for value in values}


def _clause(action: str, source: str, roles: Sequence[str], principals: Sequence[str]) -> str:
    at = f"@{source}[Microsoft.Authorization/roleAssignments:"
    return (
        "(\n"
        f" (!(ActionMatches{{'{action}'}}))\n"
        " OR\n"
        " (\n"
        f"  {at}RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{', '.join(roles)}}}\n"
        "  AND\n"
        f"  {at}PrincipalId] ForAnyOfAnyValues:GuidEquals {{{', '.join(principals)}}}\n"
        "  AND\n"
        f"  {at}PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}\n"
        " )\n"
        ")"
    )
