"""An incident as people live it: look, do what is named first, look again, until nothing is wrong any more."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.errors import RequestError
from domain.finding import Diagnosis
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


def makes_calls(fix: str) -> bool:
    """Whether the bot itself mends something with it."""
    return fix != LOOKS_ONLY and not CATALOGUE[fix].spec.guide


class Patient:
    """An item or vault in trouble, and what people have done for it."""

    def __init__(self, bench: Bench, vault: str, item: str, faults: list[Seeded]) -> None:
        self.bench, self.vault, self.item = bench, vault, item
        self.by_hand = {one.cause: one.fault for one in faults if not any(map(makes_calls, one.fixes))}
        self.done: list[str] = []
        items = (one for one in bench.sim.world.items if (one.vault.id, one.name) == (vault, item))
        self.policy = next((one.more.get("former_policy", "") for one in items), "")
        """What people remember of the policy that Azure forgets."""

    async def follow(self) -> str:
        """Look and do what is named first, again and again; "" when nothing is wrong any more, else what is."""
        for _ in range(TURNS):
            found = await self.bench.look(self.vault, self.item)
            if not found.failed:
                return ""
            if not await self._act(found):
                self.bench.advance(A_NIGHT)  # what only the machine itself can begin comes with the next night
                self.done.append("waited")
        left = [f"{one.check}: {one.summary}" for one in (await self.bench.look(self.vault, self.item)).failed]
        return f"{self.vault.rpartition('/')[2]} {self.item}: done {self.done}, left {left}" if left else ""

    async def _act(self, found: Diagnosis) -> bool:
        """What the first cause asks for: hands where nothing else mends it, else its first fix that can be asked for."""
        for cause in found.causes:
            if self._by_hand(cause.id):
                return True
            for fix in cause.fixes:
                if makes_calls(fix) and await self._ask(fix):
                    return True
        return False

    async def _ask(self, fix: str) -> bool:
        """Ask for a fix, approve it and wait for its end, whatever that is; whether it could be asked for."""
        target = await self.bench.target(self.vault, self.item)
        for parameters in (SET_BY_PEOPLE.get(fix, {}), {"policy": self.policy}):
            try:
                _, state = await self.bench.fix(fix, target, **parameters)
            except RequestError as refused:
                self.done.append(f"{fix} refused ({refused})")
                if "say it with policy" not in str(refused):
                    return False
            else:
                self.done.append(f"{fix} {state}")
                return True
        return False

    def _by_hand(self, cause: str) -> bool:
        fault = self.by_hand.pop(cause, None)
        if fault is None:
            return False
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
