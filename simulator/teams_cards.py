"""Small checks of what a bot sends to Teams: the shape of activities, and Adaptive Cards up to version 1.5.

Elements and properties are those of https://adaptivecards.io/explorer at version 1.5; Teams wants `version`
on every card, or phones draw nothing (https://github.com/microsoft/teams.py/issues/311).
"""

import json
from collections.abc import Iterator

from simulator.chat_wire import Json

CARD = "application/vnd.microsoft.card.adaptive"
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
REFRESH_USERS = 60

_ELEMENT = "type id isVisible requires fallback separator spacing height"
_INPUT = f"{_ELEMENT} errorMessage isRequired label value"
_ACTION = "type id title iconUrl style tooltip isEnabled mode requires fallback"
_BOX = "style verticalContentAlignment bleed backgroundImage minHeight rtl selectAction items"

PROPERTIES: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "AdaptiveCard": (
            "type version body actions selectAction fallbackText backgroundImage minHeight rtl speak lang "
            "verticalContentAlignment $schema refresh authentication metadata msteams"
        ),
        "TextBlock": f"{_ELEMENT} text color fontType horizontalAlignment isSubtle maxLines size weight wrap style",
        "RichTextBlock": f"{_ELEMENT} inlines horizontalAlignment",
        "TextRun": (
            "type text color fontType highlight isSubtle italic selectAction size strikethrough underline weight"
        ),
        "Image": f"{_ELEMENT} url altText backgroundColor horizontalAlignment selectAction size style width",
        "ImageSet": f"{_ELEMENT} images imageSize",
        "Media": f"{_ELEMENT} sources poster altText captionSources",
        "MediaSource": "type mimeType url",
        "Container": f"{_ELEMENT} {_BOX}",
        "ColumnSet": f"{_ELEMENT} columns selectAction style bleed minHeight horizontalAlignment",
        "Column": f"{_ELEMENT} {_BOX} width",
        "FactSet": f"{_ELEMENT} facts",
        "Fact": "type title value",
        "ActionSet": f"{_ELEMENT} actions",
        "Table": (
            f"{_ELEMENT} columns rows firstRowAsHeader showGridLines gridStyle "
            "horizontalCellContentAlignment verticalCellContentAlignment"
        ),
        "TableRow": f"{_ELEMENT} cells style horizontalCellContentAlignment verticalCellContentAlignment",
        "TableCell": f"{_ELEMENT} {_BOX}",
        "TableColumnDefinition": "type width horizontalCellContentAlignment verticalCellContentAlignment",
        "Input.Text": f"{_INPUT} isMultiline maxLength placeholder regex style inlineAction",
        "Input.Number": f"{_INPUT} max min placeholder",
        "Input.Date": f"{_INPUT} max min placeholder",
        "Input.Time": f"{_INPUT} max min placeholder",
        "Input.Toggle": f"{_INPUT} title valueOn valueOff wrap",
        "Input.ChoiceSet": f"{_INPUT} choices isMultiSelect style placeholder wrap",
        "Input.Choice": "type title value",
        "Action.OpenUrl": f"{_ACTION} url",
        "Action.Submit": f"{_ACTION} data associatedInputs",
        "Action.Execute": f"{_ACTION} data verb associatedInputs",
        "Action.ShowCard": f"{_ACTION} card",
        "Action.ToggleVisibility": f"{_ACTION} targetElements",
        "Refresh": "type action userIds expires",
    }.items()
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "TextBlock": ("text",),
    "RichTextBlock": ("inlines",),
    "TextRun": ("text",),
    "Image": ("url",),
    "Container": ("items",),
    "FactSet": ("facts",),
    "Fact": ("title", "value"),
    "ActionSet": ("actions",),
    "Input.Choice": ("title", "value"),
    "Action.OpenUrl": ("url",),
    "Action.ShowCard": ("card",),
    "Action.ToggleVisibility": ("targetElements",),
} | {f"Input.{kind}": ("id",) for kind in ("Text", "Number", "Date", "Time", "Toggle", "ChoiceSet")}

# Within these properties an object may leave its type out, since only one is possible there.
IMPLIED = {
    "facts": "Fact",
    "choices": "Input.Choice",
    "refresh": "Refresh",
    "cells": "TableCell",
    "rows": "TableRow",
    "sources": "MediaSource",
}
# The content of these is the bot's own, or a different vocabulary.
OPAQUE = frozenset({"data", "metadata", "msteams", "requires", "authentication", "backgroundImage", "targetElements"})


