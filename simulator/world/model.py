"""What exists in the simulated cloud: subscriptions, vaults, protected items, machines, accounts, people and rights."""

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from simulator.timings import Pace
from simulator.world.errors import JobError
from simulator.world.schedule import Schedule

Json = dict[str, Any]
FAR = datetime.max.replace(tzinfo=UTC)
BACKUP_SERVICE_APP = "262044b1-e2ce-469f-a196-69ab7ada62d3"
"""Application id of Microsoft's Backup Management Service, the same in every tenant of the public cloud."""


class Workload(StrEnum):
    """The kinds of data that a Recovery Services vault protects here."""

    VM = "vm"
    SQL = "sql"
    HANA = "hana"
    FILES = "files"
    MARS = "mars"
    MABS = "mabs"


MANAGEMENT_TYPES = {
    Workload.VM: "AzureIaasVM",
    Workload.SQL: "AzureWorkload",
    Workload.HANA: "AzureWorkload",
    Workload.FILES: "AzureStorage",
    Workload.MARS: "MAB",
    Workload.MABS: "AzureBackupServer",
}
ITEM_TYPES = {
    Workload.VM: "VM",
    Workload.SQL: "SQLDataBase",
    Workload.HANA: "SAPHanaDatabase",
    Workload.FILES: "AzureFileShare",
    Workload.MARS: "FileFolder",
    Workload.MABS: "VM",
}
DATABASES = (Workload.SQL, Workload.HANA)


def stable_uuid(*parts: object) -> str:
    """A GUID that depends on its parts only, so that a rebuilt world has the same names."""
    return str(uuid.UUID(bytes=hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest(), version=4))


def zulu(instant: datetime) -> str:
    """An instant as Azure Backup writes it: seven digits of a second and Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def span(length: timedelta) -> str:
    """A duration as Azure Backup writes it, for example PT1H2M3.4S."""
    seconds = max(0.0, length.total_seconds())
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = "PT" + (f"{int(hours)}H" if hours else "") + (f"{int(minutes)}M" if hours or minutes else "")
    return f"{text}{rest:.7f}".rstrip("0").rstrip(".") + "S"


@dataclass(slots=True)
class Step:
    """A sub-task of a job and the length it takes, in seconds."""

    task: str
    seconds: float


@dataclass(slots=True, eq=False)
class Job:
    """A job; its state is what the engine made of it up to the last look."""

    id: str
    item: "Item"
    operation: str
    started: datetime
    steps: list[Step]
    kind: str = ""
    status: str = "InProgress"
    ended: datetime | None = None
    error: JobError | None = None
    user: bool = False
    passed: int = 0
    stuck_at: int | None = None
    cancelled: datetime | None = None
    warning: bool = False
    bag: dict[str, str] = field(default_factory=dict)
    plan: Json = field(default_factory=dict)
    region: str = ""

    def due(self) -> datetime:
        """When something next happens to this job."""
        if self.ended is not None:
            return FAR
        if self.cancelled is not None:
            return self.cancelled
        if self.stuck_at is not None and self.passed >= self.stuck_at:
            return FAR
        return self.step_end(self.passed)

    def step_end(self, index: int) -> datetime:
        """When the step with this index ends, if nothing comes between."""
        return self.started + timedelta(seconds=sum(step.seconds for step in self.steps[: index + 1]))


@dataclass(slots=True, eq=False)
class Point:
    """A recovery point; `vaulted` is when it reached the vault tier, None while it is a snapshot only."""

    id: str
    time: datetime
    kind: str = "AppConsistent"
    vaulted: datetime | None = None
    expires: datetime | None = None
    soft_deleted: bool = False


@dataclass(slots=True)
class Policy:
    """A backup policy: its schedule for arithmetic and the body that Azure shows."""

    name: str
    workload: Workload
    schedule: Schedule
    retention_days: int
    body: Json
    log_minutes: int = 0


@dataclass(slots=True, eq=False)
class Item:
    """A protected item.

    Runs of its schedule before `real_from` all succeeded and are computed when asked for; from then on the engine makes
    a Job for each. `real_from` None means that the item never had trouble.
    """

    number: int
    vault: "Vault"
    workload: Workload
    name: str
    fabric: str
    container: str
    item_name: str
    source_id: str
    policy: str
    since: datetime
    state: str = "Protected"
    real_from: datetime | None = None
    settled: datetime = FAR
    next_run: datetime = FAR
    wake: datetime = FAR
    jobs: list[Job] = field(default_factory=list)
    open: list[Job] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    extra_runs: list[datetime] = field(default_factory=list)
    deleted_at: datetime | None = None
    more: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The ARM id of the protected item."""
        return (
            f"{self.vault.id}/backupFabrics/{self.fabric}/protectionContainers/{self.container}"
            f"/protectedItems/{self.item_name}"
        )

    @property
    def management_type(self) -> str:
        """The backupManagementType that Azure files this item under."""
        return MANAGEMENT_TYPES[self.workload]


