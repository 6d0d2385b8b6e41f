"""Cards on Slack: what is drawn, and each limit at its last good value and one beyond."""

import bisect
from typing import Any

import pytest

from adaptive_cards import slack
from adaptive_cards.card import (
    Bold,
    Bullets,
    Button,
    Buttons,
    Card,
    Choice,
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
from tests.cards.oracles import check_slack, check_view, objects, slack_size, slack_text
from tests.cards.samples import AT, MOMENT, PORTAL, every_card, every_form

Json = dict[str, Any]


def draw(*elements: Element) -> list[Json]:
    """The blocks of these elements without the first line, checked."""
    blocks = slack.render(Card("a", elements)).blocks
    check_slack(blocks)
    return blocks[1:]


def view(*elements: Any, title: str = "t", submit: str = "Send") -> Json:
    drawn = slack.render_view(Form(title, elements, "edit", "42", submit))
    check_view(drawn)
    return drawn


def kinds(blocks: list[Json]) -> list[str]:
    return [block["type"] for block in blocks]


def buttons(blocks: list[Json]) -> list[str]:
    """The identities of everything that can be pressed or chosen."""
    found = [one["value"] for one in objects(blocks) if one.get("type") == "button" and "value" in one]
    return found + [one["value"] for one in objects(blocks) if "value" in one and "type" not in one]


def test_a_card_of_everything_is_accepted() -> None:
    """Slack's own models and limits take a card of all elements, simulated mark first."""
    message = slack.render(every_card("vm-erp-01"), revision="7")
    check_slack(message.blocks)
    assert message.text == "✖ CRITICAL vm-erp-01 failed · SIMULATED"
    assert slack_text(message.blocks).startswith("SIMULATED: nothing here is real\x00✖ CRITICAL vm-erp-01 failed")
    assert buttons(message.blocks) == [*("approve:vm-erp-01", "reject:42", "copy:", "calls:42", "snooze:vm-erp-01")]
    assert "only behind the button" not in slack_text(message.blocks)


def test_a_moment_is_age_local_time_and_utc() -> None:
    """Slack shows the reader's own time through a date, in paragraphs and in small print."""
    date = {
        "type": "date",
        "timestamp": 1772334720,
        "format": "{date_short_pretty} {time}",
        "fallback": "2026-03-01 03:12 UTC",
    }
    paragraph, small = draw(Text(MOMENT), Note(When(AT, style="time")))
    assert paragraph["elements"][0]["elements"] == [
        {"type": "text", "text": "31 h ago · "},
        date,
        {"type": "text", "text": " · 2026-03-01 03:12 UTC"},
    ]
    assert small["elements"][0]["text"] == "<!date^1772334720^{time}|03:12 UTC> · 03:12 UTC"
    (aged,) = draw(Note(MOMENT))
    assert aged["elements"][0]["text"].startswith("31 h ago · <!date^1772334720^{date_short_pretty} {time}|2026")
    (odd,) = draw(Note(When(AT, age="*soon*")))
    assert odd["elements"] == [{"type": "plain_text", "text": "*soon* (2026-03-01 03:12 UTC)", "emoji": False}]


def test_only_the_platforms_own_mentions_call_somebody() -> None:
    """A Slack user and group become elements, a Teams user stays a label."""
    ben, group = Mention("slack-user", "U0BEN", "Ben"), Mention("slack-group", "S0ONCALL", "on call")
    ana = Mention("teams-user", "29:1abc", "Ana")
    paragraph, small = draw(Text(spans(ben, group, ana)), Note(spans(ben, group, ana)))
    assert paragraph["elements"][0]["elements"] == [
        {"type": "user", "user_id": "U0BEN"},
        {"type": "usergroup", "usergroup_id": "S0ONCALL"},
        {"type": "text", "text": "Ana"},
    ]
    assert [one["text"] for one in small["elements"]] == ["<@U0BEN>", "<!subteam^S0ONCALL>", "Ana"]


def test_each_element_has_its_block() -> None:
    """Paragraphs, lists and facts are rich text; small print is context; the rest is its own."""
    facts, status, ordered = draw(
        Facts((("Vault", "v"), ("None", ""))), Status("FAIL", "✖", "x"), Bullets(("a",), numbered=True)
    )
    assert "".join(run["text"] for run in facts["elements"][0]["elements"]) == "Vault: v\nNone: —"
    assert slack_text(status).replace("\x00", "") == "✖ FAIL  x"
    assert ordered["elements"][0]["style"] == "ordered"
    assert kinds(draw(Divider(), Heading("h"), Text(""), Heading(" "), Bullets(()), Facts(()))) == ["divider", "header"]
    assert kinds(draw(Note(Link("Portal", PORTAL)), Note(Link("*x*", PORTAL)))) == ["context", "rich_text"]
    assert slack.render(Card("a")).blocks == [
        {
            "block_id": "0-",
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_section",
                    "elements": [{"type": "text", "text": "a", "style": {"bold": True}}],
                }
            ],
        }
    ]


