"""Restore tests that somebody did, newest first."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adaptive_cards.card import Bullets, Card, Code, Inline, Text, spans
from adaptive_cards.cards.words import ago, plural

ADD = "/backup drills add <item> <evidence>"


def render(drills: Sequence[Mapping[str, Any]], *, now: datetime, simulated: bool) -> Card:
    """One line a restore test."""
    how = Text(spans("Add one: ", Code(ADD)), subtle=True)
    if not drills:
        return Card(
            summary="No restore test is on record: a backup never restored is not known to be one",
            elements=(how,),
            severity="warning",
            simulated=simulated,
        )
    return Card(
        summary=f"{plural(len(drills), 'restore test')} on record, newest first",
        elements=(Bullets(tuple(_line(one, now) for one in drills)), how),
        severity="info",
        simulated=simulated,
    )


def added(item: str, vault: str, evidence: str, *, simulated: bool) -> Card:
    """A restore test was put on record."""
    return Card(
        summary=f"On record: a restore of {item} in {vault} was tested",
        elements=(Text(evidence),),
        severity="good",
        simulated=simulated,
    )


def _line(drill: Mapping[str, Any], now: datetime) -> Inline:
    by = drill.get("by")
    who = str(by.get("name") or by.get("email") or by.get("id") or "?") if isinstance(by, Mapping) else "?"
    at = drill.get("at")
    when: Inline = ago(at if at.tzinfo else at.replace(tzinfo=UTC), now) if isinstance(at, datetime) else str(at)
    return spans(
        f"{drill.get('item_name', '?')} in {drill.get('vault_name', '?')} ",
        when,
        f" by {who}: {drill.get('evidence', '')}",
    )