@dataclass(slots=True, eq=False)
class Vault:
    """A Recovery Services vault; `settings` are its ARM properties and configs that can be written."""

    subscription: str
    group: str
    name: str
    location: str
    tags: dict[str, str] = field(default_factory=dict)
    redundancy: str = "GeoRedundant"
    cross_region: bool = False
    soft_delete: Json = field(default_factory=lambda: {"state": "Enabled", "days": 14, "enhanced": "Enabled"})
    alerts: str | None = "Enabled"
    identity: str | None = None
    guard: str | None = None
    encryption: Json | None = None
    policies: dict[str, Policy] = field(default_factory=dict)
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    engines: list[Json] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The ARM id of the vault."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.RecoveryServices/vaults/{self.name}"
        )


@dataclass(slots=True)
class Extension:
    """A VM extension with the one status that its instance view shows."""

    name: str
    publisher: str
    type: str
    version: str = "1.0"
    state: str = "Succeeded"
    message: str = "Plugin enabled"
    transient: bool = False


@dataclass(slots=True, eq=False)
class Machine:
    """An Azure VM; the `*_until` instants are when a change that was asked for is done."""

    subscription: str
    group: str
    name: str
    location: str
    os: str = "Linux"
    size: str = "Standard_D4s_v3"
    power: str = "running"
    provisioning: str = "Succeeded"
    agent: str = "Ready"
    agent_version: str = "2.11.1.12"
    agent_seen: datetime | None = None
    disk_used: int = 43
    encryption: Json | None = None
    extensions: dict[str, Extension] = field(default_factory=dict)
    changes: list[tuple[datetime, str]] = field(default_factory=list)
    needs_power: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The ARM id of the machine."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.Compute/virtualMachines/{self.name}"
        )


@dataclass(slots=True, eq=False)
class KeyVault:
    """A key vault; `policies` are access policies with the instant from which each counts."""

    subscription: str
    group: str
    name: str
    location: str
    rbac: bool = True
    policies: list[Json] = field(default_factory=list)
    acl: Json | None = None
    keys: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The ARM id of the key vault."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.KeyVault/vaults/{self.name}"
        )


@dataclass(slots=True, eq=False)
class Account:
    """A storage account, the file shares in it (True: soft deleted), and those of them that are full."""

    subscription: str
    group: str
    name: str
    location: str
    sku: str = "Standard_LRS"
    kind: str = "StorageV2"
    acl: Json = field(default_factory=lambda: {"bypass": "AzureServices", "defaultAction": "Allow"})
    shares: dict[str, bool] = field(default_factory=dict)
    full_shares: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The ARM id of the storage account."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.Storage/storageAccounts/{self.name}"
        )


