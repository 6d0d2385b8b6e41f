"""A failed backup reaches somebody: the vault raises alerts, a rule hands them to an action group, none takes them away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from diagnostics.history import both
from diagnostics.registry import Context, check
from diagnostics.restores import text_at
from diagnostics.verdicts import Verdicts, blind_of, why_blind
from domain.arm import key, name_of
from domain.backup import Vault
from domain.errors import GatewayError, ResourceNotFound
from domain.finding import Finding

say = Verdicts(__name__)

Body = Mapping[str, object]

_RULES_API = "2021-08-08"
_GROUPS_API = "2023-01-01"
_MONITOR = "azure backup"
_RESOURCE_TYPE = "microsoft.recoveryservices/vaults"
_SEVERITY = "sev1"
_RECEIVERS = (
    "emailReceivers",
    "smsReceivers",
    "webhookReceivers",
    "voiceReceivers",
    "armRoleReceivers",
    "azureAppPushReceivers",
    "logicAppReceivers",
    "azureFunctionReceivers",
    "automationRunbookReceivers",
    "itsmReceivers",
    "eventHubReceivers",
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert processing rule that applies to the vault's failure alerts."""

    name: str
    action: Literal["add", "remove"]
    groups: tuple[str, ...] = ()
    scheduled: bool = False


@check(
    title="Failed backups reach on call",
    runbook=("prevention_alerts",),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/read",
        "Microsoft.AlertsManagement/actionRules/read",
        "Microsoft.Insights/actionGroups/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-monitoring-alerts",
    suggests=("enable_failure_alerts",),
    az='az monitor alert-processing-rule list --query "[?properties.enabled]"',
    portal="Monitor > Alerts > Alert processing rules; Recovery Services vault > Properties > Monitoring settings",
    about="vault",
)
async def failures_reach_on_call(context: Context) -> Finding:
    """Read the vault's alert settings, the subscription's processing rules, and the action groups they add."""
    rules_path = f"/subscriptions/{context.vault.id.subscription}/providers/Microsoft.AlertsManagement/actionRules"
    vault, bodies = await both(context.read.vault(context.vault.id), context.read.resources(rules_path, _RULES_API))
    rules = [rule for body in bodies if (rule := rule_for(body, vault.id.id)) is not None]
    groups: dict[str, Body | GatewayError] = {}
    for group_id in dict.fromkeys(group for rule in rules for group in rule.groups):
        try:
            groups[group_id] = await context.read.resource(group_id, _GROUPS_API)
        except ResourceNotFound:
            groups[group_id] = {}
        except GatewayError as error:
            groups[group_id] = error
    return judge(
        vault,
        rules,
        groups,
        context.limits.bot_alert_urls,
        why=lambda error: why_blind(error, ("Microsoft.Insights/actionGroups/read",), context.clock.now()),
    )


def rule_for(body: Body, vault_id: str) -> Rule | None:
    """The rule as far as it concerns a failed job of that vault; None when it is off, elsewhere, or about something else.

    Source: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-processing-rules
    """
    properties = body.get("properties")
    if not isinstance(properties, Mapping) or properties.get("enabled") is False:
        return None
    scopes = [key(scope) for scope in _texts(properties.get("scopes"))]
    own = key(vault_id)
    if not any(own == scope or own.startswith(f"{scope}/") for scope in scopes):
        return None
    if not all(_concerns(one) for one in _bodies(properties.get("conditions"))):
        return None
    name = str(body.get("name", "")) or name_of(str(body.get("id", "")))
    scheduled = bool(properties.get("schedule"))
    added: list[str] = []
    for action in _bodies(properties.get("actions")):
        kind = str(action.get("actionType", "")).casefold()
        if kind == "removeallactiongroups":
            return Rule(name=name, action="remove", scheduled=scheduled)
        if kind == "addactiongroups":
            added += _texts(action.get("actionGroupIds"))
    return Rule(name=name, action="add", groups=tuple(added), scheduled=scheduled) if added else None


