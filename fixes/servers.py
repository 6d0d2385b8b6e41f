"""The machines with a MARS agent and the MABS or DPM servers behind items, and their versions."""

from collections.abc import Sequence

from domain.arm import ItemId
from domain.backup import ProtectedItem, Server
from domain.fix import FixPlan, Proof
from domain.ports import BackupReader


async def server_of(item: ProtectedItem, read: BackupReader) -> Server | None:
    """The server that backs the item up, or None when its vault does not list it."""
    return find(item, await read.servers(item.id.vault))


def find(item: ProtectedItem, servers: Sequence[Server]) -> Server | None:
    """The server of the item among ``servers``: by name, with or without its domain."""
    wanted = {
        name.casefold() for name in (item.server_name, item.parent_name, item.id.container.partition(";")[2]) if name
    }
    for server in servers:
        if server.name.casefold() in wanted or short(server.name) in {short(name) for name in wanted}:
            return server
    return None


def short(name: str) -> str:
    """A host's name without its domain, in lower case."""
    return name.partition(".")[0].casefold()


def version(text: str) -> tuple[int, ...]:
    """A version as numbers that compare; () when it is not one."""
    parts = text.strip().split(".")
    return tuple(int(part) for part in parts) if parts and all(part.isdigit() for part in parts) else ()


def older(text: str, minimum: str) -> bool | None:
    """Whether ``text`` is older than ``minimum``; None when it was not reported or is no version."""
    mine = version(text)
    return mine < version(minimum) if mine else None


async def mars_proof(plan: FixPlan, read: BackupReader) -> Proof:
    """Proved: the vault reports a supported version of the item's MARS agent, newer than the plan's ``agent_version``."""
    server = await server_of(await read.item(ItemId.parse(plan.item_id)), read)
    return version_proof(server.agent_version if server is not None else "", plan, "agent_version")


def version_proof(found: str, plan: FixPlan, fact: str) -> Proof:
    """Proved: ``found`` is at least the plan's ``minimum``, and newer than the version that the plan saw as ``fact``."""
    before, minimum = plan.precondition.get(fact, ""), plan.precondition["minimum"]
    evidence = {"before": before, "now": found or "not reported", "minimum": minimum}
    if not version(found):
        return Proof(proved=None, summary="The vault reports no version.", evidence=evidence)
    if older(found, minimum):
        return Proof(proved=None, summary=f"The vault still reports {found}; {minimum} is needed.", evidence=evidence)
    if version(before) and version(found) <= version(before):
        return Proof(proved=None, summary=f"The vault still reports {found}, as before.", evidence=evidence)
    return Proof(proved=True, summary=f"The vault reports {found}.", evidence=evidence)
