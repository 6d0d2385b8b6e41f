"""Short answers: what was refused and what to do next, what could not be read, what broke."""

from adaptive_cards.card import Bullets, Card, CodeBlock, Element, Text
from domain.durations import format_duration
from domain.errors import Ambiguous, ApprovalError, GatewayError, NotFound, PermissionDenied, RequestError, Throttled

WORKING = "working"
"""The key of cards that only say how far something has come: a platform may leave such an update out."""


def refused(error: RequestError | ApprovalError, *, simulated: bool) -> Card:
    """What the person asked for cannot be done."""
    first, _, rest = str(error).partition("\n")
    elements: list[Element] = []
    if rest:
        elements.append(CodeBlock(rest))
    if isinstance(error, Ambiguous):
        elements.append(Bullets(error.candidates))
    if isinstance(error, NotFound) and error.nearest and not any(name in first for name in error.nearest):
        elements.append(Text(f"Did you mean {' or '.join(error.nearest)}?"))
    if isinstance(error, NotFound):
        elements.append(Text("/backup help lists what can be asked.", subtle=True))
    if len(first) > 110:  # noqa: PLR2004  (the first line has at most 140 characters, with INFO and SIMULATED)
        return Card(summary=first[:80] + " …", elements=(Text(first), *elements), severity="info", simulated=simulated)
    return Card(summary=first, elements=tuple(elements), severity="info", simulated=simulated)


def could_not_look(error: GatewayError, *, simulated: bool) -> Card:
    """Azure could not be read: never to be taken for "fine"."""
    elements: list[Element] = [Text(str(error))]
    if isinstance(error, PermissionDenied) and error.action:
        elements.append(Text(f"The reader identity needs {error.action} at {error.scope or 'that scope'}."))
    elif isinstance(error, Throttled) and error.retry_after is not None:
        elements.append(Text(f"Azure asks to wait {format_duration(error.retry_after)}; ask again then."))
    elif error.can_retry:
        elements.append(Text("Ask again in a minute."))
    if error.correlation_id:
        elements.append(Text(f"Azure's correlation id: {error.correlation_id}", subtle=True))
    return Card(summary="Azure could not be read", elements=tuple(elements), severity="warning", simulated=simulated)


def broken(reference: str, *, simulated: bool) -> Card:
    """A bug: said, with what to tell who runs the bot."""
    return Card(
        summary="Something in the bot broke; nothing was changed by this request",
        elements=(Text(f"Tell whoever runs the bot this reference: {reference}. The log has the details."),),
        severity="warning",
        simulated=simulated,
    )


def form_failed(*, simulated: bool) -> Card:
    """A form could not be shown in time."""
    return Card(
        summary="The form could not be opened in time; press the button again",
        severity="info",
        simulated=simulated,
    )


def done(text: str, *, simulated: bool) -> Card:
    """Something small was done."""
    return Card(summary=text, severity="good", simulated=simulated)
