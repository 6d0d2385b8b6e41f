"""The one call of Microsoft Graph that the bot needs: a service principal by its application id."""

import re

from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.routing import Router
from simulator.world.model import Json

FIELDS = ("id", "appId", "displayName", "servicePrincipalType")


def get_service_principal(call: Call) -> Answer:
    """`/v1.0/servicePrincipals(appId='…')`, with `$select` respected."""
    match = re.fullmatch(r"servicePrincipals\(appId='([^']+)'\)", call.parts["entity"], re.IGNORECASE)
    if match is None:
        raise ArmError(400, "BadRequest", f"Resource not found for the segment '{call.parts['entity']}'.")
    if not call.caller.graph:
        raise ArmError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    found = call.world.principal_by_client(match[1].casefold())
    if found is None:
        raise ArmError(
            404,
            "Request_ResourceNotFound",
            f"Resource '{match[1]}' does not exist or one of its queried reference-property objects are not present.",
        )
    body: Json = {
        "id": found.oid,
        "appId": found.client_id,
        "displayName": found.name,
        "servicePrincipalType": "Application",
    }
    wanted = [name.strip() for name in call.query.get("$select", ",".join(FIELDS)).split(",")]
    for name in wanted:
        if name not in FIELDS:
            raise ArmError(400, "BadRequest", f"Could not find a property named '{name}'.")
    context = f"{call.origin}/v1.0/$metadata#servicePrincipals/$entity"
    return Answer(200, {"@odata.context": context, **{name: body[name] for name in wanted}})


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", "/v1.0/{entity}", get_service_principal, versionless=True)
