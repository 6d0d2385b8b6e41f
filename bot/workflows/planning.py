"""Plans as they would be made now, and what they rest on: the rule that governs one, and the operator's rights."""

from collections.abc import Mapping

from bot.workflows.services import Services
from domain.approval_policy import Rule, Subject, find_rule
from domain.arm import ItemId
from domain.errors import GatewayError, NotFound, RequestError
from domain.fix import FixPlan
from domain.rbac import allows
from fixes.planning import how_to_turn_on
from fixes.registry import PlanRequest, whole_vault


async def plan_now(services: Services, fix_id: str, item_id: ItemId, parameters: Mapping[str, str]) -> FixPlan:
    """The plan as it would be made now.

    Raises:
        RequestError: there is no such fix, or it does not fit.
        GatewayError: what it rests on could not be read.
    """
    fix = services.fixes.get(fix_id)
    if fix is None:
        raise NotFound(f"There is no fix {fix_id}.", nearest=sorted(services.fixes))
    if fix.spec.off_by_default and fix_id not in services.fix_settings.enabled:
        raise RequestError(how_to_turn_on(fix.spec))
    read = services.read()
    vault = await read.vault(item_id.vault)
    item = whole_vault(vault) if item_id.name == "-" else await read.item(item_id)
    request = PlanRequest(
        vault=vault,
        item=item,
        parameters=dict(parameters),
        settings=services.fix_settings,
        now=services.clock.now(),
    )
    return await fix.plan(request, read)


def rule_for(services: Services, plan: FixPlan) -> Rule | None:
    """The rule that governs a plan."""
    subject = Subject(fix=plan.fix, vault=plan.vault_name, item=plan.item_name, risk=plan.risk)
    return find_rule(services.rules, subject)


async def preflight(services: Services, plan: FixPlan) -> tuple[str, ...]:
    """What keeps the operator identity from making the plan's calls, as sentences; empty when nothing does."""
    operator = services.operator
    if operator is None:
        return ()
    faults: list[str] = []
    for action, scope in plan.permissions:
        try:
            held = await operator.permissions(scope)
        except GatewayError as error:
            faults.append(f"the operator's rights at {scope} could not be read: {error}")
            continue
        if not allows(held, action):
            faults.append(f"the operator identity lacks {action} at {scope}")
    return tuple(dict.fromkeys(faults))
