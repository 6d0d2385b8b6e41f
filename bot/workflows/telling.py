"""What people see of a request: its card wherever it is shown, reminders, and the notices of an emergency."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adaptive_cards.card import Card
from adaptive_cards.cards import approval as approval_card
from bot.store import tables as t
from bot.store.store import Row, Store, Tx
from bot.workflows import rows
from bot.workflows.services import Services
from domain.actor import Actor
from domain.approval import Approval
from domain.errors import NotFound

SATURDAY = 5


def message_key(approval_id: str) -> str:
    """The key under which an approval's card is posted and updated."""
    return f"approval:{approval_id}"


async def card_of(services: Services, read: Tx | Store, current: Approval, now: datetime) -> Card:
    """The card of a request with its run and the rights that it has handed out."""
    run_row = await read.one(sa.select(t.fix_runs).where(t.fix_runs.c.approval_id == current.id))
    rights = await read.all(_grants_of(current.id)) if run_row else ()
    return approval_card.render(
        current,
        run=rows.run(run_row) if run_row else None,
        now=now,
        simulated=services.simulated,
        rights=tuple((row["what"], row["state"], row["due_at"], row["ended_at"]) for row in rights),
    )


async def show(services: Services, tx: Tx, approval_id: str) -> Approval:
    """Make the card everywhere say what the row says; returns the row as it is now."""
    row = await tx.one(sa.select(t.approvals).where(t.approvals.c.id == approval_id))
    if row is None:
        raise NotFound(f"There is no request {approval_id}.")
    current = rows.approval(row)
    card = await card_of(services, tx, current, tx.now)
    for place in rows.places(row):
        await tx.say(message_key(approval_id), place, card)
    return current


async def remind(services: Services, tx: Tx, waiting: Approval, row: Row, count: int) -> None:
    """A new message wherever the request is shown, since an edit calls nobody."""
    for place in rows.threads(row, message_key(waiting.id)):
        card = approval_card.reminder(waiting, now=tx.now, simulated=services.simulated)
        await tx.say(f"{message_key(waiting.id)}:reminder:{count}", place, card)


async def tell_of_emergency(services: Services, tx: Tx, decided: Approval, actor: Actor, reason: str, row: Row) -> None:
    """Everybody named is told at once, and a review is asked for on the next working day."""
    for place in rows.threads(row, message_key(decided.id)):
        simulated = services.simulated
        said = approval_card.emergency(decided, actor, reason, simulated=simulated)
        await tx.say(f"{message_key(decided.id)}:emergency", place, said)
        review = approval_card.review(decided, actor, reason, simulated=simulated)
        # The outbox's due times are on wall time: people review on their own calendar.
        await tx.say(f"{message_key(decided.id)}:review", place, review, not_before=next_working_day(tx.now))


def next_working_day(now: datetime) -> datetime:
    """Nine o'clock UTC of the next day that is neither Saturday nor Sunday."""
    day = now + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


def _grants_of(approval_id: str) -> sa.Select[Any]:
    grants, runs = t.grants, t.fix_runs
    return (
        sa.select(grants.c.what, grants.c.state, grants.c.due_at, grants.c.ended_at)
        .join(runs, runs.c.id == grants.c.run_id)
        .where(runs.c.approval_id == approval_id)
        .order_by(grants.c.id)
    )
