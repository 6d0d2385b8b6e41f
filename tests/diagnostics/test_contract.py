"""What every check must declare, and what none may do."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from diagnostics.causes import rank
from diagnostics.registry import Check, discover
from diagnostics.remedies import FIXES
from diagnostics.runbook import BY_ID
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Workload
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)
from domain.finding import Blind, Finding, Outcome
from domain.ports import BackupReader
from fixes.registry import discover as discover_fixes
from tests.diagnostics.world import (
    DictLedger,
    a_context,
    a_database,
    a_mabs_item,
    a_mars_item,
    a_share,
    an_azure,
    an_item,
)
from tests.fakes.azure import FakeAzure

CHECKS = discover()
ACTION = re.compile(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/(read|Read)")
POSTS_THAT_READ = {
    "Microsoft.RecoveryServices/Vaults/backupValidateOperation/action",
    "Microsoft.RecoveryServices/locations/backupCrrJobs/action",
}
"""Questions that Azure made POST; they change nothing."""
DESIGNED = {
    "last_backup_succeeded",
    "last_restore_succeeded",
    "recovery_point_is_recent",
    "no_job_is_stuck",
    "backup_health_is_good",
    "protection_is_active",
    "item_is_not_soft_deleted",
    "vm_is_in_desirable_state",
    "vm_agent_responds",
    "os_disk_has_space",
    "snapshot_extension_is_healthy",
    "backup_service_can_read_key_vault",
    "vault_identity_has_its_roles",
    "restore_target_is_available",
    "no_lock_blocks_restore",
    "cross_region_restore_is_possible",
    "mars_agent_is_supported",
    "mabs_server_is_supported",
    "mars_reads_all_files",
    "policy_meets_rpo",
    "soft_delete_is_on",
    "failures_reach_on_call",
    "restore_was_tested_this_quarter",
}
NEVER_FAIL_ALONE = {"policy_meets_rpo"}
"""What mends it is a person's choice of a policy, which its az command and portal path show."""


def test_every_designed_check_exists_and_no_other() -> None:
    """The registry holds exactly the checks of the design."""
    assert set(CHECKS) == DESIGNED


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_metadata_is_complete(check: Check) -> None:
    """Title, runbook lines, permissions, documentation, az, portal and about are all there and well formed."""
    assert check.title[0].isupper()
    assert not check.title.endswith(".")
    assert check.runbook
    assert set(check.runbook) <= set(BY_ID)
    assert check.workloads
    assert check.docs.startswith("https://learn.microsoft.com/")
    assert check.az.startswith("az ")
    assert check.portal
    assert check.about in {"item", "restore", "vault"}


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_permissions_only_read(check: Check) -> None:
    """A check declares Azure actions that read, and nothing that writes, deletes or acts."""
    assert check.permissions
    for permission in check.permissions:
        assert ACTION.fullmatch(permission) or permission in POSTS_THAT_READ, permission


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_it_is_a_file_of_its_name_with_a_judgement_and_a_test(check: Check) -> None:
    """Id, function and module have one name; the file has a pure ``judge``; a test file of that name exists."""
    module = import_module(f"diagnostics.checks.{check.id}")
    assert getattr(module, check.id) is check.run
    assert callable(module.judge)
    assert (Path(__file__).parent / "checks" / f"test_{check.id}.py").is_file()


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_what_it_suggests_exists(check: Check) -> None:
    """A check that can FAIL suggests known fixes, or its az command and portal path are the way forward."""
    assert set(check.suggests) <= set(FIXES)
    assert check.suggests or check.id in NEVER_FAIL_ALONE or check.id == "cross_region_restore_is_possible"


def test_the_table_of_fixes_is_the_catalogue() -> None:
    """What diagnosis may suggest is exactly what the catalogue of fixes offers, for the same workloads."""
    assert {name: fix.spec.workloads for name, fix in discover_fixes().items()} == dict(FIXES)


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_no_fail_stays_unexplained(check: Check) -> None:
    """A bare FAIL of any check leads to some cause, be it that the evidence shows none."""
    finding = Finding(check=check.id, outcome=Outcome.FAIL, summary="it is wrong")
    causes = rank([finding])
    assert causes
    assert check.id in causes[0].because


