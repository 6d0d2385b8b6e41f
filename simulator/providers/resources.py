"""Subscriptions, resource groups and tenants."""

from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.world.access import allowed
from simulator.world.model import Json, Subscription


def _subscription(call: Call, sub: Subscription) -> Json:
    return {
        "id": f"/subscriptions/{sub.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": sub.id,
        "tenantId": call.world.tenant,
        "displayName": sub.name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def visible(call: Call) -> list[Subscription]:
    """The subscriptions in which the caller may read anything."""
    return [
        sub
        for sub in call.world.subscriptions.values()
        if allowed(
            call.world,
            call.caller.oid,
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            f"/subscriptions/{sub.id}",
            call.now,
        )
        or allowed(
            call.world,
            call.caller.oid,
            "Microsoft.Authorization/roleAssignments/read",
            f"/subscriptions/{sub.id}",
            call.now,
        )
    ]


def list_subscriptions(call: Call) -> Answer:
    """The subscriptions that the caller can see."""
    answer = paged(call, [_subscription(call, sub) for sub in visible(call)])
    if answer.body is not None:
        answer.body["count"] = {"type": "Total", "value": len(answer.body["value"])}
    return answer


def get_subscription(call: Call) -> Answer:
    """One subscription."""
    sub = next((s for s in visible(call) if s.id == call.parts["subscription"].casefold()), None)
    if sub is None:
        raise ArmError(
            404,
            "SubscriptionNotFound",
            f"The subscription '{call.parts['subscription']}' could not be found.",
        )
    return Answer(200, _subscription(call, sub))


def list_tenants(call: Call) -> Answer:
    """The only tenant."""
    tenant = call.world.tenant
    return paged(call, [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Contoso"}])


def _group(identifier: str, location: str) -> Json:
    return {
        "id": identifier,
        "name": identifier.rpartition("/")[2],
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }


def list_groups(call: Call) -> Answer:
    """The resource groups of a subscription."""
    prefix = f"/subscriptions/{call.parts['subscription']}/".casefold()
    return paged(call, [_group(*entry) for key, entry in call.world.groups.items() if key.startswith(prefix)])


def _group_key(call: Call) -> str:
    return f"/subscriptions/{call.parts['subscription']}/resourcegroups/{call.parts['group']}".casefold()


def get_group(call: Call) -> Answer:
    """One resource group."""
    found = call.world.groups.get(_group_key(call))
    if found is None:
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{call.parts['group']}' could not be found.")
    return Answer(200, _group(*found))


def put_group(call: Call) -> Answer:
    """Makes a resource group, for example one to restore into."""
    body = call.json()
    refuse_unknown(body, ("location", "tags", "name", "id", "type", "properties", "managedBy"), "the resource group")
    if not isinstance(body.get("location"), str):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    key = _group_key(call)
    known = key in call.world.groups
    if not known:
        identifier = f"/subscriptions/{call.parts['subscription']}/resourceGroups/{call.parts['group']}"
        call.world.groups[key] = (identifier, body["location"])
    return Answer(200 if known else 201, _group(*call.world.groups[key]))


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", "/subscriptions", list_subscriptions)
    router.add("GET", "/subscriptions/{subscription}", get_subscription)
    router.add("GET", "/tenants", list_tenants)
    read = "Microsoft.Resources/subscriptions/resourceGroups/read"
    router.add("GET", "/subscriptions/{subscription}/resourcegroups", list_groups, action=read)
    router.add("GET", "/subscriptions/{subscription}/resourcegroups/{group}", get_group, action=read)
    write = "Microsoft.Resources/subscriptions/resourceGroups/write"
    router.add("PUT", "/subscriptions/{subscription}/resourcegroups/{group}", put_group, action=write)
