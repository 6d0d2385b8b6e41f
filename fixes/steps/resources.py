"""Resources whose state can be read back: settings, rules, key vault policies, locks."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.arm import key, name_of
from domain.backup import AccessPolicy
from domain.errors import ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import done, running

_POLICIES = "/accesspolicies/"
_LOCKS = "/providers/microsoft.authorization/locks/"


class ResourceStep:
    """PUT, PATCH or DELETE of a resource: it reads back as the body says, or is gone. Sending it again is harmless."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the resource reads back as asked."""
        there = await _as_asked(call, read)
        return Seen(there=there, note="it reads back as asked" if there else "it does not read back as asked")

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the resource reads back as asked."""
        if await _as_asked(call, read):
            return done("it reads back as asked", reference)
        return running("it does not read back as asked yet", reference)


class LockStep:
    """PUT or DELETE of a management lock: the list of the locks at its scope tells."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the lock is there, or gone, as asked."""
        there, note = await _lock(call, read)
        return Seen(there=there, note=note)

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the lock is there, or gone, as asked."""
        there, note = await _lock(call, read)
        return done(note, reference) if there else running(note, reference)


async def _as_asked(call: Call, read: BackupReader) -> bool:
    if _POLICIES in call.resource.casefold():
        return await _policies(call, read)
    try:
        found = await read.resource(call.resource, call.api_version)
    except ResourceNotFound:
        return call.method == "DELETE"
    return call.method != "DELETE" and contains(found, call.body)


def contains(found: object, asked: object) -> bool:
    """Whether everything that ``asked`` says is so in ``found``; letter case and the order of lists do not count."""
    match asked:
        case Mapping():
            return isinstance(found, Mapping) and all(contains(found.get(name), value) for name, value in asked.items())
        case str():
            return isinstance(found, str) and key(found) == key(asked)
        case Sequence():
            return isinstance(found, Sequence) and all(any(contains(one, value) for one in found) for value in asked)
        case _:
            return found == asked


async def _policies(call: Call, read: BackupReader) -> bool:
    """``accessPolicies/add`` and ``/remove`` have no resource of their own to read: the key vault tells."""
    operation = name_of(call.resource).casefold()
    vault = await read.key_vault(call.resource[: call.resource.casefold().rfind(_POLICIES)])
    properties = call.body.get("properties") if isinstance(call.body, Mapping) else None
    listed = properties.get("accessPolicies") if isinstance(properties, Mapping) else None
    asked = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, Sequence) else []
    if operation == "remove":
        return not any(_touches(held, one) for one in asked for held in vault.access_policies)
    return bool(asked) and all(any(_covers(held, one) for held in vault.access_policies) for one in asked)


def _pairs(held: AccessPolicy, asked: Mapping[str, object]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """(held, asked) for keys and secrets; empty when the policy is of somebody else."""
    permissions = asked.get("permissions")
    if not isinstance(permissions, Mapping) or key(held.object_id) != key(str(asked.get("objectId"))):
        return []
    wanted = (frozenset(str(one).casefold() for one in permissions.get(name) or ()) for name in ("keys", "secrets"))
    return list(zip((held.keys, held.secrets), wanted, strict=True))


def _covers(held: AccessPolicy, asked: Mapping[str, object]) -> bool:
    pairs = _pairs(held, asked)
    return bool(pairs) and all("all" in has or wanted <= has for has, wanted in pairs)


def _touches(held: AccessPolicy, asked: Mapping[str, object]) -> bool:
    return any(has & wanted for has, wanted in _pairs(held, asked))


async def _lock(call: Call, read: BackupReader) -> tuple[bool, str]:
    scope = call.resource[: call.resource.casefold().rfind(_LOCKS)]
    name = name_of(call.resource)
    there = any(key(one.id) == key(call.resource) for one in await read.locks(scope))
    return there is (call.method != "DELETE"), f"the lock {name} is {'there' if there else 'gone'}"
