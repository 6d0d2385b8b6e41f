"""Role assignments in plans: the call, its ``az`` form, and the wording of expiry."""

from dataclasses import replace
from typing import TypedDict

from domain.arm import subscription_of
from domain.fix import Call, Kind, assignment_name
from fixes.planning import AUTHORIZATION_API, az

ASSIGN_ACTION = "Microsoft.Authorization/roleAssignments/write"
UNASSIGN_ACTION = "Microsoft.Authorization/roleAssignments/delete"


def assignment_call(*, scope: str, principal_id: str, role_guid: str, purpose: str, temporary: bool) -> Call:
    """Assign a role to a service principal at ``scope``, under a name that follows from the three.

    The principal's type is said, because Entra may not have told every region of a new principal yet.
    Source: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-rest
    """
    return Call(
        method="PUT",
        resource=(
            f"{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment_name(scope, principal_id, role_guid)}"
        ),
        api_version=AUTHORIZATION_API,
        body={
            "properties": {
                "roleDefinitionId": role_id(scope, role_guid),
                "principalId": principal_id,
                "principalType": "ServicePrincipal",
            }
        },
        kind=Kind.ROLE_ASSIGNMENT,
        purpose=purpose,
        action=ASSIGN_ACTION,
        scope=scope,
        settle=True,
        revoke_on_expiry=temporary,
    )


def role_id(scope: str, role_guid: str) -> str:
    """A role's full id as seen from ``scope``'s subscription."""
    return f"/subscriptions/{subscription_of(scope)}/providers/Microsoft.Authorization/roleDefinitions/{role_guid}"


def revocation(grant: Call) -> Call:
    """The call that takes away what ``grant`` gave: the same assignment deleted, or the same policy permissions removed.

    Raises:
        ValueError: ``grant`` gives no right.
    """
    if grant.kind is Kind.ROLE_ASSIGNMENT:
        return replace(
            grant, method="DELETE", body=None, kind=Kind.ROLE_REMOVAL, action=UNASSIGN_ACTION, **_taking_back(grant)
        )
    if grant.resource.casefold().endswith("/accesspolicies/add"):
        return replace(grant, resource=grant.resource[: -len("add")] + "remove", **_taking_back(grant))
    raise ValueError(f"this call grants nothing: {grant.purpose}")


class _TakingBack(TypedDict):
    purpose: str
    settle: bool
    revoke_on_expiry: bool


def _taking_back(grant: Call) -> _TakingBack:
    return _TakingBack(purpose=f"Take back: {grant.purpose}", settle=False, revoke_on_expiry=False)


def az_assign(*, scope: str, principal_id: str, role_guid: str) -> str:
    """The command that assigns the role."""
    return az(
        *("role", "assignment", "create", "--assignee-object-id", principal_id),
        *("--assignee-principal-type", "ServicePrincipal", "--role", role_guid, "--scope", scope),
    )


def az_unassign(*, scope: str, principal_id: str, role_guid: str) -> str:
    """The command that takes the role away."""
    return az("role", "assignment", "delete", "--assignee", principal_id, "--role", role_guid, "--scope", scope)


def until_words(rights_until: str) -> str:
    """Until when, for a sentence: " until 2026-11-22 18:00 UTC" or " for good"."""
    return f" until {clock(rights_until)}" if rights_until else " for good"


def clock(moment: str) -> str:
    """A parameter's time as people read it: "2026-11-22 18:00 UTC"."""
    return f"{moment[:10]} {moment[11:16]} UTC"
