"""An incident's post: what happened, the cause with its confidence, the next step, who has it."""

from datetime import datetime

from adaptive_cards.card import (
    Bold,
    Button,
    Buttons,
    Card,
    Code,
    Element,
    Facts,
    Inline,
    Mention,
    Note,
    Severity,
    Text,
    spans,
)
from adaptive_cards.cards.diagnosis import Fixes
from adaptive_cards.cards.words import ago, open_in_portal, percent, plural, portal
from domain.incident import Incident, first_line, what_happened


def called(entry: str) -> Inline:
    """Whom a route calls: ``slack-group:S…``, ``slack:U…``, ``teams:…``; anything else is just said."""
    kind, _, value = entry.partition(":")
    match kind:
        case "slack-group":
            return Mention("slack-group", value, value)
        case "slack":
            return Mention("slack-user", value, value)
        case "teams":
            return Mention("teams-user", value, value)
        case _:
            return entry


def _cause(incident: Incident) -> list[Element]:
    diagnosis = incident.diagnosis
    if diagnosis is None:
        return [Text("Diagnosing …", subtle=True)] if incident.open and incident.item_id else []
    if not diagnosis.causes:
        return [Text("No known cause fits the evidence.")]
    cause = diagnosis.causes[0]
    reason = f": {cause.reasons[0]}" if cause.reasons else ""
    return [Text(spans(Bold(cause.title), f" ({percent(cause.confidence)} sure){reason}"))]


def _next_step(incident: Incident, fixes: Fixes) -> list[Element]:
    if incident.diagnosis is None or not incident.item_id:
        return []
    step = fixes[0][1] if fixes else "look at the evidence in the thread"
    return [Text(spans(Bold("Next step: "), step))]


def render(incident: Incident, *, fixes: Fixes, now: datetime, simulated: bool, mention: tuple[str, ...] = ()) -> Card:
    """The post as it stands now; only a critical one calls the people in ``mention``."""
    severity: Severity = incident.severity.value
    elements: list[Element] = []
    summary = first_line(incident, now)
    if not incident.open:
        severity = "good"
        summary = f"Closed: {what_happened(incident)}"  # the last good point and the breach are history now
        elements.append(Text(Bold(incident.closed_reason or "Closed")))
    else:
        elements += _cause(incident) + _next_step(incident, fixes)
        if mention and severity == "critical":
            people: list[Inline] = []
            for entry in mention:
                people += [" ", called(entry)] if people else [called(entry)]
            elements.append(Text(spans(*people)))
    facts: list[tuple[str, Inline]] = [
        ("Vault", portal(incident.vault_name, incident.vault_id)),
    ]
    if incident.item_id:
        facts.insert(0, ("Item", portal(incident.item_name, incident.item_id)))
    if incident.last_point_at:
        label = "Last good point" if incident.open else "Last good point before"
        facts.append((label, ago(incident.last_point_at, now)))
    facts.append(("Opened", ago(incident.opened_at, now)))
    if incident.failures > 1:
        facts.append(("Alerts", plural(incident.failures, "alert")))
    if incident.open:
        facts.append(("Who has it", incident.owner.label if incident.owner else "nobody yet"))
    if incident.closed_at:
        facts.append(("Closed", ago(incident.closed_at, now)))
    elements.append(Facts(tuple(facts)))
    if incident.open:
        elements.append(_buttons(incident, fixes))
    elements.append(Note(Code(incident.id)))
    return Card(summary=summary, elements=tuple(elements), severity=severity, simulated=simulated, key=incident.id)


def _buttons(incident: Incident, fixes: Fixes) -> Buttons:
    shown: list[Button] = []
    if incident.owner is None:
        shown.append(Button("I have it", "incident.take", incident.id))
    more: list[Button] = []
    if incident.item_id:
        for number, (fix_id, title) in enumerate(fixes):
            button = Button(
                title,
                "fix.request",
                f"{fix_id} {incident.id} {incident.item_id}",
                style="primary" if number == 0 else "default",
            )
            (shown if number == 0 else more).append(button)
        shown.append(Button("Check again", "incident.again", incident.id))
    more += [
        Button("Quiet for 2 h", "incident.snooze", incident.id),
        Button("Close …", "incident.close_form", incident.id),
        open_in_portal(incident.item_id or incident.vault_id),
    ]
    return Buttons(tuple(shown), more=tuple(more))


def announcement(incident: Incident, text: str, *, mention: tuple[str, ...], now: datetime, simulated: bool) -> Card:
    """A new message in the thread: only a new one wakes somebody."""
    people: list[Inline] = []
    for entry in mention:
        people += [called(entry), " "]
    return Card(
        summary=f"{text}: {first_line(incident, now)}",
        elements=(Text(spans(*people, text, ".")),),
        severity=incident.severity.value,
        simulated=simulated,
    )


def could_not_look(incident: Incident, why: str, *, again: bool, simulated: bool) -> Card:
    """The diagnosis could not even begin."""
    name = f"{incident.item_name} in {incident.vault_name}" if incident.item_name else incident.vault_name
    return Card(
        summary=f"{name} could not be diagnosed: Azure could not be read",
        elements=(
            Text(why),
            Text(
                "The bot tries again by itself." if again else "The bot has stopped trying; press Check again.",
                subtle=True,
            ),
            Buttons((Button("Check again", "incident.again", incident.id),)),
        ),
        severity="warning",
        simulated=simulated,
    )
