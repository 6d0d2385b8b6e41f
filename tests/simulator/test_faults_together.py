"""Several faults of one item: what can hold at once, and what its jobs then tell."""

from datetime import UTC, datetime, timedelta

import pytest

from simulator.build import build
from simulator.estate import parse
from simulator.faults import FAULTS
from simulator.faults.together import GIVES_WAY, ORDER, arrange
from simulator.server import Simulator
from simulator.world import history
from simulator.world.model import Item, World

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ESTATE = """
vaults:
  - name: rsv-one
    items:
      - {name: vm-both, faults: [vm_deallocated, agent_dead]}
      - {name: vm-stopped, faults: [os_disk_full, protection_stopped]}
      - {name: vm-stuck, faults: [job_stuck, transient]}
      - {name: vm-gap, faults: [policy_gap, protection_stopped]}
      - {name: orders, workload: sql, host: vm-host, os: Windows, faults: [database_host_deallocated]}
      - {name: billing, workload: sql, host: vm-host, os: Windows}
      - {name: stock, workload: sql}
      - {name: plans, workload: files}
"""


@pytest.fixture
def world() -> World:
    """A world in which items have two faults and say nothing but what they must."""
    return build(parse(ESTATE, "test"), NOW)


def item(world: World, name: str) -> Item:
    return next(one for one in world.items if one.name == name)


def told(world: World, name: str) -> list[tuple[str, str]]:
    """The status and error of the item's backups of eight days, the newest first, good ones left out."""
    jobs = history.jobs(world, item(world, name), NOW - timedelta(days=8), NOW, NOW)
    return [(job.status, job.error.title if job.error else "") for job in jobs if job.status != "Completed"]


@pytest.mark.parametrize(
    ("named", "held"),
    [
        (["provisioning_failed", "agent_dead"], ["agent_dead", "provisioning_failed"]),
        (["transient", "protection_stopped"], ["protection_stopped", "transient"]),
        (["backups_suspended", "protection_stopped"], ["protection_stopped"]),
        (["key_vault_policy", "key_vault_access"], ["key_vault_access"]),
        (["agent_dead", "agent_dead"], ["agent_dead"]),
        (["restore_target_locked", "os_disk_full"], ["os_disk_full", "restore_target_locked"]),
    ],
)
def test_arranged(named: list[str], held: list[str]) -> None:
    """What hides others comes last, what cannot hold beside another is left out."""
    assert [fault.id for fault in arrange([FAULTS[name] for name in named])] == held


def test_the_tables_name_faults() -> None:
    """Nothing in the tables is a word that no fault bears."""
    assert {*ORDER, *GIVES_WAY, *(one for others in GIVES_WAY.values() for one in others)} <= FAULTS.keys()


def test_each_fault_leaves_its_error(world: World) -> None:
    """The night failed with one error and the attempts after it with the other; a schedule ends after its failures."""
    dead, off = "UserErrorGuestAgentStatusUnavailable", "AzureVmOffline"
    assert told(world, "vm-both") == [("Failed", off), ("Failed", off), ("Failed", dead)]
    full = "ExtensionFailedVssWriterInBadState"
    assert told(world, "vm-stopped") == [("Failed", full)] * 3
    assert told(world, "vm-stuck") == [("InProgress", ""), ("Failed", "ExtensionSnapshotFailedNoNetwork")]
    last = history.jobs(world, item(world, "vm-stopped"), NOW - timedelta(days=8), NOW, NOW)[0]
    assert timedelta(days=4) < NOW - last.started < timedelta(days=4, hours=4)


async def test_only_what_holds_is_listed_and_neighbours_of_trouble_are_not_called_healthy() -> None:
    """A stopped item has no policy to be too rare; a database on a machine that is off is not well."""
    async with Simulator(parse(ESTATE, "test")) as sim:
        estate = sim.control.estate()
    assert [one["fault"] for one in estate["faults"] if one["item"] == "vm-gap"] == ["protection_stopped"]
    assert {one["item"] for one in estate["healthy"]} == {"stock", "plans"}


def test_a_host_that_nobody_named_is_the_items_own(world: World) -> None:
    """A database and a share come with a machine and an account of their own."""
    assert item(world, "stock").source_id.endswith("/virtualMachines/vm-stock")
    assert item(world, "plans").source_id.endswith("/storageAccounts/stplans")