def test_block_ids_are_new_at_each_revision() -> None:
    """An update gets other ids than what it replaces; a revision has at most 64 characters."""
    first, second = (slack.render(every_card("vm"), revision=one).blocks for one in ("1", "2"))
    assert not {block["block_id"] for block in first} & {block["block_id"] for block in second}
    check_slack(slack.render(Card("a"), revision="r" * 64).blocks)
    with pytest.raises(ValueError, match="64"):
        slack.render(Card("a"), revision="r" * 65)


@pytest.mark.parametrize(("length", "whole"), [(64, True), (65, False)])
def test_a_table_is_aligned_as_long_as_a_phone_can_show_it(length: int, whole: bool) -> None:
    """Up to 64 characters a line, then one list item for each row; links keep working in lists."""
    (table,) = draw(Table(("a", "b"), (("x" * (length - 3), "y"),)))
    assert (table["elements"][0]["type"] == "rich_text_preformatted") is whole
    (linked,) = draw(Table(("Item", "Where"), (("vm", Link("Portal", PORTAL)),), caption="All"))
    assert [one["type"] for one in linked["elements"]] == ["rich_text_section", "rich_text_list"]
    assert slack_text(linked).replace("\x00", "") == "Allvm · Where: Portal"
    (aligned,) = draw(Table(("Item", "State"), (("vm-1", "ok"), ("v", Bold("bad")))))
    assert slack_text(aligned) == "Item  State\nvm-1  ok\nv     bad"


