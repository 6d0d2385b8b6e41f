"""Plain drawings for the chat page: text of messages, form fields of modals, and what a filled form means to Slack."""

import html
import re
from collections.abc import Iterator, Mapping

from simulator.chat_people import Person
from simulator.chat_wire import Json
from simulator.slack_state import BOT_USER, interactive_elements

_MARKED = re.compile(r"<([^<>]+)>")
_MANY = {"checkboxes": "selected_options", "multi_static_select": "selected_options"}
_PICKED = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}
_CHOSEN = {"static_select", "radio_buttons", "external_select"}


def plain_text(text: str, people: Mapping[str, Person]) -> str:
    """Return Slack text as readable plain text: mentions by name, links by their label, entities undone."""

    def readable(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        if target.startswith("@"):
            person = people.get(target[1:])
            known = "Backup" if target[1:] == BOT_USER else label or target[1:]
            return "@" + (person.name if person else known)
        if target.startswith("!date^"):
            return label
        if target.startswith("!"):
            return "@" + (label.removeprefix("@") or target[1:].rpartition("^")[2])
        return label or target

    return html.unescape(_MARKED.sub(readable, text))


def text_html(text: str, people: Mapping[str, Person]) -> str:
    """Return a paragraph with the escaped text."""
    return f'<p class="plain">{html.escape(plain_text(text, people))}</p>'


def _words(value: object) -> str:
    return html.unescape(str(value.get("text", ""))) if isinstance(value, dict) else ""


def view_html(view: Json, people: Mapping[str, Person]) -> str:
    """Return a modal's blocks as text and labelled form fields, named by their block ids."""
    return "".join(_block_html(block, people) for block in view.get("blocks", []))


def _block_html(block: Json, people: Mapping[str, Person]) -> str:
    kind = block.get("type")
    if kind == "input":
        return _field_html(block)
    if kind == "divider":
        return "<hr>"
    if kind == "header":
        return f"<h3>{html.escape(_words(block['text']))}</h3>"
    parts = [block.get("text"), *block.get("fields", [])]
    if kind == "context":
        parts = [part for part in block["elements"] if part.get("type") != "image"]
    drawn = "".join(text_html(str(part["text"]), people) for part in parts if isinstance(part, dict))
    buttons = [element for element in interactive_elements(block) if element["type"] == "button"]
    return drawn + "".join(
        f'<button type="button" data-action="{html.escape(str(button["action_id"]))}" '
        f'data-value="{html.escape(str(button.get("value", "")))}">{html.escape(_words(button["text"]))}</button>'
        for button in buttons
    )


def _options(element: Json) -> list[Json]:
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return [*element.get("options", []), *grouped]


def _field_html(block: Json) -> str:
    element = block["element"]
    name = html.escape(str(block["block_id"]))
    label = html.escape(_words(block["label"]))
    needed = "" if block.get("optional") else " required"
    hint = html.escape(_words(block.get("hint", {})))
    note = f'<small id="hint-{name}">{hint}</small>' if hint else ""
    described = f' aria-describedby="hint-{name}"' if hint else ""
    kind = element["type"]
    if kind in {"checkboxes", "radio_buttons"}:
        box = "checkbox" if kind == "checkboxes" else "radio"
        choices = "".join(
            f'<label class="choice"><input type="{box}" name="{name}" value="{html.escape(str(option["value"]))}">'
            f" {html.escape(_words(option['text']))}</label>"
            for option in _options(element)
        )
        return f"<fieldset><legend>{label}</legend>{choices}{note}</fieldset>"
    if kind.endswith("static_select"):
        many = " multiple" if kind.startswith("multi_") else ""
        chosen = (element.get("initial_option") or {}).get("value")
        inside = "".join(
            f'<option value="{html.escape(str(option["value"]))}"{" selected" if option["value"] == chosen else ""}>'
            f"{html.escape(_words(option['text']))}</option>"
            for option in _options(element)
        )
        field = f'<select id="f-{name}" name="{name}"{many}{needed}{described}>{inside}</select>'
    else:
        limit = f' maxlength="{int(element["max_length"])}"' if "max_length" in element else ""
        least = f' minlength="{int(element["min_length"])}"' if "min_length" in element else ""
        start = html.escape(str(element.get("initial_value") or element.get("initial_date") or ""))
        common = f'id="f-{name}" name="{name}"{limit}{least}{needed}{described}'
        if element.get("multiline"):
            field = f"<textarea {common} rows=3>{start}</textarea>"
        else:
            types = {"number_input": "number", "datepicker": "date", "timepicker": "time", "email_text_input": "email"}
            field = f'<input type="{types.get(kind, "text")}" {common} value="{start}">'
    return f'<div class="field"><label for="f-{name}">{label}</label>{field}{note}</div>'


def inputs(view: Json) -> Iterator[tuple[Json, Json]]:
    """Yield (block, element) for everything in a modal that holds a value."""
    for block in view.get("blocks", []):
        for element in interactive_elements(block):
            if element["type"] not in {"button", "overflow"}:
                yield block, element


def state_values(view: Json, filled: Mapping[str, list[str]]) -> Json:
    """Return Slack's `state.values` for a filled form.

    A field may be named by block id, by action id, or `BLOCK.ACTION`; several values are a list.
    """
    values: Json = {}
    for block, element in inputs(view):
        given = _given(block, element, filled)
        values.setdefault(block["block_id"], {})[element["action_id"]] = _state(element, given)
    return values


def _given(block: Json, element: Json, filled: Mapping[str, list[str]]) -> list[str]:
    names = (f"{block['block_id']}.{element['action_id']}", block["block_id"], element["action_id"])
    found = next((filled[name] for name in names if name in filled), [])
    return [value for value in found if value != ""]


def _state(element: Json, given: list[str]) -> Json:
    kind = element["type"]
    picked = [option for option in _options(element) if option["value"] in given]
    if kind in _MANY:
        return {"type": kind, _MANY[kind]: picked}
    if kind in _CHOSEN:
        # The options of an external select are not part of the view.
        loose = [{"text": {"type": "plain_text", "text": value}, "value": value} for value in given]
        chosen = picked or (loose if kind == "external_select" else [])
        return {"type": kind, "selected_option": chosen[0] if chosen else None}
    if kind in _PICKED:
        return {"type": kind, _PICKED[kind]: given[0] if given else None}
    return {"type": kind, "value": given[0] if given else None}


def missing(view: Json, filled: Mapping[str, list[str]]) -> dict[str, str]:
    """Return, by block id, the message for each required field left empty, as Slack's client would before sending."""
    return {
        block["block_id"]: "Please complete this required field."
        for block, element in inputs(view)
        if block["type"] == "input" and not block.get("optional") and not _given(block, element, filled)
    }


def labelled(view: Json, errors: Mapping[str, str]) -> list[Json]:
    """Return submission errors with the label and field names that a page needs to show them."""
    names = {block["block_id"]: (block, element) for block, element in inputs(view)}
    lines = []
    for block_id, message in errors.items():
        block, element = names.get(block_id, ({}, {}))
        label = _words(block.get("label", {}))
        lines.append({"names": [element.get("action_id"), block_id], "label": label, "message": message})
    return lines
