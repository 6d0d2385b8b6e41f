"""Fixes: how one is declared, what it is given, and how they are found.

A fix is one file in ``fixes/catalog`` that ends in ``FIX = SomeFix()``. Planning sees only the reader; executing is done by
the workflow, which sends exactly the plan's calls and follows each by its kind (``fixes.steps``).
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from domain.arm import ItemId, VaultId
from domain.backup import ProtectedItem, Vault, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter that people may set (``k=v``): ``pattern`` is what a value must match in full."""

    name: str
    label: str
    pattern: str
    default: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class FixSettings:
    """Configured facts that plans may use."""

    enabled: frozenset[str] = frozenset()
    """Fixes that are off by default and have been turned on."""
    staging_resource_group: str = ""
    alert_webhook: str = ""
    """The address at which this bot receives alerts, without any secret; "" when it has none."""
    minimum_mars: str = "2.0.9249.0"
    minimum_mabs: str = "13.0.0.0"


@dataclass(frozen=True, kw_only=True)
class FixSpec:
    """A fix's declared metadata."""

    id: str
    version: int
    title: str
    """Imperative, as on a button: "Run the backup again"."""
    risk: Risk
    workloads: frozenset[Workload]
    permissions: tuple[str, ...]
    """Every Azure action that its calls may need, for ``backupbot roles operator``."""
    docs: str
    summary: str
    proof: str
    parameters: tuple[Parameter, ...] = ()
    off_by_default: bool = False
    hands_out: str = ""
    """For fixes that are off by default: which right turning it on hands out."""
    guide: bool = False
    """A guide has steps for people and no calls."""
    grants_roles: tuple[str, ...] = ()
    """Role definition GUIDs that it may assign, for the condition on ``roleAssignments/write``."""
    reads: tuple[str, ...] = ()
    """Azure actions that planning and proving read with, beyond those of the checks."""


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What a plan is made for; ``parameters`` are validated against the fix's own."""

    vault: Vault
    item: ProtectedItem
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: FixSettings = field(default_factory=FixSettings)
    now: datetime | None = None
    """Only chooses the window in which jobs and recovery points are read: nothing in a plan is computed from it."""


def whole_vault(vault: Vault) -> ProtectedItem:
    """What stands for the vault itself (ITEM ``-``) where a request needs an item: fixes of a vault's settings."""
    return ProtectedItem(id=ItemId(vault.id, "-", "-", "-"), name=vault.id.name, workload=Workload.OTHER)


def target(arm_id: str) -> ItemId:
    """The protected item that a plan names, or what stands for the vault where it names a vault.

    Raises:
        ValueError: it is the id of neither.
    """
    try:
        return ItemId.parse(arm_id)
    except ValueError:
        return ItemId(VaultId.parse(arm_id), "-", "-", "-")


def is_whole_vault(item: ProtectedItem) -> bool:
    """Whether ``item`` is what :func:`whole_vault` makes."""
    return item.id.name == "-"


class Fix(Protocol):
    """What every file of the catalogue provides."""

    @property
    def spec(self) -> FixSpec:
        """Declared metadata."""
        ...

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The exact calls; changes nothing.

        Raises:
            domain.errors.RequestError: the fix does not fit this item; the text says why.
            domain.errors.GatewayError: what the plan rests on could not be read.
        """
        ...

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Whether the fix did what it was for, by looking."""
        ...


def discover() -> Mapping[str, Fix]:
    """Every fix in ``fixes.catalog``, by id, in alphabetical order."""
    package = importlib.import_module("fixes.catalog")
    found: dict[str, Fix] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_"):
            continue
        fix: Fix = importlib.import_module(f"fixes.catalog.{module.name}").FIX
        if fix.spec.id != module.name:
            raise TypeError(f"the fix {fix.spec.id} must live in a file of its own name, not in {module.name}")
        found[fix.spec.id] = fix
    return MappingProxyType(dict(sorted(found.items())))
