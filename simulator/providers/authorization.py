"""Role assignments, role definitions, permissions and deny assignments (api Microsoft.Authorization 2022-04-01)."""

import re
from datetime import timedelta

from simulator import timings
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.filters import bad_filter, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.world.access import assignments_at, covers, identities
from simulator.world.model import FAR, Assignment, Json, Role, zulu

MADE = "2025-03-04T09:30:00.0000000Z"
AUTH = "{scope}/providers/Microsoft.Authorization"
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def assignment_body(call: Call, assignment: Assignment) -> Json:
    """A role assignment as ARM shows it."""
    subscription = re.match(r"/subscriptions/[^/]+", assignment.scope)
    prefix = subscription[0] if subscription else ""
    return {
        "properties": {
            "roleDefinitionId": f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{assignment.role}",
            "principalId": assignment.principal,
            "principalType": assignment.principal_type,
            "scope": assignment.scope or "/",
            "condition": assignment.condition,
            "conditionVersion": assignment.condition_version,
            "createdOn": zulu(assignment.created),
            "updatedOn": zulu(assignment.created),
            "createdBy": assignment.creator or call.caller.oid,
            "updatedBy": assignment.creator or call.caller.oid,
            "delegatedManagedIdentityResourceId": None,
            "description": assignment.description,
        },
        "id": assignment.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": assignment.name,
    }


def list_assignments(call: Call) -> Answer:
    """The assignments at a scope, inherited ones, and those below it unless atScope() is asked for."""
    scope = call.parts["scope"]
    wanted, called = parse_filter(call.query.get("$filter"), ("principalId",), ("atScope", "assignedTo"))
    who: set[str] | None = None
    if "principalId" in wanted:
        who = {wanted["principalId"].casefold()}
    if "assignedTo" in called:
        if not called["assignedTo"]:
            raise bad_filter("assignedTo needs an object id")
        who = identities(call.world, called["assignedTo"].casefold())
    # principalId also shows what lies below the scope; atScope() cuts that off.
    below = "atScope" not in called
    found = [
        assignment
        for assignment in call.world.assignments.values()
        if (who is None or assignment.principal in who)
        and (covers(assignment.scope, scope) or (below and covers(scope, assignment.scope)))
    ]
    return paged(call, [assignment_body(call, assignment) for assignment in found])


def _key(call: Call) -> str:
    return f"{call.parts['scope']}/providers/Microsoft.Authorization/roleAssignments/{call.parts['name']}".casefold()


def get_assignment(call: Call) -> Answer:
    """One assignment."""
    found = call.world.assignments.get(_key(call))
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{call.parts['name']}' is not found.")
    return Answer(200, assignment_body(call, found))


def put_assignment(call: Call) -> Answer:
    """Gives a role: the same name again is idempotent, the same role under another name is a conflict."""
    properties = call.properties()
    refuse_unknown(
        properties,
        (
            "roleDefinitionId",
            "principalId",
            "principalType",
            "description",
            "condition",
            "conditionVersion",
            "delegatedManagedIdentityResourceId",
            "scope",
        ),
        "the role assignment",
    )
    name = call.parts["name"]
    if UUID.fullmatch(name) is None:
        raise ArmError(
            400, "InvalidRoleAssignmentId", f"The role assignment ID '{name}' is not valid: it must be a GUID."
        )
    role = str(properties.get("roleDefinitionId", "")).rpartition("/")[2].casefold()
    principal = str(properties.get("principalId", "")).casefold()
    _check(call, role, principal, properties)
    scope = call.parts["scope"]
    existing = call.world.assignments.get(_key(call))
    triple = (role, principal, scope.casefold())
    if existing is not None:
        if (existing.role, existing.principal, existing.scope.casefold()) == triple:
            return Answer(200, assignment_body(call, existing))
        raise ArmError(
            409,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    for other in call.world.assignments.values():
        if (other.role, other.principal, other.scope.casefold()) == triple:
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is "
                f"{other.name.replace('-', '')}.",
            )
    delay = timedelta(seconds=call.world.pace.seconds(timings.GRANT_EFFECT))
    assignment = Assignment(
        name.casefold(),
        scope,
        role,
        principal,
        properties.get("principalType", "User"),
        call.now,
        call.now + delay,
        condition=properties.get("condition"),
        condition_version=properties.get("conditionVersion"),
        creator=call.caller.oid,
        description=properties.get("description"),
    )
    call.world.assignments[assignment.id.casefold()] = assignment
    return Answer(201, assignment_body(call, assignment))


