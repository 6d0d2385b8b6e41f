"""Estates: what a simulated cloud contains, written as YAML and checked before anything is built.

`load` takes a shipped name (`contoso`, `quiet`, `empty`), `fleet:VAULTS:ITEMS`, or the path of a YAML file.
"""

import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.faults import FAULTS
from simulator.world.model import Workload
from simulator.world.schedule import WEEKDAYS, ZONES

MOST_VAULTS = 1000
MOST_ITEMS = 100_000
Name = Annotated[str, Field(min_length=1, max_length=90, pattern=r"^[^/<>%&?\x00-\x1f]+$")]
TimeOfDay = Annotated[str, Field(pattern=r"^(\d{2}:(00|30)|-\d{1,3}h)$")]


class EstateError(ValueError):
    """An estate that cannot be used; the message names every wrong key and what is allowed there."""


class Part(BaseModel):
    """Base of all parts of an estate: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubscriptionPart(Part):
    """A subscription; without an id it gets one that depends on its name."""

    name: Name
    id: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class PersonPart(Part):
    """Somebody who may hold rights; `groups` are names of Entra groups."""

    name: Name
    mail: str = ""
    groups: list[Name] = []


class AssignmentPart(Part):
    """A role that a person or group holds at `subscription` or `subscription/resource group`."""

    who: Name
    role: Name
    scope: str


class KeyVaultPart(Part):
    """A key vault and whether the backup service may read it."""

    name: Name
    subscription: str = ""
    resource_group: Name = "rg-security"
    location: str = ""
    access: Literal["rbac", "policies"] = "rbac"
    backup_service_may_read: bool = True


class AccountPart(Part):
    """A storage account, for example one that restores are staged in."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")]
    subscription: str = ""
    resource_group: Name = "rg-storage"
    location: str = ""
    sku: Literal["Standard_LRS", "Standard_GRS", "Standard_ZRS", "Premium_LRS"] = "Standard_LRS"


class PolicyPart(Part):
    """A backup policy. `at` is a time of day, or `-7h`: seven hours before the simulator started."""

    name: Name
    workload: Workload
    every: Literal["day", "week", "hours"] = "day"
    at: TimeOfDay = "-7h"
    days: list[Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]] = []
    interval_hours: Literal[4, 6, 8, 12] = 4
    window_hours: Annotated[int, Field(ge=4, le=24)] = 24
    time_zone: str = "UTC"
    retention_days: Annotated[int, Field(ge=7, le=9999)] = 30
    log_minutes: Literal[0, 15, 30, 60, 120, 240] = 0
    agentless: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "PolicyPart":
        if self.time_zone not in ZONES:
            raise ValueError(f"time_zone must be one of {', '.join(ZONES)}")
        if self.every == "week" and not self.days:
            raise ValueError(f"a weekly policy needs days, from {', '.join(WEEKDAYS)}")
        if self.log_minutes and self.workload not in (Workload.SQL, Workload.HANA):
            raise ValueError("only sql and hana policies have log_minutes")
        return self


class ItemPart(Part):
    """A protected item; `host` is the VM of a database, the account of a share, or the server of a MARS or MABS item.

    `on_vm` says that the server of a MARS item is itself an Azure VM, named like the server without its domain.
    """

    name: Name
    workload: Workload = Workload.VM
    policy: str = ""
    host: str = ""
    resource_group: Name | None = None
    os: Literal["Linux", "Windows"] = "Linux"
    size: str = "Standard_D4s_v3"
    key_vault: str = ""
    power: Literal["running", "deallocated"] = "running"
    new: bool = False
    on_vm: bool = False
    agent_version: str | None = None
    faults: list[str] = []
    tags: dict[str, str] = {}

    @model_validator(mode="after")
    def _known_faults(self) -> "ItemPart":
        for fault in self.faults:
            entry = FAULTS.get(fault)
            if entry is None:
                raise ValueError(f"unknown fault {fault!r}; allowed: {', '.join(sorted(FAULTS))}")
            if self.workload not in entry.workloads:
                fits = ", ".join(sorted(w.value for w in entry.workloads)) or "vaults only"
                raise ValueError(f"fault {fault!r} does not fit workload {self.workload.value}; it fits: {fits}")
        if self.on_vm and self.workload is not Workload.MARS:
            raise ValueError("only the server of a mars item may be on_vm: all others are on one anyway, or on none")
        if self.key_vault and self.workload is not Workload.VM:
            raise ValueError("only a vm has a key_vault (its disks are encrypted with a key there)")
        return self


class SoftDeletePart(Part):
    """The soft-delete setting of a vault."""

    state: Literal["Enabled", "Disabled", "AlwaysON"] = "Enabled"
    days: Annotated[int, Field(ge=14, le=180)] = 14


