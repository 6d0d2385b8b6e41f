"""The demo's two faults and a healthy VM, from a pretended Azure to ranked causes."""

import pytest

from diagnostics.registry import discover
from diagnostics.runner import diagnose
from domain.backup import Permission, RoleAssignment, RoleDefinition, VirtualMachine
from domain.errors import PermissionDenied
from domain.finding import Blind, Diagnosis, Outcome
from tests.diagnostics.world import (
    KEY_VAULT_ID,
    a_context,
    a_job,
    a_key_vault,
    a_vm,
    an_azure,
    an_error,
    an_item,
    hours,
)
from tests.fakes.azure import FakeAzure

ROLE = "/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/00482a5a-887f-4fb3-b363-3b7fe8e74483"


def encrypted() -> VirtualMachine:
    return a_vm(disk_encryption=True, secret_vault_id=KEY_VAULT_ID, key_vault_id=KEY_VAULT_ID)


def failing(azure: FakeAzure, code: str) -> None:
    azure.put(an_item(last_backup_status="Failed", last_backup_at=hours(3), last_recovery_point_at=hours(31)))
    for number, age in enumerate((27, 6, 3)):
        azure.put(a_job(f"job-{number}", age=age, errors=(an_error(code),), detailed=False))


async def run(azure: FakeAzure) -> Diagnosis:
    item = await azure.item(an_item().id)
    return await diagnose(a_context(azure, item), discover())


async def test_a_healthy_vm_has_no_fail_and_no_cause() -> None:
    """Nothing wrong: no FAIL, nothing unreadable, exit code 0, no causes."""
    azure = an_azure()
    azure.put(a_job(status="Completed", age=5))
    diagnosis = await run(azure)
    assert diagnosis.failed == ()
    assert diagnosis.blind == ()
    assert diagnosis.causes == ()
    assert diagnosis.exit_code == 0


async def test_missing_key_vault_rights_are_the_first_cause() -> None:
    """An encrypted VM whose key vault shuts out the backup service: that cause first, with the fix that grants it."""
    azure = an_azure()
    azure.put(encrypted(), a_key_vault())
    failing(azure, "UserErrorKeyVaultPermissionsNotConfigured")
    diagnosis = await run(azure)
    first = diagnosis.causes[0]
    assert first.id == "key_vault_access_missing"
    assert first.confidence > 0.9
    assert first.fixes[0] == "grant_key_vault_access"
    assert set(first.because) == {"backup_service_can_read_key_vault", "last_backup_succeeded"}
    assert diagnosis.exit_code == 1


async def test_a_granted_role_makes_the_old_code_a_passed_failure() -> None:
    """The same code with the rights in place by now: run it again, and no talk of missing rights first."""
    azure = an_azure()
    azure.put(encrypted(), a_key_vault())
    failing(azure, "UserErrorKeyVaultPermissionsNotConfigured")
    azure.put(
        RoleDefinition(
            id=ROLE,
            guid=ROLE.rpartition("/")[2],
            name="Key Vault Administrator",
            built_in=True,
            permissions=(Permission(data_actions=("Microsoft.KeyVault/vaults/*",)),),
        )
    )
    azure.assignments.append(
        RoleAssignment(id="a", scope=KEY_VAULT_ID, role_definition_id=ROLE, principal_id=str(azure.service_principal))
    )
    diagnosis = await run(azure)
    assert diagnosis.causes[0].id == "transient_failure"
    assert diagnosis.causes[0].fixes == ("rerun_backup",)


async def test_a_failure_that_has_passed_asks_for_another_run() -> None:
    """A transient code with everything in order now: transient_failure first."""
    azure = an_azure()
    failing(azure, "ExtensionSnapshotFailedNoNetwork")
    diagnosis = await run(azure)
    assert diagnosis.causes[0].id == "transient_failure"
    assert diagnosis.causes[0].fixes[0] == "rerun_backup"


@pytest.mark.parametrize("method", ["jobs", "recovery_points", "virtual_machine"])
async def test_what_could_not_be_read_is_unknown_and_named(method: str) -> None:
    """A denied read leaves UNKNOWN findings that name the missing permission, and exit code 3."""
    azure = an_azure()
    azure.put(a_job(status="Completed", age=5))
    azure.fail(method, PermissionDenied("no", action="Microsoft.Some/thing/read", scope="/subscriptions/1"))
    diagnosis = await run(azure)
    assert diagnosis.exit_code == 3
    assert diagnosis.blind
    for finding in diagnosis.blind:
        assert finding.outcome is Outcome.UNKNOWN
        assert finding.blind is Blind.DENIED
        assert "Microsoft.Some/thing/read" in finding.summary
