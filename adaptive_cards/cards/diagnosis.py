"""A diagnosis: what is wrong and why, the evidence, the fixes to try, and what could not be read."""

from datetime import datetime

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Code,
    Element,
    Facts,
    Fold,
    Inline,
    Note,
    Severity,
    Status,
    Text,
    spans,
)
from adaptive_cards.cards.message import WORKING
from adaptive_cards.cards.words import ago, open_in_portal, percent, plural, portal_url
from domain.finding import Cause, Diagnosis, Finding, Outcome

SIGNS = {
    Outcome.FAIL: ("FAIL", "✖"),
    Outcome.UNKNOWN: ("UNKNOWN", "?"),
    Outcome.PASS: ("PASS", "✔"),
    Outcome.NOT_APPLICABLE: ("N/A", "–"),
}
CAUSES_SHOWN = 3
CHANGES_SHOWN = 5
Changes = tuple[tuple[datetime, str, str], ...]
"""(when, who, what) of each change; what is a sentence that begins with who."""
Fixes = tuple[tuple[str, str], ...]


def fix_buttons(
    fixes: Fixes, *, item_id: str, incident_id: str, first: tuple[Button, ...] = (), last: tuple[Button, ...] = ()
) -> Buttons:
    """A button for each fix, the best one first; ``first`` and ``last`` stand around them."""
    offered = tuple(
        Button(
            title,
            "fix.request",
            f"{fix_id} {incident_id or '-'} {item_id}",
            style="primary" if number == 0 else "default",
        )
        for number, (fix_id, title) in enumerate(fixes)
    )
    return Buttons((*first, *offered[:1]), more=(*offered[1:], *last))


def _cause(number: int, cause: Cause) -> list[Element]:
    elements: list[Element] = [Text(spans(Bold(f"{number}. {cause.title}"), f" ({percent(cause.confidence)} sure)"))]
    reasons: list[Inline] = list(cause.reasons)
    reasons += [spans("Against it: ", against) for against in cause.against]
    if reasons:
        elements.append(Bullets(tuple(reasons)))
    return elements


def _evidence(finding: Finding) -> Element:
    word, sign = SIGNS[finding.outcome]
    return Status(word, sign, spans(Code(finding.check), f" {finding.summary}"))


def _details(finding: Finding) -> list[Element]:
    """What stands behind a finding; what passed needs no more than its line, and --json has all of it."""
    if finding.outcome in {Outcome.PASS, Outcome.NOT_APPLICABLE}:
        return [_evidence(finding)]
    rows = tuple(
        (name.replace("_", " "), _value(value))
        for name, value in finding.evidence.items()
        if value not in (None, "", [])
    )
    return [Text(Code(finding.check)), Facts(rows)] if rows else []


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)


def severity_of(diagnosis: Diagnosis) -> Severity:
    """How the card is marked."""
    if diagnosis.failed:
        return "warning"
    return "info" if diagnosis.blind else "good"


def headline(diagnosis: Diagnosis) -> str:
    """The one line: what is wrong, or that nothing is."""
    name = f"{diagnosis.item_name} in {diagnosis.vault_name}"
    if diagnosis.causes and diagnosis.failed:
        return f"{name}: {diagnosis.causes[0].title}"
    if diagnosis.failed:
        return f"{name}: {plural(len(diagnosis.failed), 'check')} failed, no known cause fits"
    if diagnosis.blind:
        return f"{name}: no fault found, but {plural(len(diagnosis.blind), 'check')} could not look"
    return f"{name}: all is well"


def render(
    diagnosis: Diagnosis,
    *,
    fixes: Fixes,
    incident_id: str,
    item_id: str,
    now: datetime,
    simulated: bool,
    changes: Changes = (),
) -> Card:
    """The answer of a diagnosis; ``changes`` (when, who, what) happened between the last good point and the failure."""
    elements: list[Element] = []
    for number, cause in enumerate(diagnosis.causes[:CAUSES_SHOWN], start=1):
        elements += _cause(number, cause)
    if len(diagnosis.causes) > CAUSES_SHOWN:
        elements.append(Note(f"… {len(diagnosis.causes) - CAUSES_SHOWN} less likely causes are not shown"))
    elements += [_evidence(finding) for finding in diagnosis.failed]
    elements += [_evidence(finding) for finding in diagnosis.findings if finding.outcome is Outcome.UNKNOWN]
    rest = tuple(finding for finding in diagnosis.findings if finding.outcome in {Outcome.PASS, Outcome.NOT_APPLICABLE})
    if changes:
        elements.append(Text(Bold("What changed before it failed")))
        elements.append(Bullets(tuple(spans(ago(at, now), f": {what}") for at, _, what in changes[:CHANGES_SHOWN])))
        if len(changes) > CHANGES_SHOWN:
            elements.append(Note(f"… {len(changes) - CHANGES_SHOWN} more changes are not shown"))
    if not diagnosis.complete:
        elements.append(Text("The time limit was reached before every check had answered.", subtle=True))
    again = Button("Check again", "diagnose.item", item_id)
    elements.append(
        fix_buttons(fixes, item_id=item_id, incident_id=incident_id, last=(again, open_in_portal(item_id)))
        if fixes
        else Buttons((again, open_in_portal(item_id)))
    )
    passed = sum(finding.outcome is Outcome.PASS for finding in rest)
    elements.append(
        Fold(
            f"All evidence ({plural(len(diagnosis.findings), 'check')}, {passed} passed)",
            tuple(element for finding in diagnosis.findings for element in _details(finding)),
            key="evidence",
        )
    )
    elements.append(Note(f"{plural(len(diagnosis.findings), 'check')} in {diagnosis.seconds:.1f} s"))
    return Card(
        summary=headline(diagnosis),
        elements=tuple(elements),
        severity=severity_of(diagnosis),
        simulated=simulated,
        key="diagnosis",
    )


def working(name: str, done: int, total: int, *, simulated: bool) -> Card:
    """While checks run."""
    return Card(
        summary=f"Diagnosing {name} …",
        elements=(Text(f"{done} of {total} checks have answered." if done else "Asking Azure.", subtle=True),),
        simulated=simulated,
        key=WORKING,
    )


__all__ = ["fix_buttons", "headline", "portal_url", "render", "severity_of", "working"]
