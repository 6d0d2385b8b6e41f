"""The list of open incidents, worst first."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from adaptive_cards.card import SEVERITY_SIGNS, SEVERITY_WORDS, Card, Code, Element, Note, Status, Text, spans
from adaptive_cards.card import Severity as Shown
from adaptive_cards.cards.words import ago, plural
from domain.incident import Incident, Severity, first_line

SHOWN = 15


def render(incidents: Sequence[Incident], *, now: datetime, simulated: bool) -> Card:
    """One line an incident: what happened, who has it, since when."""
    if not incidents:
        return Card(summary="No incident is open", severity="good", simulated=simulated)
    elements: list[Element] = [_line(one, now) for one in incidents[:SHOWN]]
    if len(incidents) > SHOWN:
        elements.append(Text(f"… {len(incidents) - SHOWN} more; backupbot incidents lists all."))
    elements.append(Note(spans("One of them: ", Code("/backup incident <id> [take|snooze 2h|close <reason>]"))))
    counts = Counter(one.severity for one in incidents)
    worst = max(counts, key=lambda one: one.rank)
    by_kind = ", ".join(f"{counts[one]} {one.value}" for one in Severity if counts[one])
    return Card(
        summary=f"{plural(len(incidents), 'open incident')}: {by_kind}",
        elements=tuple(elements),
        severity=worst.value,
        simulated=simulated,
    )


def _line(incident: Incident, now: datetime) -> Status:
    kind: Shown = incident.severity.value
    owner = f"{incident.owner.label} has it" if incident.owner else "nobody has it"
    quiet = (
        f", quiet until {incident.snoozed_until:%Y-%m-%d %H:%M} UTC"
        if incident.snoozed_until is not None and incident.snoozed_until > now
        else ""
    )
    return Status(
        SEVERITY_WORDS[kind],
        SEVERITY_SIGNS[kind],
        spans(
            Code(incident.id), f" {first_line(incident, now)} · {owner}{quiet} · opened ", ago(incident.opened_at, now)
        ),
    )
