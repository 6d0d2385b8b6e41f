"""Pure: the forms that one card takes on Teams: while a press is worked on, and for those who may not decide."""

import dataclasses
from collections.abc import Callable, Iterator

from adaptive_cards.card import Button, Buttons, Card, Element, Fold, Note, Status, Text

DECIDING = frozenset(
    {"approval.approve", "approval.reject", "approval.reject_form", "approval.break_glass_form"},
)
"""The buttons that only approvers see where each of them is known to Teams."""
_FOR_APPROVERS = "Approve and Reject are shown to those who may decide."


def named_people(*entries: str) -> tuple[str, ...]:
    """The Entra ids in the entries of a rule, when each names one person by it (``teams:<id>``); else none at all.

    With a group, an e-mail or rights in Azure among them nobody can tell beforehand who may decide.
    """
    ids = dict.fromkeys(entry.partition(":")[2] for entry in entries if entry.startswith("teams:"))
    return tuple(ids) if all(entry.startswith("teams:") for entry in entries) else ()


def buttons_of(elements: tuple[Element, ...]) -> Iterator[Button]:
    """Every button that Teams draws of a card, folded ones too."""
    for element in elements:
        if isinstance(element, Buttons):
            yield from (*element.buttons, *element.more)
        elif isinstance(element, Fold):
            yield from buttons_of(element.elements)


def asks_for_decision(card: Card) -> bool:
    """Whether there is something on the card that only approvers may press."""
    return any(button.action in DECIDING for button in buttons_of(card.elements))


def shared_view(card: Card) -> Card:
    """The card as everybody sees it: without the deciding buttons, and saying where they are."""
    return dataclasses.replace(card, elements=(*_without(card.elements, _decides), Note(_FOR_APPROVERS)))


def working_view(card: Card | None, action: str, value: str, *, simulated: bool) -> Card:
    """What the presser sees at once; the result comes as an update of the message or as a message of its own.

    What can be pressed on the message stays, save what decides: not every press changes the message, and who is told
    no must find the other buttons where they were.
    """
    if card is None:
        return Card(
            summary="Received, working on it",
            elements=(Text("The answer follows in this conversation."),),
            simulated=simulated,
        )
    label = next(
        (one.label for one in buttons_of(card.elements) if (one.action, one.value) == (action, value)), "Your click"
    )
    status = Status("WORKING", "◷", f"{label}: received, the result follows.")
    return dataclasses.replace(card, elements=(status, *_without(card.elements, _decides)))


def _decides(button: Button) -> bool:
    return button.action in DECIDING


def _without(elements: tuple[Element, ...], gone: Callable[[Button], bool]) -> tuple[Element, ...]:
    kept: list[Element] = []
    for element in elements:
        match element:
            case Buttons():
                shown = tuple(one for one in element.buttons if not gone(one))
                more = tuple(one for one in element.more if not gone(one))
                if shown or more:
                    kept.append(Buttons(shown, more) if shown else Buttons(more))
            case Fold():
                kept.append(dataclasses.replace(element, elements=_without(element.elements, gone)))
            case _:
                kept.append(element)
    return tuple(kept)
