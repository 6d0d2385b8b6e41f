"""Estates: wrong files say what is wrong and where, shipped ones load, the schema in the documentation is current."""

import json
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from simulator.build import build
from simulator.clock import wall_time
from simulator.estate import Estate, EstateError, load, parse
from simulator.faults import FAULTS
from simulator.server import Simulator
from simulator.world import history

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vaults: [{name: v1, itmes: []}]", ["vaults[0].itmes", "unknown key", "items"]),
        ("vaults: [{name: v1, items: [{name: a, faults: [nope]}]}]", ["items[0]", "'nope'", "key_vault_access"]),
        ("vaults: [{name: v1, items: [{name: a, workload: tape}]}]", ["workload", "'vm'"]),
        ("vaults: [{name: v1, items: [{name: a, workload: sql, faults: [agent_dead]}]}]", ["does not fit", "vm"]),
        ("vaults: [{name: v1, faults: [agent_dead]}]", ["no fault of a vault", "soft_delete_off"]),
        ("vaults: [{name: v1, subscription: x}]", ["subscription 'x'", "contoso-prod"]),
        ("vaults: [{name: v1}, {name: v1}]", ["occurs twice"]),
        ("vaults: [{name: v1, items: [{name: a, key_vault: kv}]}]", ["kv", "not listed"]),
        ("vaults: [{name: v1, policies: [{name: p, workload: vm, time_zone: CET}]}]", ["time_zone", "UTC"]),
        ("vaults: [{name: v1, policies: [{name: p, workload: vm, every: week}]}]", ["days"]),
        ("vaults: [{name: '1'}]", ["vaults[0].name"]),
        ("a: [", ["not YAML"]),
    ],
)
def test_mistakes_are_explained(text: str, words: list[str]) -> None:
    """A wrong file names the place, the mistake and what is allowed."""
    with pytest.raises(EstateError) as caught:
        parse(text, "file.yaml")
    for word in ["file.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["fleet:2000:10", "fleet:x:1", "no-such-estate", "fleet:1:200000"])
def test_unknown_sources_are_explained(text: str) -> None:
    """A source that is neither shipped, a file nor a fleet is refused with the choices."""
    with pytest.raises(EstateError, match=r"fleet|contoso"):
        load(text)


def test_same_names_occur_in_groups_and_subscriptions() -> None:
    """Contoso has vaults of the same name in two groups and in two subscriptions, and a VM of the same name."""
    world = build(load("contoso"), wall_time())
    places = [(v.name, v.group, v.subscription) for v in world.vaults.values()]
    assert len({p for p in places if p[0] == "vault-archive-01"}) == 2
    assert len({p[2] for p in places if p[0] == "vault-shared"}) == 2
    assert len({i.vault.id for i in world.items if i.name == "vm-jump-01"}) == 2
    prod = [i.name for v in world.vaults.values() if v.name == "vault-prod-01" for i in v.items.values()]
    assert prod == ["vm-erp-01", "vm-web-01", "vm-app-01"]


def test_the_last_good_point_of_the_demonstration_is_31_hours_old() -> None:
    """vm-erp-01 and vm-web-01 were last backed up well 31 hours ago."""
    now = wall_time()
    world = build(load("contoso"), now)
    for item in world.items[:2]:
        point = history.newest_point(world, item, now)
        assert point is not None
        assert (now - point.time).total_seconds() // 3600 == 31


def test_quiet_has_no_faults_and_empty_no_vaults() -> None:
    """The two calm estates are calm."""
    assert build(load("quiet"), wall_time()).seeded == []
    assert not build(load("empty"), wall_time()).vaults


def test_the_same_estate_and_instant_give_the_same_world() -> None:
    """Building twice gives the same ids and job history."""
    now = wall_time()
    worlds = [build(load("contoso"), now) for _ in range(2)]
    seen = [
        [
            job.id
            for item in world.items
            for job in history.jobs(world, item, world.epoch.min.replace(tzinfo=now.tzinfo), now, now)
        ]
        for world in worlds
    ]
    assert seen[0] == seen[1]


def test_a_fleet_starts_quickly() -> None:
    """A hundred vaults with ten thousand items are built within a few seconds, two of a hundred in trouble."""
    begun = time.monotonic()
    world = build(load("fleet:100:10000"), wall_time())
    assert time.monotonic() - begun < 10
    assert (len(world.vaults), len(world.items), len(world.seeded)) == (100, 10000, 200)


def test_documentation_is_current() -> None:
    """The JSON schema beside docs/estates.md is the model's own, fits the shipped files, and the page lists all faults."""
    schema = json.loads((ROOT / "docs/estates.schema.json").read_text(encoding="utf-8"))
    assert schema == Estate.model_json_schema()
    for file in (ROOT / "simulator/estates").glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)
    page = (ROOT / "docs/estates.md").read_text(encoding="utf-8")
    for fault in FAULTS.values():
        fixes = ", ".join(f"`{fix}`" for fix in fault.fixes) or "by hand"
        assert f"| `{fault.id}` | `{fault.cause}` | {fixes} |" in page


async def test_the_estate_names_each_thing_so_that_it_can_be_found() -> None:
    """Where vaults share a name the estate tells their ids, and faults are in vaults with a name of their own."""
    async with Simulator("contoso") as sim:
        estate = sim.control.estate()
    assert not [fault for fault in estate["faults"] if "/" in fault["vault"]]
    named = [(one["vault"], one["item"]) for one in (*estate["faults"], *estate["healthy"])]
    assert len(set(named)) == len(named)
