"""Key vaults on the management plane: settings, access policies, metadata of keys and secrets."""

from datetime import timedelta

from simulator import timings
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown, resource_not_found
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import GROUP
from simulator.world.model import Json, KeyVault

ONE = GROUP + "/providers/Microsoft.KeyVault/vaults/{keyvault}"
KEY_RIGHTS = frozenset(
    [
        "all",
        "encrypt",
        "decrypt",
        "wrapkey",
        "unwrapkey",
        "sign",
        "verify",
        "get",
        "list",
        "create",
        "update",
        "import",
        "delete",
        "backup",
        "restore",
        "recover",
        "purge",
        "release",
        "rotate",
        "getrotationpolicy",
        "setrotationpolicy",
    ]
)
SECRET_RIGHTS = frozenset(["all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"])


def key_vault_body(call: Call, vault: KeyVault) -> Json:
    """A key vault as ARM shows it."""
    properties: Json = {
        "sku": {"family": "A", "name": "standard"},
        "tenantId": call.world.tenant,
        "accessPolicies": [
            {
                "tenantId": call.world.tenant,
                "objectId": policy["objectId"],
                "permissions": dict(policy["permissions"]),
            }
            for policy in vault.policies
        ],
        "enabledForDeployment": False,
        "enabledForDiskEncryption": True,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": 90,
        "enablePurgeProtection": True,
        "vaultUri": f"https://{vault.name}.vault.azure.net/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
    }
    if vault.rbac:
        # Old vaults simply lack the field: absent means access policies.
        properties["enableRbacAuthorization"] = True
    if vault.acl is not None:
        properties["networkAcls"] = dict(vault.acl)
    return {
        "id": vault.id,
        "name": vault.name,
        "type": "Microsoft.KeyVault/vaults",
        "location": vault.location,
        "tags": {},
        "properties": properties,
    }


def vault_in(call: Call) -> KeyVault:
    """The key vault that the path names; raises a 404."""
    parts = call.parts
    key = (
        f"/subscriptions/{parts['subscription']}/resourcegroups/{parts['group']}"
        f"/providers/microsoft.keyvault/vaults/{parts['keyvault']}"
    ).casefold()
    found = call.world.key_vaults.get(key)
    if found is None:
        raise resource_not_found("Microsoft.KeyVault/vaults", parts["keyvault"], parts["group"])
    return found


def get_vault(call: Call) -> Answer:
    """One key vault."""
    return Answer(200, key_vault_body(call, vault_in(call)))


def list_vaults(call: Call) -> Answer:
    """The key vaults of a subscription or resource group."""
    prefix = f"/subscriptions/{call.parts['subscription']}/"
    if "group" in call.parts:
        prefix += f"resourcegroups/{call.parts['group']}/"
    found = [v for key, v in call.world.key_vaults.items() if key.startswith(prefix.casefold())]
    return paged(call, [key_vault_body(call, vault) for vault in found])


def put_policies(call: Call) -> Answer:
    """Adds, removes or replaces access policies; a new one counts after a while."""
    vault = vault_in(call)
    kind = call.parts["kind"].casefold()
    if kind not in ("add", "remove", "replace"):
        raise ArmError(400, "BadRequest", f"'{call.parts['kind']}' is not an operation on access policies.")
    properties = call.properties()
    refuse_unknown(properties, ("accessPolicies",), "the access policy parameters")
    wishes = [_checked(entry) for entry in properties.get("accessPolicies") or []]
    counts = call.now + timedelta(seconds=call.world.pace.seconds(timings.GRANT_EFFECT))
    kept = [] if kind == "replace" else list(vault.policies)
    for wish in wishes:
        old = next((p for p in kept if p["objectId"] == wish["objectId"]), None)
        if kind == "remove":
            kept = [p for p in kept if p is not old]
            continue
        if old is not None:
            wish["permissions"] = _united(old["permissions"], wish["permissions"])
            kept.remove(old)
        kept.append({**wish, "from": counts})
    vault.policies = kept
    body = key_vault_body(call, vault)
    return Answer(
        200,
        {
            "id": f"{vault.id}/accessPolicies/",
            "type": "Microsoft.KeyVault/vaults/accessPolicies",
            "properties": {"accessPolicies": body["properties"]["accessPolicies"]},
        },
    )


def _united(old: Json, new: Json) -> Json:
    return {
        name: sorted({*old.get(name, ()), *new.get(name, ())})
        for name in ("keys", "secrets", "certificates", "storage")
        if old.get(name) or new.get(name)
    }


def _checked(entry: Json) -> Json:
    permissions = entry.get("permissions") or {}
    for name, known in (("keys", KEY_RIGHTS), ("secrets", SECRET_RIGHTS)):
        for right in permissions.get(name, ()):
            if right.casefold() not in known:
                raise ArmError(400, "BadRequest", f"'{right}' is not a permission on {name}.")
    if not entry.get("objectId") or not entry.get("tenantId"):
        raise ArmError(400, "BadRequest", "An access policy needs a tenantId and an objectId.")
    return {"objectId": entry["objectId"], "permissions": permissions}


def _metadata(call: Call, kind: str, name: str) -> Answer:
    vault = vault_in(call)
    if name not in (vault.keys if kind == "keys" else vault.secrets):
        raise resource_not_found(f"Microsoft.KeyVault/vaults/{vault.name}/{kind}", name, vault.group)
    uri = f"https://{vault.name}.vault.azure.net/{kind}/{name}"
    names = ("keyUri", "keyUriWithVersion") if kind == "keys" else ("secretUri", "secretUriWithVersion")
    properties: Json = {
        names[0]: uri,
        names[1]: f"{uri}/1",
        "attributes": {"enabled": True, "created": 1741080600, "updated": 1741080600},
    }
    if kind == "keys":
        properties["kty"] = "RSA"
    return Answer(
        200,
        {
            "id": f"{vault.id}/{kind}/{name}",
            "name": name,
            "type": f"Microsoft.KeyVault/vaults/{kind}",
            "location": vault.location,
            "properties": properties,
        },
    )


def get_key(call: Call) -> Answer:
    """A key's metadata."""
    return _metadata(call, "keys", call.parts["key"])


def get_secret(call: Call) -> Answer:
    """A secret's metadata, never its value."""
    return _metadata(call, "secrets", call.parts["secret"])


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = "Microsoft.KeyVault/vaults/read"
    many = "/providers/Microsoft.KeyVault/vaults"
    router.add("GET", "/subscriptions/{subscription}" + many, list_vaults, action=read)
    router.add("GET", GROUP + many, list_vaults, action=read)
    router.add("GET", ONE, get_vault, action=read)
    router.add(
        "PUT", ONE + "/accessPolicies/{kind}", put_policies, action="Microsoft.KeyVault/vaults/accessPolicies/write"
    )
    router.add("GET", ONE + "/keys/{key}", get_key, action="Microsoft.KeyVault/vaults/keys/read")
    router.add("GET", ONE + "/secrets/{secret}", get_secret, action="Microsoft.KeyVault/vaults/secrets/read")
