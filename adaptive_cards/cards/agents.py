"""The agents of machines outside Azure: outdated or silent ones first."""

from adaptive_cards.card import Buttons, Card, Code, Element, Severity, Status, Text, spans
from adaptive_cards.cards.fleet import blind_lines, unread_subscriptions
from adaptive_cards.cards.words import open_in_portal, plural
from domain.arm import key
from domain.finding import Outcome
from domain.overview import AgentsView, distinct_names

SHOWN = 10
NAMES = 10


def render(view: AgentsView, *, simulated: bool) -> Card:
    """The agents of one or of all vaults."""
    alone = view.vaults[0] if len(view.vaults) == 1 else None
    names = distinct_names(vault.vault_id for vault in view.vaults)
    elements: list[Element] = []
    for outcome, word, sign in ((Outcome.FAIL, "NEEDS YOU", "✖"), (Outcome.UNKNOWN, "UNKNOWN", "?")):
        found = view.having(outcome)
        for vault, _, finding in found[:SHOWN]:
            where = "" if alone else f"{names[key(vault.vault_id)]}: "
            elements.append(Status(word, sign, f"{where}{finding.summary}"))
        if len(found) > SHOWN:
            elements.append(Text(f"… {len(found) - SHOWN} more; one vault: /backup agents <vault>"))
    elements += blind_lines((names[key(vault.vault_id)], vault.unread) for vault in view.vaults if vault.unread)
    elements += unread_subscriptions(view.unread_subscriptions)
    fine = [server.name for _, server, _ in view.having(Outcome.PASS)]
    if fine:
        more = f" and {len(fine) - NAMES} more" if len(fine) > NAMES else ""
        elements.append(Text(f"Fine: {', '.join(fine[:NAMES])}{more}.", subtle=True))
    if view.having(Outcome.FAIL):
        guide = f"/backup fix {_guide(view)} <item>"
        elements.append(Text(spans("The steps of an update: ", Code(guide)), subtle=True))
    if alone is not None:
        elements.append(Buttons((open_in_portal(alone.vault_id),)))
    whose = alone.vault_name if alone is not None else plural(len(view.vaults), "vault")
    return Card(
        summary=f"{whose}: {_counted(view)}",
        elements=tuple(elements),
        severity=_severity(view),
        simulated=simulated,
    )


def _guide(view: AgentsView) -> str:
    kinds = {server.kind for _, server, _ in view.having(Outcome.FAIL)}
    return "guide_mars_update" if "mars" in kinds else "guide_mabs_update"


def _counted(view: AgentsView) -> str:
    if not view.total:
        return "agents could not be read" if view.blind else "no MARS machines and no backup servers"
    need, unknown = len(view.having(Outcome.FAIL)), len(view.having(Outcome.UNKNOWN))
    parts = [f"{len(view.having(Outcome.PASS))} of {plural(view.total, 'agent')} fine"]
    parts += [f"{need} {'needs' if need == 1 else 'need'} you"] if need else []
    parts += [f"{unknown} unknown"] if unknown else []
    return ", ".join(parts)


def _severity(view: AgentsView) -> Severity:
    if view.having(Outcome.FAIL) or view.blind:
        return "warning"
    return "info" if view.having(Outcome.UNKNOWN) or not view.total else "good"