@pytest.mark.parametrize(
    ("most", "make", "find"),
    [
        (150, Heading, lambda b: b[0]["text"]),
        (75, lambda t: Buttons((Button(t, "x"),)), lambda b: b[0]["elements"][0]["text"]),
        (75, lambda t: Buttons((), (Button(t, "x"),)), lambda b: b[0]["elements"][0]["options"][0]["text"]),
        (
            100,
            lambda t: Buttons((Button("b", "x", confirm=Confirm(t, "?")),)),
            lambda b: b[0]["elements"][0]["confirm"]["title"],
        ),
        (
            300,
            lambda t: Buttons((Button("b", "x", confirm=Confirm("?", t)),)),
            lambda b: b[0]["elements"][0]["confirm"]["text"],
        ),
        (
            30,
            lambda t: Buttons((Button("b", "x", confirm=Confirm("?", "?", yes=t)),)),
            lambda b: b[0]["elements"][0]["confirm"]["confirm"],
        ),
        (
            30,
            lambda t: Buttons((Button("b", "x", confirm=Confirm("?", "?", no=t)),)),
            lambda b: b[0]["elements"][0]["confirm"]["deny"],
        ),
    ],
)
@pytest.mark.parametrize("mark", ["x", "&"])
def test_text_is_whole_at_its_limit_and_shortened_beyond(most: int, make: Any, find: Any, mark: str) -> None:
    """The last character that Slack takes is shown; one more and the middle goes. Escaped characters count."""
    words = ("x" * 24 + " ") * most  # words short enough to be kept as they are
    text = words[: most - 5] + "zzzzz" if mark == "x" else "z " * ((most - 15) // 2) + "&" * 3
    if mark == "&":
        text = "z" * (most - 15 - len(text) + 3) + text
    at_limit, beyond = draw(make(text)), draw(make("z" + text))
    assert len(find(at_limit)["text"]) == most
    assert "…" not in find(at_limit)["text"]
    assert len(find(beyond)["text"]) <= most
    assert "…" in find(beyond)["text"]


@pytest.mark.parametrize(
    ("most", "make", "find"),
    [
        (24, lambda t: view(Text("x"), title=t), lambda v: v["title"]),
        (24, lambda t: view(Text("x"), submit=t), lambda v: v["submit"]),
        (150, lambda t: view(TextInput("i", "l", placeholder=t)), lambda v: v["blocks"][0]["element"]["placeholder"]),
        (2000, lambda t: view(TextInput("i", t)), lambda v: v["blocks"][0]["label"]),
        (
            75,
            lambda t: view(Choice("i", "l", (Option(t, "v"),))),
            lambda v: v["blocks"][0]["element"]["options"][0]["text"],
        ),
    ],
)
def test_a_views_text_is_whole_at_its_limit_and_shortened_beyond(most: int, make: Any, find: Any) -> None:
    """Title, submit, placeholder, label and option of a view."""
    text = (("x" * 20 + " ") * most)[: most - 4] + "zzzz"
    assert find(make(text))["text"] == text
    assert "…" in find(make("z" + text))["text"]


def test_an_answer_is_at_most_3000_characters() -> None:
    """A field's own limit and first value stay within Slack's."""
    for length, kept in ((3000, 3000), (3001, 3000)):
        element = view(TextInput("i", "l", max_length=length, value="v" * length))["blocks"][0]["element"]
        assert (element["max_length"], len(element["initial_value"])) == (kept, kept)


def test_a_form_becomes_a_modal() -> None:
    """Identity, inputs and their ids are where an answer is looked up."""
    drawn = slack.render_view(every_form("vm"))
    check_view(drawn)
    assert (drawn["callback_id"], drawn["private_metadata"]) == ("reject", "reject:42")
    inputs = {block["block_id"]: block for block in drawn["blocks"] if block["type"] == "input"}
    assert {key: (one["optional"], one["element"]["action_id"]) for key, one in inputs.items()} == {
        "reason": (False, "value"),
        "ticket": (True, "value"),
        "region": (False, "value"),
    }
    assert inputs["region"]["element"]["initial_option"]["value"] == "b"
    assert "submit" not in view(Text("only to read"), submit="")
    assert view(TextInput("i", "l"), submit="")["submit"]["text"] == "Send"
    assert view(submit="")["blocks"][0]["type"] == "rich_text"


@pytest.mark.parametrize(("count", "missing"), [(100, 0), (101, 1)])
def test_a_choice_shows_100_options_and_says_how_many_more(count: int, missing: int) -> None:
    """The chosen one is always among them."""
    options = tuple(Option(f"o{number}", str(number)) for number in range(count))
    block = view(Choice("i", "l", options, value=str(count - 1)))["blocks"][0]
    assert len(block["element"]["options"]) == 100
    assert block["element"]["initial_option"]["value"] == str(count - 1)
    assert block["element"]["initial_option"] in block["element"]["options"]
    assert block.get("hint", {}).get("text") == ("… 1 more is not shown" if missing else None)
    assert [one["value"] for one in view(Choice("i", "l", options))["blocks"][0]["element"]["options"]][99] == "99"


def test_an_option_value_has_at_most_150_characters() -> None:
    """A longer value cannot be cut without becoming another one."""
    view(Choice("i", "l", (Option("o", "v" * 150),)))
    with pytest.raises(ValueError, match="150"):
        view(Choice("i", "l", (Option("o", "v" * 151),)))


def menu_of(count: int, **kind: Any) -> list[Json]:
    (block,) = draw(Buttons((), more=tuple(Button(f"b{n}", "act", str(n), **kind) for n in range(count))))
    elements: list[Json] = block["elements"]
    return elements


def test_three_buttons_and_a_menu() -> None:
    """The first three are buttons, the fourth is in the overflow menu, and styles and questions are kept."""
    row = tuple(Button(f"b{n}", "act", str(n), style="danger", confirm=Confirm("Sure?", "vm")) for n in range(3))
    (block,) = draw(Buttons((*row, Button("b3", "act", "3"))))
    assert kinds(block["elements"]) == ["button", "button", "button", "overflow"]
    first = block["elements"][0]
    assert (first["value"], first["style"], first["confirm"]["style"]) == ("act:0", "danger", "danger")
    assert draw(Buttons(())) == []


def test_a_menu_of_more_than_five_is_a_select_and_of_more_than_100_several() -> None:
    """An overflow menu holds 5, a select 100."""
    assert kinds(menu_of(5)) == ["overflow"]
    assert kinds(menu_of(6)) == ["static_select"]
    assert kinds(menu_of(100)) == ["static_select"]
    assert kinds(menu_of(101)) == ["static_select", "static_select"]


def test_what_a_menu_cannot_hold_stays_a_button() -> None:
    """A question of its own, a long value, an address among many: never lost, never wrong."""
    assert kinds(menu_of(1, confirm=Confirm("Sure?", "vm"))) == ["button"]
    assert kinds(menu_of(5, url=PORTAL)) == ["overflow"]
    assert kinds(menu_of(6, url=PORTAL)) == ["button"] * 6
    for length, kind in ((150, "overflow"), (151, "button")):
        (block,) = draw(Buttons((), more=(Button("b", "act", "v" * (length - 4)),)))
        assert kinds(block["elements"]) == [kind]


@pytest.mark.parametrize(("count", "blocks"), [(25, 1), (26, 2)])
def test_25_elements_stand_in_one_row(count: int, blocks: int) -> None:
    """The 26th gets a row of its own."""
    row = tuple(Button(f"b{n}", "act", str(n), confirm=Confirm("?", "?")) for n in range(count))
    assert len(draw(Buttons(row))) == blocks


@pytest.mark.parametrize(("count", "shown"), [(49, 49), (50, 48)])
def test_50_blocks_and_then_words_for_the_rest(count: int, shown: int) -> None:
    """With the first line 49 more; one too many gives way, with one more for the words that say so."""
    blocks = draw(*(Text(str(number)) for number in range(count)))
    assert len(blocks) == 49
    texts = slack_text(blocks).split("\x00")
    assert texts[:shown] == [str(number) for number in range(shown)]
    assert texts[shown:] == ([] if count == 49 else ["… 2 more parts are not shown"])


def test_a_view_has_100_blocks_and_a_size() -> None:
    """Beyond them, text gives way and inputs do not."""
    assert len(view(*(Text("x") for _ in range(100)))["blocks"]) == 100
    drawn = view(*(Text("x") for _ in range(100)), TextInput("i", "l"))["blocks"]
    assert len(drawn) == 100
    assert drawn[-1]["block_id"] == "i"
    long = view(*(Text("ü" * 3000) for _ in range(60)), TextInput("i", "l"))["blocks"]
    assert slack_size(long) <= 100_000
    assert "not shown" in slack_text(long)

    def sized(last: int) -> list[Json]:
        blocks: list[Json] = view(*(Text("x" * 2000) for _ in range(45)), Text("x" * last))["blocks"]
        return blocks

    last = bisect.bisect_left(range(3000), True, key=lambda one: "not shown" in slack_text(sized(one))) - 1
    assert slack_size(sized(last)) == 100_000


def test_the_size_of_a_message_is_used_to_the_last_character_and_not_beyond() -> None:
    """12,000 characters in our measure: all shown at the limit, words for the loss one beyond, buttons in both."""

    def card(last: int) -> list[Json]:
        row = Buttons((Button("Approve", "approve", "42"), Button("Reject", "reject", "42")))
        paragraphs = [*(Text("&" + "x" * 2499) for _ in range(4)), Text("x" * last)]
        return slack.render(Card("a", (*paragraphs, row)), revision="1").blocks

    last = bisect.bisect_left(range(1500), True, key=lambda one: "not shown" in slack_text(card(one))) - 1
    at_limit, beyond = card(last), card(last + 1)
    assert slack_size(at_limit) == 12_000
    assert slack_size(beyond) <= 12_000
    assert "more characters are not shown" in slack_text(beyond)
    for blocks in (at_limit, beyond):
        check_slack(blocks)
        assert buttons(blocks) == ["approve:42", "reject:42"]


@pytest.mark.parametrize(
    "flood",
    [
        Bullets(tuple("n" * 200 for _ in range(100))),
        Facts(tuple(("l" * 50, "n" * 200) for _ in range(100))),
        Table(("a", "b"), tuple(("n" * 200, "x" * 200) for _ in range(100))),
        CodeBlock("e" * 5000),
        Text("e" * 50_000),
        Status("FAIL", "✖", "<&>" * 20_000),
        Fold("details", tuple(Text("e" * 5000) for _ in range(100))),
        Note("n" * 9000),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("times", [1, 10])
def test_a_flood_is_shortened_in_words_and_the_buttons_stay(flood: Element, times: int) -> None:
    """100 items of 200 characters, an error of 5,000: the card fits, says what is missing, can be approved."""
    row = Buttons((Button("Approve", "approve", "42"), Button("Reject", "reject", "42")))
    blocks = draw(*([flood] * times), row)
    assert slack_size(blocks) < 12_000
    assert "not shown" in slack_text(blocks)
    assert buttons(blocks) == ["approve:42", "reject:42"]


def test_buttons_within_a_fold_survive_its_text() -> None:
    """Even where nothing of a fold can be shown, what can be pressed in it remains."""
    inner = Fold("inner", (Text("x" * 5000), Buttons((Button("Undo", "undo"),))))
    behind = Fold("behind", (Buttons((Button("Copy", "copy"),)),), instead=Button("Open", "open.it"))
    blocks = draw(*(Text("x" * 3000) for _ in range(8)), Fold("outer", (inner, Text("y"))), behind)
    assert set(buttons(blocks)) == {"undo:", "copy:", "open.it:"}


@pytest.mark.parametrize(("length", "whole"), [(150, True), (151, False)])
def test_the_title_of_an_open_fold_is_as_short_as_a_heading(length: int, whole: bool) -> None:
    """150 characters, so that its buttons find room."""
    title = (("x" * 20 + " ") * 8)[: length - 1] + "z"
    blocks = draw(Fold(title, (Buttons((Button("Undo", "undo"),)),)))
    assert (slack_text(blocks[0]) == title) is whole
    assert len(slack_text(blocks[0])) <= 150


@pytest.mark.parametrize(("length", "whole"), [(700, True), (701, False)])
def test_an_open_fold_shows_700_characters_of_each_part(length: int, whole: bool) -> None:
    """And says how many more there are."""
    assert ("1 more character is not shown" in slack_text(draw(Fold("f", (CodeBlock("x" * length),))))) is not whole


def test_buttons_too_large_for_any_message_are_an_error() -> None:
    """What may not be lost and cannot be shown must not be sent."""
    row = Buttons(tuple(Button("b", "act", "v" * 990, confirm=Confirm("?", "?")) for _ in range(12)))
    with pytest.raises(ValueError, match="too large"):
        slack.render(Card("a", (row,)))


@pytest.mark.parametrize(("count", "kind"), [(10, "context"), (11, "rich_text")])
def test_small_print_of_more_than_ten_pieces_is_a_paragraph(count: int, kind: str) -> None:
    """A context block takes ten elements."""
    assert kinds(draw(Note(tuple(MOMENT for _ in range(count))))) == [kind]


@pytest.mark.parametrize(("length", "kind"), [(2000, "context"), (2001, "rich_text")])
def test_long_small_print_is_a_paragraph(length: int, kind: str) -> None:
    """2,000 characters a piece, counted escaped."""
    assert kinds(draw(Note("&" + "x" * (length - 5)))) == [kind]
