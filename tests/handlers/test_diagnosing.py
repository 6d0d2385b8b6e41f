"""Progress while a diagnosis runs, so many of so many checks; and what changed before the failure."""

import asyncio
from collections.abc import Mapping, Sequence

from domain.backup import ActivityEvent
from domain.finding import Cause, Diagnosis, Finding, Outcome
from handlers import diagnosing
from handlers.diagnosing import with_progress
from handlers.requests import Answer
from tests.diagnostics.world import (
    KEY_VAULT_ID,
    POLICY_ID,
    VM_ID,
    a_context,
    a_job,
    a_point,
    a_policy,
    a_vault,
    a_vm,
    an_azure,
    an_error,
    an_item,
    hours,
)
from tests.fakes.azure import FakeAzure
from tests.handlers.world import a_world, shown


class Held(FakeAzure):
    """Answers no list before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def resources(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Sequence[Mapping[str, object]]:
        await self.gate.wait()
        return await super().resources(path, api_version, query)


def progress(answer: Answer) -> str:
    """What a card of progress says."""
    assert answer.card is not None
    return next(line for line in shown(answer.card) if "checks" in line or "Asking" in line)


async def test_the_total_counts_the_checks_of_a_failed_restore() -> None:
    """While one check waits for Azure, all others have answered, and the total is that of the whole diagnosis."""
    azure = Held()
    item = an_item()
    azure.put(a_vault(), item, a_vm(), a_job(operation="Restore", errors=(an_error("X"),), details={"Job Type": "y"}))
    azure.policies[POLICY_ID.casefold()] = a_policy()
    azure.points[item.id.key] = [a_point(5)]
    services = a_world(azure).services
    cards: list[str] = []
    last: Answer | None = None
    async for answer in with_progress(services, azure, a_vault(), item, every_s=0.01):
        last = answer
        if not azure.gate.is_set():
            cards.append(progress(answer))
            done, _, rest = cards[-1].partition(" of ")
            if done.isdigit() and int(done) == int(rest.split()[0]) - 1:
                azure.gate.set()
    assert last is not None
    total = sum(item.workload in check.workloads and check.about != "vault" for check in services.checks.values())
    assert cards[-1] == f"{total - 1} of {total} checks have answered."


def an_event(operation: str, resource: str, age: float, actor: str) -> ActivityEvent:
    return ActivityEvent(
        at=hours(age),
        operation=operation,
        resource_id=resource,
        actor=actor,
        status="Succeeded",
        correlation_id=str(age),
    )


async def changes_of(*events: ActivityEvent, causes: tuple[Cause, ...] = ()) -> list[str]:
    """The lines of the card on what changed, of a VM that failed three hours ago and was good two days ago."""
    item = an_item(last_recovery_point_at=hours(48), last_backup_at=hours(3))
    azure = an_azure(item)
    azure.points.clear()
    azure.put(a_job(age=3, errors=(an_error("X"),)))
    for event in events:
        azure.events.setdefault(event.resource_id.partition("/providers/")[0].casefold(), []).append(event)
    finding = Finding(
        check="backup_service_can_read_key_vault",
        outcome=Outcome.FAIL,
        summary="",
        facts={"key_vault_id": KEY_VAULT_ID},
    )
    diagnosis = Diagnosis(item_id=item.id.id, item_name=item.name, vault_name="", findings=(finding,), causes=causes)
    changes = await diagnosing.changes_before(a_context(azure, item), diagnosis)
    answered = await diagnosing.answer(a_world(azure).services, diagnosis, item, changes)
    assert answered.card is not None
    return shown(answered.card)


async def test_who_changed_something_is_said_once() -> None:
    """A change reads as a sentence: when, who, what."""
    role = f"{KEY_VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/1"
    lines = await changes_of(an_event("Microsoft.Authorization/roleAssignments/delete", role, 10, "zoe@contoso.com"))
    [line] = [one for one in lines if "zoe@contoso.com" in one]
    assert line.endswith(": zoe@contoso.com took a role away at kv-erp-01")
    assert 1 == line.count("zoe@contoso.com")


async def test_what_may_have_caused_it_is_shown_before_newer_changes() -> None:
    """Eight people changed the machine since: the right that was taken away is not among what is left out."""
    role = f"{KEY_VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/1"
    later = [an_event("Microsoft.Compute/virtualMachines/write", VM_ID, 5 + n, f"p{n}@contoso.com") for n in range(8)]
    causes = tuple(
        Cause(id=name, title="", confidence=confidence, because=(), reasons=())
        for name, confidence in (("key_vault_access_missing", 0.9), ("job_stuck", 0.1))
    )
    removed = an_event("Microsoft.Authorization/roleAssignments/delete", role, 40, "zoe@contoso.com")
    lines = await changes_of(removed, *later, causes=causes)
    who = [word.rstrip(":") for line in lines for word in line.split() if "@contoso.com" in word]
    assert ["zoe@contoso.com", *(f"p{n}@contoso.com" for n in range(4))] == who
    assert any("4 more changes are not shown" in line for line in lines)
