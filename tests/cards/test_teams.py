"""Cards on Teams: what is drawn, and each limit at its last good value and one beyond."""

import bisect
import json
from typing import Any

import pytest

from adaptive_cards import teams
from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
    Code,
    CodeBlock,
    Confirm,
    Divider,
    Element,
    Facts,
    Fold,
    Form,
    Heading,
    Link,
    Mention,
    Note,
    Option,
    Status,
    Table,
    Text,
    TextInput,
    When,
    spans,
)
from tests.cards.oracles import check_teams, objects, teams_text
from tests.cards.samples import AT, MOMENT, PORTAL, every_card, every_form

Json = dict[str, Any]


def content(*elements: Element, **card: Any) -> Json:
    drawn = teams.render(Card("a", elements, **card)).content
    check_teams(drawn)
    return drawn


def draw(*elements: Element) -> list[Json]:
    """The body of these elements without the first line, checked."""
    body: list[Json] = content(*elements)["body"]
    return body[1:]


def executes(value: object) -> list[str]:
    """The identities of everything that can be pressed."""
    return [one["data"]["backupbot"] for one in objects(value) if one.get("type") == "Action.Execute"]


def test_a_card_of_everything_is_valid() -> None:
    """The official schema takes a card of all elements; first line, spoken line and summary agree."""
    message = teams.render(every_card("vm-erp-01"))
    check_teams(message.content)
    assert message.summary == "✖ CRITICAL vm-erp-01 failed · SIMULATED"
    assert message.content["speak"] == message.content["fallbackText"] == message.summary
    assert teams_text(message.content).startswith("SIMULATED: nothing here is real\x00✖ CRITICAL vm-erp-01 failed")
    assert message.attachment == {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": message.content,
    }
    assert set(executes(message.content)) == {*("approve:vm-erp-01", "reject:42", "snooze:vm-erp-01", "copy:")}


def test_spans_become_runs() -> None:
    """Emphasis, code and links are properties of runs."""
    (block,) = draw(Text(spans("p", Bold("b"), Code("c"), Link("l", PORTAL), Mention("slack-user", "U0BEN", "Ben"))))
    assert block == {
        "type": "RichTextBlock",
        "inlines": [
            {"type": "TextRun", "text": "p"},
            {"type": "TextRun", "text": "b", "weight": "Bolder"},
            {"type": "TextRun", "text": "c", "fontType": "Monospace"},
            {"type": "TextRun", "text": "l", "selectAction": {"type": "Action.OpenUrl", "url": PORTAL}},
            {"type": "TextRun", "text": "Ben", "weight": "Bolder"},
        ],
    }


def test_a_moment_is_age_local_time_and_utc() -> None:
    """The reader's own time comes from the functions of Adaptive Cards; only our own text may call them."""
    first, second, name = draw(Text(MOMENT), Text(When(AT, style="time")), Text("{{DATE(2020-01-01T00:00:00Z)}}"))
    assert [run["text"] for run in first["inlines"]] == [
        "31 h ago · ",
        "{{DATE(2026-03-01T03:12:00Z, SHORT)}} {{TIME(2026-03-01T03:12:00Z)}}",
        " · 2026-03-01 03:12 UTC",
    ]
    assert [run["text"] for run in second["inlines"]] == ["{{TIME(2026-03-01T03:12:00Z)}}", " · 03:12 UTC"]
    assert [run["text"] for run in name["inlines"]] == ["{", "{DATE(2020-01-01T00:00:00Z)}}"]


