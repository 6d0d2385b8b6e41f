"""Diagnosing an item, with progress: shared by the command and the buttons."""

import asyncio
from collections.abc import AsyncIterator

from adaptive_cards.cards import diagnosis as diagnosis_card
from diagnostics.changes import what_changed
from diagnostics.instant import stopped
from diagnostics.registry import Context
from diagnostics.runner import diagnose
from domain.backup import ProtectedItem, Vault
from domain.finding import Diagnosis, Finding
from domain.ports import BackupReader
from handlers.requests import Answer
from handlers.services import Services

PROGRESS_EVERY_S = 2.0


async def with_progress(
    services: Services,
    read: BackupReader,
    vault: Vault,
    item: ProtectedItem,
    only: tuple[str, ...] = (),
    *,
    every_s: float = PROGRESS_EVERY_S,
) -> AsyncIterator[Answer]:
    """A card while checks run, at most every ``every_s`` seconds, then the diagnosis."""
    context = Context(
        vault=vault,
        item=item,
        read=read,
        clock=stopped(services.clock),
        rpo=services.rpo,
        limits=services.limits,
        ledger=services.ledger,
    )
    started: list[str] = []
    answered: list[Finding] = []

    async def count(finding: Finding) -> None:
        answered.append(finding)

    work = asyncio.create_task(
        diagnose(
            context,
            services.checks,
            only=only,
            limit_s=services.limit_s,
            on_finding=count,
            on_bug=services.on_bug,
            on_start=started.append,
        )
    )
    try:
        while True:
            finished, _ = await asyncio.wait({work}, timeout=every_s)
            if finished:
                break
            card = diagnosis_card.working(item.name, len(answered), len(started), simulated=services.simulated)
            yield Answer(card=card)
        diagnosis = work.result()
        yield await answer(services, diagnosis, item)
        changes = await changes_before(context, diagnosis)
        if changes:
            yield await answer(services, diagnosis, item, changes)
    finally:
        work.cancel()


async def changes_before(context: Context, diagnosis: Diagnosis) -> diagnosis_card.Changes:
    """Who changed what between the last good point and the failure; nothing where nothing failed.

    First what may have brought about a cause, the likeliest cause's before the others', then the rest; each newest first.
    """
    if not diagnosis.failed or context.item is None:
        return ()
    found = await what_changed(context, diagnosis)
    suspects = [change for cause in diagnosis.causes for change in reversed(found.explaining(cause.id))]
    ordered = dict.fromkeys((*suspects, *reversed(found.changes)))
    return tuple((change.at, change.actor, change.sentence) for change in ordered)


async def answer(
    services: Services, diagnosis: Diagnosis, item: ProtectedItem, changes: diagnosis_card.Changes = ()
) -> Answer:
    """The diagnosis as a card with the fixes it suggests, joined to the item's incident where there is one."""
    incident = await services.incidents.live_for(item.id.id)
    card = diagnosis_card.render(
        diagnosis,
        fixes=services.incidents.offers(diagnosis),
        incident_id=incident.id if incident else "",
        item_id=item.id.id,
        now=services.clock.now(),
        simulated=services.simulated,
        changes=changes,
    )
    return Answer(card=card)
