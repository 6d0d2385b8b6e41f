"""What every fix must honour, whatever it does."""

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from bot.gateways.azure_allowed import check_allowed
from diagnostics.remedies import FIXES as KNOWN
from domain.backup import Workload
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Risk
from fixes.assignments import revocation
from fixes.planning import az, az_rest
from fixes.registry import FixSpec, discover
from fixes.steps import step_for
from tests.fixes.test_items import GONE, POLICIES, STOPPED, policy
from tests.fixes.test_key_vaults import by_policies
from tests.fixes.test_machines import failed_machine, off
from tests.fixes.test_posture import TestSoftDelete, alerting, configured, told
from tests.fixes.test_restores import lifting, locked, north
from tests.fixes.test_scripts import SERVER_VM, with_server
from tests.fixes.world import (
    KEY_VAULT,
    OPERATOR,
    VM_ITEM,
    ask,
    estate,
    files_item,
    hana_item,
    job,
    mabs_item,
    machine,
    mars_item,
    snapshot_extension,
    sql_item,
    vm_item,
)

FIXES = discover()
SHARED = Path(__file__).resolve().parents[2] / "../shared"
UNTIL = "2026-11-22T05:00:00Z"
DAY = "2026-12-31T00:00:00Z"
CHANGING = sorted(name for name, fix in FIXES.items() if not fix.spec.guide)


def test_the_catalogue_is_this() -> None:
    """Every id of the plan, and none beside them."""
    assert [
        "add_key_vault_policy",
        "assign_backup_role",
        "cancel_and_rerun_backup",
        "enable_failure_alerts",
        "enable_soft_delete",
        "grant_key_vault_access",
        "guide_file_in_use",
        "guide_free_os_disk",
        "guide_mabs_update",
        "guide_mars_update",
        "guide_repair_vm_agent",
        "guide_restore_elsewhere",
        "lift_lock_for_restore",
        "probe_os_disk",
        "reapply_vm",
        "reinstall_snapshot_extension",
        "rerun_backup",
        "restore_disks",
        "restore_to_other_region",
        "resume_protection",
        "start_vm",
        "undelete_item",
        "update_mars_agent",
    ] == list(FIXES)


def test_risks_and_defaults_are_these() -> None:
    """How much can go wrong, and what is off until somebody turns it on."""
    assert {
        "low": {"rerun_backup", "enable_soft_delete", "enable_failure_alerts"},
        "medium": {
            "cancel_and_rerun_backup",
            "start_vm",
            "reapply_vm",
            "reinstall_snapshot_extension",
            "undelete_item",
            "resume_protection",
        },
        "high": {
            "grant_key_vault_access",
            "add_key_vault_policy",
            "assign_backup_role",
            "restore_disks",
            "restore_to_other_region",
            "lift_lock_for_restore",
            "probe_os_disk",
            "update_mars_agent",
        },
        "none": {name for name in FIXES if name.startswith("guide_")},
    } == {risk.value: {name for name, fix in FIXES.items() if fix.spec.risk is risk} for risk in Risk}
    assert {"add_key_vault_policy", "lift_lock_for_restore", "probe_os_disk", "update_mars_agent"} == {
        name for name, fix in FIXES.items() if fix.spec.off_by_default
    }


def test_what_checks_may_suggest_is_what_exists() -> None:
    """The list that diagnostics keep names the same fixes with the same workloads."""
    assert {name: fix.spec.workloads for name, fix in FIXES.items()} == dict(KNOWN)


@pytest.mark.parametrize("spec", [fix.spec for fix in FIXES.values()], ids=list(FIXES))
def test_declared_metadata_is_complete(spec: FixSpec) -> None:
    """Every fix says what it is, what it needs and where to read more."""
    assert re.fullmatch(r"[a-z][a-z_]+", spec.id)
    assert spec.version >= 1
    assert spec.title[0].isupper()
    assert not spec.title.endswith(".")
    assert spec.summary.endswith(".")
    assert spec.proof.endswith(".")
    assert spec.docs.startswith("https://learn.microsoft.com/")
    assert spec.workloads
    assert spec.guide is (spec.risk is Risk.NONE)
    assert spec.guide is not bool(spec.permissions)
    assert spec.off_by_default is bool(spec.hands_out)
    for action in (*spec.permissions, *spec.reads):
        assert re.fullmatch(r"Microsoft\.\w+(/\w+)+", action), action
    assert all(action.endswith(("/read", "/action")) for action in spec.reads)
    for parameter in spec.parameters:
        re.compile(parameter.pattern)
        assert parameter.label
        assert not parameter.default or re.fullmatch(parameter.pattern, parameter.default)
        assert all(re.fullmatch(parameter.pattern, choice) for choice in parameter.choices)
    assert len(spec.parameters) == len({parameter.name for parameter in spec.parameters})


