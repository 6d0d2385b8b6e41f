"""The whole way, from the simulated Azure through the real SDK to causes: every seeded fault is named first."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import combinations
from time import monotonic
from typing import Any

import pytest

from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from diagnostics.registry import Context, Limits, discover
from diagnostics.rules import RULES
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Vault
from domain.finding import Diagnosis
from domain.schedule import RpoRules
from simulator.estate import Estate
from simulator.faults import FAULTS
from simulator.server import Simulator

CHECKS = discover()
HOOK = "https://backupbot.contoso.com/webhooks/azure-monitor"
KEY_VAULT_FAULTS = {"key_vault_access": "rbac", "key_vault_policy": "policies", "key_vault_firewall": "rbac"}
COMBINATIONS: tuple[tuple[str, ...], ...] = (
    ("key_vault_access", "agent_dead"),
    ("key_vault_firewall", "extension_failed"),
    ("key_vault_policy", "vm_deallocated"),
    ("os_disk_full", "protection_stopped"),
    ("provisioning_failed", "restore_target_locked"),
    ("extension_hidden_failure", "points_soft_deleted"),
    ("transient", "points_soft_deleted"),
    ("transient", "restore_storage_region"),
    ("agent_dead", "policy_inconsistent"),
    ("job_stuck", "restore_size_unavailable"),
    ("health_degraded", "policy_gap"),
    ("backups_suspended", "vault_identity_role"),
    ("restore_quota_full", "key_vault_access"),
    ("restore_point_lock", "restore_storage_firewall"),
)
OTHER_COMBINATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sql", ("workload_extension_failed", "protection_stopped")),
    ("files", ("share_account_locked", "soft_deleted")),
    ("mars", ("mars_outdated", "mars_offline")),
    ("sql", ("restore_database_exists", "database_host_deallocated")),
    ("files", ("restore_share_full", "share_soft_deleted")),
)


class WallClock:
    """The real time, which the simulated world keeps."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


@asynccontextmanager
async def reading(estate: str | Estate) -> AsyncIterator[tuple[Simulator, AzureReader]]:
    async with Simulator(estate) as sim:
        env = sim.env
        cloud = Cloud(
            endpoint=env["BACKUPBOT_ARM_ENDPOINT"],
            scope=env["BACKUPBOT_ARM_SCOPE"],
            ca_file=env["BACKUPBOT_CA_FILE"],
            graph_endpoint=env["BACKUPBOT_GRAPH_ENDPOINT"],
            trust_env=False,
        )
        async with AzureConnection(cloud) as connection:
            yield sim, AzureReader(connection, connection.reader_credential(env))


async def ask(reader: AzureReader, vault: Vault, item: ProtectedItem | None) -> Diagnosis:
    bugs: list[tuple[str, Exception]] = []
    context = Context(
        vault=vault,
        item=item,
        read=reader,
        clock=WallClock(),
        rpo=RpoRules(),
        limits=Limits(bot_alert_urls=(HOOK,)),
    )
    diagnosis = await diagnose(context, CHECKS, on_bug=lambda check, error: bugs.append((check, error)))
    assert bugs == []
    return diagnosis


def complaint(diagnosis: Diagnosis, causes: list[str], fixes: Mapping[str, tuple[str, ...]]) -> str:
    """What is wrong with a diagnosis, or ""."""
    found = [cause.id for cause in diagnosis.causes]
    name = f"{diagnosis.vault_name}/{diagnosis.item_name}"
    if diagnosis.blind:
        return f"{name} could not be looked at: {diagnosis.blind}"
    if not causes:
        return f"{name} is healthy, but: {diagnosis.failed}" if diagnosis.failed else ""
    wanted = set(causes)
    if set(found[: len(wanted)]) != wanted:
        return f"{name}: wanted {causes} first, got {found}"
    for cause in diagnosis.causes:
        if not set(fixes.get(cause.id, ())) <= set(cause.fixes):
            return f"{name}: {cause.id} is mended by {fixes[cause.id]}, not by {cause.fixes}"
    return ""


