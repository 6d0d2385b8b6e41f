"""The Activity Log: who changed what, as far as it went through this simulator."""

import re
from datetime import datetime

from simulator.arm.call import Answer, Call
from simulator.arm.filters import bad_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.world.access import covers
from simulator.world.model import Json, World, stable_uuid, zulu

LIST = "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
TERM = re.compile(r"(\w+)\s+(eq|ge|le)\s+'([^']*)'", re.IGNORECASE)
FIELDS = ("resourcegroupname", "resourceuri", "correlationid", "caller", "resourceprovider", "status")


def note(world: World, *, now: datetime, oid: str, action: str, resource: str, status: int, correlation: str) -> None:
    """Adds an event to the log; its status is the HTTP status of the answer."""
    world.activity.append(
        {"at": now, "oid": oid, "action": action, "resource": resource, "status": status, "id": correlation}
    )


def _event(call: Call, entry: Json) -> Json:
    resource = entry["resource"]
    match = re.match(r"/subscriptions/[^/]+/resourceGroups/([^/]+)(?:/providers/([^/]+))?", resource, re.IGNORECASE)
    who = call.world.principals.get(entry["oid"])
    word = "Succeeded" if entry["status"] in (200, 201, 204) else "Accepted"
    if entry["status"] >= 400:  # noqa: PLR2004 the first status of an error
        word = "Failed"
    provider = (match[2] if match else "") or ""
    return {
        "id": f"{resource}/events/{entry['id']}/ticks/{int(entry['at'].timestamp() * 1e7)}",
        "eventDataId": stable_uuid("event", entry["id"]),
        "correlationId": entry["id"],
        "operationId": entry["id"],
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "level": "Error" if word == "Failed" else "Informational",
        "operationName": {"value": entry["action"], "localizedValue": entry["action"]},
        "status": {"value": word, "localizedValue": word},
        "subStatus": {"value": str(entry["status"]), "localizedValue": str(entry["status"])},
        "caller": (who.mail if who and who.mail else who.client_id if who else "") or entry["oid"],
        "claims": {
            "appid": who.client_id if who else "",
            "http://schemas.microsoft.com/identity/claims/objectidentifier": entry["oid"],
        },
        "eventTimestamp": zulu(entry["at"]),
        "submissionTimestamp": zulu(entry["at"]),
        "resourceId": resource,
        "resourceGroupName": match[1] if match else "",
        "resourceProviderName": {"value": provider, "localizedValue": provider},
        "subscriptionId": resource.split("/")[2] if resource.startswith("/subscriptions/") else "",
        "tenantId": call.world.tenant,
    }


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_filter(f"'{text}' is not a time") from error
    if found.tzinfo is None:
        raise bad_filter(f"'{text}' has no time zone")
    return found


def list_events(call: Call) -> Answer:
    """The changes of a subscription in a window; Azure insists on the window's start."""
    text = call.query.get("$filter", "")
    terms = TERM.findall(text)
    if len(re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE)) != len(terms):
        raise bad_filter(text)
    after: datetime | None = None
    until = call.now
    equal: dict[str, str] = {}
    for name, operator, value in terms:
        field = name.casefold()
        if field == "eventtimestamp" and operator.casefold() == "ge":
            after = _instant(value)
        elif field == "eventtimestamp" and operator.casefold() == "le":
            until = _instant(value)
        elif field in FIELDS and operator.casefold() == "eq":
            equal[field] = value
        else:
            raise bad_filter(f"'{name} {operator}' is not supported here")
    if after is None:
        raise bad_filter("eventTimestamp ge is required")
    subscription = f"/subscriptions/{call.parts['subscription']}"
    rows = [
        _event(call, entry)
        for entry in reversed(call.world.activity)
        if after <= entry["at"] <= until and covers(subscription, entry["resource"])
    ]
    return paged(call, [row for row in rows if _fits(row, equal)])


def _fits(row: Json, equal: dict[str, str]) -> bool:
    given = {
        "resourcegroupname": row["resourceGroupName"],
        "correlationid": row["correlationId"],
        "caller": row["caller"],
        "resourceprovider": row["resourceProviderName"]["value"],
        "status": row["status"]["value"],
    }
    for field, wanted in equal.items():
        if field == "resourceuri":
            if not covers(wanted, row["resourceId"]):
                return False
        elif given[field].casefold() != wanted.casefold():
            return False
    return True


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", LIST, list_events, action="Microsoft.Insights/eventtypes/values/read")
