"""Let failed jobs raise alerts, and let those alerts reach this bot and on call."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.arm import key, name_of
from domain.backup import Workload
from domain.canonical import Json
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.planning import az, az_rest, checked, common, listed, section
from fixes.registry import FixSpec, Parameter, PlanRequest
from fixes.steps import step_for

VAULT_ACTION = "Microsoft.RecoveryServices/Vaults/write"
RULE_ACTION = "Microsoft.AlertsManagement/actionRules/write"
GROUP_ACTION = "Microsoft.Insights/actionGroups/write"
RULES_API = "2021-08-08"
GROUPS_API = "2023-01-01"
_VAULT_API = "2024-04-01"
_NAME = "backupbot-failure-alerts"


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """The processing rules that touch the vault: those that add action groups, and those that take them away."""

    adding: tuple[str, ...]
    groups: tuple[str, ...]
    muting: tuple[str, ...]


class EnableFailureAlerts:
    """Up to three calls: the vault's setting, an action group, and the rule that adds it to the vault's alerts."""

    spec = FixSpec(
        id="enable_failure_alerts",
        version=1,
        title="Turn failure alerts on",
        risk=Risk.LOW,
        workloads=frozenset(Workload),
        permissions=(VAULT_ACTION, RULE_ACTION, GROUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-monitoring-alerts",
        summary=(
            "Turns the vault's built-in alerts for failed jobs on, and makes the action group and the alert processing rule"
            " that carry them to this bot and to on call."
        ),
        proof="The settings, the action group and the rule read back.",
        parameters=(
            Parameter(
                name="email",
                label="E-mail address of on call",
                pattern=r"[^@\s<>\"']{1,64}@[A-Za-z0-9.-]{3,190}",
                help="Empty: only this bot is told",
            ),
            Parameter(
                name="action_group",
                label="Existing action group",
                pattern=r"/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/]+/providers/[Mm]icrosoft\.[Ii]nsights/actionGroups/[^/]+",
                help="Its ARM id; empty: one is made beside the vault",
            ),
        ),
        reads=("Microsoft.AlertsManagement/actionRules/read", "Microsoft.Insights/actionGroups/read"),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Whatever of setting, group and rule is missing."""
        parameters = checked(self.spec, request.parameters)
        vault = request.vault
        body, rules = await asyncio.gather(read.resource(vault.id.id, _VAULT_API), _rules(request, read))
        # Azure leaves the block out where nobody changed it, and then the alerts are on.
        settings = section(body, "properties", "monitoringSettings", "azureMonitorAlertSettings")
        state = str(settings.get("alertsForAllJobFailures") or "Enabled")
        off = state.casefold() == "disabled"
        calls = [_vault_call(request)] if off else []
        effects = [f"Every failed backup and restore of {vault.id.name} raises an alert."] if off else []
        group = parameters["action_group"]
        wanted = group or parameters["email"] or request.settings.alert_webhook
        if wanted and (not rules.adding or (group and key(group) not in rules.groups)):
            if not group:
                group = _group_id(request)
                calls.append(_group_call(request, group, parameters["email"]))
                effects.append(f"The action group {name_of(group)} tells {_told(request, parameters['email'])}.")
            calls.append(_rule_call(request, group))
            effects.append(f"Alerts of {vault.id.name} go to the action group {name_of(group)}.")
        notes = []
        if not wanted and not rules.adding:
            notes.append("Nobody is told: say email=… or action_group=…, or let Azure Monitor post to this bot.")
        if rules.adding:
            notes.append(f"These rules carry its alerts already and are left alone: {', '.join(rules.adding)}.")
        if rules.muting:
            notes.append(f"These rules still silence its alerts: {', '.join(rules.muting)}. Remove them by hand.")
        if not calls:
            raise RequestError(f"The failure alerts of {vault.id.name} are on. {' '.join(notes)}".strip())
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "job_failure_alerts": state,
                "rules": ", ".join(rules.adding) or "none",
                "silencing_rules": ", ".join(rules.muting) or "none",
            },
            calls=tuple(calls),
            sentence=_sentence(request, calls, off=off),
            effects=tuple(effects),
            worst_case="Many failures at once send many messages.",
            undo=f"Delete the rule and the action group: {_undo(calls)}"
            if len(calls) > 1
            else "Turn the setting off again.",
            duration=timedelta(minutes=5),
            cost="Alerts, webhooks and e-mails of Azure Backup are free up to Azure Monitor's free allowance.",
            az=tuple(az_rest(call) for call in calls),
            notes=tuple(notes),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """Everything reads back."""
        seen = await asyncio.gather(*(step_for(call.kind).look(call, facts.started_at, read) for call in plan.calls))
        missing = [call.purpose for call, one in zip(plan.calls, seen, strict=True) if not one.there]
        if missing:
            return Proof(proved=None, summary=f"This does not read back yet: {'; '.join(missing)}.")
        return Proof(proved=True, summary="The settings read back.", evidence={"calls": str(len(seen))})


