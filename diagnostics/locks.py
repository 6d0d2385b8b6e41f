"""The locks that count at several scopes, in as few reads as show them all."""

from collections.abc import Mapping, Sequence

from diagnostics.history import side_by_side
from diagnostics.registry import Context
from domain.arm import key
from domain.backup import Lock
from domain.errors import ResourceNotFound

_LOCKS = "/providers/microsoft.authorization/locks/"


async def locks_by_scope(context: Context, scopes: Sequence[str]) -> Mapping[str, Sequence[Lock] | None]:
    """The locks at or above each of ``scopes``, by :func:`domain.arm.key`; None where a scope does not exist.

    The list of a resource holds what lies on its group and its subscription too
    (https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources#lock-inheritance), so a group is asked
    itself only where none of the others lies in it. Such a list of a group also holds locks that lie below it.

    Raises:
        GatewayError: locks could not be read.
    """
    wanted = {key(one): one for one in scopes}
    found: dict[str, Sequence[Lock] | None] = {}
    while rest := [one for one in wanted if one not in found]:
        innermost = [one for one in rest if not any(_inside(other, one) for other in rest)]
        looks = await side_by_side(*(_locks(context, wanted[one]) for one in innermost))
        for one, look in zip(innermost, looks, strict=True):
            found[one] = look
            if look is not None:
                found |= {outer: look for outer in rest if _inside(one, outer)}
    return found


def reaches(lock: Lock, scope: str) -> bool:
    """Whether the lock lies on ``scope`` or above it."""
    on = key(lock.id).rpartition(_LOCKS)[0]
    return key(scope) == on or _inside(key(scope), on)


def _inside(scope: str, other: str) -> bool:
    return scope.startswith(f"{other}/")


async def _locks(context: Context, scope: str) -> Sequence[Lock] | None:
    try:
        return await context.read.locks(scope)
    except ResourceNotFound:
        return None
