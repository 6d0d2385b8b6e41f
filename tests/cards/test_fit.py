"""Shortening elements: what stays, and the words for what does not."""

import pytest

from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    CodeBlock,
    Divider,
    Element,
    Facts,
    Fold,
    Heading,
    Note,
    Plain,
    Progress,
    Status,
    Table,
    Text,
    TextInput,
    spans,
)
from adaptive_cards.fit import cut, text_size
from tests.cards.samples import MOMENT

PRESS = Buttons((Button("Undo", "undo"),))


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        (Text("x" * 50), (Text((Plain("x" * 50),)),)),
        (Text("x" * 51), (Text((Plain("x" * 50), Plain(" … 1 more character is not shown"))),)),
        (
            Note(spans("a" * 49, Bold("b" * 1001))),
            (Note((Plain("a" * 49), Bold("b"), Plain(" … 1,000 more characters are not shown"))),),
        ),
        (
            Status("FAIL", "✖", spans("a" * 40, MOMENT)),
            (Status("FAIL", "✖", (Plain("a" * 40), Plain(" … 31 more characters are not shown"))),),
        ),
        (Text(spans("a" * 50, Bold("b"))), (Text((Plain("a" * 50), Plain(" … 1 more character is not shown"))),)),
        (CodeBlock("x" * 51), (CodeBlock("x" * 50 + "\n… 1 more character is not shown"),)),
        (
            Bullets(("a" * 20, "b" * 30, "c")),
            (Bullets(((Plain("a" * 20),), (Plain("b" * 30),))), Note("… 1 more is not shown")),
        ),
        (
            Bullets(("a" * 51, "b", "c"), numbered=True),
            (
                Bullets(((Plain("a" * 50), Plain(" … 1 more character is not shown")),), numbered=True),
                Note("… 2 more are not shown"),
            ),
        ),
        (
            Facts((("l" * 5, "a" * 20), ("m", "b" * 30))),
            (Facts((("l" * 5, (Plain("a" * 20),)),)), Note("… 1 more is not shown")),
        ),
        (
            Table(("a", "b"), (("1" * 41, "2"), ("3", "4"))),
            (
                Table(("a", "b"), (((Plain("1" * 40), Plain(" … 1 more character is not shown")), (Plain("2"),)),)),
                Note("… 1 more is not shown"),
            ),
        ),
        (
            Heading("x" * 20 + " " + "y" * 40),
            (Heading(f"{'x' * 20} {'y' * 14}…{'y' * 9}"),),
        ),
        (Progress(1, 2, "l" * 60), (Progress(1, 2, "l" * 28 + "…" + "l" * 19),)),
        (Divider(), (Divider(),)),
        (PRESS, (PRESS,)),
        (TextInput("i", "l" * 99), (TextInput("i", "l" * 99),)),
        (
            Fold("f", (Text("a" * 30), Text("b" * 40), Text("c"), Divider(), PRESS)),
            (
                Fold(
                    "f",
                    (Text((Plain("a" * 30),)), PRESS, Note("… 2 more parts are not shown")),
                ),
            ),
        ),
    ],
)
def test_an_element_keeps_about_50_characters(element: Element, shown: tuple[Element, ...]) -> None:
    """At the limit nothing changes, beyond it the loss is counted in words."""
    assert cut(element, 50) == shown


def test_a_part_of_a_fold_is_cut_where_at_least_40_characters_fit() -> None:
    """With less room than that it is left out and counted."""
    whole = Text((Plain("a" * 10),))
    assert cut(Fold("f", (Text("a" * 10), Text("b" * 41))), 50) == (
        Fold("f", (whole, Text((Plain("b" * 40), Plain(" … 1 more character is not shown"))))),
    )
    assert cut(Fold("f", (Text("a" * 10), Text("b" * 41))), 49) == (
        Fold("f", (whole, Note("… 1 more part is not shown"))),
    )


@pytest.mark.parametrize(
    ("element", "left"),
    [
        (Text("x"), ()),
        (Heading("x"), ()),
        (Facts((("a", "b"),)), ()),
        (Divider(), ()),
        (PRESS, (PRESS,)),
        (TextInput("i", "l"), (TextInput("i", "l"),)),
        (Fold("f", (Text("x"), Fold("g", (PRESS,)))), (Fold("f", (Fold("g", (PRESS,)),)),)),
        (Fold("f", (Text("x"),)), ()),
        (Fold("f", (Text("x"),), instead=Button("Open", "x")), (Fold("f", (), instead=Button("Open", "x")),)),
    ],
)
def test_without_room_only_what_can_be_pressed_or_filled_stays(element: Element, left: tuple[Element, ...]) -> None:
    """Buttons and inputs are never the loss."""
    assert cut(element, 0) == left


@pytest.mark.parametrize(
    ("element", "size"),
    [
        (Heading("abc"), 3),
        (CodeBlock("a\nb"), 3),
        (Text(spans("ab", Bold("c"))), 3),
        (Facts((("ab", "c"), ("d", "e"))), 5),
        (Bullets(("ab", "c")), 3),
        (Table(("head", "er"), (("ab", "c"),)), 3),
        (Fold("ab", (Text("c"), PRESS, Divider(), Progress(1, 2))), 3),
    ],
)
def test_the_size_of_an_element_is_its_text(element: Element, size: int) -> None:
    """What is measured is what is read."""
    assert text_size(element) == size
