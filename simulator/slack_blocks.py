"""Block Kit as strict as Slack: structure, lengths and ids of messages, modals and home tabs.

The limits are those of https://docs.slack.dev/reference/block-kit; the total size of a message is documented
nowhere and was measured by users (https://github.com/slackapi/bolt-js/issues/2509).
"""

import html
import json
from collections.abc import Callable, Iterator

from simulator.chat_wire import Json
from simulator.slack_state import SlackError, interactive_elements

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
COUNTED_CHARACTERS = 13_200
STRUCTURE_COST = 100
VIEW_BYTES = 250 * 1024

Problems = list[str]
Check = Callable[[object, str, Problems], None]


def _string(most: int, least: int = 1) -> Check:
    def check(value: object, at: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problems.append(f"must provide a string [json-pointer:{at}]")
        elif len(value) > most:
            problems.append(f"must be less than {most + 1} characters [json-pointer:{at}]")
        elif len(value) < least:
            problems.append(f"must be more than {least - 1} characters [json-pointer:{at}]")

    return check


def _typed(*kinds: type) -> Check:
    def check(value: object, at: str, problems: Problems) -> None:
        # bool is an int for Python, but not for Slack.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            problems.append(f"must provide a {kinds[0].__name__} [json-pointer:{at}]")

    return check


def _one_of(*values: str) -> Check:
    def check(value: object, at: str, problems: Problems) -> None:
        if value not in values:
            problems.append(f"must be one of {', '.join(values)} [json-pointer:{at}]")

    return check


def _list(least: int, most: int, each: Check) -> Check:
    def check(value: object, at: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.append(f"must provide an array [json-pointer:{at}]")
            return
        if len(value) > most:
            problems.append(f"no more than {most} items allowed [json-pointer:{at}]")
        if len(value) < least:
            problems.append(f"no fewer than {least} items allowed [json-pointer:{at}]")
        for index, item in enumerate(value):
            each(item, f"{at}/{index}", problems)

    return check


def _shape(required: dict[str, Check], optional: dict[str, Check]) -> Check:
    known = required | optional

    def check(value: object, at: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.append(f"must provide an object [json-pointer:{at}]")
            return
        problems.extend(f"missing required field: {key} [json-pointer:{at}]" for key in required if key not in value)
        for key, item in value.items():
            if key in known:
                known[key](item, f"{at}/{key}", problems)
            else:
                problems.append(f"invalid additional property: {key} [json-pointer:{at}]")

    return check


def _by_type(kinds: dict[str, Check]) -> Check:
    def check(value: object, at: str, problems: Problems) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or kind not in kinds:
            problems.append(f"unsupported type: {kind} [json-pointer:{at}]")
            return
        kinds[str(kind)]({key: item for key, item in value.items() if key != "type"}, at, problems)

    return check


def _plain(most: int) -> Check:
    return _by_type({"plain_text": _shape({"text": _string(most)}, {"emoji": _typed(bool)})})


def _text(most: int) -> Check:
    return _by_type(
        {
            "plain_text": _shape({"text": _string(most)}, {"emoji": _typed(bool)}),
            "mrkdwn": _shape({"text": _string(most)}, {"verbatim": _typed(bool)}),
        }
    )


def _anything(value: object, at: str, problems: Problems) -> None:
    """Accept whatever stands there."""


ID = _string(255)
CONFIRM = _shape(
    {"title": _plain(100), "text": _text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": _one_of("primary", "danger")},
)
OPTION = _shape({"text": _text(75), "value": _string(150)}, {"description": _text(75), "url": _string(3000)})
OPTION_GROUP = _shape({"label": _plain(75), "options": _list(1, 100, OPTION)}, {})
COMMON = {"action_id": ID, "confirm": CONFIRM}
FOCUS = {"focus_on_load": _typed(bool)}
PLACEHOLDER = {"placeholder": _plain(150)}
MENU = COMMON | FOCUS | PLACEHOLDER
MANY = {"max_selected_items": _typed(int)}
RESPONSE = {"response_url_enabled": _typed(bool)}
STATIC = {"options": _list(1, 100, OPTION), "option_groups": _list(1, 100, OPTION_GROUP)}
TEXT_INPUT = (
    {"action_id": ID, "initial_value": _string(3000, 0), "dispatch_action_config": _anything} | FOCUS | PLACEHOLDER
)
IMAGE = _shape({"alt_text": _string(2000)}, {"image_url": _string(3000), "slack_file": _anything})
BUTTON = _shape(
    {"text": _plain(75)},
    COMMON
    | {
        "value": _string(2000),
        "url": _string(3000),
        "style": _one_of("primary", "danger"),
        "accessibility_label": _string(75),
    },
)
ELEMENTS: dict[str, Check] = {
    "button": BUTTON,
    "overflow": _shape({"options": _list(1, 5, OPTION)}, COMMON),
    "static_select": _shape({}, MENU | STATIC | {"initial_option": OPTION}),
    "multi_static_select": _shape({}, MENU | STATIC | MANY | {"initial_options": _list(1, 100, OPTION)}),
    "external_select": _shape({}, MENU | {"initial_option": OPTION, "min_query_length": _typed(int)}),
    "users_select": _shape({}, MENU | {"initial_user": _string(255)}),
    "multi_users_select": _shape({}, MENU | MANY | {"initial_users": _typed(list)}),
    "conversations_select": _shape(
        {},
        MENU
        | RESPONSE
        | {"initial_conversation": ID, "default_to_current_conversation": _typed(bool), "filter": _anything},
    ),
    "channels_select": _shape({}, MENU | RESPONSE | {"initial_channel": ID}),
    "datepicker": _shape({}, MENU | {"initial_date": _string(10)}),
    "timepicker": _shape({}, MENU | {"initial_time": _string(5), "timezone": _string(255)}),
    "datetimepicker": _shape({}, COMMON | FOCUS | {"initial_date_time": _typed(int)}),
    "checkboxes": _shape({"options": _list(1, 10, OPTION)}, COMMON | FOCUS | {"initial_options": _list(1, 10, OPTION)}),
    "radio_buttons": _shape({"options": _list(1, 10, OPTION)}, COMMON | FOCUS | {"initial_option": OPTION}),
    "plain_text_input": _shape(
        {},
        TEXT_INPUT | {"multiline": _typed(bool), "min_length": _typed(int), "max_length": _typed(int)},
    ),
    "number_input": _shape(
        {"is_decimal_allowed": _typed(bool)},
        TEXT_INPUT | {"min_value": _string(255), "max_value": _string(255)},
    ),
    "email_text_input": _shape({}, TEXT_INPUT),
    "url_text_input": _shape({}, TEXT_INPUT),
    "image": IMAGE,
}
INPUT_ELEMENTS = {kind: check for kind, check in ELEMENTS.items() if kind not in {"button", "overflow", "image"}}
ACTION_ELEMENTS = {kind: check for kind, check in ELEMENTS.items() if kind != "image" and not kind.endswith("_input")}
STYLE = _shape({}, {key: _typed(bool) for key in ("bold", "italic", "strike", "code", "underline", "highlight")})
RICH_INLINE: dict[str, Check] = {
    "text": _shape({"text": _string(12_000)}, {"style": STYLE}),
    "link": _shape({"url": _string(3000)}, {"text": _string(3000, 0), "unsafe": _typed(bool), "style": STYLE}),
    "user": _shape({"user_id": ID}, {"style": STYLE}),
    "usergroup": _shape({"usergroup_id": ID}, {"style": STYLE}),
    "channel": _shape({"channel_id": ID}, {"style": STYLE}),
    "emoji": _shape({"name": ID}, {"unicode": ID, "style": STYLE}),
    "broadcast": _shape({"range": _one_of("here", "channel", "everyone")}, {"style": STYLE}),
    "color": _shape({"value": _string(7)}, {}),
    "date": _shape(
        {"timestamp": _typed(int), "format": _string(255)},
        {"url": _string(3000), "fallback": _string(255), "style": STYLE},
    ),
}
INLINE = _list(0, 1000, _by_type(RICH_INLINE))
RICH_SECTION = _shape({"elements": INLINE}, {})
BORDER = {"border": _typed(int)}
RICH_PARTS: dict[str, Check] = {
    "rich_text_section": RICH_SECTION,
    "rich_text_preformatted": _shape({"elements": INLINE}, BORDER | {"language": ID}),
    "rich_text_quote": _shape({"elements": INLINE}, BORDER),
    "rich_text_list": _shape(
        {
            "style": _one_of("bullet", "ordered"),
            "elements": _list(1, 1000, _by_type({"rich_text_section": RICH_SECTION})),
        },
        BORDER | {"indent": _typed(int), "offset": _typed(int)},
    ),
}
RICH_TEXT = _shape({"elements": _list(1, 1000, _by_type(RICH_PARTS))}, {"block_id": ID})
CELL = _by_type(
    {
        "raw_text": _shape({"text": _string(3000)}, {}),
        "raw_number": _shape({"value": _typed(int, float)}, {"text": _string(3000)}),
        "rich_text": RICH_TEXT,
    }
)
BLOCK_ID = {"block_id": ID}
BLOCKS: dict[str, Check] = {
    "header": _shape({"text": _plain(150)}, BLOCK_ID | {"level": _typed(int)}),
    "section": _shape(
        {},
        BLOCK_ID
        | {
            "text": _text(3000),
            "fields": _list(1, 10, _text(2000)),
            "accessory": _by_type({k: c for k, c in ELEMENTS.items() if not k.endswith("_input")}),
            "expand": _typed(bool),
        },
    ),
    "context": _shape(
        {
            "elements": _list(
                1,
                10,
                _by_type(
                    {
                        "image": IMAGE,
                        "plain_text": _shape({"text": _string(3000)}, {"emoji": _typed(bool)}),
                        "mrkdwn": _shape({"text": _string(3000)}, {"verbatim": _typed(bool)}),
                    }
                ),
            )
        },
        BLOCK_ID,
    ),
    "actions": _shape({"elements": _list(1, 25, _by_type(ACTION_ELEMENTS))}, BLOCK_ID),
    "divider": _shape({}, BLOCK_ID),
    "rich_text": RICH_TEXT,
    "image": _shape(
        {"alt_text": _string(2000)},
        BLOCK_ID | {"image_url": _string(3000), "slack_file": _anything, "title": _plain(2000)},
    ),
    "input": _shape(
        {"label": _plain(2000), "element": _by_type(INPUT_ELEMENTS)},
        BLOCK_ID | {"hint": _plain(2000), "optional": _typed(bool), "dispatch_action": _typed(bool)},
    ),
}
TABLE = _shape({"rows": _list(1, 100, _list(1, 20, CELL))}, BLOCK_ID | {"column_settings": _list(0, 20, _anything)})
MESSAGE_KINDS = BLOCKS | {"table": TABLE, "markdown": _shape({"text": _string(12_000)}, BLOCK_ID)}
ALERT = _shape(
    {"text": _text(200)},
    BLOCK_ID | {"level": _one_of("default", "info", "warning", "error", "success")},
)
MODAL_KINDS = BLOCKS | {"alert": ALERT}


def texts(value: object) -> Iterator[str]:
    """Yield every visible text within blocks: `text` fields, labels, alternative texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"text", "alt_text"} and isinstance(item, str):
                yield item
            else:
                yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def counted_characters(blocks: list[Json]) -> int:
    """Return the size that `msg_blocks_too_long` looks at: escaped text, and 100 per header and divider."""
    escaped = sum(len(html.escape(html.unescape(text), quote=False)) for text in texts(blocks))
    return escaped + STRUCTURE_COST * sum(block.get("type") in {"header", "divider"} for block in blocks)


def parse(value: object, name: str) -> object:
    """Return JSON that came as a form field's text, or the value itself; `invalid_<name>_format` if it is broken."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SlackError(f"invalid_{name}_format") from None


def message_blocks(value: object) -> list[Json]:
    """Return the blocks of a message once they pass all checks; else `invalid_blocks` and the like."""
    blocks = parse(value, "blocks")
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    problems: Problems = []
    _list(0, MESSAGE_BLOCKS, _by_type(MESSAGE_KINDS))(blocks, "/blocks", problems)
    if not problems:
        problems += _rules(blocks)
    if problems:
        raise SlackError("invalid_blocks", *problems)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise SlackError("invalid_attachments", "only_one_table_allowed")
    if counted_characters(blocks) > COUNTED_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return blocks


def _rules(blocks: list[Json]) -> Problems:
    """Return the faults that one block's own shape cannot show."""
    problems: Problems = []
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        at = f"[json-pointer:/blocks/{index}]"
        if block["type"] == "section" and not ("text" in block or "fields" in block):
            problems.append(f"missing required field: text or fields {at}")
        name = block.get("block_id")
        if name is not None and name in seen:
            problems.append(f"block_id {name} already exists {at}")
        seen.add(str(name))
        ids = [element["action_id"] for element in interactive_elements(block) if "action_id" in element]
        problems += [f"action_id {i} already exists for block_id {name} {at}" for i in set(ids) if ids.count(i) > 1]
        for element in interactive_elements(block):
            if element["type"].endswith("static_select") and ("options" in element) == ("option_groups" in element):
                problems.append(f"needs either options or option_groups {at}")
    return problems


def view(value: object, *kinds: str) -> Json:
    """Return a view of one of the kinds (`modal`, `home`) once it passes all checks; else Slack's error."""
    parsed = parse(value, "arguments")
    if not isinstance(parsed, dict) or parsed.get("type") not in kinds:
        raise SlackError("invalid_arguments", "unsupported type [json-pointer:/view/type]")
    if len(json.dumps(parsed).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    modal = parsed["type"] == "modal"
    optional: dict[str, Check] = {
        "type": _anything,
        "private_metadata": _string(3000, 0),
        "callback_id": _string(255, 0),
        "external_id": _string(255, 0),
    }
    required: dict[str, Check] = {"blocks": _list(0, VIEW_BLOCKS, _by_type(MODAL_KINDS if modal else BLOCKS))}
    if modal:
        required |= {"title": _plain(24)}
        optional |= {"submit": _plain(24), "close": _plain(24)}
        optional |= dict.fromkeys(("clear_on_close", "notify_on_close", "submit_disabled"), _typed(bool))
    problems: Problems = []
    _shape(required, optional)(parsed, "/view", problems)
    if not problems:
        problems += _rules(parsed["blocks"])
        if modal and any(block["type"] == "input" for block in parsed["blocks"]) and "submit" not in parsed:
            problems.append("`submit` is required when an `input` block is present [json-pointer:/view/submit]")
    if problems:
        raise SlackError("invalid_arguments", *problems)
    return parsed
