"""Locks of several scopes: what one list says of others, and what lies below a scope."""

from diagnostics.checks.no_lock_blocks_restore import no_lock_blocks_restore
from diagnostics.locks import locks_by_scope, reaches
from domain.backup import Lock
from domain.errors import ResourceNotFound
from domain.finding import Outcome
from tests.diagnostics.world import SUBSCRIPTION, a_context, a_job, an_azure, an_error

OF_ALL = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{OF_ALL}/resourceGroups/rg-restore"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/ststage"
ELSEWHERE = f"{OF_ALL}/resourceGroups/rg-restore-2/providers/Microsoft.Storage/storageAccounts/stother"


def a_lock(scope: str, name: str = "freeze") -> Lock:
    """A ReadOnly lock on the scope."""
    return Lock(id=f"{scope}/providers/Microsoft.Authorization/locks/{name}", name=name, level="ReadOnly")


async def test_the_list_of_a_resource_tells_of_its_group() -> None:
    """One read where the account lies in the group, and both know the group's lock."""
    azure = an_azure()
    azure.locks_by_scope[GROUP.casefold()] = [a_lock(GROUP)]
    azure.locks_by_scope[ACCOUNT.casefold()] = [a_lock(ACCOUNT, "mine")]
    found = await locks_by_scope(a_context(azure), [GROUP.upper(), ACCOUNT])
    assert [("locks", ACCOUNT)] == azure.calls
    assert {"freeze", "mine"} == {lock.name for lock in found[ACCOUNT.casefold()] or ()}
    assert ["freeze"] == [lock.name for lock in found[GROUP.casefold()] or () if reaches(lock, GROUP)]


async def test_an_account_of_another_group_is_asked_itself() -> None:
    """A name that only begins alike is another group: each scope gets its own list."""
    azure = an_azure()
    azure.locks_by_scope[GROUP.casefold()] = [a_lock(GROUP)]
    found = await locks_by_scope(a_context(azure), [GROUP, ELSEWHERE])
    assert 2 == azure.count("locks")
    assert {GROUP.casefold(): [a_lock(GROUP)], ELSEWHERE.casefold(): []} == found


async def test_a_group_is_asked_itself_when_what_lies_in_it_has_gone() -> None:
    """An account that is no more tells nothing of its group."""
    azure = an_azure()
    azure.locks_by_scope[GROUP.casefold()] = [a_lock(GROUP)]
    azure.fail("locks", ResourceNotFound("gone"), of="ststage")
    found = await locks_by_scope(a_context(azure), [GROUP, ACCOUNT])
    assert {GROUP.casefold(): [a_lock(GROUP)], ACCOUNT.casefold(): None} == found


def test_which_locks_reach_a_scope() -> None:
    """Those on it and above it, in whatever spelling; not those below or beside it."""
    assert reaches(a_lock(GROUP.upper()), GROUP)
    assert reaches(a_lock(OF_ALL), ACCOUNT)
    assert not reaches(a_lock(ACCOUNT), GROUP)
    assert not reaches(a_lock(GROUP), ELSEWHERE)


async def test_a_target_that_is_not_there_is_not_called_free() -> None:
    """Where the account of a failed restore is gone nobody knows of its locks; one that is found elsewhere is told anyway."""
    azure = an_azure()
    details = {"Target resource group": "rg-restore", "Target Storage Account Name": "stother"}
    azure.put(a_job(operation="Restore", errors=(an_error("X"),), details=details))
    azure.lists[f"{OF_ALL}/providers/microsoft.storage/storageaccounts"] = [{"id": ELSEWHERE, "name": "stother"}]
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.PASS
    azure.fail("locks", ResourceNotFound("gone"), of="stother")
    finding = await no_lock_blocks_restore(a_context(azure))
    assert (Outcome.UNKNOWN, True) == (finding.outcome, "does not know stother" in finding.summary)
    azure.locks_by_scope[GROUP.casefold()] = [a_lock(GROUP)]
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.FAIL


async def test_a_lock_on_another_machine_of_the_group_hinders_no_restore() -> None:
    """Azure lists what lies below a group too; a frozen neighbour keeps nobody from making something new beside it."""
    azure = an_azure()
    azure.put(a_job(operation="Restore", errors=(an_error("X"),), details={"Target resource group": "rg-restore"}))
    neighbour = a_lock(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-other")
    azure.locks_by_scope[GROUP.casefold()] = [neighbour]
    assert (await no_lock_blocks_restore(a_context(azure))).outcome is Outcome.PASS
    azure.locks_by_scope[GROUP.casefold()] = [neighbour, a_lock(GROUP)]
    assert (await no_lock_blocks_restore(a_context(azure))).facts["lock_id"] == a_lock(GROUP).id