def test_a_mention_is_a_tag_in_a_block_of_its_own_and_an_entity() -> None:
    """Two people of one name stay two, markup in a name goes, who is not shown is not called."""
    ana, other = Mention("teams-user", "29:1abc", "Ana Ruiz"), Mention("teams-user", "29:2def", "Ana Ruiz")
    odd = Mention("teams-user", "00000000-0000-0000-0000-000000000001", "</at>_*[x](http://e)")
    card = content(Text(spans(ana, " ", other, " ", ana)), Bullets((odd,)), Fold("f", (Note(ana),)))
    blocks = [one["text"] for one in objects(card) if one.get("type") == "TextBlock"]
    assert blocks == ["<at>Ana Ruiz</at>, <at>Ana Ruiz (2)</at>", "<at>at x http e</at>", "<at>Ana Ruiz</at>"]
    assert card["msteams"]["entities"] == [
        {"type": "mention", "text": "<at>Ana Ruiz</at>", "mentioned": {"id": "29:1abc", "name": "Ana Ruiz"}},
        {"type": "mention", "text": "<at>Ana Ruiz (2)</at>", "mentioned": {"id": "29:2def", "name": "Ana Ruiz (2)"}},
        {"type": "mention", "text": "<at>at x http e</at>", "mentioned": {"id": odd.id, "name": "at x http e"}},
    ]
    assert "Ana Ruiz Ana Ruiz Ana Ruiz" in teams_text(card)
    lost = content(*(Text("x" * 3000) for _ in range(8)), Text(ana))
    assert lost["msteams"]["entities"] == []


def test_each_element_has_its_block() -> None:
    """Facts, lists and code are lines without gaps; a line of code keeps its indentation."""
    assert teams_text(draw(Facts((("Vault", "v"), ("None", ""))))) == "Vault: v\x00None: —"
    assert teams_text(draw(Bullets(("a", "b")))) == "• a\x00• b"
    assert teams_text(draw(Bullets(("a", "b"), numbered=True))) == "1. a\x002. b"
    assert teams_text(draw(Status("FAIL", "✖", "x"))) == "✖ FAIL  x"
    (code,) = draw(CodeBlock("if:\n    x y\n\nend"))
    assert teams_text(code) == "if:\x00\u00a0\u00a0\u00a0\u00a0x y\x00\u00a0\x00end"
    assert [
        block["type"] for block in draw(Text(""), Heading(" "), Bullets(()), Facts(()), Fold("f", ()), Divider())
    ] == ["TextBlock"]
    assert draw(Divider())[0]["separator"] is True


@pytest.mark.parametrize(("columns", "sets"), [(4, 2), (5, 0)])
def test_a_table_has_at_most_four_columns_beside_each_other(columns: int, sets: int) -> None:
    """Wider ones are one line for each row, with the names of their columns."""
    body = draw(Table(tuple("abcdefg"[:columns]), (tuple("1234567"[:columns]),), caption="All"))
    assert sum(block["type"] == "ColumnSet" for block in body) == sets
    assert teams_text(body[0]) == "All"
    if not sets:
        assert teams_text(body[1]) == "• 1 · b: 2 · c: 3 · d: 4 · e: 5"


def test_the_colour_of_the_first_line_only_repeats_its_word() -> None:
    """Each severity has its sign and word; without one there is neither."""
    for severity, first, colour in (
        ("critical", "✖ CRITICAL a", "Attention"),
        ("warning", "▲ WARNING a", "Warning"),
        ("info", "● INFO a", "Default"),
        ("good", "✔ GOOD a", "Good"),
        (None, "a", None),
    ):
        run = content(severity=severity)["body"][0]["inlines"][0]
        assert (run["text"], run.get("color")) == (first, colour)


def test_a_button_is_execute_with_submit_for_old_clients() -> None:
    """Both carry the same identity; an address is opened by the client."""
    (row,) = draw(Buttons((Button("Approve", "approve", "42", style="primary"), Button("Portal", url=PORTAL))))
    data = {"backupbot": "approve:42"}
    shown = {"title": "Approve", "style": "positive"}
    assert row["actions"] == [
        {
            "type": "Action.Execute",
            **shown,
            "verb": "approve",
            "data": data,
            "fallback": {"type": "Action.Submit", **shown, "data": data},
        },
        {"type": "Action.OpenUrl", "title": "Portal", "url": PORTAL},
    ]
    assert draw(Buttons((Button("x", "x", style="danger"),)))[0]["actions"][0]["style"] == "destructive"


