"""What an error code means, and what to do."""

from collections.abc import Sequence

from adaptive_cards.card import Bullets, Card, Code, Element, Facts, Inline, Link, Text, spans

SHOWN_WHOLE = 115
"""Characters of a first line that no platform shortens, with its sign and word and with SIMULATED behind it."""


def render(  # noqa: PLR0913
    *,
    name: str,
    spellings: Sequence[str],
    meaning: str,
    causes: Sequence[str],
    remedy: str,
    workloads: Sequence[str],
    checks: Sequence[str],
    fixes: Sequence[str],
    documentation: str,
    transient: bool,
    simulated: bool,
) -> Card:
    """The card of one code."""
    facts: list[tuple[str, Inline]] = []
    if spellings:
        facts.append(("Also written", ", ".join(spellings[:6])))
    facts.append(("Applies to", ", ".join(workloads)))
    if transient:
        facts.append(("Passes by itself", "often: run the backup again first"))
    if checks:
        facts.append(("Checks that confirm it", ", ".join(checks)))
    if fixes:
        facts.append(("Fixes to try, in order", ", ".join(fixes)))
    summary = f"{name}: {meaning}"
    elements: list[Element] = [Facts(tuple(facts))]
    if len(summary) > SHOWN_WHOLE:
        elements.insert(0, Text(meaning))
    if causes:
        elements += [Text("Likely causes:"), Bullets(tuple(causes))]
    elements.append(Text(spans("What to do: ", remedy)))
    if documentation:
        elements.append(Text(Link("Microsoft's page", documentation), subtle=True))
    return Card(summary=summary, elements=tuple(elements), severity="info", simulated=simulated)


def unknown(text: str, near: Sequence[str], *, simulated: bool) -> Card:
    """No such code is documented."""
    elements: list[Element] = [
        Text(
            "Look at the job's error text and recommendations: /backup diagnose <item> shows them as Azure wrote them."
        )
    ]
    if near:
        names = [part for one in near for part in (" or ", Code(one))][1:]
        elements.insert(0, Text(spans("Did you mean ", *names, "?")))
    return Card(
        summary=f"No documented code is {text[:60]}", elements=tuple(elements), severity="info", simulated=simulated
    )
