"""What would hurt the day it is needed: soft delete, alerts that reach somebody, restores that were tested."""

from collections.abc import Mapping

from adaptive_cards.card import Button, Buttons, Card, Code, Element, Inline, Severity, Status, Table, Text, spans
from adaptive_cards.cards.diagnosis import SIGNS, Fixes, fix_buttons
from adaptive_cards.cards.fleet import unread_subscriptions
from adaptive_cards.cards.words import open_in_portal, plural
from domain.arm import key
from domain.finding import Diagnosis, Outcome
from domain.overview import PostureView, distinct_names

ROWS = 20


def vault(diagnosis: Diagnosis, *, fixes: Fixes, fix_target: str, simulated: bool) -> Card:
    """One vault; ``fix_target`` is the item id that stands for the vault itself in the buttons of its fixes."""
    elements: list[Element] = []
    for finding in diagnosis.findings:
        word, sign = SIGNS[finding.outcome]
        elements.append(Status(word, sign, finding.summary))
    if not diagnosis.complete:
        elements.append(Text("The time limit was reached before every check had answered.", subtle=True))
    portal: tuple[Button, ...] = (open_in_portal(diagnosis.item_id),)
    elements.append(fix_buttons(fixes, item_id=fix_target, incident_id="", last=portal) if fixes else Buttons(portal))
    return Card(
        summary=f"{diagnosis.vault_name}: {_counted(diagnosis)}",
        elements=tuple(elements),
        severity=_severity((diagnosis,)),
        simulated=simulated,
    )


def fleet(view: PostureView, titles: Mapping[str, str], *, simulated: bool) -> Card:
    """All vaults, those with a fault first; ``titles`` names the checks by their ids."""
    ordered = sorted(view.vaults, key=lambda one: (-len(one.failed), -len(one.blind), one.vault_name.casefold()))
    checks = list(dict.fromkeys(finding.check for one in view.vaults for finding in one.findings))
    faulty = sum(bool(one.failed) for one in view.vaults)
    blind = sum(bool(one.blind) for one in view.vaults)
    elements: list[Element] = []
    if ordered and checks:
        elements.append(_table(ordered, checks, titles))
    elements += unread_subscriptions(view.unread_subscriptions)
    elements.append(Text(spans("One vault, and what helps: ", Code("/backup posture <vault>")), subtle=True))
    parts = [f"{len(view.vaults) - faulty - sum(bool(one.blind) and not one.failed for one in view.vaults)} fine"]
    parts += [f"{faulty} with a fault"] if faulty else []
    parts += [f"{blind} could not be read in full"] if blind else []
    parts += (
        [f"{plural(len(view.unread_subscriptions), 'subscription')} could not be read"]
        if view.unread_subscriptions
        else []
    )
    severity = "warning" if view.unread_subscriptions or not view.vaults else _severity(tuple(view.vaults))
    return Card(
        summary=f"Posture of {plural(len(view.vaults), 'vault')}: {', '.join(parts)}",
        elements=tuple(elements),
        severity=severity,
        simulated=simulated,
    )


def _table(vaults: list[Diagnosis], checks: list[str], titles: Mapping[str, str]) -> Table:
    names = distinct_names(one.item_id for one in vaults)
    rows: list[tuple[Inline, ...]] = []
    for one in vaults[:ROWS]:
        outcomes = {finding.check: finding.outcome for finding in one.findings}
        cells = [_cell(outcomes.get(check)) for check in checks]
        rows.append((names[key(one.item_id)], *cells))
    left_out = len(vaults) - len(rows)
    caption = "Vaults" + (f" (the first {len(rows)} of {len(vaults)})" if left_out else "")
    return Table(("Vault", *(titles.get(check, check) for check in checks)), tuple(rows), caption)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    word, sign = SIGNS[outcome]
    return f"{sign} {word}"


def _counted(diagnosis: Diagnosis) -> str:
    if diagnosis.failed:
        return f"{len(diagnosis.failed)} of {plural(len(diagnosis.findings), 'posture check')} failed"
    unknown = sum(finding.outcome is Outcome.UNKNOWN for finding in diagnosis.findings)
    if unknown:
        return f"no posture check failed, but {plural(unknown, 'answer')} {'is' if unknown == 1 else 'are'} unknown"
    return "posture is fine"


def _severity(vaults: tuple[Diagnosis, ...]) -> Severity:
    if any(one.failed or one.blind or not one.complete for one in vaults):
        return "warning"
    unknown = any(finding.outcome is Outcome.UNKNOWN for one in vaults for finding in one.findings)
    return "info" if unknown else "good"
