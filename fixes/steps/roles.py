"""Role assignments: made under a name that follows from what they say, so making one twice makes one."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping
from datetime import datetime

from domain.arm import key, name_of
from domain.backup import RoleAssignment
from domain.errors import ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import done, running

_COLLECTION = "/providers/microsoft.authorization/roleassignments/"


class RoleAssignmentStep:
    """PUT of a role assignment. Sending it again is harmless, so what is not seen is said to be not there."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """The assignment of that name, or one that says the same (principal, role, scope) under another name."""
        found = await _find(call, read)
        if found is None:
            return Seen(there=False, note="the role assignment is not there")
        return Seen(there=True, reference={"assignment_id": found}, note=f"role assignment {name_of(found)} is there")

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the assignment reads back."""
        found = await _find(call, read)
        if found is None:
            return running("the role assignment does not read back yet", reference)
        return done("the role assignment reads back", {**reference, "assignment_id": found})


class RoleRemovalStep:
    """DELETE of a role assignment; taking away what is gone is harmless."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the assignment is gone."""
        gone = await _gone(call, read)
        return Seen(there=gone, note="the role assignment is gone" if gone else "the role assignment is still there")

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the assignment does not read back any more."""
        if await _gone(call, read):
            return done("the role assignment is gone", reference)
        return running("the role assignment still reads back", reference)


def scope_of(assignment_id: str) -> str:
    """The scope that a role assignment's id lies at."""
    at = assignment_id.casefold().rfind(_COLLECTION)
    return assignment_id[:at] if at >= 0 else assignment_id


async def _find(call: Call, read: BackupReader) -> str | None:
    properties = call.body.get("properties") if isinstance(call.body, Mapping) else None
    said = properties if isinstance(properties, Mapping) else {}
    scope, principal, role = scope_of(call.resource), str(said.get("principalId")), str(said.get("roleDefinitionId"))
    for one in await read.role_assignments(scope, principal):
        if key(one.id) == key(call.resource) or _says(one, scope, role):
            return one.id
    try:
        await read.resource(call.resource, call.api_version)
    except ResourceNotFound:
        return None
    return call.resource


def _says(one: RoleAssignment, scope: str, role: str) -> bool:
    same_role = name_of(one.role_definition_id).casefold() == name_of(role).casefold()
    return same_role and key(one.scope) == key(scope) and not one.condition


async def _gone(call: Call, read: BackupReader) -> bool:
    try:
        await read.resource(call.resource, call.api_version)
    except ResourceNotFound:
        return True
    return False