async def _rules(request: PlanRequest, read: BackupReader) -> _Rules:
    path = f"/subscriptions/{request.vault.id.subscription}/providers/Microsoft.AlertsManagement/actionRules"
    adding: list[str] = []
    groups: list[str] = []
    muting: list[str] = []
    for rule in await read.resources(path, RULES_API):
        properties = section(rule, "properties")
        if properties.get("enabled") is False or not _covers(properties.get("scopes"), request.vault.id.key):
            continue
        actions = properties.get("actions")
        for action in actions if isinstance(actions, Sequence) else ():
            kind = str(section(action).get("actionType"))
            if kind == "AddActionGroups":
                adding.append(str(rule.get("name")))
                ids = section(action).get("actionGroupIds")
                groups.extend(key(str(one)) for one in (ids if isinstance(ids, Sequence) else ()))
            elif kind == "RemoveAllActionGroups":
                muting.append(str(rule.get("name")))
    return _Rules(adding=tuple(sorted(adding)), groups=tuple(sorted(groups)), muting=tuple(sorted(muting)))


def _covers(scopes: object, vault: str) -> bool:
    listed_scopes = scopes if isinstance(scopes, Sequence) else ()
    return any(vault == key(str(scope)) or vault.startswith(f"{key(str(scope))}/") for scope in listed_scopes)


def _vault_call(request: PlanRequest) -> Call:
    vault = request.vault.id
    body: Json = {
        "properties": {"monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": "Enabled"}}}
    }
    return Call(
        method="PATCH",
        resource=vault.id,
        api_version=_VAULT_API,
        body=body,
        kind=Kind.RESOURCE,
        purpose=f"Turn the failure alerts of {vault.name} on",
        action=VAULT_ACTION,
        scope=vault.id,
    )


def _beside(request: PlanRequest) -> str:
    vault = request.vault.id
    return f"/subscriptions/{vault.subscription}/resourceGroups/{vault.resource_group}"


def _group_id(request: PlanRequest) -> str:
    return f"{_beside(request)}/providers/Microsoft.Insights/actionGroups/{_NAME}"


def _group_call(request: PlanRequest, group: str, email: str) -> Call:
    properties: dict[str, Json] = {"groupShortName": "backupbot", "enabled": True}
    if email:
        properties["emailReceivers"] = [{"name": "on call", "emailAddress": email, "useCommonAlertSchema": True}]
    if request.settings.alert_webhook:
        properties["webhookReceivers"] = [
            {"name": "backupbot", "serviceUri": request.settings.alert_webhook, "useCommonAlertSchema": True}
        ]
    return Call(
        method="PUT",
        resource=group,
        api_version=GROUPS_API,
        body={"location": "Global", "properties": properties},
        kind=Kind.RESOURCE,
        purpose=f"Make the action group {name_of(group)}",
        action=GROUP_ACTION,
        scope=_beside(request),
    )


def _rule_call(request: PlanRequest, group: str) -> Call:
    vault = request.vault.id
    rule = f"{_NAME}-{vault.name}"
    conditions: list[Json] = [
        {"field": "TargetResourceType", "operator": "Equals", "values": ["microsoft.recoveryservices/vaults"]},
        {"field": "MonitorService", "operator": "Equals", "values": ["Azure Backup"]},
    ]
    return Call(
        method="PUT",
        resource=f"{_beside(request)}/providers/Microsoft.AlertsManagement/actionRules/{rule}",
        api_version=RULES_API,
        body={
            "location": "Global",
            "properties": {
                "scopes": [vault.id],
                "conditions": conditions,
                "actions": [{"actionType": "AddActionGroups", "actionGroupIds": [group]}],
                "enabled": True,
                "description": "Carries the failure alerts of Azure Backup to whoever mends them",
            },
        },
        kind=Kind.RESOURCE,
        purpose=f"Make the alert processing rule {rule}",
        action=RULE_ACTION,
        scope=_beside(request),
    )


def _told(request: PlanRequest, email: str) -> str:
    return listed([one for one in ("this bot" if request.settings.alert_webhook else "", email) if one])


def _sentence(request: PlanRequest, calls: Sequence[Call], *, off: bool) -> str:
    vault = request.vault.id.name
    if not off:
        return f"Carry the failure alerts of vault {vault} to an action group."
    return f"Turn failure alerts on for vault {vault}{', and carry them to an action group' if len(calls) > 1 else ''}."


def _undo(calls: Sequence[Call]) -> str:
    made = [call.resource for call in calls if call.method == "PUT"]
    return az("resource", "delete", "--ids", *reversed(made))


FIX = EnableFailureAlerts()
