"""Management locks: what a list at a scope shows includes what it inherits."""

from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.filters import parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.world.access import covers
from simulator.world.model import Json, Lock

LEVELS = ("CanNotDelete", "ReadOnly", "NotSpecified")
BASE = "{scope}/providers/Microsoft.Authorization/locks"


def lock_body(lock: Lock) -> Json:
    """A lock as ARM shows it."""
    properties: Json = {"level": lock.level}
    if lock.notes:
        properties["notes"] = lock.notes
    return {
        "properties": properties,
        "id": f"{lock.scope}/providers/Microsoft.Authorization/locks/{lock.name}",
        "type": "Microsoft.Authorization/locks",
        "name": lock.name,
    }


def list_locks(call: Call) -> Answer:
    """The locks that count at a scope, and those below it unless atScope() is asked for."""
    scope = call.parts["scope"]
    _, called = parse_filter(call.query.get("$filter"), (), ("atScope",))
    found = [
        lock
        for lock in call.world.locks
        if covers(lock.scope, scope) or ("atScope" not in called and covers(scope, lock.scope))
    ]
    return paged(call, [lock_body(lock) for lock in found])


def _find(call: Call) -> Lock | None:
    scope, name = call.parts["scope"].casefold(), call.parts["name"].casefold()
    return next((lk for lk in call.world.locks if lk.scope.casefold() == scope and lk.name.casefold() == name), None)


def get_lock(call: Call) -> Answer:
    """One lock."""
    found = _find(call)
    if found is None:
        raise ArmError(404, "LockNotFound", f"The lock '{call.parts['name']}' could not be found.")
    return Answer(200, lock_body(found))


def put_lock(call: Call) -> Answer:
    """Makes or changes a lock."""
    properties = call.properties()
    refuse_unknown(properties, ("level", "notes", "owners"), "the lock")
    level = properties.get("level")
    if level not in LEVELS:
        raise ArmError(400, "InvalidLockLevel", f"The lock level '{level}' is not valid: {', '.join(LEVELS)}.")
    found = _find(call)
    if found is not None:
        found.level, found.notes = level, properties.get("notes") or ""
        return Answer(200, lock_body(found))
    lock = Lock(call.parts["scope"], call.parts["name"], level, properties.get("notes") or "")
    call.world.locks.append(lock)
    return Answer(201, lock_body(lock))


def delete_lock(call: Call) -> Answer:
    """Takes a lock away; 204 where there is none."""
    found = _find(call)
    if found is None:
        return Answer(204)
    call.world.locks.remove(found)
    return Answer(200)


def register(router: Router) -> None:
    """Registers this module's operations."""
    router.add("GET", BASE, list_locks, action="Microsoft.Authorization/locks/read")
    router.add("GET", BASE + "/{name}", get_lock, action="Microsoft.Authorization/locks/read")
    router.add("PUT", BASE + "/{name}", put_lock, action="Microsoft.Authorization/locks/write")
    router.add("DELETE", BASE + "/{name}", delete_lock, action="Microsoft.Authorization/locks/delete")
