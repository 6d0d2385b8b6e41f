"""Plain drawings of the chat page, and what a filled form becomes for Slack."""

import html.parser
from typing import Any

from simulator.chat_forms import labelled, missing, plain_text, state_values, text_html, view_html
from simulator.chat_people import CAST

Json = dict[str, Any]
PEOPLE = {person.slack_id: person for person in CAST}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(value: str) -> Json:
    return {"text": plain(value.upper()), "value": value}


def field(kind: str, **more: Any) -> Json:
    optional = more.pop("optional", False)
    return {
        "type": "input",
        "block_id": f"b_{kind}",
        "label": plain(f"The {kind}"),
        "optional": optional,
        "element": {"type": kind, "action_id": f"a_{kind}", **more},
    }


VIEW: Json = {
    "blocks": [
        {"type": "header", "text": plain("Title <b>")},
        {"type": "section", "text": {"type": "mrkdwn", "text": "for <@U0ANA> &amp; all"}},
        {"type": "divider"},
        {"type": "context", "elements": [plain("small"), {"type": "image", "alt_text": "x"}]},
        {
            "type": "actions",
            "elements": [{"type": "button", "action_id": "go", "value": '"v"', "text": plain("Go")}],
        },
        field("plain_text_input", multiline=True, initial_value="start", min_length=2, max_length=9),
        field("number_input", is_decimal_allowed=False, optional=True),
        field("static_select", options=[option("a"), option("b")], initial_option=option("b")),
        field("multi_static_select", option_groups=[{"label": plain("g"), "options": [option("c")]}]),
        field("radio_buttons", options=[option("d"), option("e")]),
        field("checkboxes", options=[option("f"), option("g")], optional=True),
        field("datepicker"),
        field("users_select"),
        field("external_select"),
    ]
}
FILLED = {
    "a_plain_text_input": ["because"],
    "b_number_input": ["7"],
    "b_static_select.a_static_select": ["a"],
    "a_multi_static_select": ["c"],
    "a_radio_buttons": ["e"],
    "a_checkboxes": ["f", "g"],
    "a_datepicker": ["2026-11-22"],
    "a_users_select": ["U0ANA"],
    "a_external_select": ["vault-prod-01"],
}


class Tags(html.parser.HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_text_is_readable_and_escaped() -> None:
    """Mentions show names, links their label, dates their fallback; markup from a name stays text."""
    text = "<@U0ANA> <@U9|zoe> <!subteam^S0ONCALL> <!here> <https://a.example|Portal> <https://b.example>"

    assert "@Ana Lima @zoe @S0ONCALL @here Portal https://b.example" == plain_text(text, PEOPLE)
    assert "31 h ago" == plain_text("<!date^1^{ago}|31 h ago>", PEOPLE)
    assert '<p class="plain">&lt;script&gt; &amp;</p>' == text_html("&lt;script&gt; &amp;", PEOPLE)


def test_every_field_has_a_label() -> None:
    """A modal is drawn with named, labelled fields, its limits and its buttons, all escaped."""
    drawn = view_html(VIEW, PEOPLE)
    parser = Tags()
    parser.feed(drawn)
    labels = {attrs["for"] for tag, attrs in parser.found if tag == "label" and "for" in attrs}
    named = {attrs["id"]: attrs for tag, attrs in parser.found if "name" in attrs and "id" in attrs}

    assert labels == set(named)
    assert ("2", "9") == tuple(named["f-b_plain_text_input"][key] for key in ("minlength", "maxlength"))
    assert "required" not in named["f-b_number_input"]
    assert "multiple" in named["f-b_multi_static_select"]
    assert "date" == named["f-b_datepicker"]["type"]
    assert '<option value="b" selected>B</option>' in drawn
    assert "<h3>Title &lt;b&gt;</h3>" in drawn
    assert "for @Ana Lima &amp; all" in drawn
    assert ["go"] == [attrs["data-action"] for tag, attrs in parser.found if tag == "button"]
    assert 4 == sum(attrs.get("type") in {"radio", "checkbox"} for _, attrs in parser.found)


def test_filled_form_becomes_slacks_state() -> None:
    """Fields named by action id, block id or both become the values that Slack would send."""
    values = state_values(VIEW, FILLED)

    assert {"type": "plain_text_input", "value": "because"} == values["b_plain_text_input"]["a_plain_text_input"]
    assert "7" == values["b_number_input"]["a_number_input"]["value"]
    assert option("a") == values["b_static_select"]["a_static_select"]["selected_option"]
    assert [option("c")] == values["b_multi_static_select"]["a_multi_static_select"]["selected_options"]
    assert option("e") == values["b_radio_buttons"]["a_radio_buttons"]["selected_option"]
    assert ["f", "g"] == [o["value"] for o in values["b_checkboxes"]["a_checkboxes"]["selected_options"]]
    assert "2026-11-22" == values["b_datepicker"]["a_datepicker"]["selected_date"]
    assert "U0ANA" == values["b_users_select"]["a_users_select"]["selected_user"]
    assert "vault-prod-01" == values["b_external_select"]["a_external_select"]["selected_option"]["value"]


def test_an_empty_form() -> None:
    """Every required field is missed, optional ones are not, and the state holds Slack's empty values."""
    absent = missing(VIEW, {"a_plain_text_input": [""]})
    values = state_values(VIEW, {})

    assert {"b_number_input", "b_checkboxes"} == {
        block["block_id"] for block in VIEW["blocks"] if "block_id" in block
    } - set(absent)
    assert values["b_plain_text_input"]["a_plain_text_input"]["value"] is None
    assert values["b_radio_buttons"]["a_radio_buttons"]["selected_option"] is None
    assert [] == values["b_checkboxes"]["a_checkboxes"]["selected_options"]
    assert {} == missing(VIEW, FILLED)


def test_errors_name_their_field() -> None:
    """An error says which label and which field names it belongs to, an unknown block too."""
    lines = labelled(VIEW, {"b_datepicker": "too late", "b_other": "odd"})

    assert {
        "names": ["a_datepicker", "b_datepicker"],
        "label": "The datepicker",
        "message": "too late",
    } == lines[0]
    assert {"names": [None, "b_other"], "label": "", "message": "odd"} == lines[1]
