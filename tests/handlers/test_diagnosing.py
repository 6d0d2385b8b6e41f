"""Progress while a diagnosis runs: so many of so many checks, those of a failed restore among them."""

import asyncio
from collections.abc import Mapping, Sequence

from handlers.diagnosing import with_progress
from handlers.requests import Answer
from tests.diagnostics.world import POLICY_ID, a_job, a_point, a_policy, a_vault, a_vm, an_error, an_item
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
