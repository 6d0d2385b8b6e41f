"""The small checks of activities and Adaptive Cards."""

from typing import Any

import pytest

from simulator.teams_cards import activity_problems, advice, card_problems, utf16_size

Json = dict[str, Any]
TEXT = {"type": "TextBlock", "text": "a", "wrap": True}


def card(*body: Json, **more: Any) -> Json:
    return {"type": "AdaptiveCard", "version": "1.5", "body": list(body), **more}


def message(**more: Any) -> Json:
    return {"type": "message", **more}


def attached(content: Json) -> list[Json]:
    return [{"contentType": "application/vnd.microsoft.card.adaptive", "content": content}]


GOOD: list[Json] = [
    card(TEXT),
    card({"type": "FactSet", "facts": [{"title": "a", "value": "b"}]}),
    card(
        {
            "type": "ColumnSet",
            "columns": [{"type": "Column", "width": "auto", "items": [TEXT]}, {"items": [TEXT]}],
        }
    ),
    card(
        {
            "type": "Table",
            "columns": [{"width": 1}],
            "rows": [{"type": "TableRow", "cells": [{"type": "TableCell", "items": [TEXT]}]}],
        }
    ),
    card({"type": "RichTextBlock", "inlines": ["plain", {"type": "TextRun", "text": "b", "weight": "Bolder"}]}),
    card(
        {
            "type": "Input.ChoiceSet",
            "id": "c",
            "label": "L",
            "choices": [{"title": "a", "value": "b"}],
        }
    ),
    card(
        actions=[
            {
                "type": "Action.Execute",
                "verb": "v",
                "data": {"anything": {"type": "Nonsense"}},
                "fallback": {"type": "Action.Submit", "data": {}},
            },
            {"type": "Action.ShowCard", "title": "More", "card": card(TEXT)},
        ]
    ),
    card(TEXT, msteams={"width": "Full"}, refresh={"action": {"type": "Action.Execute"}, "userIds": ["a"] * 60}),
]
BAD: dict[str, Json] = {
    "version": {"type": "AdaptiveCard", "body": []},
    "1.0 to 1.5": {**card(), "version": "1.6"},
    "unknown element TextBlok": card({"type": "TextBlok", "text": "a"}),
    "unknown element Badge": card({"type": "Badge", "text": "a"}),
    "unknown element Action.Foo": card(actions=[{"type": "Action.Foo"}]),
    "no property colour": card({**TEXT, "colour": "red"}),
    "Input.Text needs id": card({"type": "Input.Text"}),
    "TextBlock needs text": card({"type": "TextBlock"}),
    "used twice": card({"type": "Input.Text", "id": "a"}, {"type": "Input.Text", "id": "a"}),
    "more than 60": card(refresh={"action": {"type": "Action.Execute"}, "userIds": ["a"] * 61}),
    "not an AdaptiveCard": {"type": "Card"},
    "inside": card({"type": "Container", "items": [{"type": "Inside"}]}),
}


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_cards_that_teams_draws(number: int) -> None:
    """Every element that a bot needs passes, with data left alone."""
    assert [] == card_problems(GOOD[number])


@pytest.mark.parametrize("words", BAD)
def test_cards_that_are_refused(words: str) -> None:
    """Each mistake is named."""
    if words == "inside":
        assert "unknown element Inside" in card_problems(BAD[words])[0]
    else:
        assert any(words in line for line in card_problems(BAD[words]))


@pytest.mark.parametrize(
    ("activity", "words"),
    [
        ([], "not an activity"),
        ({"type": "massage"}, "cannot be sent"),
        (message(), "needs text or an attachment"),
        (message(attachments={"a": 1}, text="a"), "not a list"),
        (message(attachments=[{}]), "no contentType"),
        (message(attachments=attached({"type": "AdaptiveCard"})), "version"),
        (message(text="a", entities=[{"type": "mention", "text": "<at>x</at>"}]), "mentioned.id"),
        (
            message(text="a", entities=[{"type": "mention", "text": "<at>x</at>", "mentioned": {"id": "1"}}]),
            "does not occur",
        ),
    ],
)
def test_activities_that_are_refused(activity: Any, words: str) -> None:
    """An activity without content, or with a broken part, says what is wrong."""
    assert any(words in line for line in activity_problems(activity))


def test_activities_that_pass() -> None:
    """Typing, text with a mention and a card are fine."""
    mention = {"type": "mention", "text": "<at>x</at>", "mentioned": {"id": "1"}}

    assert [] == activity_problems({"type": "typing"})
    assert [] == activity_problems(message(text="hi <at>x</at>", entities=[mention]))
    assert [] == activity_problems(message(attachments=attached(card(TEXT)), summary="s"))


def test_advice() -> None:
    """Text beside a card and a card without summary are pointed out, plain text is not."""
    assert 2 == len(advice(message(text="a", attachments=attached(card(TEXT)))))
    assert [] == advice(message(attachments=attached(card(TEXT)), summary="s"))
    assert [] == advice(message(text="a"))


def test_size_counts_utf16() -> None:
    """A letter costs two bytes and an emoji four."""
    empty = utf16_size({"text": ""})

    assert (2, 4) == (utf16_size({"text": "a"}) - empty, utf16_size({"text": "🛟"}) - empty)
