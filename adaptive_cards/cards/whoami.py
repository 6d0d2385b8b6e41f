"""Who the bot takes somebody for, what they may ask for and approve, and why not."""

from collections.abc import Sequence

from adaptive_cards.card import Bold, Bullets, Card, Element, Facts, Inline, Status, Text, spans
from adaptive_cards.cards.words import plural
from domain.actor import Actor
from domain.approval_policy import Decision, Rule

Rights = Sequence[tuple[Rule, Decision, Decision]]
RULES = 15
_ANY = ("*",)


def rule_words(rule: Rule) -> str:
    """What a rule covers, in words."""
    parts = [
        "every fix" if rule.fix == _ANY else f"fix {', '.join(rule.fix)}",
        "" if rule.risk == _ANY else f"of {', '.join(rule.risk)} risk",
        "in every vault" if rule.vault == _ANY else f"in vault {', '.join(rule.vault)}",
        "" if rule.item == _ANY else f"for item {', '.join(rule.item)}",
    ]
    words = " ".join(part for part in parts if part)
    return f"{rule.name}: {words}" if rule.name else words


def render(actor: Actor, rights: Rights, *, read_only: bool, simulated: bool) -> Card:
    """The person, then each rule with both decisions and their reasons."""
    elements: list[Element] = [_person(actor)]
    if actor.why_not:
        elements.append(Status("NO", "✖", f"You may not act here: {actor.why_not}."))
    if read_only:
        elements.append(Status("READ ONLY", "●", "This installation changes nothing: fixes are shown, not run."))
    if not rights:
        elements.append(
            Text(
                "There is no approval rule, so nobody may ask for or approve anything ([[approvals.rule]] in backupbot.toml)."
            )
        )
    for rule, request, approve in rights[:RULES]:
        elements.append(Text(Bold(rule_words(rule))))
        elements.append(Bullets((_decision("Ask", request), _decision("Approve", approve))))
    if len(rights) > RULES:
        elements.append(Text(f"… {len(rights) - RULES} more rules are not shown"))
    if any("azure-rbac" in rule.approvers for rule, _, _ in rights):
        elements.append(
            Text("Whether your own rights in Azure suffice to approve is looked up for each request.", subtle=True)
        )
    if rights:
        elements.append(Text("The first rule that fits a request is the one that counts.", subtle=True))
    return Card(summary=_summary(actor, rights), elements=tuple(elements), severity="info", simulated=simulated)


def _summary(actor: Actor, rights: Rights) -> str:
    if not rights:
        return f"You are {actor.label}: no approval rule lets anybody do anything"
    ask = sum(request.allowed for _, request, _ in rights)
    approve = sum(approve.allowed for _, _, approve in rights)
    return f"You are {actor.label}: of {plural(len(rights), 'rule')}, {ask} let you ask and {approve} let you approve"


def _person(actor: Actor) -> Facts:
    email = actor.email if actor.email_confirmed else f"{actor.email} (not confirmed, so it does not count)"
    rows: list[tuple[str, Inline]] = [
        ("Account", f"{actor.platform} {actor.id}"),
        ("E-mail", email if actor.email else "not known"),
        ("Entra id", actor.entra_id or "not known"),
    ]
    if actor.person:
        rows.append(("Person", f"{actor.person} in [people]"))
    return Facts(tuple(rows))


def _decision(what: str, decision: Decision) -> Inline:
    return spans(Bold(f"{what}: {'yes' if decision.allowed else 'no'}"), f", {decision.reason}")
