"""Who may do what: role assignments, role definitions, denies, and what Azure Backup itself may read in a key vault."""

import functools
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from simulator.world.model import Assignment, KeyVault, Principal, Role, World, stable_uuid

KEY_VAULT_DATA_ACTIONS = (
    "Microsoft.KeyVault/vaults/keys/read",
    "Microsoft.KeyVault/vaults/keys/backup/action",
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/backup/action",
)
"""What the backup of an encrypted VM needs in a key vault that uses RBAC."""

STAGING_ACTIONS = ("Microsoft.Storage/storageAccounts/blobServices/containers/write",)
STAGING_DATA_ACTIONS = ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",)
"""What a restore with the vault's managed identity needs on the staging account."""

PROTECTED_FOR = timedelta(days=400)
"""How long everything has been there that the world begins with."""
EVERYBODY = "00000000-0000-0000-0000-000000000000"


@functools.lru_cache(maxsize=4096)
def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns)


def grants(role: Role, action: str, *, data: bool = False) -> bool:
    """Whether a role definition contains an action, wildcards and exclusions respected."""
    wanted, excluded = (role.data_actions, role.not_data_actions) if data else (role.actions, role.not_actions)
    return _matches(wanted, action) and not _matches(excluded, action)


def identities(world: World, oid: str) -> set[str]:
    """The object ids that count for somebody: their own and those of their groups."""
    known = world.principals.get(oid)
    return {oid, *(known.groups if known else ())}


def covers(scope: str, target: str) -> bool:
    """Whether an assignment at `scope` reaches `target`; "/" reaches everything."""
    upper, lower = scope.casefold().rstrip("/"), target.casefold().rstrip("/")
    return lower == upper or lower.startswith(upper + "/")


def assign(world: World, role: str, principal: Principal, scope: str) -> None:
    """Gives somebody the role with this display name, since long ago; raises LookupError."""
    guid = next((one.guid for one in world.roles.values() if one.name.casefold() == role.casefold()), None)
    if guid is None:
        raise LookupError(f"no role is called {role!r}")
    name = stable_uuid("assignment", guid, principal.oid, scope.casefold())
    kinds = {"application": "ServicePrincipal", "user": "User", "group": "Group"}
    long_ago = world.epoch - PROTECTED_FOR
    assignment = Assignment(
        name, scope, guid, principal.oid, kinds[principal.kind], long_ago, long_ago, creator=stable_uuid("admin")
    )
    world.assignments[assignment.id.casefold()] = assignment


def assignments_at(world: World, oid: str, scope: str, at: datetime) -> Iterator[Assignment]:
    """The assignments that count for somebody at a scope and an instant, inherited ones and groups included."""
    who = identities(world, oid)
    for assignment in (*world.assignments.values(), *world.removed_assignments):
        if (
            assignment.principal in who
            and assignment.effective <= at < assignment.removed
            and covers(assignment.scope, scope)
        ):
            yield assignment


def denied(world: World, oid: str, action: str, scope: str) -> bool:
    """Whether a deny assignment takes an action away."""
    who = identities(world, oid)
    for deny in world.denies:
        body = deny["properties"]
        named = {p["id"] for p in body["principals"]}
        spared = {p["id"] for p in body["excludePrincipals"]}
        if not covers(body["scope"], scope) or who & spared or not (who & named or EVERYBODY in named):
            continue
        for permission in body["permissions"]:
            if _matches(tuple(permission["actions"]), action) and not _matches(tuple(permission["notActions"]), action):
                return True
    return False


def _condition_holds(condition: str, action: str, request: dict[str, str]) -> bool:
    """The documented form of a delegation condition: clauses `(!(ActionMatches…)) OR (attributes)` joined by AND."""
    for clause in re.split(r"\)\s*AND\s*\((?=\s*\(?\s*!)", condition):
        guarded = re.findall(r"ActionMatches\{'([^']+)'\}", clause)
        if not any(_matches((one,), action) for one in guarded):
            continue
        for attribute, values in re.findall(r"roleAssignments:(\w+)\]\s+ForAnyOfAnyValues:\w+\s+\{([^}]*)\}", clause):
            allowed = {value.strip().strip("'").casefold() for value in values.split(",")}
            if request.get(attribute, "").casefold() not in allowed:
                return False
    return True


def allowed(
    world: World,
    oid: str,
    action: str,
    scope: str,
    at: datetime,
    *,
    data: bool = False,
    request: dict[str, str] | None = None,
) -> bool:
    """Whether somebody may do an action at a scope; `request` holds what assignment conditions look at."""
    if denied(world, oid, action, scope):
        return False
    for assignment in assignments_at(world, oid, scope, at):
        role = world.roles.get(assignment.role)
        if role is None or not grants(role, action, data=data):
            continue
        if assignment.condition and not _condition_holds(assignment.condition, action, request or {}):
            continue
        return True
    return False


def key_vault_problem(world: World, vault: KeyVault, at: datetime) -> str:
    """Why Azure Backup cannot read a key vault at an instant: "firewall", "rbac", "policy", or "" when it can."""
    service = world.backup_service().oid
    if vault.acl and vault.acl.get("defaultAction") == "Deny" and vault.acl.get("bypass") == "None":
        return "firewall"
    if vault.rbac:
        whole = all(allowed(world, service, action, vault.id, at, data=True) for action in KEY_VAULT_DATA_ACTIONS)
        return "" if whole else "rbac"
    keys: set[str] = set()
    secrets: set[str] = set()
    for policy in vault.policies:
        if policy["objectId"] == service and policy["from"] <= at:
            keys |= {p.casefold() for p in policy["permissions"].get("keys", ())}
            secrets |= {p.casefold() for p in policy["permissions"].get("secrets", ())}
    needed = {"get", "list", "backup"}
    enough = all(needed <= held or "all" in held for held in (keys, secrets))
    return "" if enough else "policy"
