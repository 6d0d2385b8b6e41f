"""Alerts of failed jobs, alert processing rules and action groups."""

from datetime import timedelta

from simulator.arm.call import Answer, ArmError, Call, refuse_unknown, resource_not_found
from simulator.arm.filters import bad_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import GROUP, VAULT, vault_of
from simulator.world.access import covers
from simulator.world.engine import settle_all
from simulator.world.model import Job, Json, Vault, World, stable_uuid, zulu

RANGES = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
SUB = "/subscriptions/{subscription}"
PARAMETERS = (
    "api-version",
    "targetResource",
    "targetResourceType",
    "targetResourceGroup",
    "monitorService",
    "monitorCondition",
    "severity",
    "alertState",
    "alertRule",
    "smartGroupId",
    "includeContext",
    "includeEgressConfig",
    "pageCount",
    "sortBy",
    "sortOrder",
    "select",
    "timeRange",
    "customTimeRange",
    "$skiptoken",
)
STATES = ("New", "Acknowledged", "Closed")
MONITOR_SERVICE = "Azure Backup"


def alert_id(job: Job) -> str:
    """The id of the alert that a failed job raised."""
    vault = job.item.vault
    return f"/subscriptions/{vault.subscription}/providers/Microsoft.AlertsManagement/alerts/{stable_uuid('alert', job.id)}"


def failed_jobs(world: World, vault: Vault) -> list[Job]:
    """The jobs of a vault that raised an alert, newest first; none where alerts are switched off."""
    if vault.alerts == "Disabled":
        return []
    found = [
        job
        for item in world.lively.values()
        if item.vault is vault
        for job in item.jobs
        if job.status == "Failed" and job.ended is not None and job.operation in ("Backup", "Restore")
    ]
    return sorted(found, key=lambda job: job.started, reverse=True)


def alert_body(world: World, job: Job, *, context: bool) -> Json:
    """An alert as ARM shows it."""
    item, vault = job.item, job.item.vault
    identifier = alert_id(job)
    name = "Backup Failure" if job.operation == "Backup" else "Restore Failure"
    ended = job.ended or job.started
    error = job.error
    properties: Json = {
        "essentials": {
            "severity": "Sev1",
            "signalType": "Log",
            "alertState": world.acknowledged.get(identifier.casefold(), "New"),
            "monitorCondition": "Fired",
            "targetResource": vault.id,
            "targetResourceName": vault.name.casefold(),
            "targetResourceGroup": vault.group.casefold(),
            "targetResourceType": "microsoft.recoveryservices/vaults",
            "monitorService": MONITOR_SERVICE,
            "alertRule": name,
            "sourceCreatedId": f"{vault.name}_{job.id}",
            "smartGroupId": "",
            "startDateTime": zulu(ended),
            "lastModifiedDateTime": zulu(ended),
            "lastModifiedUserName": "System",
            "actionStatus": {"isSuppressed": suppressed(world, vault)},
            "description": error.text if error else name,
        }
    }
    if context:
        properties["context"] = {
            "category": "Jobs",
            "sourceType": "AzureResource",
            "sourceId": vault.id,
            "protectedItemId": item.id,
            "linkedResourceId": item.source_id,
            "extendedInfo": {
                "jobId": job.id,
                "recommendedActions": " ".join(error.advice) if error else "",
                "possibleCauses": error.text if error else "",
                "occurrenceCount": "1",
            },
            "alertVersionNumber": "1",
        }
    return {
        "id": identifier,
        "name": name,
        "type": "Microsoft.AlertsManagement/alerts",
        "properties": properties,
    }


def suppressed(world: World, vault: Vault) -> bool:
    """Whether a processing rule takes the action groups from a vault's alerts."""
    return any(
        rule["enabled"]
        and rule["action"] == "RemoveAllActionGroups"
        and any(covers(scope, vault.id) for scope in rule["scopes"])
        for rule in world.processing_rules.values()
    )


def _selected(call: Call, vaults: list[Vault]) -> Answer:
    query = {key.casefold(): value for key, value in call.query.items()}
    for key in query:
        if key not in {name.casefold() for name in PARAMETERS}:
            raise bad_filter(f"'{key}' is not a parameter of alerts")
    span = RANGES.get(query.get("timerange", "1d"))
    if span is None:
        raise bad_filter(f"timeRange must be one of {', '.join(RANGES)}")
    settle_all(call.world, call.now)
    rows = []
    for vault in vaults:
        for job in failed_jobs(call.world, vault):
            body = alert_body(call.world, job, context=query.get("includecontext", "").casefold() == "true")
            essentials = body["properties"]["essentials"]
            if (job.ended or job.started) < call.now - span:
                continue
            if all(
                query[name.casefold()].casefold() == str(essentials[name]).casefold()
                for name in (
                    "targetResource",
                    "targetResourceType",
                    "targetResourceGroup",
                    "monitorService",
                    "monitorCondition",
                    "severity",
                    "alertState",
                    "alertRule",
                )
                if name.casefold() in query
            ):
                rows.append(body)
    return paged(call, rows)