async def complaints(estate: str | Estate) -> tuple[list[str], int]:
    """Every wrong diagnosis of the estate, and how many were made."""
    wrong: list[str] = []
    count = 0
    async with reading(estate) as (sim, reader):
        seeded: dict[tuple[str, str], list[Any]] = {}
        for one in sim.world.seeded:
            seeded.setdefault((one.vault.id.casefold(), one.item), []).append(one)
        for vault in await reader.vaults():
            for item in (None, *await reader.items(vault.id)):
                here = seeded.get((vault.id.key, item.name if item else "-"), [])
                if item is None and not here:
                    continue
                diagnosis = await ask(reader, vault, item)
                said = complaint(diagnosis, [one.cause for one in here], {one.cause: one.fixes for one in here})
                wrong += [said] if said else []
                count += 1
    return wrong, count


def an_estate(*wishes: tuple[str, tuple[str, ...]]) -> Estate:
    """A vault with one item for each wish: (workload, faults)."""
    items, key_vaults = [], []
    for number, (workload, faults) in enumerate(wishes):
        name = f"{workload}-{number:02d}"
        item: dict[str, Any] = {"name": name, "workload": workload, "faults": list(faults)}
        if workload in {"sql", "hana", "files", "mars", "mabs"}:
            item["host"] = f"st{workload}{number:02d}" if workload == "files" else f"host-{name}"
        for fault in faults:
            if fault in KEY_VAULT_FAULTS:
                may = fault == "key_vault_firewall"
                access = KEY_VAULT_FAULTS[fault]
                key_vaults.append({"name": f"kv-{name}", "access": access, "backup_service_may_read": may})
                item["key_vault"] = f"kv-{name}"
        items.append(item)
    weekly = {"name": "weekly", "workload": "vm", "every": "week", "days": ["Sunday"]}
    vault = {"name": "vault-mixed-01", "items": items, "policies": [weekly, {"name": "daily", "workload": "vm"}]}
    return Estate.model_validate({"key_vaults": key_vaults, "vaults": [vault]})


def test_every_cause_of_the_simulated_faults_is_one_that_can_be_named() -> None:
    """The words of the simulated cloud for causes are ours."""
    assert {fault.cause for fault in FAULTS.values()} <= {rule.id for rule in RULES}


@pytest.mark.timeout(300)
async def test_contoso() -> None:
    """In the demonstration estate each seeded fault is named first, with its fixes, and the healthy have no FAIL."""
    wrong, count = await complaints("contoso")
    assert wrong == []
    assert count >= 40


@pytest.mark.timeout(300)
async def test_faults_in_combinations_not_seen_before() -> None:
    """Two faults of one item both come before any other cause."""
    wishes = [("vm", faults) for faults in COMBINATIONS]
    wrong, count = await complaints(an_estate(*wishes, *OTHER_COMBINATIONS))
    assert wrong == []
    assert count == len(COMBINATIONS) + len(OTHER_COMBINATIONS)


@pytest.mark.timeout(300)
async def test_each_fault_on_each_workload_it_fits() -> None:
    """One item for every fault and workload, all in one vault, so that neighbours share regions and accounts."""
    wishes = [
        (workload.value, (fault.id,))
        for fault in FAULTS.values()
        for workload in sorted(fault.workloads, key=lambda one: one.value)
    ]
    healthy: list[tuple[str, tuple[str, ...]]] = [
        (workload, ()) for workload in ("vm", "sql", "hana", "files", "mars", "mabs")
    ]
    wrong, count = await complaints(an_estate(*wishes, *healthy))
    assert wrong == []
    assert count == len(wishes) + len(healthy)


async def test_a_full_diagnosis_makes_few_calls() -> None:
    """A failing VM is diagnosed with at most twenty ARM calls, a healthy one with at most ten."""
    async with reading("contoso") as (sim, reader):
        vault = next(one for one in await reader.vaults() if one.id.name == "vault-prod-01")
        calls = {}
        for item in await reader.items(vault.id):
            before = sim.control.count
            await ask(reader, vault, item)
            calls[item.name] = sim.control.count - before
        assert calls["vm-erp-01"] <= 20
        assert calls["vm-app-01"] <= 10


def test_the_combinations_are_pairs_of_different_faults() -> None:
    """The table above holds real pairs, each once."""
    assert len(set(COMBINATIONS)) == len(COMBINATIONS)
    assert all(set(pair) <= set(FAULTS) for pair in COMBINATIONS)
    assert all(one != other for pair in COMBINATIONS for one, other in combinations(pair, 2))
