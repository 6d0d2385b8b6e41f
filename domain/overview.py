"""What an overview says: how items, vaults and the whole fleet stand, as plain values for cards and JSON.

Everything here comes from Azure's lists. What could not be read is kept with its reason, so that it is never taken for fine.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.backup import Workload
from domain.schedule import RpoState, RpoVerdict


class ItemState(StrEnum):
    """How an item stands, worst first. ``UNKNOWN`` is never fine; ``STOPPED`` items make no new points."""

    NEEDS_YOU = "needs_you"
    UNKNOWN = "unknown"
    PENDING = "pending"
    STOPPED = "stopped"
    FINE = "fine"

    @property
    def rank(self) -> int:
        """Lower is worse."""
        return list(ItemState).index(self)


@dataclass(frozen=True, kw_only=True)
class ItemStatus:
    """One protected item as its vault's lists tell of it.

    ``why`` is one short phrase. ``point_inferred`` says that ``newest_point_at`` is the time of the last successful backup,
    because the list names no recovery point for this workload. ``failures`` counts the failed backups of the last three days
    since the newest point, ``running_for`` is the age of a backup that runs now.
    """

    name: str
    workload: Workload
    state: ItemState
    why: str
    rpo: RpoVerdict
    item_id: str
    vault_id: str
    vault_name: str
    container: str = ""
    source_id: str = ""
    policy_name: str = ""
    last_backup_status: str = ""
    last_backup_at: datetime | None = None
    newest_point_at: datetime | None = None
    point_inferred: bool = False
    error_code: str = ""
    failures: int = 0
    running_for: timedelta | None = None

    @property
    def breached(self) -> bool:
        """Whether its RPO is breached."""
        return self.rpo.state is RpoState.BREACHED

    @property
    def badness(self) -> tuple[int, bool, float, str]:
        """Sorts the worst first: needs somebody, breached, by how much, then by name."""
        late = self.rpo.breached_by
        seconds = late.total_seconds() if late is not None else float("inf") if self.breached else 0.0
        return (self.state.rank, not self.breached, -seconds, self.name.casefold())


def count_states(items: Iterable[ItemStatus]) -> Mapping[ItemState, int]:
    """How many items are in each state; every state has an entry."""
    found = Counter(item.state for item in items)
    return {state: found[state] for state in ItemState}


@dataclass(frozen=True, kw_only=True)
class VaultStatus:
    """A vault's items, worst first, and its jobs of the last 24 hours.

    ``unread`` says why the items could not be read ("": they were). ``jobs_running`` and ``jobs_failed`` are None when the
    jobs could not be read; ``notes`` then say why.
    """

    vault_id: str
    vault_name: str
    items: tuple[ItemStatus, ...] = ()
    jobs_running: int | None = None
    jobs_failed: int | None = None
    unread: str = ""
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[ItemState, int]:
        """How many items are in each state."""
        return count_states(self.items)

    @property
    def exceptions(self) -> tuple[ItemStatus, ...]:
        """The items that need somebody or of which nothing is known, worst first."""
        return tuple(one for one in self.items if one.state in {ItemState.NEEDS_YOU, ItemState.UNKNOWN})

    @property
    def exit_code(self) -> int:
        """1 when an item needs somebody, 3 when none does but something could not be read, else 0."""
        if self.counts[ItemState.NEEDS_YOU]:
            return 1
        return 3 if self.unread or self.notes else 0


@dataclass(frozen=True, kw_only=True)
class UnreadSubscription:
    """A subscription whose vaults could not be listed, and why."""

    subscription: str
    why: str


@dataclass(frozen=True, kw_only=True)
class FleetStatus:
    """Every vault that the reader sees, and what it could not see."""

    vaults: tuple[VaultStatus, ...]
    unread_subscriptions: tuple[UnreadSubscription, ...] = ()

    @property
    def items(self) -> tuple[ItemStatus, ...]:
        """The items of all vaults, worst first."""
        return tuple(sorted((one for vault in self.vaults for one in vault.items), key=lambda one: one.badness))

    @property
    def counts(self) -> Mapping[ItemState, int]:
        """How many items are in each state."""
        return count_states(one for vault in self.vaults for one in vault.items)

    @property
    def unread_vaults(self) -> tuple[VaultStatus, ...]:
        """The vaults whose items could not be read."""
        return tuple(vault for vault in self.vaults if vault.unread)

    @property
    def exceptions(self) -> tuple[ItemStatus, ...]:
        """The items that need somebody or of which nothing is known, worst first."""
        return tuple(one for one in self.items if one.state in {ItemState.NEEDS_YOU, ItemState.UNKNOWN})

    @property
    def exit_code(self) -> int:
        """1 when an item needs somebody, 3 when none does but something could not be read, else 0."""
        codes = {vault.exit_code for vault in self.vaults} | ({3} if self.unread_subscriptions else set())
        return 1 if 1 in codes else max(codes, default=0)