def list_alerts(call: Call) -> Answer:
    """The alerts of a subscription."""
    wanted = call.parts["subscription"].casefold()
    return _selected(call, [v for v in call.world.vaults.values() if v.subscription == wanted])


def list_vault_alerts(call: Call) -> Answer:
    """The alerts of one vault."""
    return _selected(call, [vault_of(call)])


def _job(call: Call) -> Job:
    for item in call.world.lively.values():
        for job in item.jobs:
            if stable_uuid("alert", job.id) == call.parts["alert"].casefold():
                return job
    raise ArmError(404, "NotFound", f"The alert '{call.parts['alert']}' was not found.")


def get_alert(call: Call) -> Answer:
    """One alert with its context."""
    return Answer(200, alert_body(call.world, _job(call), context=True))


def change_state(call: Call) -> Answer:
    """Acknowledges or closes an alert."""
    job = _job(call)
    state = next((v for k, v in call.query.items() if k.casefold() == "newstate"), "")
    if state not in STATES:
        raise ArmError(400, "BadRequest", f"newState must be one of {', '.join(STATES)}.")
    call.world.acknowledged[alert_id(job).casefold()] = state
    return Answer(200, alert_body(call.world, job, context=True))


# Processing rules


def rule_body(rule: Json) -> Json:
    """An alert processing rule as ARM shows it."""
    base = f"/subscriptions/{rule['subscription']}/resourceGroups/{rule['group']}"
    action: Json = {"actionType": rule["action"]}
    if rule["action"] == "AddActionGroups":
        action["actionGroupIds"] = list(rule["groups"])
    properties: Json = {
        "scopes": list(rule["scopes"]),
        "actions": [action],
        "description": rule["description"],
        "enabled": rule["enabled"],
    }
    if rule.get("conditions"):
        properties["conditions"] = rule["conditions"]
    return {
        "id": f"{base}/providers/Microsoft.AlertsManagement/actionRules/{rule['name']}",
        "name": rule["name"],
        "type": "Microsoft.AlertsManagement/actionRules",
        "location": "Global",
        "properties": properties,
    }


def list_rules(call: Call) -> Answer:
    """The processing rules of a subscription or resource group."""
    subscription, group = call.parts["subscription"].casefold(), call.parts.get("group", "").casefold()
    found = [
        rule_body(rule)
        for rule in call.world.processing_rules.values()
        if rule["subscription"] == subscription and (not group or rule["group"].casefold() == group)
    ]
    return paged(call, found)


def _rule(call: Call) -> Json:
    found = call.world.processing_rules.get(call.path.casefold())
    if found is None:
        raise resource_not_found("Microsoft.AlertsManagement/actionRules", call.parts["rule"], call.parts["group"])
    return found


def get_rule(call: Call) -> Answer:
    """One processing rule."""
    return Answer(200, rule_body(_rule(call)))


def put_rule(call: Call) -> Answer:
    """Makes or replaces a processing rule."""
    body = call.json()
    refuse_unknown(body, ("location", "tags", "properties", "id", "name", "type"), "the processing rule")
    properties = call.properties()
    refuse_unknown(
        properties, ("scopes", "conditions", "schedule", "actions", "description", "enabled"), "the processing rule"
    )
    scopes, actions = properties.get("scopes"), properties.get("actions")
    if not scopes or not actions or actions[0].get("actionType") not in ("AddActionGroups", "RemoveAllActionGroups"):
        raise ArmError(400, "BadRequest", "A processing rule needs scopes and an action of a known type.")
    for group in actions[0].get("actionGroupIds") or ():
        if group.casefold() not in call.world.action_groups:
            raise ArmError(400, "BadRequest", f"The action group '{group}' does not exist.")
    known = call.path.casefold() in call.world.processing_rules
    rule = {
        "name": call.parts["rule"],
        "subscription": call.parts["subscription"].casefold(),
        "group": call.parts["group"],
        "scopes": scopes,
        "action": actions[0]["actionType"],
        "groups": list(actions[0].get("actionGroupIds") or ()),
        "enabled": properties.get("enabled", True),
        "description": properties.get("description", ""),
        "conditions": properties.get("conditions"),
        "created": call.now,
    }
    call.world.processing_rules[call.path.casefold()] = rule
    return Answer(200 if known else 201, rule_body(rule))


