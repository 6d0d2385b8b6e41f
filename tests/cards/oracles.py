"""What the platforms accept, written from their documentation and not from the renderers."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

Json = dict[str, Any]

# type of the Slack object -> (its key, most characters or items)
SLACK_LIMITS: dict[str, list[tuple[str, int]]] = {
    "header": [("text", 150)],
    "context": [("elements", 10)],
    "actions": [("elements", 25)],
    "button": [("text", 75), ("value", 2000), ("url", 3000), ("action_id", 255)],
    "overflow": [("options", 5), ("action_id", 255)],
    "static_select": [("options", 100), ("placeholder", 150), ("action_id", 255)],
    "input": [("label", 2000), ("hint", 2000)],
    "plain_text_input": [("placeholder", 150), ("initial_value", 3000)],
    "modal": [("title", 24), ("submit", 24), ("close", 24), ("private_metadata", 3000), ("callback_id", 255)],
    "confirm": [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)],
    "option": [("text", 75), ("value", 150)],
    "link": [("url", 3000)],
    "plain_text": [("text", 3000)],
    "mrkdwn": [("text", 3000)],
}
SLACK_BLOCKS = {"rich_text", "header", "context", "actions", "divider", "input"}
SLACK_TYPES = SLACK_BLOCKS | {
    *("rich_text_section", "rich_text_list", "rich_text_preformatted", "text", "link", "date", "user", "usergroup"),
    *("plain_text", "mrkdwn", "button", "overflow", "static_select", "plain_text_input", "modal"),
}
TOKEN = re.compile(
    r"<!date\^\d+\^[^|<>]*\|[^|<>]*>|<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>|<https://[^|<>\s]+\|[^|<>]*>"
)


def objects(value: object) -> Iterator[Json]:
    """Every JSON object in a value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def _kind(one: Json) -> str:
    if "type" in one:
        return str(one["type"])
    return "confirm" if "deny" in one else "option" if "value" in one and "text" in one else ""


def _length(value: Any) -> int:
    return len(value["text"] if isinstance(value, dict) else value)


def check_slack(blocks: list[Json], most: int = 50) -> None:
    """Fail with the fault if Slack would refuse these blocks of a message or view."""
    assert len(blocks) <= most
    ids = [block["block_id"] for block in blocks]
    assert len(ids) == len(set(ids))
    assert all(0 < len(one) <= 255 for one in ids)
    assert {block["type"] for block in blocks} <= SLACK_BLOCKS
    for one in objects(blocks):
        _check_slack_object(one)
    for block in blocks:
        assert Block.parse(block) is not None
        Block.parse(block).to_dict()  # type: ignore[union-attr]  # raises for what slack_sdk knows
        if block["type"] == "actions":
            actions = [element["action_id"] for element in block["elements"]]
            assert len(actions) == len(set(actions))
    text = sum(len(_escape(str(one["text"]))) for one in objects(blocks) if isinstance(one.get("text"), str))
    assert text < 12_000 or most == 100


def _check_slack_object(one: Json) -> None:
    kind = _kind(one)
    assert kind in SLACK_TYPES | {"confirm", "option", ""}, kind
    for key, most in SLACK_LIMITS.get(kind, []):
        if key in one:
            assert 1 <= _length(one[key]) <= most, (kind, key, _length(one[key]))
    if kind in {"text", "plain_text", "mrkdwn"}:
        assert one["text"] != ""
    if kind == "plain_text":
        assert one["emoji"] is False
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", one["text"])
    if kind == "mrkdwn":
        assert one["verbatim"] is True
        rest = TOKEN.sub("", one["text"])
        assert not re.search(r"[<>*_~`:]|&(?!amp;|lt;|gt;)", re.sub(r"\d\d:\d\d UTC", "", rest)), one["text"]
    if kind.startswith("rich_text"):
        assert one["elements"]


def check_view(view: Json) -> None:
    """Fail with the fault if Slack would refuse this modal."""
    check_slack(view["blocks"], most=100)
    _check_slack_object(view)
    View(**view).to_dict()
    assert len(json.dumps(view, ensure_ascii=False).encode()) <= 250_000


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_size(blocks: list[Json]) -> int:
    """Our measure of a message: escaped JSON of each block with a block id of 64 characters and its key."""
    bare = [{key: value for key, value in block.items() if key != "block_id"} for block in blocks]
    return sum(len(_escape(json.dumps(block, ensure_ascii=False))) + 64 + 20 for block in bare)


def slack_text(blocks: object) -> str:
    """What a reader sees, unescaped where Slack unescapes."""
    seen = []
    for one in objects(blocks):
        if one.get("type") in {"text", "link"}:
            seen.append(one["text"])
        elif one.get("type") in {"plain_text", "mrkdwn"}:
            seen.append(one["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return "\x00".join(seen)


def _schema() -> Json:
    schema: Json = json.loads((Path(__file__).parent / "adaptive-card-1.5.schema.json").read_text())
    # Teams takes this beside the schema's own keys:
    # https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
    schema["definitions"]["AdaptiveCard"]["properties"]["msteams"] = {"type": "object"}
    return schema


_VALIDATOR = jsonschema.Draft6Validator(_schema())


def check_teams(content: Json) -> None:
    """Fail with the fault if Teams would refuse this card."""
    faults = [f"{list(fault.path)}: {str(fault.message)[:200]}" for fault in _VALIDATOR.iter_errors(content)]
    assert not faults, faults
    assert content["version"] == "1.5"
    assert len(json.dumps(content).encode("utf-16-le")) <= 28 * 1024
    ids = [one["id"] for one in objects(content) if "isVisible" in one]
    assert len(ids) == len(set(ids))
    for one in objects(content):
        if one.get("type") == "ActionSet":
            assert 1 <= len(one["actions"]) <= 6
        if one.get("type") == "Action.ToggleVisibility":
            assert set(one["targetElements"]) <= set(ids)
        if one.get("type") == "Action.Execute" and one["title"] != "Refresh":
            assert one["fallback"]["type"] == "Action.Submit"
            assert one["fallback"]["data"] == one["data"]
        if one.get("type") == "TextRun":
            assert one["text"] != ""
            assert "{{" not in one["text"] or re.fullmatch(r"(\{\{(DATE|TIME)\([^(){}]*\)\}\} ?)+", one["text"])
        if one.get("type") == "TextBlock":
            assert re.fullmatch(r" |(<at>[\w .'()-]+</at>(, )?)+", one["text"]), one["text"]
        assert one.get("type") not in {"FactSet", "Table"}


def teams_text(content: object) -> str:
    """What a reader sees: runs of a block joined, blocks and titles apart."""
    seen = []
    for one in objects(content):
        if one.get("type") == "RichTextBlock":
            seen.append("".join(run["text"] for run in one["inlines"]))
        seen += [one[key] for key in ("title", "label", "placeholder", "value") if isinstance(one.get(key), str)]
    return "\x00".join(seen)


class Page(HTMLParser):
    """Reads a fragment: tags, attributes, text; and that every tag is closed."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(fragment)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in {"hr", "input", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        """All values of the attributes of this name."""
        return [value for _, one, value in self.attributes if one == name]
