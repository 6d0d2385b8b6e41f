"""Block Kit's limits, each at the limit and one beyond it."""

from typing import Any

import pytest

from simulator.slack_blocks import message_blocks, view
from simulator.slack_state import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str = "a", **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(number: int = 1, **more: Any) -> Json:
    return {"type": "button", "action_id": f"a{number}", "text": plain("Go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def select(count: int, value: int = 1) -> Json:
    options = [{"text": plain("o"), "value": f"{n:0{value}d}"} for n in range(count)]
    return {"type": "static_select", "action_id": "s", "options": options}


def confirm(title: int = 1, text: int = 1) -> Json:
    return {"title": plain("t" * title), "text": plain("x" * text), "confirm": plain("Y"), "deny": plain("N")}


LIMITS: dict[str, tuple[list[Json], list[Json]]] = {
    "blocks in a message": ([section()] * 50, [section()] * 51),
    "section text": ([section("x" * 3000)], [section("x" * 3001)]),
    "section text is not empty": ([section("x")], [section("")]),
    "fields": (
        [{"type": "section", "fields": [plain("f")] * 10}],
        [{"type": "section", "fields": [plain("f")] * 11}],
    ),
    "field text": (
        [{"type": "section", "fields": [plain("f" * 2000)]}],
        [{"type": "section", "fields": [plain("f" * 2001)]}],
    ),
    "header": (
        [{"type": "header", "text": plain("h" * 150)}],
        [{"type": "header", "text": plain("h" * 151)}],
    ),
    "header is plain": (
        [{"type": "header", "text": plain("h")}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}],
    ),
    "elements of actions": (
        [actions(*(button(n) for n in range(25)))],
        [actions(*(button(n) for n in range(26)))],
    ),
    "elements of context": (
        [{"type": "context", "elements": [plain("c")] * 10}],
        [{"type": "context", "elements": [plain("c")] * 11}],
    ),
    "button text": ([actions(button(text=plain("b" * 75)))], [actions(button(text=plain("b" * 76)))]),
    "button value": ([actions(button(value="v" * 2000))], [actions(button(value="v" * 2001))]),
    "button style": ([actions(button(style="danger"))], [actions(button(style="red"))]),
    "action id": ([actions(button(action_id="i" * 255))], [actions(button(action_id="i" * 256))]),
    "block id": ([section(block_id="i" * 255)], [section(block_id="i" * 256)]),
    "confirm title": ([actions(button(confirm=confirm(100)))], [actions(button(confirm=confirm(101)))]),
    "confirm text": (
        [actions(button(confirm=confirm(text=300)))],
        [actions(button(confirm=confirm(text=301)))],
    ),
    "options of a menu": ([actions(select(100))], [actions(select(101))]),
    "option value": ([actions(select(1, 150))], [actions(select(1, 151))]),
    "options of an overflow": (
        [actions({**select(5), "type": "overflow"})],
        [actions({**select(6), "type": "overflow"})],
    ),
    "block ids differ": ([section(block_id="a"), section(block_id="b")], [section(block_id="a")] * 2),
    "action ids differ within a block": ([actions(button(1), button(2))], [actions(button(1), button(1))]),
    "known block": ([{"type": "divider"}], [{"type": "ruler"}]),
    "known property": ([section(expand=True)], [section(colour="red")]),
    "section has content": ([section()], [{"type": "section"}]),
    "image has a text": (
        [{"type": "image", "image_url": "https://e.com/a.png", "alt_text": "a"}],
        [{"type": "image", "image_url": "https://e.com/a.png"}],
    ),
    "table rows": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "c"}]] * 100}],
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "c"}]] * 101}],
    ),
    "rich text": (
        [
            {
                "type": "rich_text",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "t"}]}],
            }
        ],
        [{"type": "rich_text", "elements": [{"type": "text", "text": "t"}]}],
    ),
    "no alert in a message": ([section()], [{"type": "alert", "text": plain("a")}]),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit(name: str) -> None:
    """What lies at Slack's limit is taken, and one beyond it is refused as invalid_blocks with a reason."""
    fine, beyond = LIMITS[name]

    assert fine == message_blocks(fine)

    with pytest.raises(SlackError) as refused:
        message_blocks(beyond)
    assert "invalid_blocks" == refused.value.error
    assert "json-pointer:/blocks" in refused.value.messages[0]


def test_equal_action_ids_in_different_blocks_are_taken() -> None:
    """Action ids need to differ only within their block."""
    assert 2 == len(message_blocks([actions(button(1)), actions(button(1))]))


