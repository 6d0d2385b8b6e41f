"""What a fault is, and the pieces of history that many of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.world import engine
from simulator.world.machines import machine_of
from simulator.world.model import Item, Lock, Machine, Vault, Workload, World

Bend = Callable[[World, Item, datetime], None]
BendVault = Callable[[World, Vault, datetime], None]
LAST_GOOD_AGE = timedelta(hours=25)
RUN_BEFORE_THE_END = timedelta(hours=24)
NIGHT = timedelta(hours=3)
PASSED = timedelta(hours=5, minutes=30)
"""How long ago the reason went away for which a run failed that would succeed today."""
RETRIES = (timedelta(hours=5), timedelta(hours=3))
"""Ages of the two attempts by hand after the failed nightly run, so that three jobs in a row have failed."""
SCHEDULE_ENDED = "schedule_ended"
"""The mark of an item whose schedule has ended, with the instant: what makes its backups fail did so before that."""
FAILS_LATER = "fails_later"
"""The mark of an item with another fault that makes its backups fail after a reason that has passed."""
BY_HAND = (Workload.VM, Workload.FILES, Workload.MARS)


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
    spreads: bool = False
    """Whether it also hurts the other items on the same machine, server, account or key vault."""

    @property
    def for_vaults(self) -> bool:
        """Whether this is a fault of a vault's settings rather than of an item."""
        return not self.workloads


def failing(world: World, item: Item, now: datetime) -> None:
    """Lets the newest nightly run and two attempts after it happen under the rules, instead of taking them as good."""
    replay(world, item, now)
    for age in RETRIES:
        if item.workload in BY_HAND:
            retry(item, item.more.get(SCHEDULE_ENDED, now) - age)


def retry(item: Item, instant: datetime) -> None:
    """Plans one more run, unless another fault of the item has had it already."""
    if instant not in item.extra_runs and all(job.started != instant for job in item.jobs):
        engine.retry_at(item, instant)


def replay(world: World, item: Item, now: datetime) -> None:
    """Lets the newest scheduled run that has certainly ended, and those after it, happen under the rules.

    Where the schedule has ended, that is a run a day before its end.
    """
    ended = item.more.get(SCHEDULE_ENDED)
    if ended is not None:
        engine.make_real(world, item, ended - LAST_GOOD_AGE)
        item.next_run = engine.following(item, ended)
        retry(item, ended - RUN_BEFORE_THE_END)
        return
    policy = item.vault.policies.get(item.policy)
    run = policy.schedule.preceding(now - min(RETRIES) - NIGHT) if policy else None
    engine.make_real(world, item, min(now - LAST_GOOD_AGE, run or now))


def passed(world: World, item: Item, now: datetime, code: str) -> None:
    """Lets the newest scheduled run fail with an error whose reason is gone since."""
    ended = item.more.get(SCHEDULE_ENDED)
    until = (ended or now) - PASSED
    policy = item.vault.policies.get(item.policy)
    last = policy.schedule.preceding(now) if policy and not ended and not item.more.get(FAILS_LATER) else None
    if last is not None:
        until = max(until, last + timedelta(seconds=1))
    item.more["hiccup"] = {"until": until, "code": code}
    replay(world, item, now)


def lock(world: World, scope: str, name: str, level: str, notes: str) -> None:
    """Puts a lock on a scope; a scope has one lock of a name, whoever asks for it again."""
    if not any(one.scope.casefold() == scope.casefold() and one.name == name for one in world.locks):
        world.locks.append(Lock(scope, name, level, notes))


def machine(world: World, item: Item) -> Machine:
    """The machine of an item that certainly has one."""
    found = machine_of(world, item)
    if found is None:
        raise LookupError(f"{item.name} has no machine")
    return found


VM_ONLY = frozenset({Workload.VM})
DATABASES = frozenset({Workload.SQL, Workload.HANA})
EVERY = frozenset(Workload)
