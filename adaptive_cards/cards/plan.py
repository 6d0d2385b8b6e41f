"""A plan that the bot does not do itself: a guide's steps, or the commands of a read-only installation."""

from dataclasses import replace

from adaptive_cards.card import Bold, Bullets, Button, Buttons, Card, CodeBlock, Element, Facts, Fold, Text
from adaptive_cards.cards.approval import exact_calls
from domain.durations import format_age
from domain.fix import FixPlan


def render(plan: FixPlan, *, operator_client_id: str, read_only: bool, simulated: bool) -> Card:
    """What to do, and a button that checks whether it worked."""
    elements: list[Element] = [Text(Bold(plan.sentence))]
    if read_only:
        elements.append(
            Text("The bot may only read here. Run this yourself, then press Done, check again.", subtle=True)
        )
        if plan.az:
            elements.append(CodeBlock("\n".join(plan.az)))
    if plan.steps:
        elements.append(Bullets(tuple(plan.steps), numbered=True))
    elements.append(
        Facts(
            (
                ("Worst case", plan.worst_case),
                ("Undo", plan.undo),
                ("Takes", f"about {format_age(plan.duration)}"),
                ("Proof", plan.proof),
            )
        )
    )
    if plan.problems:
        elements.append(Bullets(tuple(f"Now in the way: {problem}" for problem in plan.problems)))
    if plan.notes:
        elements.append(Bullets(tuple(plan.notes)))
    elements.append(Buttons((Button("Done, check again", "diagnose.item", plan.item_id, style="primary"),)))
    if plan.calls:
        below = replace(plan, az=()) if read_only else plan  # the commands stand above already
        elements.append(Fold("Exact calls", exact_calls(below, plan.fingerprint(operator_client_id)), key="calls"))
    return Card(
        summary=f"{plan.title} · {plan.item_name} in {plan.vault_name}",
        elements=tuple(elements),
        severity="info",
        simulated=simulated,
    )