def _concerns(condition: Body) -> bool:
    """Whether a condition lets a Sev1 alert of Azure Backup about a vault pass; what cannot be judged lets it pass."""
    field = str(condition.get("field", "")).casefold()
    values = {value.casefold() for value in _texts(condition.get("values"))}
    known = {"monitorservice": _MONITOR, "targetresourcetype": _RESOURCE_TYPE, "severity": _SEVERITY}
    if field not in known:
        return True
    operator = str(condition.get("operator", "")).casefold()
    if operator in {"equals", "contains"}:
        return known[field] in values
    return known[field] not in values


def judge(
    vault: Vault,
    rules: Sequence[Rule],
    groups: Mapping[str, Body | GatewayError],
    bot_urls: Sequence[str],
    *,
    why: Callable[[GatewayError], str],
) -> Finding:
    """Alerts on, an action group added, nothing that takes it away; an absent alert setting means on."""
    removing = [rule for rule in rules if rule.action == "remove"]
    added = list(dict.fromkeys(group for rule in rules for group in rule.groups))
    reached = [group for group in added if _has_receiver(groups.get(group))]
    unread = next((found for group in added if isinstance(found := groups.get(group), GatewayError)), None)
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "job_failure_alerts": vault.job_failure_alerts or "not set, which means Enabled",
        "adding_rules": [rule.name for rule in rules if rule.action == "add"],
        "suppressing_rules": [rule.name for rule in removing],
        "action_groups": [name_of(group) for group in reached],
    }
    facts: dict[str, str] = {}
    sentences: list[str] = []
    name = vault.id.name
    if (vault.job_failure_alerts or "Enabled").casefold() == "disabled":
        facts["alerts"] = "disabled"
        sentences.append(f"{name} raises no alert when a job fails: its built-in alerts are switched off.")
    always = [rule for rule in removing if not rule.scheduled]
    if always:
        facts["suppressed"] = always[0].name
        sentences.append(f"The processing rule {always[0].name} takes the action groups off every alert of {name}.")
    if not reached and not facts and unread is None:
        facts["reach"] = "none"
        sentences.append(
            f"The alerts of {name} reach nobody: no alert processing rule adds an action group to them, and built-in alerts "
            "have no rule of their own to do so."
        )
    if sentences:
        return say.bad(" ".join(sentences), evidence=evidence, facts=facts, suggests=("enable_failure_alerts",))
    if unread is not None and not reached:
        return say.unclear(
            f"Whom the alerts of {name} reach could not be read. {why(unread)}",
            evidence=evidence,
            blind=blind_of(unread),
        )
    words = f"Failed jobs of {name} raise alerts that reach {', '.join(map(name_of, reached))}."
    if removing:
        words += f" {removing[0].name} silences them at set times."
    if bot_urls:
        here = any(_reaches(groups.get(group), bot_urls) for group in reached)
        words += " They reach this bot." if here else " They do not reach this bot's webhook."
        evidence["reaches_this_bot"] = here
    return say.good(words, evidence=evidence)


def _properties(group: Body | GatewayError | None) -> Body:
    found = group.get("properties") if isinstance(group, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _has_receiver(group: Body | GatewayError | None) -> bool:
    """Whether the group is on and hands an alert to anybody."""
    properties = _properties(group)
    return properties.get("enabled") is not False and any(properties.get(kind) for kind in _RECEIVERS)


def _reaches(group: Body | GatewayError | None, urls: Sequence[str]) -> bool:
    """Whether a webhook of the group has this bot's address; what follows the ``?`` is a secret and not compared."""
    wanted = {url.partition("?")[0].rstrip("/").casefold() for url in urls}
    receivers = _bodies(_properties(group).get("webhookReceivers"))
    return any(text_at(one, "serviceUri").partition("?")[0].rstrip("/").casefold() in wanted for one in receivers)


def _texts(value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return []
    return [one for one in value if isinstance(one, str)]


def _bodies(value: object) -> list[Body]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, Sequence) else []