async def samples() -> list[FixPlan]:
    """Plans of every fix that has calls, for every workload and every shape of body."""
    broken = estate()
    broken.put(machine(extensions=(snapshot_extension(),)))
    stuck = estate()
    stuck.put(job())
    stopped = estate()
    stopped.lists[POLICIES] = [policy("DailyPolicy"), policy("Share", "AzureStorage"), policy("Sql", "AzureWorkload")]
    asked: Sequence[tuple[str, Any, Any]] = (
        ("rerun_backup", ask(retain_until=DAY), estate()),
        ("rerun_backup", ask(sql_item(), retain_until=DAY), estate()),
        ("rerun_backup", ask(hana_item(), backup_type="Incremental"), estate()),
        ("rerun_backup", ask(files_item(), retain_until=DAY), estate()),
        ("cancel_and_rerun_backup", ask(), stuck),
        ("start_vm", ask(), off()),
        ("reapply_vm", ask(), failed_machine()),
        ("reinstall_snapshot_extension", ask(), broken),
        ("grant_key_vault_access", ask(rights_until=UNTIL), estate()),
        ("add_key_vault_policy", ask(rights_until=UNTIL), by_policies()),
        ("assign_backup_role", ask(scope="vm", rights_until=UNTIL), estate()),
        ("undelete_item", ask(vm_item(**GONE)), estate()),
        ("undelete_item", ask(sql_item(**GONE)), estate()),
        ("undelete_item", ask(hana_item(**GONE)), estate()),
        ("undelete_item", ask(files_item(**GONE)), estate()),
        ("resume_protection", ask(vm_item(**STOPPED), policy="DailyPolicy"), stopped),
        ("resume_protection", ask(sql_item(**STOPPED), policy="Sql"), stopped),
        ("resume_protection", ask(files_item(**STOPPED), policy="Share"), stopped),
        ("restore_disks", ask(), estate()),
        ("restore_to_other_region", ask(), north()),
        ("lift_lock_for_restore", lifting(), locked()),
        ("enable_soft_delete", ask(days="30"), configured(**TestSoftDelete.off)),
        ("enable_failure_alerts", told(email="oncall@contoso.com"), alerting()),
        ("probe_os_disk", ask(), estate()),
        ("update_mars_agent", ask(mars_item(), vm=SERVER_VM), with_server()),
    )
    return [await FIXES[name].plan(request, azure) for name, request, azure in asked]


async def test_there_is_a_sample_of_every_fix() -> None:
    """So that what follows speaks for all of them."""
    assert CHANGING == sorted({plan.fix for plan in await samples()})


async def test_calls_stay_within_what_is_declared() -> None:
    """Each request's permission is declared, each role is of the list, and scopes are where the call goes."""
    for plan in await samples():
        spec = FIXES[plan.fix].spec
        for call in plan.requests:
            assert call.action in spec.permissions, (plan.fix, call.action)
            assert call.resource.casefold().startswith(call.scope.casefold()), (plan.fix, call.scope)
            assert call.purpose
            if call.kind is not Kind.ACCESS_TOKEN:
                step_for(call.kind)
        for call in plan.calls:
            if call.revoke_on_expiry:
                assert revocation(call).action in spec.permissions
        assert bool(plan.parameters.get("rights_until")) is any(call.revoke_on_expiry for call in plan.calls)


async def test_the_operators_own_table_lets_every_call_pass() -> None:
    """What the gateway refuses to send must never be planned; taking rights back must pass too."""
    for plan in await samples():
        for call in plan.requests:
            check_allowed(call)
        for call in plan.calls:
            if call.revoke_on_expiry:
                check_allowed(revocation(call))


async def test_plans_say_everything_that_people_need() -> None:
    """Sentence, effects, worst case, undo, proof, duration, commands, in plain words."""
    for plan in await samples():
        assert plan.sentence.endswith(".")
        assert len(plan.sentence) < 400
        assert plan.effects
        assert plan.worst_case.endswith((".", "!"))
        assert plan.undo
        assert plan.proof == FIXES[plan.fix].spec.proof
        assert plan.duration >= timedelta(minutes=1)
        assert plan.az
        assert plan.risk is FIXES[plan.fix].spec.risk
        for command in plan.az:
            words = shlex.split(command)
            assert words[0] == "az"
            assert "" not in words
        assert all(problem.endswith(".") for problem in plan.problems), plan.problems


async def test_two_fixes_of_one_thing_share_a_lock() -> None:
    """Whatever each does to it: the locks name the thing, not what is done."""
    locks = {plan.fix: set(plan.locks) for plan in await samples()}
    vm = machine().id.casefold()
    touching = {"start_vm", "reapply_vm", "reinstall_snapshot_extension", "probe_os_disk"}
    assert touching == {name for name, held in locks.items() if vm in held}
    assert KEY_VAULT.casefold() in locks["add_key_vault_policy"]
    assert f"{VM_ITEM}/recoveryPoints/copied".casefold() in locks["restore_to_other_region"]
    for plan in await samples():
        assert plan.item_id.casefold() in plan.locks
        assert all(not lock.endswith(("/backup", "/start", "/cancel", "/restore")) for lock in plan.locks)