@pytest.mark.parametrize(("letter", "cost"), [("a", 1), ("&", 5), ("<", 4)])
def test_total_size_counts_escaped_characters(letter: str, cost: int) -> None:
    """A message may hold 13,200 escaped characters, where an ampersand counts five and a bracket four."""
    many = 13_200 // cost

    def spread(count: int) -> list[Json]:
        return [section(letter * min(2500, count - start)) for start in range(0, count, 2500)]

    assert message_blocks(spread(many))
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        message_blocks(spread(many + 1))


def test_one_table_in_a_message() -> None:
    """A second table is refused under the name that Slack uses for it."""
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "c"}]]}

    assert message_blocks([table])
    with pytest.raises(SlackError) as refused:
        message_blocks([table, table])
    assert ("invalid_attachments", ["only_one_table_allowed"]) == (refused.value.error, refused.value.messages)


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "blocks": [], **more}


def text_input(**more: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": "reason"}
    return {"type": "input", "label": plain("Reason"), "element": element, **more}


VIEWS: dict[str, tuple[Json, Json]] = {
    "blocks": (modal(blocks=[section()] * 100), modal(blocks=[section()] * 101)),
    "title": (modal(title=plain("t" * 24)), modal(title=plain("t" * 25))),
    "submit": (modal(submit=plain("s" * 24)), modal(submit=plain("s" * 25))),
    "private metadata": (modal(private_metadata="p" * 3000), modal(private_metadata="p" * 3001)),
    "callback id": (modal(callback_id="c" * 255), modal(callback_id="c" * 256)),
    "input needs submit": (
        modal(blocks=[text_input()], submit=plain("Go")),
        modal(blocks=[text_input()]),
    ),
    "label": (
        modal(blocks=[text_input(label=plain("l" * 2000))], submit=plain("Go")),
        modal(blocks=[text_input(label=plain("l" * 2001))], submit=plain("Go")),
    ),
    "input block ids differ": (
        modal(blocks=[text_input(block_id="a"), text_input(block_id="b")], submit=plain("Go")),
        modal(blocks=[text_input(block_id="a"), text_input(block_id="a")], submit=plain("Go")),
    ),
    "alert": (
        modal(blocks=[{"type": "alert", "text": plain("a" * 200)}]),
        modal(blocks=[{"type": "alert", "text": plain("a" * 201)}]),
    ),
    "kind": (modal(), {**modal(), "type": "workflow_step"}),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view_limit(name: str) -> None:
    """A modal at the limit opens, and one beyond it is invalid_arguments with a reason."""
    fine, beyond = VIEWS[name]

    assert fine == view(fine, "modal")

    with pytest.raises(SlackError) as refused:
        view(beyond, "modal")
    assert "invalid_arguments" == refused.value.error
    assert refused.value.messages


def test_view_size() -> None:
    """A view of more than 250 KB is too large, whatever else is right with it."""
    with pytest.raises(SlackError, match="view_too_large"):
        view(modal(blocks=[section("x" * 2900)] * 90), "modal")


@pytest.mark.parametrize("text", ["[", "{}", '"x"'])
def test_blocks_that_are_no_list(text: str) -> None:
    """Broken JSON, and JSON that is no list, have an error name of their own."""
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        message_blocks(text)


SHAPES: dict[str, Json] = {
    "must provide a string": {"type": "header", "text": plain(7)},  # type: ignore[arg-type]
    "must provide a bool": section(expand=1),
    "must provide an array": {"type": "actions", "elements": {}},
    "must provide an object": actions(button(confirm="sure?")),
    "missing required field: text": {"type": "header"},
    "no fewer than 1 items": {"type": "context", "elements": []},
    "needs either options or option_groups": actions({"type": "static_select", "action_id": "s"}),
    "unsupported type": {"type": "section", "text": "words"},
}


@pytest.mark.parametrize("words", SHAPES)
def test_wrong_shapes(words: str) -> None:
    """A part of a wrong type is refused in words that name the place."""
    with pytest.raises(SlackError) as refused:
        message_blocks([SHAPES[words]])

    assert any(words in line and "json-pointer:/blocks/0" in line for line in refused.value.messages)


def test_json_text_of_a_form_is_parsed() -> None:
    """Blocks that came as a form field's text count like blocks."""
    assert [{"type": "divider"}] == message_blocks('[{"type": "divider"}]')
