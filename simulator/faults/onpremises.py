"""Faults of MARS agents and backup servers, which only people can reach unless their machine is an Azure VM."""

from datetime import datetime, timedelta

from simulator.faults.base import SCHEDULE_ENDED, Fault, failing
from simulator.world import agents, engine
from simulator.world.agents import CURRENT_MARS
from simulator.world.model import Item, Machine, Workload, World

MARS = frozenset({Workload.MARS})
MABS = frozenset({Workload.MABS})
CURRENT_MABS = "14.0.42.0"


def _old_agent(world: World, item: Item, now: datetime) -> None:
    item.more["agent_version"] = "2.0.8703.0"
    item.more.pop("agent_update", None)
    failing(world, item, now)


def _old_agent_on_vm(world: World, item: Item, now: datetime) -> None:
    if agents.host_of(world, item) is None:
        vault = item.vault
        vm = Machine(vault.subscription, "rg-vms", agents.short(item.more["server"]), vault.location, "Windows")
        group = vm.id.partition("/providers/")[0]
        world.groups.setdefault(group.casefold(), (group, vault.location))
        world.machines[vm.id.casefold()] = vm
    _old_agent(world, item, now)


def _new_agent(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    item.more["agent_version"] = CURRENT_MARS


def _offline(world: World, item: Item, now: datetime) -> None:
    item.more["silent"] = True
    item.more["last_seen"] = item.more[SCHEDULE_ENDED] = now - timedelta(days=6)
    engine.make_real(world, item, now - timedelta(days=6))


def _online(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    item.more["silent"] = False
    item.more["last_seen"] = None


def _file_in_use(world: World, item: Item, now: datetime) -> None:
    item.more["file_in_use"] = True
    failing(world, item, now)


def _file_free(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    item.more["file_in_use"] = False


def _old_server(world: World, item: Item, now: datetime) -> None:
    for engine_body in item.vault.engines:
        if engine_body["name"] == item.more["engine"]:
            engine_body["agent"], engine_body["dpm"], engine_body["outdated"] = "2.0.8719.0", "13.0.415.0", True
    item.more["server_version"] = "13.0.415.0"
    failing(world, item, now)


def _new_server(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    for engine_body in item.vault.engines:
        if engine_body["name"] == item.more["engine"]:
            engine_body["agent"], engine_body["dpm"], engine_body["outdated"] = CURRENT_MARS, CURRENT_MABS, False
    item.more["server_version"] = CURRENT_MABS


FAULTS = (
    Fault(
        "mars_outdated",
        "mars_agent_outdated",
        ("guide_mars_update",),
        "The MARS agent is older than the service accepts.",
        MARS,
        _old_agent,
        _new_agent,
        spreads=True,
    ),
    Fault(
        "mars_outdated_on_vm",
        "mars_agent_outdated",
        ("guide_mars_update", "update_mars_agent"),
        "The MARS agent of a server that is itself an Azure VM is too old; a script in the VM can update it.",
        MARS,
        _old_agent_on_vm,
        _new_agent,
        spreads=True,
    ),
    Fault(
        "mars_offline",
        "mars_agent_offline",
        (),
        "The server with the MARS agent has not been seen for days; nothing runs and nothing fails.",
        MARS,
        _offline,
        _online,
        spreads=True,
    ),
    Fault(
        "mars_file_in_use",
        "file_in_use",
        ("guide_file_in_use",),
        "The MARS agent cannot read a file that another process holds.",
        MARS,
        _file_in_use,
        _file_free,
    ),
    Fault(
        "mabs_outdated",
        "mabs_outdated",
        ("guide_mabs_update",),
        "The backup server and its agent are older than the service accepts.",
        MABS,
        _old_server,
        _new_server,
        spreads=True,
    ),
)