class VaultPart(Part):
    """A Recovery Services vault with its policies and items; workloads without a policy get a daily one."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,49}$")]
    subscription: str = ""
    resource_group: Name = "rg-backup"
    location: str = "westeurope"
    redundancy: Literal["GeoRedundant", "LocallyRedundant", "ZoneRedundant"] = "GeoRedundant"
    cross_region_restore: bool = False
    soft_delete: SoftDeletePart = SoftDeletePart()
    alerts: Literal["Enabled", "Disabled", "absent"] = "Enabled"
    identity: bool = False
    resource_guard: bool = False
    customer_key: str = ""
    tags: dict[str, str] = {}
    faults: list[str] = []
    policies: list[PolicyPart] = []
    items: list[ItemPart] = []

    @model_validator(mode="after")
    def _consistent(self) -> "VaultPart":
        for fault in self.faults:
            entry = FAULTS.get(fault)
            if entry is None or not entry.for_vaults:
                fits = ", ".join(sorted(k for k, v in FAULTS.items() if v.for_vaults))
                raise ValueError(f"{fault!r} is no fault of a vault; allowed: {fits}")
        known = {policy.name for policy in self.policies}
        for item in self.items:
            if item.policy and item.policy not in known:
                raise ValueError(
                    f"item {item.name!r} names policy {item.policy!r}; this vault has: {', '.join(sorted(known))}"
                )
        if self.cross_region_restore and self.redundancy != "GeoRedundant":
            raise ValueError("cross_region_restore needs redundancy: GeoRedundant")
        return self


class FleetPart(Part):
    """A generated estate: so many vaults with so many items in all, two of a hundred in trouble."""

    vaults: Annotated[int, Field(ge=1, le=MOST_VAULTS)]
    items: Annotated[int, Field(ge=0, le=MOST_ITEMS)]


class Estate(Part):
    """The whole file."""

    description: str = ""
    subscriptions: Annotated[list[SubscriptionPart], Field(min_length=1)] = [SubscriptionPart(name="contoso-prod")]
    people: list[PersonPart] = []
    assignments: list[AssignmentPart] = []
    key_vaults: list[KeyVaultPart] = []
    storage_accounts: list[AccountPart] = []
    alerts_reach_on_call: bool = True
    vaults: list[VaultPart] = []
    fleet: FleetPart | None = None

    @model_validator(mode="after")
    def _references(self) -> "Estate":
        names = {part.name for part in self.subscriptions}
        seen: set[tuple[str, str, str]] = set()
        for vault in self.vaults:
            if vault.subscription and vault.subscription not in names:
                raise ValueError(
                    f"vault {vault.name!r} names subscription {vault.subscription!r}; this estate has: "
                    f"{', '.join(sorted(names))}"
                )
            key = (vault.subscription, vault.resource_group.casefold(), vault.name.casefold())
            if key in seen:
                raise ValueError(f"vault {vault.name!r} occurs twice in {vault.resource_group!r}")
            seen.add(key)
        stores = {part.name for part in self.key_vaults}
        for vault in self.vaults:
            for item in vault.items:
                if item.key_vault and item.key_vault not in stores:
                    raise ValueError(f"item {item.name!r} names key vault {item.key_vault!r}, which is not listed")
        return self


def parse(text: str, source: str) -> Estate:
    """An estate from YAML text; raises EstateError that says, for each mistake, where it is and what is allowed."""
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EstateError(f"{source}: not YAML: {error}") from error
    try:
        return Estate.model_validate(raw if raw is not None else {})
    except ValidationError as error:
        lines = [f"{source}: {_place(one['loc'])}: {_explain(one)}" for one in error.errors()]
        raise EstateError("\n".join(lines)) from error


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the file"


def _explain(error: Any) -> str:  # noqa: ANN401 pydantic's own error record
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    model: type[BaseModel] = Estate
    for part in error["loc"][:-1]:
        if isinstance(part, str):
            inner = re.findall(r"(\w+Part)", str(model.model_fields[part].annotation))
            model = globals()[inner[0]]
    return f"unknown key; allowed: {', '.join(model.model_fields)}"


def load(source: str | Path) -> Estate:
    """The estate with a shipped name, of a fleet description, or in a file; raises EstateError."""
    text = str(source)
    if text.startswith("fleet:"):
        return _fleet(text)
    shipped = resources.files("simulator") / "estates" / f"{text}.yaml"
    if re.fullmatch(r"[a-z]+", text) and shipped.is_file():
        return parse(shipped.read_text(encoding="utf-8"), text)
    path = Path(text)
    if not path.is_file():
        names = sorted(p.name.removesuffix(".yaml") for p in (resources.files("simulator") / "estates").iterdir())
        raise EstateError(f"no estate {text!r}: neither a file nor one of {', '.join(names)}, fleet:VAULTS:ITEMS")
    return parse(path.read_text(encoding="utf-8"), text)


def _fleet(text: str) -> Estate:
    match = re.fullmatch(r"fleet:(\d+):(\d+)", text)
    if match is None:
        raise EstateError(f"{text!r}: a fleet is written fleet:VAULTS:ITEMS, for example fleet:100:10000")
    vaults, items = int(match[1]), int(match[2])
    try:
        fleet = FleetPart(vaults=vaults, items=items)
    except ValidationError as error:
        raise EstateError(f"{text!r}: at most {MOST_VAULTS} vaults and {MOST_ITEMS} items") from error
    subscriptions = [SubscriptionPart(name=f"fleet-{n:02}") for n in range(1, min(4, vaults) + 1)]
    return Estate(description="generated", subscriptions=subscriptions, fleet=fleet)
