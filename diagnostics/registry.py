"""Checks: how one is declared, what it is given, and how they are found.

A check is one file in ``diagnostics/checks`` with one function of the file's name, decorated with :func:`check`. It gathers
through :class:`domain.ports.BackupReader` and hands what it read to a pure judgement in the same file.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from domain.backup import Job, ProtectedItem, Vault, Workload
from domain.finding import Finding
from domain.ports import BackupReader, Clock
from domain.schedule import RpoRules

ALL_WORKLOADS = frozenset(Workload)


@dataclass(frozen=True, kw_only=True)
class EarlierLook:
    """What was known of a running job before this look.

    It stood at ``progress`` and was first seen there at ``since``, last at ``seen_at``. ``moved``: before that, one look had
    seen it elsewhere; otherwise ``since`` is only when somebody looked for the first time.
    """

    progress: str
    since: datetime
    seen_at: datetime
    moved: bool


class Ledger(Protocol):
    """What only the store knows; absent on the command line, where what needs it is UNKNOWN and says so."""

    async def last_drill(self, item_key: str) -> datetime | None:
        """When a restore of the item was last proved."""
        ...

    async def look(self, job_id: str, progress: str, at: datetime) -> EarlierLook | None:
        """Remember that a running job stood at ``progress``; what was known of it before, None at the first look.

        ``progress`` is a text that is equal as long as nothing has moved, ``at`` the moment of this look.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Configured thresholds."""

    minimum_mars: str = "2.0.9249.0"
    minimum_mabs: str = "13.0.0.0"
    minimum_soft_delete_days: int = 14
    bot_alert_urls: tuple[str, ...] = ()
    """Where this bot receives alerts, to see whether action groups reach it."""


@dataclass(frozen=True, kw_only=True)
class RestoreTarget:
    """What a person wants to restore to, from ``check-restore``; "" means as the source."""

    region: str = ""
    vm_size: str = ""
    storage_account: str = ""
    resource_group: str = ""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a check is given. ``item`` is None for checks of the vault itself (ITEM ``-``)."""

    vault: Vault
    item: ProtectedItem | None
    read: BackupReader
    clock: Clock
    rpo: RpoRules
    limits: Limits = field(default_factory=Limits)
    ledger: Ledger | None = None
    target: RestoreTarget = field(default_factory=RestoreTarget)
    failed_job: Job | None = None
    """The job an alert spoke of, when there is one."""
    restoring: bool = False
    """Whether somebody asks about a restore to come, as ``check-restore`` does; the runner sets it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check with its declared metadata; the id is the function's and the file's name."""

    id: str
    title: str
    runbook: tuple[str, ...]
    """The lines of the runbook it answers, by their ids in ``diagnostics.runbook``."""
    workloads: frozenset[Workload]
    permissions: tuple[str, ...]
    docs: str
    suggests: tuple[str, ...]
    az: str
    """The ``az`` command with which a person would look."""
    portal: str
    """Where in the portal a person would look, as a path of blades."""
    about: str
    """``item``, ``restore`` (joins for a failed restore and in check-restore) or ``vault``."""
    run: Callable[[Context], Awaitable[Finding]]


_REGISTERED: dict[str, Check] = {}


def check(  # noqa: PLR0913  (declared metadata, all by keyword)
    *,
    title: str,
    permissions: tuple[str, ...],
    docs: str,
    runbook: tuple[str, ...] = (),
    workloads: frozenset[Workload] = ALL_WORKLOADS,
    suggests: tuple[str, ...] = (),
    az: str = "",
    portal: str = "",
    about: str = "item",
) -> Callable[[Callable[[Context], Awaitable[Finding]]], Callable[[Context], Awaitable[Finding]]]:
    """Declare the decorated function to be the check of its module."""

    def register(run: Callable[[Context], Awaitable[Finding]]) -> Callable[[Context], Awaitable[Finding]]:
        name = run.__name__
        module = run.__module__.rpartition(".")[2]
        if name != module:
            raise TypeError(f"the check {name} must live in a file of its own name, not in {module}")
        _REGISTERED[name] = Check(
            id=name,
            title=title,
            runbook=runbook,
            workloads=workloads,
            permissions=permissions,
            docs=docs,
            suggests=suggests,
            az=az,
            portal=portal,
            about=about,
            run=run,
        )
        return run

    return register


def discover() -> Mapping[str, Check]:
    """Every check in ``diagnostics.checks``, by id, in alphabetical order."""
    package = importlib.import_module("diagnostics.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"diagnostics.checks.{module.name}")
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