def card_problems(card: object) -> list[str]:
    """Return what is wrong with an Adaptive Card, one sentence each; empty when Teams would draw it."""
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        return ["the content is not an AdaptiveCard"]
    problems: list[str] = []
    if card.get("version") not in VERSIONS:
        problems.append(f"version is {card.get('version')!r}, not one of 1.0 to 1.5")
    problems += _problems(card, "AdaptiveCard", "card")
    refresh = card.get("refresh")
    if isinstance(refresh, dict) and len(refresh.get("userIds") or []) > REFRESH_USERS:
        problems.append(f"refresh.userIds has more than {REFRESH_USERS} entries")
    ids = [item["id"] for item in _objects(card) if str(item.get("type", "")).startswith("Input.") and "id" in item]
    problems += [f"input id {name} is used twice" for name in sorted({i for i in ids if ids.count(i) > 1})]
    return problems


def _problems(item: Json, kind: str, at: str) -> list[str]:
    known = PROPERTIES.get(kind)
    if known is None:
        return [f"{at}: unknown element {kind}"]
    problems = [f"{at}: {kind} has no property {key}" for key in item if key not in known]
    problems += [f"{at}: {kind} needs {key}" for key in REQUIRED.get(kind, ()) if key not in item]
    for key, value in item.items():
        if key in OPAQUE:
            continue
        values = value if isinstance(value, list) else [value]
        for index, inner in enumerate(values):
            if isinstance(inner, dict):
                place = f"{at}.{key}[{index}]" if isinstance(value, list) else f"{at}.{key}"
                problems += _problems(inner, str(inner.get("type") or _implied(kind, key)), place)
    return problems


def _implied(parent: str, key: str) -> str:
    if key == "columns":
        return "Column" if parent == "ColumnSet" else "TableColumnDefinition"
    return IMPLIED.get(key, "without a type")


def _objects(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for key, item in value.items():
            if key not in OPAQUE:
                yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def utf16_size(activity: Json) -> int:
    """Return an activity's size as Teams counts it: bytes of its JSON in UTF-16."""
    return len(json.dumps(activity, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le"))


def activity_problems(activity: object) -> list[str]:
    """Return what is wrong with an outgoing activity, one sentence each."""
    if not isinstance(activity, dict):
        return ["the body is not an activity"]
    kind = activity.get("type")
    if kind not in {"message", "typing", "event", "trace", "endOfConversation"}:
        return [f"activity type {kind!r} cannot be sent"]
    problems: list[str] = []
    attachments = activity.get("attachments") or []
    if not isinstance(attachments, list):
        return ["attachments is not a list"]
    if kind == "message" and not (activity.get("text") or attachments):
        problems.append("a message needs text or an attachment")
    for index, attachment in enumerate(attachments):
        if not isinstance(attachment, dict) or not attachment.get("contentType"):
            problems.append(f"attachments[{index}] has no contentType")
        elif attachment["contentType"] == CARD:
            problems += [f"attachments[{index}]: {line}" for line in card_problems(attachment.get("content"))]
    for entity in activity.get("entities") or []:
        if isinstance(entity, dict) and entity.get("type") == "mention":
            problems += _mention_problems(entity, activity)
    return problems


def _mention_problems(entity: Json, activity: Json) -> list[str]:
    mentioned = entity.get("mentioned")
    text = entity.get("text")
    if not isinstance(mentioned, dict) or not mentioned.get("id") or not isinstance(text, str):
        return ["a mention needs mentioned.id and text"]
    if text not in str(activity.get("text") or ""):
        return [f"the mention {text} does not occur in the text"]
    return []


def advice(activity: Json) -> list[str]:
    """Return what Teams accepts but answers badly: text beside a card, a card without a summary."""
    has_card = any(item.get("contentType") == CARD for item in activity.get("attachments") or [])
    if not has_card:
        return []
    lines = []
    if activity.get("text"):
        # https://github.com/MicrosoftDocs/msteams-docs/issues/1998
        lines.append("text beside a card becomes two messages, and the card can never be updated")
    if not activity.get("summary"):
        lines.append("a card without a summary is shown on phones as: sent a card")
    return lines