def _check(call: Call, role: str, principal: str, properties: Json) -> None:
    if role not in call.world.roles:
        raise ArmError(
            400,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{role}' does not exist.",
        )
    known = principal in call.world.principals or any(
        vault.identity == principal for vault in call.world.vaults.values()
    )
    if not known and properties.get("principalType") != "ServicePrincipal":
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory {call.world.tenant}.",
        )
    if UUID.fullmatch(principal) is None:
        raise ArmError(400, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
    if properties.get("principalType", "User") not in ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device"):
        raise ArmError(400, "InvalidRequestContent", "The principalType is not known.")
    if properties.get("condition") and properties.get("conditionVersion") != "2.0":
        raise ArmError(400, "InvalidConditionVersion", "A condition needs conditionVersion 2.0.")


def delete_assignment(call: Call) -> Answer:
    """Takes a role away; 204 where it is not held."""
    found = call.world.assignments.pop(_key(call), None)
    if found is None:
        return Answer(204)
    found.removed = call.now
    call.world.removed_assignments.append(found)
    return Answer(200, assignment_body(call, found))


def role_body(role: Role, scope: str) -> Json:
    """A role definition as ARM shows it."""
    subscription = re.match(r"/subscriptions/[^/]+", scope)
    prefix = subscription[0] if subscription else ""
    return {
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.custom else "BuiltInRole",
            "description": role.description,
            "assignableScopes": list(role.scopes),
            "permissions": [_permission(role)],
            "createdOn": MADE,
            "updatedOn": MADE,
        },
        "id": f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{role.guid}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.guid,
    }


def _permission(role: Role) -> Json:
    return {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": list(role.not_data_actions),
    }


def list_roles(call: Call) -> Answer:
    """The role definitions at a scope."""
    wanted, _ = parse_filter(call.query.get("$filter"), ("roleName", "type"), ("atScopeAndBelow",))
    kind = wanted.get("type", "").casefold()
    if kind not in ("", "customrole", "builtinrole"):
        raise bad_filter(f"'{wanted['type']}' is not a type of role")
    scope = call.parts["scope"]
    found = [
        role
        for role in call.world.roles.values()
        if (not kind or (kind == "customrole") == role.custom)
        and ("roleName" not in wanted or role.name.casefold() == wanted["roleName"].casefold())
        and any(covers(one, scope) for one in role.scopes)
    ]
    return paged(call, [role_body(role, scope) for role in found])


def get_role(call: Call) -> Answer:
    """One role definition."""
    found = call.world.roles.get(call.parts["name"].casefold())
    if found is None:
        raise ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{call.parts['name']}' does not exist.",
        )
    return Answer(200, role_body(found, call.parts["scope"]))


def list_permissions(call: Call) -> Answer:
    """What the caller may do at a scope: one entry for each role that counts; conditions and denies do not show."""
    found: dict[str, Json] = {}
    for assignment in assignments_at(call.world, call.caller.oid, call.parts["scope"], call.now):
        role = call.world.roles.get(assignment.role)
        if role is not None:
            found[role.guid] = _permission(role)
    return paged(call, list(found.values()))


def list_denies(call: Call) -> Answer:
    """The deny assignments at a scope."""
    wanted, called = parse_filter(
        call.query.get("$filter"), ("denyAssignmentName", "principalId"), ("atScope", "gdprExportPrincipalId")
    )
    scope = call.parts["scope"]
    found = []
    for deny in call.world.denies:
        body = deny["properties"]
        above = covers(body["scope"], scope)
        if not above and ("atScope" in called or not covers(scope, body["scope"])):
            continue
        named = wanted.get("denyAssignmentName", body["denyAssignmentName"])
        if named.casefold() != body["denyAssignmentName"].casefold():
            continue
        if "principalId" in wanted and wanted["principalId"] not in {p["id"] for p in body["principals"]}:
            continue
        found.append(deny)
    return paged(call, found)


def register(router: Router) -> None:
    """Registers this module's operations."""
    roles = "Microsoft.Authorization/roleAssignments"
    router.add("GET", AUTH + "/roleAssignments", list_assignments, action=f"{roles}/read")
    router.add("GET", AUTH + "/roleAssignments/{name}", get_assignment, action=f"{roles}/read")
    router.add("PUT", AUTH + "/roleAssignments/{name}", put_assignment, action=f"{roles}/write")
    router.add("DELETE", AUTH + "/roleAssignments/{name}", delete_assignment, action=f"{roles}/delete")
    definitions = "Microsoft.Authorization/roleDefinitions/read"
    router.add("GET", AUTH + "/roleDefinitions", list_roles, action=definitions)
    router.add("GET", AUTH + "/roleDefinitions/{name}", get_role, action=definitions)
    router.add("GET", AUTH + "/permissions", list_permissions, action="Microsoft.Authorization/permissions/read")
    router.add("GET", AUTH + "/denyAssignments", list_denies, action="Microsoft.Authorization/denyAssignments/read")


def condition_attributes(call: Call) -> dict[str, str]:
    """What the conditions of the caller's own assignments look at when this call gives or takes a role."""
    if "/roleassignments/" not in call.path.casefold():
        return {}
    body = (call.body or {}).get("properties") or {}
    if call.method == "DELETE":
        existing = call.world.assignments.get(_key(call))
        if existing is None or existing.removed != FAR:
            return {}
        return {
            "RoleDefinitionId": existing.role,
            "PrincipalId": existing.principal,
            "PrincipalType": existing.principal_type,
        }
    return {
        "RoleDefinitionId": str(body.get("roleDefinitionId", "")).rpartition("/")[2],
        "PrincipalId": str(body.get("principalId", "")),
        "PrincipalType": str(body.get("principalType", "")),
    }
