"""Repair of a fault in azure-mgmt-recoveryservicesbackup 11.x: discriminators of more than one level do not resolve.

A value such as ``protectedItemType = "Microsoft.Compute/virtualMachines"`` belongs to a grandchild of ``ProtectedItem``, but
the generated code registers it only in the table of its parent, so the item arrives as the bare base class. A test fails as
soon as there is nothing left to repair; then this file can go.
"""

from types import ModuleType


def flatten_discriminators(models: ModuleType) -> int:
    """Copy every table of discriminator values into the tables of the classes above it.

    Returns how many (class, value) pairs were missing: 64 with version 11.2.0, 0 when called again.
    """
    classes = [one for one in vars(models).values() if isinstance(one, type) and "__mapping__" in vars(one)]
    added = 0
    for owner in classes:
        table: dict[str, type] = vars(owner)["__mapping__"]
        for ancestor in owner.__mro__[1:]:
            upper: dict[str, type] | None = vars(ancestor).get("__mapping__")
            if upper is None:
                continue
            for value in table.keys() - upper.keys():
                upper[value] = table[value]
                added += 1
    return added
