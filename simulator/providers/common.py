"""Paths and look-ups that the modules of the recovery services share."""

from simulator.arm.call import ArmError, Call, resource_not_found
from simulator.world.model import Item, Vault

RS = "Microsoft.RecoveryServices/Vaults"
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
VAULT = GROUP + "/providers/Microsoft.RecoveryServices/vaults/{vault}"
FABRIC = VAULT + "/backupFabrics/{fabric}"
CONTAINER = FABRIC + "/protectionContainers/{container}"
ITEM = CONTAINER + "/protectedItems/{item}"
ITEM_ACTION = f"{RS}/backupFabrics/protectionContainers/protectedItems"


def vault_of(call: Call) -> Vault:
    """The vault that the path names; raises a 404."""
    parts = call.parts
    key = (
        f"/subscriptions/{parts['subscription']}/resourcegroups/{parts['group']}"
        f"/providers/microsoft.recoveryservices/vaults/{parts['vault']}"
    ).casefold()
    found = call.world.vaults.get(key)
    if found is None:
        raise resource_not_found("Microsoft.RecoveryServices/vaults", parts["vault"], parts["group"])
    return found


def item_of(call: Call) -> Item:
    """The protected item that the path names; raises a 404."""
    vault = vault_of(call)
    parts = call.parts
    found = vault.items.get((parts["container"].casefold(), parts["item"].casefold()))
    if found is None or found.fabric.casefold() != parts["fabric"].casefold() or found.more.get("purged"):
        raise ArmError(
            404,
            "BMSUserErrorProtectedItemNotFound",
            f"The protected item '{parts['item']}' was not found in the vault '{vault.name}'.",
        )
    return found


def capital(identifier: str) -> str:
    """An id as older parts of Azure Backup spell it: /Subscriptions with a capital S."""
    return identifier.replace("/subscriptions/", "/Subscriptions/", 1)
