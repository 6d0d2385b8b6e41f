"""The printed roles are enough: identities with exactly them look everywhere and do every fix, and are never refused."""

import json
from collections.abc import Sequence

import pytest

from bot import commands_admin
from diagnostics.changes import what_changed
from diagnostics.overview import restore_check
from diagnostics.overview.restore import restore_checks
from diagnostics.registry import Context
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Vault
from fixes.roles import operator_role
from simulator.world.model import Role, World
from tests.fix_runs.bench import CATALOGUE, Bench
from tests.fix_runs.cases import ONE_EACH, Case

RUN = frozenset(
    {
        "extension_failed",
        "key_vault_access",
        "mars_outdated_on_vm",
        "restore_size_unavailable",
        "restore_target_locked",
        "vault_identity_role",
    }
)
"""Faults whose fixes differ in what they call and follow."""
READER, OPERATOR = "Backup Incident Bot - Diagnose", "Backup Incident Bot - Fix"


def role_of(world: World, name: str) -> Role:
    """The simulated tenant's own role of that name, which an identity of the bot holds."""
    return next(role for role in world.roles.values() if role.name == name)


def printed_reader(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The actions that ``backupbot roles reader`` prints."""
    commands_admin.roles_reader()
    actions: list[str] = json.loads(capsys.readouterr().out)["Actions"]
    return actions


def printed_operator(fix: str) -> tuple[str, ...]:
    """The actions that ``backupbot roles operator --fix`` prints."""
    actions = operator_role([CATALOGUE[fix]])["Actions"]
    assert isinstance(actions, list)
    return tuple(actions)


def refused(bench: Bench) -> list[tuple[str, str, str]]:
    """Every request that was forbidden: who, method, path."""
    return [(one["identity"], one["method"], one["path"]) for one in bench.sim.control.log if one["status"] == 403]


@pytest.mark.timeout(300)
@pytest.mark.long
async def test_the_printed_reader_looks_everywhere(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Each item and vault of the estate is diagnosed, with what changed, and restores of all kinds checked, unrefused."""
    role_of(bench.sim.world, READER).actions = tuple(printed_reader(capsys))
    checks = bench.services.checks
    looks = 0
    restored: set[str] = set()

    def context(vault: Vault, item: ProtectedItem | None) -> Context:
        return Context(
            vault=vault,
            item=item,
            read=bench.services.read(),
            clock=bench.services.clock,
            rpo=bench.services.rpo,
            limits=bench.services.limits,
        )

    for vault in await bench.services.read().vaults():
        items: Sequence[ProtectedItem] = await bench.services.read().items(vault.id)
        for item in (None, *items):
            here = context(vault, item)
            diagnosis = await diagnose(here, checks)
            assert diagnosis.blind == ()
            looks += 1
            if item is None:
                continue
            assert (await what_changed(here, diagnosis)).unread == ()
            kind = item.workload if vault.id.name != "vault-restore-01" else item.name
            if restore_checks(item, checks) and kind not in restored:
                restored.add(kind)
                assert (await restore_check(context(vault, item), checks)).diagnosis.blind == ()
    assert looks >= 45
    assert any("/backupvalidateoperation" in one["path"].casefold() for one in bench.sim.control.log)
    assert refused(bench) == []


async def test_without_the_validation_only_that_is_unknown(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A strict reader may not ask the service: that one answer is missing and names its right, all others stand."""
    action = "Microsoft.RecoveryServices/Vaults/backupValidateOperation/action"
    role_of(bench.sim.world, READER).actions = tuple(one for one in printed_reader(capsys) if one != action)
    for fault, outcome in (("restore_storage_region", "FAIL"), ("restore_target_locked", "UNKNOWN")):
        diagnosis = await bench.diagnosis(fault)
        assert diagnosis.causes[0].id == bench.seeded(fault).cause
        [finding] = [one for one in diagnosis.findings if one.check == "restore_target_is_available"]
        assert finding.outcome == outcome
        assert finding.evidence["validation"] == "unknown"
        assert (action in finding.summary) is (outcome == "UNKNOWN")
        assert [one.check for one in diagnosis.blind] == [finding.check] * (outcome == "UNKNOWN")
    assert {path.rpartition("/")[2] for _, _, path in refused(bench)} == {"backupValidateOperation"}


@pytest.mark.long
async def test_the_printed_operator_passes_every_preflight(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """With exactly the roles printed for it, each fix that makes calls is planned and may be asked for."""
    role_of(bench.sim.world, READER).actions = tuple(printed_reader(capsys))
    for case in ONE_EACH:
        role_of(bench.sim.world, OPERATOR).actions = printed_operator(case.fixes[0])
        asked = await bench.ask(case.fixes[0], await bench.target_of(case.fault), parameters=case.parameters)
        assert asked.plan.permissions
    assert refused(bench) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", [case for case in ONE_EACH if case.fault in RUN], ids=str)
async def test_the_printed_roles_are_enough_to_the_end(
    bench: Bench, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exactly the printed roles the fix runs and is proved; nothing is refused."""
    role_of(bench.sim.world, READER).actions = tuple(printed_reader(capsys))
    role_of(bench.sim.world, OPERATOR).actions = printed_operator(case.fixes[0])
    asked, state = await bench.fix(case.fixes[0], await bench.target_of(case.fault), **case.parameters)
    assert state == "proved", await bench.story(asked.id)
    assert refused(bench) == []
