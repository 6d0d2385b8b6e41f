"""Roles: exactly the declared rights, and a condition that limits granting."""

import re

import pytest

from diagnostics.registry import discover as discover_checks
from fixes.registry import discover
from fixes.roles import assignment_condition, key_vault_role, operator_role, reader_role

FIXES = discover()
SERVICE = "0b5e0000-0000-0000-0000-00000000b0b5"
CUSTOM = "5c5c5c5c-0000-4000-8000-00000000c0de"
ITEMS = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems"


def test_the_operator_of_one_fix_may_do_that_and_nothing_else() -> None:
    """One action, and reading what it may do itself."""
    assert {
        "Name": "Backup Incident Bot - Fix",
        "IsCustom": True,
        "Description": "Does approved fixes of Azure Backup incidents: rerun_backup.",
        "Actions": ["Microsoft.Authorization/permissions/read", f"{ITEMS}/backup/action"],
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": ["/subscriptions/s-1"],
    } == operator_role([FIXES["rerun_backup"]], scopes=["/subscriptions/s-1"])


def test_guides_need_no_right() -> None:
    """A role of guides is empty but for its own permissions."""
    role = operator_role([FIXES["guide_mars_update"], FIXES["guide_free_os_disk"]])
    assert ["Microsoft.Authorization/permissions/read"] == role["Actions"]
    assert ["/subscriptions/<subscription id>"] == role["AssignableScopes"]


def test_no_role_is_wider_than_its_declarations() -> None:
    """No wildcard, nothing that deletes data, stops protection by itself, or touches guards and policies."""
    for role in (operator_role(list(FIXES.values())), reader_role(discover_checks().values(), FIXES.values())):
        actions = role["Actions"]
        assert isinstance(actions, list)
        assert len(actions) == len({action.casefold() for action in actions})
        for action in actions:
            assert "*" not in action.replace("Microsoft.Authorization/*/read", ""), action
            assert not re.search(
                r"Vaults/delete|protectedItems/delete|backupPolicies/write|ResourceGuard.*write", action
            )
            assert "backupSecurityPIN" not in action


def test_the_reader_reads() -> None:
    """Only read actions, but for what Azure made POST although it only looks."""
    role = reader_role(discover_checks().values(), FIXES.values())
    actions = role["Actions"]
    assert isinstance(actions, list)
    odd = [action for action in actions if not action.endswith("/read")]
    allowed = re.compile(r"locations/(backupStatus|backupCrrJobs?)/action|[vV]alidateOperation/action")
    assert [] == [action for action in odd if not allowed.search(action)]
    assert f"{ITEMS}/recoveryPoints/read" in actions


def test_the_key_vault_role_backs_up_and_no_more() -> None:
    """The five data actions of an encrypted machine's backup, no control plane."""
    role = key_vault_role(scopes=["/subscriptions/s-1"])
    assert [
        "Microsoft.KeyVault/vaults/keys/backup/action",
        "Microsoft.KeyVault/vaults/keys/read",
        "Microsoft.KeyVault/vaults/secrets/backup/action",
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ] == role["DataActions"]
    assert ("Azure Backup Key Vault Access", []) == (role["Name"], role["Actions"])


def test_the_condition_names_roles_and_principals() -> None:
    """For writing by what is requested, for deleting by what is there."""
    condition = assignment_condition([FIXES["grant_key_vault_access"]], [SERVICE.upper()], extra_roles=[CUSTOM])
    roles = f"00482a5a-887f-4fb3-b363-3b7fe8e74483, {CUSTOM}"
    at = "Microsoft.Authorization/roleAssignments"
    assert (
        f"( (!(ActionMatches{{'{at}/write'}})) OR ("
        f" @Request[{at}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND"
        f" @Request[{at}:PrincipalId] ForAnyOfAnyValues:GuidEquals {{{SERVICE}}} AND"
        f" @Request[{at}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}} ) ) AND"
        f" ( (!(ActionMatches{{'{at}/delete'}})) OR ("
        f" @Resource[{at}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND"
        f" @Resource[{at}:PrincipalId] ForAnyOfAnyValues:GuidEquals {{{SERVICE}}} AND"
        f" @Resource[{at}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}} ) )"
    ) == " ".join(condition.split())


def test_fixes_that_grant_nothing_need_no_condition() -> None:
    """And one that grants never gets one that means anybody."""
    assert "" == assignment_condition([FIXES["rerun_backup"], FIXES["add_key_vault_policy"]], [])
    with pytest.raises(ValueError, match="anybody"):
        assignment_condition([FIXES["assign_backup_role"]], [])
    for bad in ("*", "me", f"{SERVICE}}} OR (1==1"):
        with pytest.raises(ValueError, match="not a GUID"):
            assignment_condition([FIXES["assign_backup_role"]], [bad])


def test_no_role_that_could_grant_others_is_ever_granted() -> None:
    """Owner, User Access Administrator, Role Based Access Control Administrator."""
    granting = {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    }
    for fix in FIXES.values():
        assert not granting & set(fix.spec.grants_roles)
