"""What the operator may ever send: one table. A call that no row allows is refused before anything leaves.

Azure's own permissions are wider than the fixes: the right to write a protected item also stops protection, the right to
write a role assignment grants anything. This table is the bot's own limit, whatever a plan says.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import BadRequest
from domain.fix import Call

_SEGMENT = r"[^/?#\\]+"
_GROUP = rf"/subscriptions/{_SEGMENT}/resourceGroups/{_SEGMENT}"
_VAULT = rf"{_GROUP}/providers/Microsoft\.RecoveryServices/vaults/{_SEGMENT}"
_ITEM = rf"{_VAULT}/backupFabrics/{_SEGMENT}/protectionContainers/{_SEGMENT}/protectedItems/{_SEGMENT}"
_VM = rf"{_GROUP}/providers/Microsoft\.Compute/virtualMachines/{_SEGMENT}"
_SCOPE = rf"/subscriptions/{_SEGMENT}(?:/{_SEGMENT})*"
_AUTHORIZATION = r"/providers/Microsoft\.Authorization"
_REGION = rf"/subscriptions/{_SEGMENT}/providers/Microsoft\.RecoveryServices/locations/{_SEGMENT}"

# Owner, User Access Administrator and Role Based Access Control Administrator: whoever holds one can grant the rest.
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged
_ROLES_THAT_GRANT = frozenset(
    {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    }
)
_PROTECTED = frozenset({"", "protected", "irpending"})
_LEAST_SOFT_DELETE_DAYS = 14


def _anything(_body: Mapping[str, object]) -> str:
    return ""


def _item_change(body: Mapping[str, object]) -> str:
    properties = _object(body, "properties")
    if properties.get("resourceGuardOperationRequests"):
        return "what a Resource Guard protects is done by people"
    if properties.get("isScheduledForDeferredDelete"):
        return "it would delete the item"
    if properties.get("isRehydrate") is True:
        return ""
    if str(properties.get("protectionState") or "").casefold() not in _PROTECTED:
        return "it would stop protection"
    return "" if properties.get("policyId") else "it neither undeletes the item nor gives it a policy"


def _grant(body: Mapping[str, object]) -> str:
    properties = _object(body, "properties")
    role = str(properties.get("roleDefinitionId") or "").rstrip("/").rpartition("/")[2].casefold()
    if not role or not properties.get("principalId"):
        return "it names no role or no principal"
    if role in _ROLES_THAT_GRANT:
        return "the role could grant any other"
    if properties.get("principalType") != "ServicePrincipal":
        return "fixes grant roles to service principals only, and say so"
    return ""


def _soft_delete(body: Mapping[str, object]) -> str:
    properties = _object(body, "properties")
    allowed: dict[str, tuple[object, ...]] = {
        "softDeleteFeatureState": ("Enabled", "AlwaysON"),
        "enhancedSecurityState": ("Enabled", "AlwaysON"),
        "isSoftDeleteFeatureStateEditable": (True, False),
    }
    for name, value in properties.items():
        if name == "softDeleteRetentionPeriodInDays":
            if not isinstance(value, int) or isinstance(value, bool) or value < _LEAST_SOFT_DELETE_DAYS:
                return f"it keeps soft-deleted data for less than {_LEAST_SOFT_DELETE_DAYS} days"
        elif value not in allowed.get(name, ()):
            return f"it would set {name} to something else than on"
    return ""


def _alert_settings(body: Mapping[str, object]) -> str:
    properties = _object(body, "properties")
    if set(body) != {"properties"} or set(properties) != {"monitoringSettings"}:
        return "it changes more than the vault's alert settings"
    settings = _object(properties, "monitoringSettings")
    if _object(settings, "azureMonitorAlertSettings").get("alertsForAllJobFailures") == "Disabled":
        return "it would silence failed jobs"
    return ""


def _alert_rule(body: Mapping[str, object]) -> str:
    actions = _object(body, "properties").get("actions")
    kinds = [one.get("actionType") for one in actions if isinstance(one, Mapping)] if isinstance(actions, list) else []
    return "" if kinds and set(kinds) == {"AddActionGroups"} else "it does something else than add action groups"


def _script(body: Mapping[str, object]) -> str:
    known = {"RunShellScript", "RunPowerShellScript"}
    return "" if body.get("commandId") in known else "it runs something else than a script of the bot"


@dataclass(frozen=True)
class Allowed:
    """A row: what it is, the method, the path, and a look at the body that gives a reason to refuse or ""."""

    what: str
    method: str
    path: re.Pattern[str]
    refuses: Callable[[Mapping[str, object]], str] = _anything


def _row(what: str, method: str, path: str, refuses: Callable[[Mapping[str, object]], str] = _anything) -> Allowed:
    return Allowed(what, method, re.compile(path, re.IGNORECASE), refuses)


ALLOWED: Final = (
    _row("back up now", "POST", rf"{_ITEM}/backup"),
    _row("cancel a job", "POST", rf"{_VAULT}/backupJobs/{_SEGMENT}/cancel"),
    _row("undelete an item or resume its protection", "PUT", _ITEM, _item_change),
    _row("restore", "POST", rf"{_ITEM}/recoveryPoints/{_SEGMENT}/restore"),
    _row("prepare a restore to the paired region", "POST", rf"{_ITEM}/recoveryPoints/{_SEGMENT}/accessToken"),
    _row("restore to the paired region", "POST", rf"{_REGION}/backupCrossRegionRestore"),
    _row("start a VM", "POST", rf"{_VM}/start"),
    _row("reapply a VM", "POST", rf"{_VM}/reapply"),
    _row("run a script in a VM", "POST", rf"{_VM}/runCommand", _script),
    _row("remove a VM extension", "DELETE", rf"{_VM}/extensions/{_SEGMENT}"),
    _row("grant a role", "PUT", rf"{_SCOPE}{_AUTHORIZATION}/roleAssignments/{_SEGMENT}", _grant),
    _row("take a role away", "DELETE", rf"{_SCOPE}{_AUTHORIZATION}/roleAssignments/{_SEGMENT}"),
    _row(
        "add to or take from a key vault's access policies",
        "PUT",
        rf"{_GROUP}/providers/Microsoft\.KeyVault/vaults/{_SEGMENT}/accessPolicies/(?:add|remove)",
    ),
    _row("put a lock", "PUT", rf"{_SCOPE}{_AUTHORIZATION}/locks/{_SEGMENT}"),
    _row("lift a lock", "DELETE", rf"{_SCOPE}{_AUTHORIZATION}/locks/{_SEGMENT}"),
    _row("turn soft delete on", "PATCH", rf"{_VAULT}/backupconfig/vaultconfig", _soft_delete),
    _row("turn soft delete on", "PUT", rf"{_VAULT}/backupconfig/vaultconfig", _soft_delete),
    _row("turn a vault's alerts on", "PATCH", _VAULT, _alert_settings),
    _row(
        "make an alert processing rule",
        "PUT",
        rf"{_GROUP}/providers/Microsoft\.AlertsManagement/(?:actionRules|alertProcessingRules)/{_SEGMENT}",
        _alert_rule,
    ),
    _row("make an action group", "PUT", rf"{_GROUP}/providers/Microsoft\.Insights/actionGroups/{_SEGMENT}"),
)


def check_allowed(call: Call) -> None:
    """Raise BadRequest, with the reason, for a call that no row of :data:`ALLOWED` covers."""
    path = call.resource
    dots = {".", ".."}.intersection(path.split("/"))
    quoted = re.search("%[0-9A-Fa-f]{2}", path)  # could hide a slash or dots from the table below
    if (
        dots
        or quoted
        or any(not one.isprintable() for one in path)
        or "api-version" in {name.casefold() for name in call.query}
    ):
        raise BadRequest(f"Not sent: {call.method} with an address that is no plain ARM id.")
    rows = [row for row in ALLOWED if row.method == call.method.upper() and row.path.fullmatch(path)]
    if not rows:
        raise BadRequest(f"Not sent: {call.method} {path} is not among the calls that fixes may make.")
    body = call.body if isinstance(call.body, Mapping) else {}
    if reason := rows[0].refuses(body):
        raise BadRequest(f"Not sent: {call.method} {path} is refused, {reason}.")


def _object(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}
