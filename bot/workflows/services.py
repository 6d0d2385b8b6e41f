"""What the drivers work with, passed explicitly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.store.store import Place, Store
from diagnostics.registry import Check, Limits
from domain.approval_policy import Rule
from domain.arm import VaultId
from domain.ports import BackupOperator, BackupReader, Clock, Directory
from domain.schedule import RpoRules
from fixes.registry import Fix, FixSettings


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a vault's incidents go, and who is called when one is critical."""

    places: tuple[Place, ...]
    mention: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A time in which approved fixes wait."""

    start: datetime
    end: datetime
    reason: str = ""


@dataclass(kw_only=True)
class Services:
    """Ports, catalogues and settings of one running bot."""

    store: Store
    clock: Clock
    read: Callable[[], BackupReader]
    """A fresh reader whose every read happens once; make one for each piece of work."""
    operator: BackupOperator | None
    checks: Mapping[str, Check]
    fixes: Mapping[str, Fix]
    directory: Directory
    rules: Sequence[Rule]
    route: Callable[[VaultId, Mapping[str, str]], Route]
    rpo: RpoRules
    limits: Limits = field(default_factory=Limits)
    fix_settings: FixSettings = field(default_factory=FixSettings)
    freezes: Sequence[Freeze] = ()
    expires: timedelta = timedelta(hours=4)
    remind: timedelta = timedelta(minutes=15)
    poll: timedelta = timedelta(seconds=30)
    proof_within: timedelta = timedelta(hours=24)
    role_settle: timedelta = timedelta(minutes=5)
    diagnosis_limit_s: float = 25.0
    simulated: bool = False
    may_change: Callable[[], bool] = lambda: True
    """False while this replica's heartbeat is stale: then nothing is changed in Azure."""
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    def frozen(self, now: datetime) -> Freeze | None:
        """The freeze that ``now`` lies in."""
        return next((one for one in self.freezes if one.start <= now < one.end), None)

    @property
    def operator_client_id(self) -> str:
        """Part of every fingerprint; "" in a read-only installation."""
        return self.operator.client_id if self.operator else ""
