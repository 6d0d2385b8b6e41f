"""MARS agents: which version is installed on a server, which one its vault has heard of, and the update of both.

A server is an Azure VM when its vault's subscription holds a machine of that name. Azure itself keeps no link between the
two: neither containers nor items of the MARS agent name a virtual machine.
"""

from datetime import datetime

from simulator import timings
from simulator.world.model import Item, Machine, Workload, World

CURRENT_MARS = "2.0.9262.0"
INSTALLER = "https://aka.ms/azurebackup_agent"
"""Microsoft's address of the newest installer, by which a script that installs it is known."""


def version_tuple(text: str) -> tuple[int, ...]:
    """An agent version as numbers, so that 2.0.9250 is newer than 2.0.927."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def short(server: str) -> str:
    """A server's name without its domain."""
    return server.partition(".")[0]


def host_of(world: World, item: Item) -> Machine | None:
    """The Azure VM that the server of a MARS item is; None where it stands elsewhere."""
    wanted, subscription = short(item.more["server"]).casefold(), item.vault.subscription
    machines = (one for one in world.machines.values() if one.name.casefold() == wanted)
    return next((one for one in machines if one.subscription == subscription), None)


def installed(item: Item, at: datetime) -> str:
    """The version that runs on the server of a MARS item, "" where it tells none."""
    update = item.more.get("agent_update")
    return CURRENT_MARS if update and update[0] <= at else str(item.more["agent_version"])


def reported(item: Item, at: datetime) -> str:
    """The version that the vault shows: a new one only after the agent's next contact, and none from a silent server."""
    update = item.more.get("agent_update")
    heard = update and update[1] <= at and not item.more.get("silent")
    return CURRENT_MARS if heard else str(item.more["agent_version"])


def update(world: World, machine: Machine, at: datetime) -> None:
    """The installer ends on a machine at `at`: an older agent there is replaced, a current one stays as it is."""
    for item in world.items:
        if item.workload is not Workload.MARS or host_of(world, item) is not machine:
            continue
        if version_tuple(installed(item, at)) < version_tuple(CURRENT_MARS):
            item.more["agent_update"] = (at, at + world.seconds(timings.MARS_CONTACT, at))