def test_a_question_is_asked_in_a_card_below_the_button() -> None:
    """Nothing is sent before the second press, which repeats the object."""
    confirm = Confirm("Really?", "restart vm-erp-01", yes="Restart vm-erp-01")
    (row,) = draw(Buttons((Button("Approve", "approve", "42", confirm=confirm),)))
    (action,) = row["actions"]
    assert (action["type"], action["title"]) == ("Action.ShowCard", "Approve")
    assert teams_text(action["card"]["body"]) == "Really?\x00restart vm-erp-01"
    assert action["card"]["actions"][0]["title"] == "Restart vm-erp-01"


@pytest.mark.parametrize(("count", "sets"), [(6, 1), (7, 2)])
def test_more_opens_rows_of_six(count: int, sets: int) -> None:
    """Three buttons and More stand in one row, the menu behind it in rows of six."""
    row = tuple(Button(f"b{n}", "act", str(n)) for n in range(3 + count))
    first, hidden = draw(Buttons(row))
    assert [action["title"] for action in first["actions"]] == ["b0", "b1", "b2", "More"]
    assert hidden["isVisible"] is False
    assert len(hidden["items"]) == sets
    assert executes([first, hidden]) == [f"act:{n}" for n in range(3 + count)]


def test_a_fold_opens_what_it_hides() -> None:
    """Two folds of one title have two targets."""
    body = draw(Fold("Calls", (CodeBlock("PUT"),)), Fold("Calls", (Fold("inner", (Text("x"),)),)))
    targets = [one["targetElements"] for one in objects(body) if one.get("type") == "Action.ToggleVisibility"]
    assert len({target for (target,) in targets}) == 3


@pytest.mark.parametrize(("length", "whole"), [(100, True), (101, False)])
def test_a_title_has_at_most_100_characters(length: int, whole: bool) -> None:
    """A longer one is shortened in the middle."""
    label = ("x" * 19 + " ") * 6
    (row,) = draw(Buttons((Button(label[: length - 1] + "z", "x"),)))
    assert (row["actions"][0]["title"] == label[: length - 1] + "z") is whole
    assert len(row["actions"][0]["title"]) <= 100


def test_a_view_of_ones_own_is_for_at_most_60_people() -> None:
    """The card carries who refreshes and what is asked for; 61 people are refused."""
    refresh = teams.Refresh("view", tuple(f"29:{n}" for n in range(60)), "42")
    drawn = teams.render(Card("a"), refresh).content
    check_teams(drawn)
    assert drawn["refresh"] == {
        "action": {
            "type": "Action.Execute",
            "title": "Refresh",
            "verb": "view",
            "data": {"backupbot": "view:42"},
        },
        "userIds": [f"29:{n}" for n in range(60)],
    }
    assert "refresh" not in teams.render(Card("a")).content
    with pytest.raises(ValueError, match="60"):
        teams.Refresh("view", tuple(f"29:{n}" for n in range(61)))


def test_a_form_becomes_a_card_with_inputs() -> None:
    """Fields keep their ids beside the identity; choices are compact, for expanded ones read Markdown."""
    message = teams.render_form(every_form("vm"))
    check_teams(message.content)
    inputs = {one["id"]: one for one in objects(message.content) if str(one.get("type", "")).startswith("Input.")}
    assert inputs["reason"] == {
        "type": "Input.Text",
        "id": "reason",
        "label": "vm",
        "isRequired": True,
        "errorMessage": "An answer is needed here.",
        "isMultiline": True,
        "maxLength": 200,
        "placeholder": "vm",
        "value": "vm",
    }
    assert inputs["ticket"]["isRequired"] is False
    assert inputs["region"]["style"] == "compact"
    assert inputs["region"]["choices"] == [{"title": "vm", "value": "a"}, {"title": "West Europe", "value": "b"}]
    assert inputs["region"]["value"] == "b"
    assert executes(message.content) == ["reject:42"]
    assert message.summary == "vm"
    read_only = teams.render_form(Form("t", (Text("x"),), "calls", submit="")).content
    assert executes(read_only) == []
    asked = teams.render_form(Form("t", (TextInput("i", "l"),), "calls", submit="")).content
    assert executes(asked) == ["calls:"]
    few = teams.render_form(Form("t", (Choice("c", "l", (Option("o", "v"),)),), "x")).content
    check_teams(few)


