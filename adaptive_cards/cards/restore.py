"""What stands in the way of a restore, and what nobody can know before it runs."""

from datetime import datetime

from adaptive_cards.card import (
    Bold,
    Bullets,
    Buttons,
    Card,
    Code,
    Element,
    Facts,
    Fold,
    Inline,
    Severity,
    Status,
    Text,
    spans,
)
from adaptive_cards.cards.diagnosis import SIGNS, Fixes, fix_buttons
from adaptive_cards.cards.words import ago, open_in_portal, plural
from domain.finding import Finding, Outcome
from domain.overview import RestoreView


def _line(finding: Finding, word: str = "", sign: str = "") -> Status:
    usual_word, usual_sign = SIGNS[finding.outcome]
    return Status(word or usual_word, sign or usual_sign, spans(Code(finding.check), f" {finding.summary}"))


def _facts(view: RestoreView, now: datetime) -> Facts:
    rows: list[tuple[str, Inline]] = []
    asked = [
        f"region {view.region}" if view.region else "",
        f"size {view.vm_size}" if view.vm_size else "",
        f"storage account {view.storage_account}" if view.storage_account else "",
    ]
    usual = "as the restore that failed" if view.as_failed else "as the source"
    rows.append(("Target", ", ".join(filter(None, asked)) or usual))
    newest: Inline = ago(view.newest_point_at, now) if view.newest_point_at is not None else "none known"
    rows.append(("Newest point", newest))
    if view.points is not None:
        rows.append(("Points of 30 days", str(view.points)))
    return Facts(tuple(rows))


def render(view: RestoreView, *, fixes: Fixes, now: datetime, simulated: bool) -> Card:
    """The answer of check-restore."""
    diagnosis = view.diagnosis
    elements: list[Element] = []
    if view.no_point:
        elements.append(Status("FAIL", "✖", "There is no recovery point to restore from."))
    elements += [_line(one, "BLOCKS", "✖") for one in view.blockers]
    elements += [_line(one, "REMARK", "●") for one in diagnosis.failed if one.check in view.remarks]
    if view.points_unread:
        elements.append(Status("UNKNOWN", "?", view.points_unread))
    elements += [_line(one) for one in view.unknown]
    elements.append(_facts(view, now))
    if not diagnosis.complete:
        elements.append(Text("The time limit was reached before every check had answered.", subtle=True))
    if view.cannot_know:
        elements += [Text(Bold("Nobody can know beforehand")), Bullets(view.cannot_know)]
    portal = open_in_portal(view.item_id)
    offered = fixes if view.blocked else ()
    elements.append(
        fix_buttons(offered, item_id=view.item_id, incident_id="", last=(portal,)) if offered else Buttons((portal,))
    )
    passed = [one for one in diagnosis.findings if one.outcome in {Outcome.PASS, Outcome.NOT_APPLICABLE}]
    if passed:
        elements.append(
            Fold(f"What is in order ({len(passed)})", tuple(_line(one) for one in passed), key="restore-passed")
        )
    return Card(summary=headline(view), elements=tuple(elements), severity=_severity(view), simulated=simulated)


def headline(view: RestoreView) -> str:
    """The one line: whether a restore would work, as far as that can be known."""
    name = f"{view.diagnosis.item_name} in {view.diagnosis.vault_name}"
    if view.blocked:
        count = len(view.blockers) + view.no_point
        return f"{name}: a restore would fail, {plural(count, 'thing')} {'blocks' if count == 1 else 'block'} it"
    open_questions = len(view.unknown) + bool(view.points_unread)
    if open_questions:
        return f"{name}: nothing known blocks a restore, {plural(open_questions, 'answer')} could not be had"
    return f"{name}: nothing known blocks a restore"


def _severity(view: RestoreView) -> Severity:
    if view.blocked:
        return "warning"
    return "info" if view.unknown or view.points_unread or not view.diagnosis.complete else "good"
