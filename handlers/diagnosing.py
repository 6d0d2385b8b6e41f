"""Diagnosing an item, with progress: shared by the command and the buttons."""

import asyncio
from collections.abc import AsyncIterator

from adaptive_cards.cards import diagnosis as diagnosis_card
from diagnostics.registry import Context
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Vault
from domain.finding import Diagnosis, Finding
from domain.ports import BackupReader
from handlers.requests import Answer
from handlers.services import Services

PROGRESS_EVERY_S = 2.0


async def with_progress(
    services: Services, read: BackupReader, vault: Vault, item: ProtectedItem, only: tuple[str, ...] = ()
) -> AsyncIterator[Answer]:
    """A card while checks run, at most every two seconds, then the diagnosis."""
    context = Context(
        vault=vault,
        item=item,
        read=read,
        clock=services.clock,
        rpo=services.rpo,
        limits=services.limits,
        ledger=services.ledger,
    )
    answered: list[Finding] = []

    async def count(finding: Finding) -> None:
        answered.append(finding)

    total = sum(item.workload in check.workloads and check.about == "item" for check in services.checks.values())
    work = asyncio.create_task(
        diagnose(
            context, services.checks, only=only, limit_s=services.limit_s, on_finding=count, on_bug=services.on_bug
        )
    )
    try:
        while True:
            finished, _ = await asyncio.wait({work}, timeout=PROGRESS_EVERY_S)
            if finished:
                break
            card = diagnosis_card.working(item.name, len(answered), total, simulated=services.simulated)
            yield Answer(card=card)
        yield await answer(services, work.result(), item)
    finally:
        work.cancel()


async def answer(services: Services, diagnosis: Diagnosis, item: ProtectedItem) -> Answer:
    """The diagnosis as a card with the fixes it suggests, joined to the item's incident where there is one."""
    incident = await services.incidents.live_for(item.id.id)
    card = diagnosis_card.render(
        diagnosis,
        fixes=services.incidents.offers(diagnosis),
        incident_id=incident.id if incident else "",
        item_id=item.id.id,
        now=services.clock.now(),
        simulated=services.simulated,
    )
    return Answer(card=card)
