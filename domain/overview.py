"""What an overview says: how items, vaults and the whole fleet stand, as plain values for cards and JSON.

Everything here comes from Azure's lists. What could not be read is kept with its reason, so that it is never taken for fine.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.arm import VaultId
from domain.backup import Server, Workload
from domain.finding import Diagnosis, Finding, Outcome
from domain.schedule import RpoState, RpoVerdict


def distinct_names(vault_ids: Iterable[str]) -> Mapping[str, str]:
    """A name for each vault by the key of its id: its own, else ``rg/name``, else ``subscription/rg/name``, if shared."""
    vaults = {one.key: one for one in map(VaultId.parse, vault_ids)}.values()
    forms = [
        {one: one.name for one in vaults},
        {one: f"{one.resource_group}/{one.name}" for one in vaults},
        {one: f"{one.subscription}/{one.resource_group}/{one.name}" for one in vaults},
    ]
    names: dict[str, str] = {}
    for form in reversed(forms):
        shared = Counter(name.casefold() for name in form.values())
        names |= {one.key: name for one, name in form.items() if shared[name.casefold()] == 1}
    return names


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
    place: str = ""
    """The machine, backup server or storage account that the item is on; "" for VMs."""
    container: str = ""
    source_id: str = ""
    policy_id: str = ""
    policy_name: str = ""
    last_backup_status: str = ""
    last_backup_at: datetime | None = None
    newest_point_at: datetime | None = None
    point_inferred: bool = False
    error_code: str = ""
    failures: int = 0
    running_for: timedelta | None = None

    @property
    def label(self) -> str:
        """The name, with the place where the name alone says little: ``orders on vm-sql-01``."""
        return f"{self.name} on {self.place}" if self.place else self.name

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


def exceptions_among(items: Iterable[ItemStatus]) -> tuple[ItemStatus, ...]:
    """The items that need somebody or of which nothing is known, in their order."""
    return tuple(one for one in items if one.state in {ItemState.NEEDS_YOU, ItemState.UNKNOWN})


def _exit_code(*, bad: bool, blind: bool) -> int:
    """1 when something is bad, 3 when nothing is known to be but something could not be read, else 0."""
    if bad:
        return 1
    return 3 if blind else 0


def _joint_exit_code(parts: Iterable[int], unread: tuple["UnreadSubscription", ...]) -> int:
    """The exit code of all parts together, with the subscriptions that could not be listed."""
    codes = set(parts)
    return _exit_code(bad=1 in codes, blind=bool(unread) or 3 in codes)  # noqa: PLR2004  (the contract's own figure)


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
        return exceptions_among(self.items)

    @property
    def exit_code(self) -> int:
        """1 when an item needs somebody, 3 when none does but something could not be read, else 0."""
        return _exit_code(bad=bool(self.counts[ItemState.NEEDS_YOU]), blind=bool(self.unread or self.notes))


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
    def vault_names(self) -> Mapping[str, str]:
        """Distinct names of the vaults by the key of their id."""
        return distinct_names(vault.vault_id for vault in self.vaults)

    @property
    def unread_vaults(self) -> tuple[VaultStatus, ...]:
        """The vaults whose items could not be read."""
        return tuple(vault for vault in self.vaults if vault.unread)

    @property
    def exceptions(self) -> tuple[ItemStatus, ...]:
        """The items that need somebody or of which nothing is known, worst first."""
        return exceptions_among(self.items)

    @property
    def exit_code(self) -> int:
        """1 when an item needs somebody, 3 when none does but something could not be read, else 0."""
        return _joint_exit_code((vault.exit_code for vault in self.vaults), self.unread_subscriptions)


@dataclass(frozen=True, kw_only=True)
class RpoTable:
    """One page of items, the worst RPO first; ``vault_name`` is "" for the whole fleet.

    ``counts`` counts all items of all pages by the state of their RPO; items that make no new points are left out of it and
    counted in ``stopped``.
    """

    rows: tuple[ItemStatus, ...]
    counts: Mapping[RpoState, int]
    stopped: int = 0
    page: int = 1
    pages: int = 1
    total: int = 0
    vault_id: str = ""
    vault_name: str = ""
    vault_names: Mapping[str, str] = field(default_factory=dict)
    """Distinct names of the fleet's vaults by the key of their id."""
    unread_vaults: tuple[VaultStatus, ...] = ()
    unread_subscriptions: tuple[UnreadSubscription, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when an RPO is breached, 3 when none is but something could not be read, else 0."""
        blind = bool(self.unread_vaults or self.unread_subscriptions or self.notes)
        return _exit_code(bad=bool(self.counts[RpoState.BREACHED]), blind=blind)


@dataclass(frozen=True, kw_only=True)
class JobLine:
    """A job of a vault. ``phase`` is the task that runs or failed, ``took`` its length so far or in all."""

    id: str
    arm_id: str
    operation: str
    status: str
    item_name: str
    server: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    took: timedelta | None = None
    phase: str = ""
    progress_percent: int | None = None
    error_code: str = ""
    error_text: str = ""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status in {"InProgress", "Cancelling"}

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return self.status == "Failed"


@dataclass(frozen=True, kw_only=True)
class JobsView:
    """The jobs of a vault: the running ones, then the failed ones, then the others, each newest first.

    ``only`` is ``failed``, ``running`` or "" for all; ``back`` is how far back jobs were asked for (running ones are found
    however old they are). ``az`` is the command with which a person would list the same.
    """

    vault_id: str
    vault_name: str
    only: str
    back: timedelta
    jobs: tuple[JobLine, ...]
    az: str
    notes: tuple[str, ...] = ()

    @property
    def running(self) -> tuple[JobLine, ...]:
        """Those that have not ended."""
        return tuple(job for job in self.jobs if job.running)

    @property
    def failed(self) -> tuple[JobLine, ...]:
        """Those that failed."""
        return tuple(job for job in self.jobs if job.failed)

    @property
    def others(self) -> tuple[JobLine, ...]:
        """Those that ended otherwise."""
        return tuple(job for job in self.jobs if not job.running and not job.failed)

    @property
    def exit_code(self) -> int:
        """1 when a job failed, 3 when none is known to have but details could not be read, else 0."""
        return _exit_code(bad=bool(self.failed), blind=bool(self.notes))


@dataclass(frozen=True, kw_only=True)
class VaultServers:
    """The MARS machines and backup servers of a vault, each with the verdict on its agent; ``unread`` says why not."""

    vault_id: str
    vault_name: str
    servers: tuple[tuple[Server, Finding], ...] = ()
    unread: str = ""


@dataclass(frozen=True, kw_only=True)
class AgentsView:
    """The agents of one or of all vaults."""

    vaults: tuple[VaultServers, ...]
    unread_subscriptions: tuple[UnreadSubscription, ...] = ()

    def having(self, outcome: Outcome) -> tuple[tuple[VaultServers, Server, Finding], ...]:
        """The servers with that verdict."""
        return tuple(
            (vault, server, finding)
            for vault in self.vaults
            for server, finding in vault.servers
            if finding.outcome is outcome
        )

    @property
    def total(self) -> int:
        """How many servers there are."""
        return sum(len(vault.servers) for vault in self.vaults)

    @property
    def blind(self) -> bool:
        """Whether something could not be read."""
        return bool(self.unread_subscriptions) or any(vault.unread for vault in self.vaults)

    @property
    def exit_code(self) -> int:
        """1 when an agent needs somebody, 3 when none does but something could not be read, else 0."""
        return _exit_code(bad=bool(self.having(Outcome.FAIL)), blind=self.blind)


@dataclass(frozen=True, kw_only=True)
class PostureView:
    """The checks of one or of all vaults, a diagnosis each."""

    vaults: tuple[Diagnosis, ...]
    unread_subscriptions: tuple[UnreadSubscription, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when a check FAILs, 3 when none does but something could not be read, else 0."""
        return _joint_exit_code((vault.exit_code for vault in self.vaults), self.unread_subscriptions)


@dataclass(frozen=True, kw_only=True)
class RestoreView:
    """What stands in the way of a restore.

    ``region``, ``vm_size`` and ``storage_account`` are what was asked for ("": as the source). ``points`` counts the recovery
    points of the last thirty days, None where Azure keeps no list or it could not be read; ``points_unread`` is a sentence on
    what leaves the points open. ``cannot_know`` lists what nobody can tell before the restore runs.
    """

    vault_id: str
    item_id: str
    diagnosis: Diagnosis
    region: str = ""
    vm_size: str = ""
    storage_account: str = ""
    as_failed: bool = False
    """Whether the target is that of the restore that failed lately, because no other was named."""
    points: int | None = None
    newest_point_at: datetime | None = None
    points_unread: str = ""
    remarks: frozenset[str] = frozenset()
    """The ids of checks whose FAIL is worth knowing but blocks nothing."""
    cannot_know: tuple[str, ...] = ()

    @property
    def no_point(self) -> bool:
        """Whether there is nothing to restore from."""
        return self.points == 0 and self.newest_point_at is None and not self.points_unread

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """The findings that would make the restore fail."""
        return tuple(one for one in self.diagnosis.failed if one.check not in self.remarks)

    @property
    def blocked(self) -> bool:
        """Whether the restore would fail."""
        return self.no_point or bool(self.blockers)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """The findings that leave it open."""
        return tuple(one for one in self.diagnosis.findings if one.outcome is Outcome.UNKNOWN)

    @property
    def exit_code(self) -> int:
        """1 when something blocks, 3 when nothing is known to but something could not be read, else 0."""
        blind = bool(self.points_unread or self.diagnosis.blind or not self.diagnosis.complete)
        return _exit_code(bad=self.blocked, blind=blind)