@dataclass(slots=True, eq=False)
class Role:
    """A role definition; a custom one belongs to `scopes`."""

    guid: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("/",)

    @property
    def custom(self) -> bool:
        """Whether the tenant made this role itself."""
        return self.scopes != ("/",)


@dataclass(slots=True, eq=False)
class Assignment:
    """A role assignment; it counts from `effective` until `removed`."""

    name: str
    scope: str
    role: str
    principal: str
    principal_type: str
    created: datetime
    effective: datetime
    removed: datetime = FAR
    condition: str | None = None
    condition_version: str | None = None
    creator: str = ""
    description: str | None = None

    @property
    def id(self) -> str:
        """The ARM id of the assignment."""
        return f"{self.scope}/providers/Microsoft.Authorization/roleAssignments/{self.name}"


@dataclass(slots=True)
class Lock:
    """A management lock at a scope."""

    scope: str
    name: str
    level: str
    notes: str = ""


@dataclass(slots=True)
class Principal:
    """Somebody or something that can hold rights; applications may have a secret to log in with."""

    name: str
    oid: str
    kind: str
    client_id: str = ""
    secret: str = ""
    mail: str = ""
    groups: tuple[str, ...] = ()
    graph: bool = False


@dataclass(slots=True, eq=False)
class Operation:
    """An asynchronous operation that its caller polls; `done` is when it stops being InProgress."""

    id: str
    started: datetime
    done: datetime
    job: str = ""
    error: tuple[str, str] | None = None
    results: list[Json] | None = None
    body: Json | None = None
    item: Item | None = None


@dataclass(slots=True)
class Subscription:
    """A subscription of the tenant."""

    id: str
    name: str


@dataclass(slots=True)
class Seeded:
    """A fault that the estate put into the world, with the cause and fixes that an expert would name."""

    vault: Vault
    item: str
    fault: str
    cause: str
    fixes: tuple[str, ...]


@dataclass(eq=False)
class World:
    """The whole cloud at one instant; dictionaries are keyed by lower-cased ARM ids unless said otherwise."""

    tenant: str
    epoch: datetime
    pace: Pace
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)
    vaults: dict[str, Vault] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    key_vaults: dict[str, KeyVault] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    assignments: dict[str, Assignment] = field(default_factory=dict)
    removed_assignments: list[Assignment] = field(default_factory=list)
    denies: list[Json] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    principals: dict[str, Principal] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    action_groups: dict[str, Json] = field(default_factory=dict)
    processing_rules: dict[str, Json] = field(default_factory=dict)
    disks: dict[str, Json] = field(default_factory=dict)
    snapshot_points: dict[str, int] = field(default_factory=dict)
    restricted_sizes: dict[str, set[str]] = field(default_factory=dict)
    full_quotas: dict[str, set[str]] = field(default_factory=dict)
    deleted_containers: list[Json] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    activity: list[Json] = field(default_factory=list)
    lengths: dict[tuple[Workload, bool], tuple[timedelta, timedelta]] = field(default_factory=dict)
    graph_results: dict[str, list[Json]] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    lively: dict[int, Item] = field(default_factory=dict)
    seeded: list[Seeded] = field(default_factory=list)
    counter: int = 0

    def number(self) -> int:
        """The next number of a thing that somebody makes; part of its stable name."""
        self.counter += 1
        return self.counter

    def seconds(self, base: float, at: datetime) -> timedelta:
        """How long a process lasts that starts at `at`: what happened before the world began ran at speed 1."""
        return timedelta(seconds=base if at < self.epoch else self.pace.seconds(base))

    def principal_by_client(self, client_id: str) -> Principal | None:
        """The application with this client id."""
        return next((p for p in self.principals.values() if p.client_id and p.client_id == client_id), None)

    def backup_service(self) -> Principal:
        """The service principal of the Backup Management Service in this tenant."""
        found = self.principal_by_client(BACKUP_SERVICE_APP)
        if found is None:
            raise LookupError("this world has no Backup Management Service")
        return found