def patch_rule(call: Call) -> Answer:
    """Switches a processing rule on or off."""
    rule = _rule(call)
    properties = call.properties()
    refuse_unknown(properties, ("enabled",), "the processing rule")
    rule["enabled"] = bool(properties.get("enabled", rule["enabled"]))
    return Answer(200, rule_body(rule))


# Action groups


def action_group_body(group: Json) -> Json:
    """An action group as ARM shows it."""
    return {
        "id": group["id"],
        "name": group["name"],
        "type": "Microsoft.Insights/actionGroups",
        "location": "Global",
        "properties": {
            "groupShortName": group["short"],
            "enabled": group["enabled"],
            "emailReceivers": [
                {**receiver, "useCommonAlertSchema": True, "status": "Enabled"} for receiver in group["emails"]
            ],
            "webhookReceivers": [{**receiver, "useCommonAlertSchema": True} for receiver in group["webhooks"]],
            "smsReceivers": [],
            "azureFunctionReceivers": [],
            "logicAppReceivers": [],
        },
    }


def list_action_groups(call: Call) -> Answer:
    """The action groups of a subscription or resource group."""
    prefix = f"/subscriptions/{call.parts['subscription']}/"
    if "group" in call.parts:
        prefix += f"resourcegroups/{call.parts['group']}/"
    groups = call.world.action_groups.items()
    return paged(call, [action_group_body(g) for key, g in groups if key.startswith(prefix.casefold())])


def get_action_group(call: Call) -> Answer:
    """One action group."""
    found = call.world.action_groups.get(call.path.casefold())
    if found is None:
        raise resource_not_found("Microsoft.Insights/actionGroups", call.parts["name"], call.parts["group"])
    return Answer(200, action_group_body(found))


def put_action_group(call: Call) -> Answer:
    """Makes or replaces an action group."""
    properties = call.properties()
    receivers = ("emailReceivers", "webhookReceivers", "smsReceivers", "azureFunctionReceivers", "logicAppReceivers")
    refuse_unknown(properties, ("groupShortName", "enabled", *receivers), "the action group")
    if not properties.get("groupShortName"):
        raise ArmError(400, "BadRequest", "groupShortName is required.")
    known = call.path.casefold() in call.world.action_groups
    group = {
        "id": call.path,
        "name": call.parts["name"],
        "short": properties["groupShortName"],
        "enabled": properties.get("enabled", True),
        "emails": [
            {"name": one["name"], "emailAddress": one["emailAddress"]} for one in properties.get("emailReceivers") or ()
        ],
        "webhooks": [
            {"name": one["name"], "serviceUri": one["serviceUri"]} for one in properties.get("webhookReceivers") or ()
        ],
    }
    call.world.action_groups[call.path.casefold()] = group
    return Answer(200 if known else 201, action_group_body(group))


def register(router: Router) -> None:
    """Registers this module's operations."""
    alerts = "/providers/Microsoft.AlertsManagement/alerts"
    read = "Microsoft.AlertsManagement/alerts/read"
    router.add("GET", SUB + alerts, list_alerts, action=read)
    router.add("GET", VAULT + alerts, list_vault_alerts, action=read)
    router.add("GET", SUB + alerts + "/{alert}", get_alert, action=read)
    router.add(
        "POST",
        SUB + alerts + "/{alert}/changestate",
        change_state,
        action="Microsoft.AlertsManagement/alerts/changestate/action",
    )
    rules = "/providers/Microsoft.AlertsManagement/actionRules"
    read, write = "Microsoft.AlertsManagement/actionRules/read", "Microsoft.AlertsManagement/actionRules/write"
    router.add("GET", SUB + rules, list_rules, action=read)
    router.add("GET", GROUP + rules, list_rules, action=read)
    router.add("GET", GROUP + rules + "/{rule}", get_rule, action=read)
    router.add("PUT", GROUP + rules + "/{rule}", put_rule, action=write)
    router.add("PATCH", GROUP + rules + "/{rule}", patch_rule, action=write)
    groups = "/providers/Microsoft.Insights/actionGroups"
    read, write = "Microsoft.Insights/actionGroups/read", "Microsoft.Insights/actionGroups/write"
    router.add("GET", SUB + groups, list_action_groups, action=read)
    router.add("GET", GROUP + groups, list_action_groups, action=read)
    router.add("GET", GROUP + groups + "/{name}", get_action_group, action=read)
    router.add("PUT", GROUP + groups + "/{name}", put_action_group, action=write)
