"""One read a question, shared while it is under way, errors included."""

import asyncio
from datetime import timedelta

import pytest

from diagnostics.cache import once
from domain.errors import PermissionDenied
from tests.diagnostics.world import NOW, VAULT, VM_ID, an_azure, an_item
from tests.fakes.azure import FakeAzure


class Slow(FakeAzure):
    """An Azure whose policies come when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.cancelled = 0

    async def policy(self, policy_id: str):  # type: ignore[no-untyped-def]  # noqa: ANN201
        self.calls.append(("policy", policy_id))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return policy_id


async def test_the_same_question_is_asked_once() -> None:
    """Also in another spelling of the id, by keyword, or with defaults written out."""
    azure = an_azure()
    read = once(azure)
    await read.virtual_machine(VM_ID)
    await read.virtual_machine(VM_ID.upper())
    await read.virtual_machine(vm_id=VM_ID)
    assert azure.count("virtual_machine") == 1
    since = NOW - timedelta(days=1)
    await read.jobs(VAULT, since, NOW)
    await read.jobs(VAULT, since, NOW, status="")
    await read.jobs(VAULT, since, NOW, status="Failed")
    assert azure.count("jobs") == 2
    await read.resources("/a", "1", {"b": "c"})
    await read.resources("/a", "1", {"b": "c"})
    await read.resources("/a/", "1", {"b": "c"})
    assert azure.count("resources") == 2


async def test_errors_are_shared_like_answers() -> None:
    """A denied read is denied for everybody without asking again."""
    azure = an_azure()
    azure.fail("item", PermissionDenied("no"))
    read = once(azure)
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            await read.item(an_item().id)
    assert azure.count("item") == 1


async def test_a_read_under_way_is_shared() -> None:
    """Many wait for one read; one of them leaving does not disturb the others."""
    azure = Slow()
    read = once(azure)
    waiting = [asyncio.ensure_future(read.policy("p")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    azure.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(answer) for answer in answers[1:]] == ["p"] * 4
    assert isinstance(answers[0], asyncio.CancelledError)
    assert azure.count("policy") == 1
    assert azure.cancelled == 0


async def test_a_read_nobody_waits_for_is_given_up() -> None:
    """When the last one leaves, the read ends too; who comes later asks anew."""
    azure = Slow()
    read = once(azure)
    lonely = asyncio.ensure_future(read.policy("p"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    lonely.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lonely
    later = asyncio.ensure_future(read.policy("p"))
    azure.gate.set()
    assert str(await later) == "p"
    assert azure.cancelled == 1
    assert azure.count("policy") == 2


async def test_each_diagnosis_asks_anew() -> None:
    """What one request remembered is not known to the next."""
    azure = an_azure()
    await once(azure).item(an_item().id)
    await once(azure).item(an_item().id)
    assert azure.count("item") == 2
