"""A VM's extensions: out of its own body, or from their list where the body is silent."""

import pytest

from diagnostics.checks.snapshot_extension_is_healthy import snapshot_extension_is_healthy
from diagnostics.machines import extensions_of
from domain.backup import ExtensionStatus
from domain.errors import PermissionDenied, ResourceNotFound
from domain.finding import Outcome
from tests.diagnostics.world import VM_ID, a_context, a_vm, an_azure, an_extension

HANDLER = ("ExtensionHandler/ProvisioningState/succeeded", "Ready", "Plugin enabled")
STRANGER = an_extension(name="script", publisher="Contoso", type="Script", statuses=())


@pytest.mark.parametrize(
    ("listed", "reads"),
    [
        ((), 0),
        ((an_extension(),), 0),
        ((an_extension(), STRANGER), 0),
        ((an_extension(statuses=()),), 1),
        ((an_extension(statuses=(HANDLER,)),), 1),
    ],
    ids=["none", "told", "a stranger's silence", "silent", "only its handler"],
)
async def test_when_the_list_is_asked(listed: tuple[ExtensionStatus, ...], reads: int) -> None:
    """Only where the VM names a backup extension without saying how it is."""
    azure = an_azure()
    azure.put(a_vm(extensions=listed))
    azure.vm_extensions[VM_ID.casefold()] = [an_extension(name="from the list")]
    found = await extensions_of(a_context(azure), VM_ID)
    assert reads == azure.count("extensions")
    assert (["from the list"] if reads else [one.name for one in listed]) == [one.name for one in found]


async def test_a_silent_extension_whose_list_is_denied_is_unknown() -> None:
    """What the body does not say and the list may not be asked about is nobody's good news."""
    azure = an_azure()
    azure.put(a_vm(extensions=(an_extension(statuses=()),)))
    azure.fail("extensions", PermissionDenied("no"))
    with pytest.raises(PermissionDenied):
        await snapshot_extension_is_healthy(a_context(azure))
    azure.heal("extensions")
    azure.vm_extensions[VM_ID.casefold()] = [an_extension(provisioning_state="Failed")]
    assert (await snapshot_extension_is_healthy(a_context(azure))).outcome is Outcome.FAIL


async def test_a_vm_that_is_gone_has_none() -> None:
    """That is said as such, for the checks to make of it what they will."""
    azure = an_azure()
    azure.machines.clear()
    with pytest.raises(ResourceNotFound):
        await extensions_of(a_context(azure), VM_ID)
