"""Azure Monitor's common alert schema, reduced to what the bot uses. Pure.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.arm import ItemId, VaultId, name_of, segments
from domain.incident import Alert, Operation

SCHEMA = "azureMonitorCommonAlertSchema"
ID_AT_MOST = 1000
_AKA = re.compile(r"aka\.ms/(?:AB-)?(\w+)", re.IGNORECASE)
_CODE = re.compile(r"(usererror\w+|extension\w+|guestagent\w+|vm\w*error\w*)", re.IGNORECASE)


class NotAnAlertError(ValueError):
    """The body is not an alert in the common schema; the text says what is missing."""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(text: str) -> datetime | None:
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(shortened)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _dimensions(context: Mapping[str, Any]) -> dict[str, str]:
    """Of a metric alert: the dimensions of its criteria, which name the backup instance."""
    found: dict[str, str] = {}
    condition = _mapping(context.get("condition"))
    for criterion in _several(condition.get("allOf")):
        for dimension in _several(_mapping(criterion).get("dimensions")):
            one = _mapping(dimension)
            found[_text(one.get("name")).casefold()] = _text(one.get("value"))
    return found


def _vault_id(*candidates: str) -> str:
    for candidate in candidates:
        if "vaults" in segments(candidate) and "resourcegroups" in segments(candidate):
            return VaultId.parse(candidate).id
    return ""


def _item_id(*candidates: str) -> str:
    for candidate in candidates:
        try:
            return ItemId.parse(candidate).id
        except ValueError:
            continue
    return ""


def _operation(rule: str, context: Mapping[str, Any]) -> Operation:
    words = f"{rule} {_text(context.get('operation'))}".casefold()
    if "restore" in words:
        return Operation.RESTORE
    security = _text(context.get("category")).casefold() == "security"
    if security or any(word in words for word in ("unsupported", "soft delete", "delete", "configuration")):
        return Operation.CONFIGURATION
    return Operation.BACKUP


def _code(origin: str, extended: Mapping[str, Any]) -> str:
    """The payload has no code field: it is in the link of the recommendation, or at the end of the origin id."""
    for text in (_text(extended.get("recommendedActions")), _text(extended.get("possibleCauses"))):
        link = _AKA.search(text)
        if link:
            return link.group(1)
    tail = _CODE.search(origin)
    return tail.group(1) if tail else ""


def parse(body: object) -> Alert:
    """The alert in a webhook's body.

    Raises:
        NotAnAlertError: it is not the common schema, or names no Recovery Services vault.
    """
    payload = _mapping(body)
    if payload.get("schemaId") != SCHEMA:
        raise NotAnAlertError(f"schemaId is not {SCHEMA}: turn on the common alert schema in the action group")
    data = _mapping(payload.get("data"))
    essentials, context = _mapping(data.get("essentials")), _mapping(data.get("alertContext"))
    alert_id = _text(essentials.get("alertId"))
    if not alert_id:
        raise NotAnAlertError("data.essentials.alertId is missing")
    if len(alert_id) > ID_AT_MOST:
        raise NotAnAlertError(f"data.essentials.alertId has over {ID_AT_MOST} characters")
    targets = [_text(one) for one in _several(essentials.get("alertTargetIDs"))]
    dimensions = _dimensions(context)
    item_id = _item_id(_text(context.get("protectedItemId")), dimensions.get("backupinstanceurl", ""), *targets)
    vault_id = _vault_id(
        item_id, _text(context.get("protectedItemId")), *targets, dimensions.get("backupinstanceurl", "")
    )
    if not vault_id:
        raise NotAnAlertError("it names no Recovery Services vault")
    extended = _mapping(context.get("extendedInfo"))
    rule = _text(essentials.get("alertRule"))
    source = _text(context.get("linkedResourceId")) or dimensions.get("datasourceurl", "")
    return Alert(
        alert_id=alert_id,
        condition=_text(essentials.get("monitorCondition")) or "Fired",
        rule=rule,
        severity=_text(essentials.get("severity")),
        service=_text(essentials.get("monitoringService")).replace(" ", "").casefold(),
        fired_at=_moment(_text(essentials.get("firedDateTime"))),
        description=_text(essentials.get("description"))[:500],
        vault_id=vault_id,
        item_id=item_id,
        item_name=_name(item_id, source),
        source_id=source,
        job_id=_text(extended.get("jobId")),
        code=_code(_text(essentials.get("originAlertId")), extended),
        operation=_operation(rule, context),
        extra={name: value for name, value in dimensions.items() if name == "healthstatus"},
    )


def _name(item_id: str, source: str) -> str:
    """The friendly name: the tail of the item's name, which is what Azure shows for VMs, databases and servers."""
    if not item_id:
        return ""
    item = ItemId.parse(item_id)
    parts = item.name.split(";")
    if parts[0].casefold() == "azurefileshare":
        return name_of(source) or item.name
    return parts[-1]
