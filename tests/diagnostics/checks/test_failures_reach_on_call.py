"""Alerts: raised, handed to somebody, not taken away again."""

import pytest

from diagnostics.checks.failures_reach_on_call import failures_reach_on_call, rule_for
from diagnostics.registry import Limits
from domain.errors import PermissionDenied
from domain.finding import Blind, Finding, Outcome
from tests.diagnostics.world import SUBSCRIPTION, VAULT, a_context, a_vault, an_azure
from tests.fakes.azure import FakeAzure

RULES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/actionRules"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-mon/providers/Microsoft.Insights/actionGroups/ag-oncall"
HOOK = "https://bot.contoso.com/webhooks/azure-monitor"
Body = dict[str, object]


def a_rule(action: str = "AddActionGroups", /, **changes: object) -> Body:
    actions: list[Body] = [{"actionType": action, "actionGroupIds": [GROUP]}]
    properties: Body = {"scopes": [f"/subscriptions/{SUBSCRIPTION.upper()}"], "enabled": True, "actions": actions}
    return {"name": changes.pop("name", "to-oncall"), "properties": {**properties, **changes}}


def a_condition(field: str, operator: str, *values: str) -> dict[str, list[Body]]:
    return {"conditions": [{"field": field, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("body", "applies"),
    [
        (a_rule(), True),
        (a_rule(enabled=False), False),
        (a_rule(scopes=[VAULT.id]), True),
        (a_rule(scopes=[VAULT.id + "-other"]), False),
        (a_rule(scopes=["/subscriptions/22222222"]), False),
        (a_rule(**a_condition("MonitorService", "Equals", "Azure Backup")), True),
        (a_rule(**a_condition("MonitorService", "Equals", "Platform")), False),
        (a_rule(**a_condition("TargetResourceType", "Equals", "Microsoft.RecoveryServices/vaults")), True),
        (a_rule(**a_condition("Severity", "NotEquals", "Sev1")), False),
        (a_rule(**a_condition("Severity", "Equals", "Sev0", "Sev1")), True),
        (a_rule(**a_condition("AlertRuleName", "Contains", "anything")), True),
        (a_rule(actions=[]), False),
        ({"name": "odd"}, False),
    ],
)
def test_which_rules_concern_the_vault(body: Body, applies: bool) -> None:
    """Scope, conditions and the switch decide; a condition that cannot be judged lets the alert pass."""
    assert (rule_for(body, VAULT.id) is not None) is applies


def routed(*rules: Body, url: str = HOOK) -> FakeAzure:
    azure = an_azure()
    azure.lists[RULES.casefold()] = list(rules)
    azure.bodies[GROUP.casefold()] = {
        "properties": {"enabled": True, "webhookReceivers": [{"serviceUri": f"{url}?token=x"}]}
    }
    return azure


async def ask(azure: FakeAzure, *urls: str) -> Finding:
    return await failures_reach_on_call(a_context(azure, of_vault=True, limits=Limits(bot_alert_urls=urls)))


async def test_a_rule_that_adds_a_group_is_enough() -> None:
    """Absent alert settings mean on; the groups that are reached are named."""
    finding = await ask(routed(a_rule()))
    assert finding.outcome is Outcome.PASS
    assert "ag-oncall" in finding.summary


@pytest.mark.parametrize(
    ("url", "words"), [(HOOK, "They reach this bot."), ("https://elsewhere", "do not reach this bot")]
)
async def test_whether_it_reaches_this_bot_is_said(url: str, words: str) -> None:
    """The webhook's address is compared without its secret."""
    assert words in (await ask(routed(a_rule(), url=url), HOOK)).summary


async def test_alerts_that_are_off() -> None:
    """The vault's own switch."""
    azure = routed(a_rule())
    azure.put(a_vault(job_failure_alerts="Disabled"))
    assert (await ask(azure)).facts == {"alerts": "disabled"}


async def test_a_rule_that_takes_the_groups_away() -> None:
    """Always is a fault; at set times is only said."""
    finding = await ask(routed(a_rule(), a_rule("RemoveAllActionGroups", name="quiet")))
    assert finding.facts == {"suppressed": "quiet"}
    weekends = a_rule("RemoveAllActionGroups", name="quiet", schedule={"effectiveFrom": "2026-01-01"})
    finding = await ask(routed(a_rule(), weekends))
    assert finding.outcome is Outcome.PASS
    assert "at set times" in finding.summary


async def test_nobody_is_reached() -> None:
    """No rule, or a group that is gone, off or empty: the alerts end nowhere."""
    assert (await ask(routed())).facts == {"reach": "none"}
    for body in ({}, {"properties": {"enabled": False, "emailReceivers": [1]}}, {"properties": {"enabled": True}}):
        azure = routed(a_rule())
        azure.bodies[GROUP.casefold()] = body
        assert (await ask(azure)).facts == {"reach": "none"}
    azure = routed(a_rule())
    azure.bodies.clear()
    assert (await ask(azure)).facts == {"reach": "none"}


async def test_a_group_that_may_not_be_read_is_unknown() -> None:
    """Whom it reaches is not known, and never called fine."""
    azure = routed(a_rule())
    azure.fail("resource", PermissionDenied("no", action="Microsoft.Insights/actionGroups/read"))
    finding = await ask(azure)
    assert finding.outcome is Outcome.UNKNOWN
    assert finding.blind is Blind.DENIED