def test_the_size_of_a_card_is_used_to_the_last_byte_and_not_beyond() -> None:
    """28 KB of UTF-16: all shown at the limit, words for the loss one beyond, buttons in both."""

    def card(last: int) -> Json:
        row = Buttons((Button("Approve", "approve", "42"), Button("Reject", "reject", "42")))
        return content(*(Text("x" * 2800) for _ in range(4)), Text("x" * last), row)

    last = bisect.bisect_left(range(2900), True, key=lambda one: "not shown" in teams_text(card(one))) - 1
    assert last > 0
    assert len(json.dumps(card(last)).encode("utf-16-le")) == 2 + 28 * 1024 - 2
    for drawn in (card(last), card(last + 1)):
        assert executes(drawn) == ["approve:42", "reject:42"]


@pytest.mark.parametrize("limit", [28 * 1024, 14 * 1024, 7 * 1024])
def test_a_smaller_card_is_drawn_where_it_is_asked_for(limit: int) -> None:
    """A platform that refuses the size gets less of the card, or of the form; buttons and inputs stay."""
    row = Buttons((Button("Approve", "approve", "42"),))
    card = teams.render(Card("a", (*(Text("x" * 2800) for _ in range(9)), row)), bytes_max=limit).content
    form = Form("t", (*(Text("x" * 2800) for _ in range(9)), TextInput("reason", "Reason")), "reject", "42")
    asked = teams.render_form(form, bytes_max=limit).content
    for drawn in (card, asked):
        check_teams(drawn)
        assert "not shown" in teams_text(drawn)
        assert limit // 2 < len(json.dumps(drawn).encode("utf-16-le")) <= limit + 2
    assert executes(card) == ["approve:42"]
    assert executes(asked) == ["reject:42"]


@pytest.mark.parametrize(
    "flood",
    [
        Bullets(tuple("n" * 200 for _ in range(100))),
        Facts(tuple(("l" * 50, "n" * 200) for _ in range(100))),
        Table(("a", "b"), tuple(("n" * 200, "x" * 200) for _ in range(100))),
        CodeBlock("e\n" * 2500),
        Text("é" * 50_000),
        Fold("details", tuple(Text("e" * 5000) for _ in range(100))),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("times", [1, 10])
def test_a_flood_is_shortened_in_words_and_the_buttons_stay(flood: Element, times: int) -> None:
    """100 items of 200 characters, an error of 5,000: the card fits, says what is missing, can be approved."""
    row = Buttons((Button("Approve", "approve", "42"), Button("Reject", "reject", "42")))
    body = draw(*([flood] * times), row)
    assert "not shown" in teams_text(body)
    assert executes(body) == ["approve:42", "reject:42"]


def test_inputs_survive_the_text_around_them() -> None:
    """A form whose text is too long still asks its question."""
    form = Form("t", (*(Text("x" * 3000) for _ in range(9)), TextInput("reason", "Reason")), "reject", "42")
    drawn = teams.render_form(form).content
    check_teams(drawn)
    assert "not shown" in teams_text(drawn)
    assert executes(drawn) == ["reject:42"]
    assert [one["id"] for one in objects(drawn) if one.get("type") == "Input.Text"] == ["reason"]


def test_buttons_too_large_for_any_card_are_an_error() -> None:
    """What may not be lost and cannot be shown must not be sent."""
    with pytest.raises(ValueError, match="too large"):
        teams.render(Card("a", (Buttons(tuple(Button("b", "act", "v" * 990) for _ in range(12))),)))
