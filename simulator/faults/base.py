"""What a fault is, and the pieces of history that many of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.world import engine
from simulator.world.machines import machine_of
from simulator.world.model import Item, Machine, Vault, Workload, World

Bend = Callable[[World, Item, datetime], None]
BendVault = Callable[[World, Vault, datetime], None]
LAST_GOOD_AGE = timedelta(hours=25)
RETRIES = (timedelta(hours=5), timedelta(hours=3))
"""Ages of the two attempts by hand after the failed nightly run, so that three jobs in a row have failed."""


def nothing(world: World, item: Item, now: datetime) -> None:
    """The repair of a fault that the bot's own fix, or time, takes care of."""


def nothing_at_vault(world: World, vault: Vault, now: datetime) -> None:
    """The same for a fault of a vault."""


@dataclass(frozen=True)
class Fault:
    """A fault: where it fits, what it does, and what it is called by those who find it."""

    id: str
    cause: str
    fixes: tuple[str, ...]
    about: str
    workloads: frozenset[Workload]
    bend: Bend = nothing
    repair: Bend = nothing
    bend_vault: BendVault = nothing_at_vault
    repair_vault: BendVault = nothing_at_vault

    @property
    def for_vaults(self) -> bool:
        """Whether this is a fault of a vault's settings rather than of an item."""
        return not self.workloads


def failing(world: World, item: Item, now: datetime) -> None:
    """Lets the newest nightly run and two attempts after it happen under the rules, instead of taking them as good."""
    engine.make_real(world, item, now - LAST_GOOD_AGE)
    for age in RETRIES:
        if item.workload in (Workload.VM, Workload.FILES, Workload.MARS):
            engine.retry_at(item, now - age)


def machine(world: World, item: Item) -> Machine:
    """The machine of an item that certainly has one."""
    found = machine_of(world, item)
    if found is None:
        raise LookupError(f"{item.name} has no machine")
    return found


VM_ONLY = frozenset({Workload.VM})
DATABASES = frozenset({Workload.SQL, Workload.HANA})
EVERY = frozenset(Workload)
