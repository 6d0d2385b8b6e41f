"""An incident as people live it: look, do what is named first, look again, until nothing is wrong any more."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from diagnostics import registry as checks_registry
from diagnostics.locate import find_item, find_vault
from diagnostics.runner import diagnose
from domain.errors import RequestError
from domain.finding import Cause, Diagnosis
from simulator.control import FaultOrder
from simulator.world.model import Seeded
from tests.acceptance.test_combined import a_mixture
from tests.fix_runs.bench import CATALOGUE, Bench, bench_on

TURNS = 8
"""Whoever is not done after so many looks has been sent in a circle."""
A_NIGHT = timedelta(days=1, hours=2)
LOOKS_ONLY = "probe_os_disk"
SET_BY_PEOPLE = {"enable_failure_alerts": {"email": "oncall@contoso.com"}}

ITEMS: list[dict[str, Any]] = [
    {"name": "vm-a", "faults": ["vm_deallocated", "key_vault_access"]},
    {"name": "vm-b", "faults": ["soft_deleted", "extension_failed"]},
    {"name": "vm-c", "faults": ["policy_gap", "transient"]},
    {"name": "vm-d", "faults": ["job_stuck", "restore_target_locked"]},
    {"name": "db-e", "workload": "sql", "os": "Windows", "faults": ["backups_suspended", "sql_log_chain_broken"]},
    {"name": "share-f", "workload": "files", "faults": ["share_account_locked", "share_soft_deleted"]},
]


class Patient:
    """An item or vault in trouble, and what people have done for it."""

    def __init__(self, bench: Bench, vault: str, item: str, faults: list[Seeded]) -> None:
        self.bench, self.vault, self.item = bench, vault, item
        self.by_hand = {one.cause: one.fault for one in faults}
        self.done: list[str] = []

    async def look(self) -> Diagnosis:
        """What the bot says of it now."""
        services, protected = self.bench.services, None
        read = services.read()
        if self.item == "-":
            vault = await find_vault(read, self.vault)
        else:
            vault, protected = await find_item(read, self.item, self.vault)
        context = checks_registry.Context(
            vault=vault, item=protected, read=read, clock=services.clock, rpo=services.rpo, limits=services.limits
        )
        return await diagnose(context, services.checks, limit_s=25)

    async def follow(self) -> str:
        """Look and do what is named first, again and again; "" when nothing is wrong any more, else what is."""
        for _ in range(TURNS):
            found = await self.look()
            if not found.failed:
                return ""
            if not await self._act(found):
                break
        left = [f"{one.check}: {one.summary}" for one in (await self.look()).failed]
        return f"{self.vault.rpartition('/')[2]} {self.item}: done {self.done}, left {left}" if left else ""

    async def _act(self, found: Diagnosis) -> bool:
        for cause in found.causes:
            if await self._try(cause):
                return True
        return False

    async def _try(self, cause: Cause) -> bool:
        """The first fix that can be asked for; a guide, or no fix at all, is for hands, and the next night shows."""
        target = await self.bench.target(self.vault, self.item)
        fault = self.by_hand.get(cause.id)
        for fix in cause.fixes:
            if CATALOGUE[fix].spec.guide or fix == LOOKS_ONLY:
                if fault is not None:
                    break
                continue
            try:
                _, state = await self.bench.fix(fix, target, **SET_BY_PEOPLE.get(fix, {}))
            except RequestError as refused:
                self.done.append(f"{fix} refused ({refused})")
                continue
            self.done.append(f"{fix} {state}")
            if state == "proved":
                return True
        if fault is None:
            return False
        del self.by_hand[cause.id]
        self.bench.sim.control.repair(FaultOrder(vault=self.vault, item=self.item, fault=fault), self.bench.now())
        self.bench.advance(A_NIGHT)
        self.done.append(f"{fault} by hand")
        return True


async def unmended(url: str, estate: dict[str, Any], directory: Path) -> str:
    """What is still wrong after the advice was followed everywhere, a line each."""
    path = directory / "estate.yaml"
    path.write_text(yaml.safe_dump(estate), encoding="utf-8")
    async with bench_on(url, estate=path) as bench:
        faults: dict[tuple[str, str], list[Seeded]] = {}
        for one in bench.sim.world.seeded:
            faults.setdefault((one.vault.id, one.item), []).append(one)
        left = [await Patient(bench, *place, of).follow() for place, of in faults.items()]
        assert await bench.holds()
    return "\n".join(filter(None, left))


async def test_two_faults_at_once_are_mended_by_following_the_advice(sqlite_url: str, tmp_path: Path) -> None:
    """Whatever is named first is done, until nothing fails any more."""
    vault = {"name": "rsv-advice", "location": "northeurope", "cross_region_restore": True, "items": ITEMS}
    assert "" == await unmended(sqlite_url, {"vaults": [vault]}, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 7))
async def test_a_mixture_is_mended_by_following_the_advice(seed: int, sqlite_url: str, tmp_path: Path) -> None:
    """The same in estates with up to three faults an item and vaults that differ in everything."""
    assert "" == await unmended(sqlite_url, a_mixture(seed), tmp_path)