async def test_plans_are_pure() -> None:
    """Twice, and a day later, everything that is hashed is the same."""
    first, second = await samples(), await samples()
    assert [plan.fingerprint(OPERATOR) for plan in first] == [plan.fingerprint(OPERATOR) for plan in second]
    assert [plan.hashed(OPERATOR) for plan in first] == [plan.hashed(OPERATOR) for plan in second]


async def test_no_address_or_secret_is_in_a_plan() -> None:
    """Signed addresses and tokens have no place in what is stored and shown."""
    for plan in await samples():
        assert not re.search(r"[?&](sig|t|s|c|h)=|accessTokenString|Bearer ", repr(plan))


@pytest.mark.parametrize("name", list(FIXES))
async def test_unknown_workloads_are_refused(name: str) -> None:
    """A fix says for what it is, before it reads anything."""
    spec = FIXES[name].spec
    items = {
        Workload.VM: vm_item(),
        Workload.SQL: sql_item(),
        Workload.HANA: hana_item(),
        Workload.FILES: files_item(),
        Workload.MARS: mars_item(),
        Workload.MABS: mabs_item(),
        Workload.OTHER: replace(vm_item(), workload=Workload.OTHER),
    }
    for workload, item in items.items():
        if workload not in spec.workloads:
            azure = estate()
            with pytest.raises(RequestError, match=name):
                await FIXES[name].plan(ask(item), azure)
            assert [] == azure.calls


@pytest.mark.parametrize("name", list(FIXES))
async def test_unknown_parameters_are_refused(name: str) -> None:
    """By name, for every fix."""
    items = {Workload.VM: vm_item(), Workload.MARS: mars_item(), Workload.MABS: mabs_item(), Workload.SQL: sql_item()}
    item = next(one for workload, one in items.items() if workload in FIXES[name].spec.workloads)
    azure = estate()
    azure.put(item)
    with pytest.raises(RequestError, match="colour"):
        await FIXES[name].plan(ask(item, colour="red"), azure)


def checker() -> ModuleType:
    """The checker of bodies against Azure's own API documents."""
    tool = SHARED / "tools" / "swagger_check.py"
    if not tool.exists() or not (SHARED / "data" / "specs").exists():
        pytest.skip("Azure's API documents are not beside this project")
    spec = importlib.util.spec_from_file_location("swagger_check", tool)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up while they are made.
    sys.modules["swagger_check"] = module
    spec.loader.exec_module(module)
    return module


async def test_bodies_are_as_azures_api_documents_say() -> None:
    """No wrong type, no unknown or missing field, no unknown discriminator, in any request of any fix."""
    tool = checker()
    against = tool.Checker(tool.Spec.load(SHARED / "data" / "specs"))
    looked: set[str] = set()
    for plan in await samples():
        for call in plan.requests:
            url = f"https://management.azure.com{quote(call.resource)}?api-version={call.api_version}"
            issues = against.request(call.method, url, json.loads(json.dumps(call.body)), call.api_version)
            if issues is not None:
                looked.add(plan.fix)
                assert [] == issues, (plan.fix, call.method, call.resource)
    # Action groups have no document here, and a DELETE or a start has no body to check.
    assert {
        "add_key_vault_policy",
        "assign_backup_role",
        "cancel_and_rerun_backup",
        "enable_failure_alerts",
        "enable_soft_delete",
        "grant_key_vault_access",
        "lift_lock_for_restore",
        "probe_os_disk",
        "reapply_vm",
        "reinstall_snapshot_extension",
        "rerun_backup",
        "restore_disks",
        "restore_to_other_region",
        "resume_protection",
        "start_vm",
        "undelete_item",
        "update_mars_agent",
    } == looked


def test_commands_are_quoted_for_the_shell() -> None:
    """Whatever a name holds, a shell sees one word."""
    nasty = "rg'; rm -rf / #$(x)`y`"
    assert ["az", "group", "show", "--name", nasty] == shlex.split(az("group", "show", "--name", nasty))
    assert "az group show --flag" == az("group", "show", "--name", "", "--flag")
    call = Call(
        method="PUT",
        resource=f"/subscriptions/s/{nasty}",
        api_version="1",
        body={"a": nasty},
        kind=Kind.RESOURCE,
        purpose="",
        action="",
        scope="",
    )
    words = shlex.split(az_rest(call))
    assert f"/subscriptions/s/{nasty}?api-version=1" in words
    assert {"a": nasty} == json.loads(words[words.index("--body") + 1])