ERRORS: Mapping[str, tuple[Exception, Blind]] = {
    "403": (PermissionDenied("denied", action="Microsoft.A/b/read", scope="/subscriptions/1"), Blind.DENIED),
    "403 without words": (PermissionDenied("denied"), Blind.DENIED),
    "429": (Throttled("wait", retry_after=timedelta(minutes=5)), Blind.THROTTLED),
    "500": (GatewayUnavailable("Azure answered 500."), Blind.UNAVAILABLE),
    "400": (BadRequest("no"), Blind.SURPRISE),
    "409": (Conflict("no"), Blind.SURPRISE),
    "404": (ResourceNotFound("no"), Blind.SURPRISE),
    "bug": (KeyError("properties"), Blind.SURPRISE),
}
ITEMS: Mapping[str, Callable[[], ProtectedItem]] = {
    "vm": an_item,
    "sql": a_database,
    "files": a_share,
    "mars": a_mars_item,
    "mabs": a_mabs_item,
}


class Broken:
    """A reader of which every method raises the same error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        async def read(**_: object) -> object:
            raise self.error

        async def any_read(*_: object, **__: object) -> object:
            return await read()

        return any_read


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("name", ERRORS)
async def test_nothing_that_could_not_be_read_is_called_fine(kind: str, name: str) -> None:
    """With every read failing in the same way, no check passes, and those that are blind say why."""
    error, blind = ERRORS[name]
    item = ITEMS[kind]()
    context = replace(a_context(FakeAzure(), item), read=_reader(Broken(error)), restoring=True)
    diagnosis = await diagnose(context, CHECKS, restore=True)
    assert Outcome.PASS not in {finding.outcome for finding in diagnosis.findings}
    assert {finding.blind for finding in diagnosis.blind} == {blind}
    if name == "404":
        # That a VM is not found is an answer: it has been deleted.
        assert {finding.check for finding in diagnosis.failed} <= {"vm_is_in_desirable_state"}
    else:
        assert diagnosis.exit_code == 3
        assert [cause.id for cause in diagnosis.causes] == ["no_evidence"]
    for finding in diagnosis.blind:
        assert finding.summary


@pytest.mark.parametrize("name", ERRORS)
async def test_nothing_of_a_vault_that_could_not_be_read_is_called_fine(name: str) -> None:
    """The same for the checks of a vault."""
    error, _ = ERRORS[name]
    context = replace(a_context(FakeAzure(), of_vault=True, ledger=DictLedger()), read=_reader(Broken(error)))
    diagnosis = await diagnose(context, CHECKS)
    assert {finding.outcome for finding in diagnosis.findings} == {Outcome.UNKNOWN}


@pytest.mark.parametrize("method", ["jobs", "item", "policy", "recovery_points", "virtual_machine"])
@pytest.mark.parametrize("name", ["403", "429", "500"])
async def test_a_single_read_that_fails_is_always_seen(method: str, name: str) -> None:
    """Whatever one read of a healthy VM fails, some finding says that it could not look, and none FAILs."""
    azure = an_azure()
    error, blind = ERRORS[name]
    azure.fail(method, error)
    diagnosis = await diagnose(a_context(azure), CHECKS)
    assert diagnosis.exit_code == 3
    assert {finding.blind for finding in diagnosis.blind} == {blind}


@pytest.mark.parametrize("kind", ITEMS)
async def test_the_vaults_settings_never_fail_an_item(kind: str) -> None:
    """No check of a vault runs with an item unless it is asked for by name."""
    diagnosis = await diagnose(a_context(FakeAzure(), ITEMS[kind]()), CHECKS)
    assert not {finding.check for finding in diagnosis.findings} & {
        name for name, check in CHECKS.items() if check.about == "vault"
    }


@pytest.mark.parametrize("workload", Workload)
def test_every_workload_has_checks(workload: Workload) -> None:
    """Each kind of item has at least the checks that need no more than the vault."""
    fitting = {check.id for check in CHECKS.values() if workload in check.workloads}
    assert {"last_backup_succeeded", "recovery_point_is_recent", "protection_is_active"} <= fitting


def _reader(broken: object) -> BackupReader:
    assert isinstance(broken, Broken)
    reader: BackupReader = broken  # type: ignore[assignment]
    return reader


def test_gateway_errors_are_all_covered() -> None:
    """Every kind of error that a read can raise is tried above."""
    tried = {type(error) for error, _ in ERRORS.values()}
    unread = {kind for kind in GatewayError.__subclasses__() if kind.__name__ != "OutcomeUnknown"}
    assert unread <= tried
