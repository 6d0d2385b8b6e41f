"""`/_sim/*` on the plain-http port: the estate's secrets, the request log, injected faults, the clock, repairs.

`GET /_sim/estate` · `GET /_sim/requests?since=N` · `GET/POST/DELETE /_sim/faults` · `GET/POST /_sim/clock` ·
`POST /_sim/break` and `POST /_sim/repair` with {"vault", "item", "fault"} (item "-" for a fault of the vault; repair is what
people do by hand) · `POST /_sim/throttle`
{"hourly_limit", "bucket", "graph_quota": N | null, "refill": N a second}.
"""

import re
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.faults import FAULTS, Fault
from simulator.world.engine import settle_all
from simulator.world.machines import leans_on
from simulator.world.model import Item, Json, Seeded, Vault, World

LOG_LENGTH = 50_000


class InjectedFault(BaseModel):
    """What a POST to /_sim/faults asks for: which requests, how often, and what happens to them."""

    model_config = ConfigDict(extra="forbid")

    method: str = ".*"
    path: str
    status: int | None = Field(default=None, ge=400, le=599)
    cut: bool = False
    delay_ms: int = Field(default=0, ge=0)
    retry_after: int | None = None
    count: int | None = Field(default=None, ge=1)
    after_effect: bool = False
    code: str = ""

    @model_validator(mode="after")
    def _something_happens(self) -> "InjectedFault":
        if self.status is None and not self.cut and not self.delay_ms:
            raise ValueError("say what happens: status, cut or delay_ms")
        for pattern in (self.path, self.method):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return self

    def fits(self, method: str, path: str) -> bool:
        """Whether a request falls under this fault."""
        return (
            re.fullmatch(self.method, method, re.IGNORECASE) is not None
            and re.search(self.path, path, re.IGNORECASE) is not None
        )


class FaultOrder(BaseModel):
    """What a POST to /_sim/break or /_sim/repair asks for."""

    model_config = ConfigDict(extra="forbid")

    vault: str
    item: str = "-"
    fault: str


@dataclass(slots=True)
class Control:
    """The state behind /_sim."""

    world: World
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    faults: list[InjectedFault] = field(default_factory=list)
    count: int = 0

    def record(self, identity: str, method: str, path: str, query: str, status: int, body: Json | None = None) -> None:
        """Adds a request to the log; status 0 means that the connection was cut, and a body is kept where there was one."""
        self.count += 1
        entry: Json = {"identity": identity, "method": method, "path": path, "query": query, "status": status}
        if body is not None:
            entry["body"] = body
        self.log.append({"n": self.count, **entry})

    def fault_for(self, method: str, path: str) -> InjectedFault | None:
        """The first injected fault that a request falls under; a counted one is used up."""
        for fault in self.faults:
            if fault.fits(method, path):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self.faults.remove(fault)
                return fault
        return None

    def estate(self) -> Json:
        """The seeded faults and the items that have none; a vault is its name, or its id where others have that name too."""
        twice = self._ambiguous()

        def called(vault: Vault) -> str:
            return vault.id if vault.name in twice else vault.name

        broken = {(seed.vault.id, seed.item) for seed in self.world.seeded}
        spreading = {(seed.vault.id, seed.item) for seed in self.world.seeded if FAULTS[seed.fault].spreads}
        hurt = {
            thing
            for item in (self.world.items if spreading else ())
            if (item.vault.id, item.name) in spreading
            for thing in leans_on(self.world, item)
        }
        return {
            "faults": [
                {
                    "vault": called(seed.vault),
                    "item": seed.item,
                    "fault": seed.fault,
                    "cause": seed.cause,
                    "fixes": list(seed.fixes),
                }
                for seed in self.world.seeded
            ],
            "healthy": [
                {"vault": called(item.vault), "item": item.name}
                for item in self.world.items
                if (item.vault.id, item.name) not in broken and not (hurt and leans_on(self.world, item) & hurt)
            ],
        }

    def _ambiguous(self) -> set[str]:
        counts = Counter(vault.name for vault in self.world.vaults.values())
        return {name for name, count in counts.items() if count > 1}

    def bend(self, order: FaultOrder, now: datetime) -> None:
        """Puts a fault of the table into the running world; raises LookupError."""
        fault, vault, item = self._named(order)
        settle_all(self.world, now)
        if item is None:
            fault.bend_vault(self.world, vault, now)
        else:
            fault.bend(self.world, item, now)
        self.world.seeded.append(Seeded(vault, item.name if item else "-", fault.id, fault.cause, fault.fixes))

    def repair(self, order: FaultOrder, now: datetime) -> None:
        """Does what people would do by hand against a fault; raises LookupError."""
        fault, vault, item = self._named(order)
        settle_all(self.world, now)
        if item is None:
            fault.repair_vault(self.world, vault, now)
        else:
            fault.repair(self.world, item, now)

    def _named(self, order: FaultOrder) -> tuple[Fault, Vault, Item | None]:
        fault = FAULTS.get(order.fault)
        if fault is None:
            raise LookupError(f"no fault {order.fault!r}; there are: {', '.join(sorted(FAULTS))}")
        vaults = [
            v for v in self.world.vaults.values() if order.vault.casefold() in (v.name.casefold(), v.id.casefold())
        ]
        if not vaults:
            raise LookupError(f"no vault {order.vault!r}")
        if fault.for_vaults:
            return fault, vaults[0], None
        for vault in vaults:
            for item in vault.items.values():
                if item.name.casefold() == order.item.casefold():
                    if item.workload not in fault.workloads:
                        raise LookupError(f"fault {fault.id!r} does not fit a {item.workload.value} item")
                    return fault, vault, item
        raise LookupError(f"no item {order.item!r} in {order.vault!r}")


def readable(error: ValidationError) -> str:
    """Pydantic's complaints in one line."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()
    )
