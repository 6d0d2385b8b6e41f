"""What has to be known of a person before it can be decided what they may: their groups, and their rights in Azure."""

from collections.abc import Sequence

from bot.workflows.services import Services
from domain.actor import Actor
from domain.approval_policy import Standing
from domain.backup import Permission
from domain.errors import GatewayError
from domain.fix import FixPlan
from domain.rbac import allows, may_deny, reaches


async def standing_of(
    services: Services, actor: Actor, entries: Sequence[str], plan: FixPlan | None = None
) -> Standing:
    """Resolve what ``entries`` need to know about a person; what cannot be read counts as unknown."""
    groups: dict[str, bool | None] = {}
    for entry in entries:
        if entry.startswith(("slack-group:", "entra-group:")):
            members = await services.directory.members(entry)
            mine = {actor.id, actor.entra_id} - {""}
            groups[entry] = None if members is None else bool(members & mine)
    azure: bool | None = None
    reason = ""
    if "azure-rbac" in entries and plan is not None:
        azure, reason = await _azure_rights(services, actor, plan)
    return Standing(groups=groups, azure_rbac=azure, azure_reason=reason)


async def _azure_rights(services: Services, actor: Actor, plan: FixPlan) -> tuple[bool | None, str]:
    """Whether the person could make every call of the plan in Azure themselves."""
    if not actor.entra_id:
        return None, "your Entra account is not known"
    read = services.read()
    try:
        for action, scope in plan.permissions:
            permissions: list[Permission] = []
            for assignment in await read.role_assignments(scope, actor.entra_id):
                # A conditional right is not surely a right here, and one below the scope is none at it: Azure's
                # assignedTo() lists both.
                if assignment.condition or not reaches(assignment.scope, scope):
                    continue
                permissions += (await read.role_definition(assignment.role_definition_id)).permissions
            if not allows(permissions, action):
                return False, f"you may not {action} at {scope}"
            denies = await read.resources(
                f"{scope}/providers/Microsoft.Authorization/denyAssignments",
                "2022-04-01",
                {"$filter": "atScope()"},
            )
            if any(may_deny(one, actor.entra_id, action) for one in denies):
                return False, f"a deny assignment applies to you at {scope}"
    except GatewayError as error:
        return None, f"your rights in Azure could not be read: {error}"
    return True, ""
